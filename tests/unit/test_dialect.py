"""A dialect file says each operation once; what --sql names may say some of it otherwise, and nothing else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from aetl.contract import Contract
from aetl.contract.tables import Column, Table
from aetl.errors import ConfigurationError
from aetl.sql import Statements, read_dialect

TABLES = Contract.read().tables


def read(path: Path | None = None, dialect: str = "sqlite") -> Statements:
    return Statements(read_dialect(dialect, TABLES, path), TABLES, None if dialect == "sqlite" else "public")


def own(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(content, encoding="utf-8")
    return path


def test_parents_come_before_children() -> None:
    assert list(read().tables) == ["sessions", "events", "event_parents"]
    assert read().source == "yaml/sql/sqlite.yaml"


def test_a_type_an_operation_and_one_tables_create_may_be_others(tmp_path: Path) -> None:
    content = """
        types: {date-time: DATETIME}
        operations: {truncate: 'DELETE FROM {table} WHERE true; -- all'}
        tables: {sessions: {create: 'CREATE TABLE {table} (id PRIMARY KEY, started_at, meta)'}}
    """
    found, shipped = read(own(tmp_path, content)), read()
    assert "`ts` DATETIME NOT NULL" in found.of("events", "create")
    assert found.of("events", "truncate") == "DELETE FROM `events` WHERE true"
    assert found.of("sessions", "create") == "CREATE TABLE `sessions` (id PRIMARY KEY, started_at, meta)"
    assert found.of("sessions", "upsert") == shipped.of("sessions", "upsert")
    assert (found.ledger, found.ledger_create) == (shipped.ledger, shipped.ledger_create)
    assert found.dialect.changed == {"truncate"}


@pytest.mark.parametrize("part", ["types", "operations", "tables"])
def test_a_part_may_be_empty(tmp_path: Path, part: str) -> None:
    assert read(own(tmp_path, f"{part}:")).of("events", "create") == read().of("events", "create")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("ledger: {}", "'ledger' is none of types, operations, tables"),
        ("", "the file must be a mapping"),
        ("- 1", "the file must be a mapping"),
        ("types: 3", "types must be a mapping"),
        ("types: {json: 3}", "types/json must be a text"),
        ("types: {jsonb: TEXT}", "types/jsonb is not a type of the contract's: those are text, integer"),
        ("operations: {upsort: x}", "operations/upsort is not an operation: those are create, index"),
        ("operations: {upsert: ''}", "operations/upsert must be a text"),
        ("tables: {more: {create: x}}", "tables/more is not a table of the contract: those are sessions"),
        ("tables: {events: {key: x}}", "tables/events may hold 'create', and nothing else"),
        ("tables: {events: {create: x, upsert: y}}", "tables/events may hold 'create', and nothing else; leave"),
        ("tables: {events: x}", "tables/events must be a mapping"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_place(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(own(tmp_path, content))
    assert f"own.yaml cannot be used: {message}" in str(caught.value)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("SELECT {colums} FROM {table}", "operations/select: nothing is known by {colums}"),
        ("SELECT {table|, |{column}} FROM {table}", "operations/select: {table} is one name and no list"),
        ("SELECT {columns|, |{key}} FROM {table}", "operations/select: {key} is a list"),
    ],
)
def test_a_template_that_asks_for_what_is_not_there_is_refused(tmp_path: Path, template: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(own(tmp_path, f"operations: {{select: '{template}'}}")).of("events", "select")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        (b"tables: [", "cannot be read: line 1 is not YAML"),
        (b"\xff\xfe", "cannot be read: it is not UTF-8"),
        (b"a: \x07", "cannot be read: it is not YAML"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "own.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=rf"own\.yaml {message}"):
        read(path)


ODD = ["select", 'a"b', "a`b", "a[b]", "a b", "ü", "x" * 200, "{table}", "?1", "a;--"]


def test_any_name_is_quoted() -> None:
    columns = tuple(Column(name, name, "text", is_mandatory=True, admits_null=False) for name in ODD)
    tables = {name: Table(name, name, columns, (ODD[0], ODD[1])) for name in ODD}
    statements = Statements(read_dialect("sqlite", tables), tables)
    with closing(sqlite3.connect(":memory:")) as connection:
        for name in ODD:
            connection.execute(statements.of(name, "create"))
            connection.execute(statements.of(name, "upsert"), ODD)
            assert connection.execute(statements.of(name, "select")).fetchall() == [tuple(ODD)]


@pytest.mark.parametrize(("name", "prefix"), [("sqlite_x", "sqlite_"), ("Pragma_x", "pragma_"), ("json_each",) * 2])
def test_a_name_that_a_database_could_not_keep_is_refused(name: str, prefix: str) -> None:
    column = Column("id", "id", "text", is_mandatory=True, admits_null=False)
    table = Table(name, "x", (column,), ("id",))
    with pytest.raises(ConfigurationError, match=rf"the table '{name}' begins with '{prefix}'"):
        Statements(read_dialect("sqlite", {name: table}), {name: table})
