"""Settings: the command line wins over the environment, that over a file, that over aetl's own file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aetl.config import Settings, path_of, read_settings
from aetl.errors import ConfigurationError
from aetl.logs import redact

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
    settings = Settings(container="what?sig=abcdefgh")
    assert (settings.container, settings.sas) == ("what?sig=abcdefgh", None)


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
        ("a: [", "not YAML in line"),
        ("- a", "must be a mapping"),
        ("environment: 3", "must be a mapping"),
        ("colour: blue", "unknown setting 'colour'"),
        ("environment: {url: X}", "unknown setting 'url'"),
        ("retries: many", "retries: 'many' is not a int"),
        ("retries: -1", "retries and pause at least 0"),
        ("pause: -0.1", "retries and pause at least 0"),
        ("pause: .nan", "retries and pause at least 0"),
        ("timeout: 0", "timeout must be more than 0"),
        ("timeout: .nan", "timeout must be more than 0"),
        ("log_level: LOUD", "log_level: 'LOUD' is none of"),
        ("log_format: xml", "log_format: 'xml' is neither"),
    ],
)
def test_values_that_make_no_sense_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_settings(config(tmp_path, text), {})


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


@pytest.mark.parametrize(
    ("url", "scheme", "path"),
    [
        ("local.db", "sqlite", "local.db"),
        ("/srv/x.db", "sqlite", "/srv/x.db"),
        ("sqlite:///x.db", "sqlite", "x.db"),
        ("sqlite:////srv/a%20b.db", "sqlite", "/srv/a b.db"),
        ("SQLite:///x.db", "sqlite", "x.db"),
        ("file:///srv/a%20b", "file", "/srv/a b"),
        ("file://localhost/srv/a", "file", "/srv/a"),
    ],
)
def test_a_path_and_its_url_are_the_same(url: str, scheme: str, path: str) -> None:
    assert path_of(url, scheme) == Path(path)


@pytest.mark.parametrize(
    ("url", "scheme"), [("postgresql://x", "sqlite"), ("sqlite:///x", "file"), ("file://server/share", "file")]
)
def test_other_urls_are_refused(url: str, scheme: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        path_of(url, scheme)
    assert "path" in caught.value.hint


def test_no_container_is_an_error_that_names_the_variable() -> None:
    with pytest.raises(ConfigurationError, match="no container is set") as caught:
        Settings(container="").need_container()
    assert "CHAT_DB_CONTAINER_URL" in caught.value.hint
    assert Settings(container="x").need_container() == "x"


@pytest.mark.parametrize("option", [{"schema": "a.json"}, {"sql": "b.yaml"}, {"log_file": "c.log"}])
def test_paths_are_paths(option: dict[str, Any]) -> None:
    ((name, value),) = option.items()
    assert getattr(read_settings(environ={}, **option), name) == Path(value)
