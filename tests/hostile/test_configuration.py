"""Files that configure aetl do nothing but that, and come only from where the operator says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aetl.config import Settings, read_settings
from aetl.errors import ConfigurationError
from tests.acceptance.command import one_line
from tests.exports import encode, make_export, write
from tests.hostile.in_process import Run

TAGS = [
    "!!python/object/apply:os.system ['touch pwned']",
    "!!python/object/apply:subprocess.check_output [[touch, pwned]]",
    "!!python/object/new:os.system ['touch pwned']",
    "!!python/name:os.system",
    "!!python/module:subprocess",
    "!!python/object:pathlib.Path {}",
    "!!python/tuple [a, b]",
    "!include /etc/passwd",
    "!env SECRET",
]


@pytest.mark.parametrize("option", ["--config", "--sql"])
@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_in_a_yaml_file_is_refused_and_not_obeyed(option: str, tag: str, run: Run) -> None:
    Path("own.yaml").write_text(f"tables:\n  sessions: {tag}\nledger: {{}}\n")
    done = run("load", "--container", "exports", option, "own.yaml")
    assert done.exit_code == 2
    line = one_line(done.stderr)
    assert "own.yaml" in line and "line 2" in line
    assert not Path("pwned").exists()


@pytest.mark.parametrize("option", ["--config", "--sql", "--schema"])
@pytest.mark.parametrize(
    "content",
    [
        b"[" * 3000,
        b'{"a":' * 3000,
        b"[" * 3000 + b"]" * 3000,
        b"\0",
        b"\xff\xfe{\0}\0",
        b"\xff",
        b"",
        b"17",
        b"- a\n- b\n",
        b"a: *unknown\n",
        b"a: &a [*a]\n",
        b"%YAML 9.9\n---\na: b\n",
        b"a: b: c\n",
        b"\x1b[31m: a\n",
        b"? [a, b]\n: c\n",
        b"--- a\n--- b\n",
        b"9" * 5000,
        b'{"type": "object", "properties": {' + b'"t": {}, ' * 500_000,
    ],
    ids=range(18),
)
def test_a_file_that_is_something_else_is_refused_with_its_name(option: str, content: bytes, run: Run) -> None:
    Path("own.file").write_bytes(content)
    write(Path("exports"), 0, encode(make_export()))
    done = run("load", "--container", "exports", option, "own.file")
    if option == "--config" and not content:
        assert done.exit_code == 0, "an empty file says nothing"
    else:
        assert done.exit_code == 2, done.stderr
        assert "own.file" in one_line(done.stderr)
        assert not Path("local.db").exists()


@pytest.mark.parametrize("option", ["--config", "--sql", "--schema"])
def test_a_file_that_cannot_be_read_is_refused_with_its_name(option: str, run: Run) -> None:
    Path("a folder").mkdir()
    for path in ("missing", "a folder", "x" * 1024):
        done = run("load", "--container", "exports", option, path)
        assert done.exit_code == 2
        assert path in one_line(done.stderr)


def test_files_that_nobody_named_are_not_read(run: Run) -> None:
    """Neither in the working directory nor beside the exports, nor because an export says so."""
    for folder in (Path(), Path("exports")):
        for name in ("json/schema.json", "yaml/sql/sqlite.yaml", "yaml/config.yaml", "config.yaml", "sqlite.yaml",
                     "schema.json", "aetl.yaml", ".env", ".aetl"):  # fmt: skip
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("!!python/object/apply:os.system ['touch pwned']")
    for name in ("sql", "schema"):
        Path(f"{name}.file").write_text("not read")
    document = {"$schema": "schema.file", "--sql": "sql.file", "schema": "schema.file", **make_export()}
    write(Path("exports"), 0, encode(document))
    done = run("load", "--container", "exports", "--quiet")
    assert done.exit_code == 0
    assert [line.split(": ")[3].split()[0] for line in done.stderr.splitlines()] == ["'$schema'", "'--sql'", "'schema'"]
    assert not Path("pwned").exists()


NAMES = st.sampled_from([
    "container", "database", "schema", "sql", "changes", "log_file", "log_level", "log_format", "timeout", "retries",
    "pause", "environment", "sas", "<<", "1", "",
])  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.dates()
    | st.datetimes()
    | st.binary(max_size=5)
    | st.sampled_from(
        ["https://", "postgresql://", "file://", "postgresql://u:p@h:0", "http://[", "a\0b", "INFO", "json", "~"]
    )
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))


def is_read_or_refused(path: Path, environ: dict[str, str]) -> None:
    """Either there are settings of the right types, or one clear line, without what went before it."""
    refused: ConfigurationError | None = None
    try:
        settings = read_settings(path, environ)
    except ConfigurationError as error:
        refused = error
    if refused is not None:
        assert str(refused) and refused.hint
        assert refused.__context__ is None and refused.__cause__ is None
    else:
        assert type(settings.timeout) is float and type(settings.retries) is int
        assert settings == Settings(**{name: getattr(settings, name) for name in Settings.__dataclass_fields__})


@given(st.dictionaries(NAMES, VALUES, max_size=4) | VALUES)
def test_any_values_in_a_file_are_settings_or_refused(content: object) -> None:
    path = Path("own.yaml")
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    is_read_or_refused(path, {})


@given(st.binary(max_size=60) | st.text("{}[]:-?!&*<>|%@`\"'#,\n\t ~a1.", max_size=60).map(str.encode))
def test_any_bytes_in_a_file_are_settings_or_refused(content: bytes) -> None:
    path = Path("own.yaml")
    path.write_bytes(content)
    is_read_or_refused(path, {})


@given(st.dictionaries(st.sampled_from([
    "CHAT_DB_CONTAINER_URL", "CHAT_DB_CONTAINER_SAS_TOKEN", "AZURE_STORAGE_CONNECTION_STRING", "CHAT_DB_URL",
]), st.text(max_size=30) | st.text("htpsqlgre:/@?#&=[]%.,;0123456789 ab\\", max_size=30)))  # fmt: skip
def test_any_variables_are_settings_or_refused(environ: dict[str, str]) -> None:
    path = Path("own.yaml")
    path.write_text("", encoding="utf-8")
    is_read_or_refused(path, environ)
