"""Settings: the command line wins over the environment, that over a file, that over aetl's own file."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from aetl.config import Settings, read_settings
from aetl.errors import ConfigurationError
from aetl.logs import redact, redaction
from aetl.preflight import check

SIGNATURE = "c2lnbmF0dXJlLW9mLWEtc2Fz/+x="
ENCODED = "c2lnbmF0dXJlLW9mLWEtc2Fz%2F%2Bx%3D"
URL = "https://account.blob.core.windows.net/exports"


def config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_anything_the_settings_are_those_of_the_file_that_aetl_ships() -> None:
    assert read_settings(environ={}) == Settings()


def test_the_command_line_wins_over_the_environment_and_that_over_a_file(tmp_path: Path) -> None:
    own = config(tmp_path, "container: from-file\ndatabase: file.db\nretries: 7\n")
    environ = {"CHAT_DB_CONTAINER_URL": "from-environment"}
    assert read_settings(own, {}).container == "from-file"
    assert read_settings(own, environ).container == "from-environment"
    settings = read_settings(own, environ, container="from-option", database=None)
    assert (settings.container, settings.database, settings.retries) == ("from-option", "file.db", 7)


def test_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    own = config(tmp_path, "container: from-file\n")
    assert read_settings(own, {"CHAT_DB_CONTAINER_URL": " "}).container == "from-file"


def test_the_names_of_the_variables_come_from_the_file(tmp_path: Path) -> None:
    own = config(tmp_path, "environment: {container_url: BLOBS, sas_token: KEY}\n")
    environ = {"BLOBS": URL, "KEY": f"?sp=rl&sig={ENCODED}", "AZURE_STORAGE_CONNECTION_STRING": "AccountName=account"}
    settings = read_settings(own, environ)
    assert (settings.container, settings.sas) == (URL, f"sp=rl&sig={ENCODED}")
    assert settings.connection_string == "AccountName=account"
    with pytest.raises(ConfigurationError) as caught:
        read_settings(own, {}).need_container()
    assert "BLOBS" in caught.value.hint


@pytest.mark.parametrize("mark", ["", "?", " ?"])
def test_a_sas_may_begin_with_a_question_mark(mark: str) -> None:
    assert Settings(container=URL, sas=f"{mark}sp=rl&sig=abc").sas == "sp=rl&sig=abc"


def test_a_sas_in_the_url_moves_out_of_it_and_wins() -> None:
    settings = Settings(container=f"{URL}?sp=rl&sig={ENCODED}", sas="sp=r&sig=another")
    assert (settings.container, settings.sas) == (URL, f"sp=rl&sig={ENCODED}")


def test_a_question_mark_in_a_folders_name_is_no_sas() -> None:
    settings = Settings(container="what?design=abcdefgh")
    assert (settings.container, settings.sas) == ("what?design=abcdefgh", None)


def test_secrets_show_in_no_repr_and_are_hidden_from_the_log() -> None:
    settings = Settings(
        container=f"{URL}?sp=rl&sig={ENCODED}",
        connection_string="AccountName=account;AccountKey=a2V5LW9mLWFuLWFjY291bnQ=;EndpointSuffix=x",
    )
    for secret in (SIGNATURE, ENCODED, "a2V5LW9mLWFuLWFjY291bnQ="):
        assert secret not in repr(settings)
        assert secret not in str(settings)
        assert redact(f"so: {secret}!") == "so: ***!"


def test_the_signature_in_a_connection_string_is_hidden_too() -> None:
    Settings(connection_string="BlobEndpoint=https://x;SharedAccessSignature=sp=rl&sig=anotherSignature1")
    assert redact("anotherSignature1") == "***"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "line 1 is not YAML"),
        ("- a", "must be a mapping"),
        ("environment: 3", "must be a mapping"),
        ("colour: blue", "unknown setting 'colour'"),
        ("environment: {url: X}", "unknown setting 'url'"),
        ("retries: many", "line 1: retries: must be a whole number from 0 to 100, and is 'many'"),
        ("retries: -1", "must be a whole number from 0 to 100, and is -1"),
        ("retries: 1.5", "must be a whole number from 0 to 100, and is 1.5"),
        ("retries: true", "must be a whole number from 0 to 100, and is True"),
        ("retries: .inf", "must be a whole number"),
        ("retries: 1000000000", "must be a whole number from 0 to 100"),
        ("\n\npause: -0.1", r"own\.yaml, line 3: pause: must be a number of seconds from 0"),
        ("pause: .nan", "must be a number of seconds from 0"),
        ("timeout: 0", "must be a number of seconds above 0"),
        (
            "timeout: abc",
            r"own\.yaml, line 1: timeout: must be a number of seconds above 0 and up to 86400, and is 'abc'",
        ),
        ("timeout: .nan", "must be a number of seconds above 0"),
        ("timeout: .inf", "must be a number of seconds above 0"),
        ("timeout: 1e308", "must be a number of seconds above 0"),
        ("timeout: yes", "must be a number of seconds above 0 and up to 86400, and is True"),
        ("timeout: [30]", "and is a list"),
        ("timeout: 2025-01-01", "and is a date"),
        ("container: [a, b]", "container: must be a text, and is a list"),
        ("container: {a: b}", "container: must be a text, and is a mapping"),
        ("database: 1", "database: must be a text, and is 1"),
        ("database: false", "database: must be a text, and is False"),
        ("log_file: 3.5", "log_file: must be a text, and is 3.5"),
        ('log_file: "a\\0b"', "log_file: must be a text"),
        ("log_level: LOUD", "log_level: must be one of DEBUG, INFO, WARNING, ERROR, and is 'LOUD'"),
        ("log_level: [INFO]", "and is a list"),
        ("log_format: xml", "log_format: must be one of text, json, and is 'xml'"),
        ("environment: {sas_token: [A]}", "line 1: sas_token must be the name of a variable"),
        ("environment: {sas_token: 7}", "sas_token must be the name of a variable"),
        ("environment:\n  database_ulr: X", "line 2: unknown setting 'database_ulr'; did you mean 'database_url'"),
        ("timout: 3", "line 1: unknown setting 'timout'; did you mean 'timeout'"),
        ("sas: sig=abc", "unknown setting 'sas'"),
        ("database: postgresql://u:pw@h:99999/db", "line 1: database: the database's URL has a port"),
    ],
)
def test_values_that_make_no_sense_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_settings(config(tmp_path, text), {})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CHAT_DB_URL", "postgresql://u:pw@h:99999/db"),
        ("CHAT_DB_CONTAINER_URL", "htps://account.blob.core.windows.net/exports"),
        ("CHAT_DB_CONTAINER_SAS_TOKEN", "sv=1&sig=abc\ndef"),
        ("AZURE_STORAGE_CONNECTION_STRING", "sv=1&sig=abc"),
    ],
)
def test_a_variable_with_a_wrong_value_is_named(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{variable}: "):
        read_settings(environ={variable: value})


def test_an_option_with_a_wrong_value_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^retries: must be a whole number"):
        read_settings(environ={}, retries=-1)
    with pytest.raises(ConfigurationError, match=r"^container: "):
        Settings(container="http:/account.blob.core.windows.net/exports")


def test_an_option_that_does_not_exist_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="'contaner'; did you mean 'container'"):
        read_settings(environ={}, contaner="x")  # type: ignore[call-arg]


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{c}: &{c} [{','.join([f'*{b}'] * 10)}]\n" for b, c in itertools.pairwise("abcdefghij")),
        "a: &a {x: 1}\n"
        + "".join(f"{c}: &{c} {{<<: [{','.join([f'*{b}'] * 10)}]}}\n" for b, c in itertools.pairwise("abcdefghij")),
        "timeout: &a [*a]",
        "timeout: " + "[" * 1_000_000,
        "timeout: " + "[" * 500 + "]" * 500,
        "timeout: [" + "1," * 1_000_000 + "1]",
        "# " + "x" * 5_000_000,
    ],
    ids=["aliases that nest", "merged aliases", "itself", "endless", "deep", "wide", "huge"],
)
def test_a_file_that_would_take_all_memory_is_refused_at_once(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"own\.yaml cannot be read") as caught:
        read_settings(config(tmp_path, text), {})
    assert caught.value.__context__ is None


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "not UTF-8"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "own.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"own\.yaml cannot be read"):
        read_settings(path, {})


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert read_settings(config(tmp_path, "# nothing\n"), {}) == Settings()


def test_a_level_may_be_written_small() -> None:
    assert read_settings(environ={}, log_level="debug").log_level == "DEBUG"


def test_no_container_is_an_error_that_names_the_variable() -> None:
    with pytest.raises(ConfigurationError, match="no container is set") as caught:
        Settings(container="").need_container()
    assert "CHAT_DB_CONTAINER_URL" in caught.value.hint
    assert Settings(container="x").need_container() == "x"


@pytest.mark.parametrize("option", [{"schema": "a.json"}, {"sql": "b.yaml"}, {"log_file": "c.log"}])
def test_paths_are_paths(option: dict[str, Any]) -> None:
    ((name, value),) = option.items()
    assert getattr(read_settings(environ={}, **option), name) == Path(value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/db?user=u&password=open sesame",
        "postgresql://host/db?user=u&password=open%20sesame",
        "postgresql://host/db?user=u&password=open+sesame",
        "postgresql://u:open%20sesame@host/db",
        "postgresql://u%3Aopen%20sesame@host/db",
        "postgresql://u@host/db?sslpassword=open%20sesame",
    ],
)
def test_a_password_is_hidden_wherever_a_url_holds_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_hidden", {})
    monkeypatch.setattr(redaction, "_any_hidden", None)
    Settings(database=url)
    assert redact("the server says: open sesame, no") == "the server says: ***, no"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PGPASSWORD", "open sesame"),
        ("HTTPS_PROXY", "http://u:open%20sesame@proxy:3128"),
        ("http_proxy", "http://u:open sesame@proxy:3128"),
        ("ALL_PROXY", "u:open sesame@proxy:3128"),
    ],
)
def test_a_password_that_a_driver_reads_itself_is_hidden(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "_hidden", {})
    monkeypatch.setattr(redaction, "_any_hidden", None)
    monkeypatch.setenv(variable, value)
    Settings(database="postgresql://host/db")
    assert redact("the server says: open sesame, no") == "the server says: ***, no"


@pytest.mark.parametrize("setting", ["container", "database", "schema", "sql", "log_file"])
def test_what_looks_like_a_secret_shows_in_no_repr_of_the_settings(setting: str) -> None:
    given: Any = {setting: "./copy password=Z2VoZWltbmlz"}
    settings = Settings(**given)
    assert "Z2VoZWltbmlz" not in repr(settings) + str(settings)
    assert str(getattr(settings, setting)).endswith("password=Z2VoZWltbmlz")


@pytest.mark.parametrize("given", [{"retries": "sig=Z2VoZWltbmlz"}, {"log_level": "password=Z2VoZWltbmlz"}], ids=repr)
def test_no_secret_is_in_the_exception_for_a_wrong_setting(given: Any) -> None:
    for make in (Settings, read_settings):
        with pytest.raises(ConfigurationError) as caught:
            make(**given)
        assert "Z2VoZWltbmlz" not in repr(caught.value) + caught.value.line
        assert "***" in str(caught.value)


async def test_no_secret_is_in_what_check_finds(tmp_path: Path) -> None:
    (finding,) = await check(Settings(schema=tmp_path / "password=Z2VoZWltbmlz"))
    assert "Z2VoZWltbmlz" not in repr(finding)
    assert "password=***" in finding.message
