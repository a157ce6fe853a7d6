"""SQLite's own JSON is only used where it is exact, and tables that others made are used as they are."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aetl.contract import Contract
from aetl.database.sqlite.exact import may_be_objects, may_be_read_ahead
from aetl.database.sqlite.file import connect
from aetl.database.sqlite.schema import find_tables
from aetl.models import TableCounts
from aetl.sql import Statements, read_dialect
from tests.exports import in_order, listed
from tests.integration.databases import Kind, content, digest_of, load_into, sqlite_kind

APPLICATION = int.from_bytes(b"aetl")
TEXT, WHOLE = {"type": "string"}, {"type": "integer"}


def contract(folder: Path, columns: dict[str, Any], **more: Any) -> Contract:
    items = {"type": "object", "required": ["id"], "properties": {"id": TEXT, **columns}}
    table = {"type": "array", "x-key": ["id"], "items": items, **more}
    (folder / "own.json").write_text(json.dumps({"type": "object", "properties": {"t": table}}))
    return Contract.read(folder / "own.json")


def made(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in (f"PRAGMA application_id = {APPLICATION}", *statements):
            connection.execute(statement)


@pytest.fixture
def kind(tmp_path: Path) -> Kind:
    return sqlite_kind(tmp_path / "local.db")


NULLABLE = {"type": ["string", "null"]}
PLAIN = "CREATE TABLE t (id TEXT PRIMARY KEY, a TEXT)"
FAST: list[tuple[dict[str, Any], dict[str, Any], str | None, bool, bool]] = [
    ({"a": NULLABLE}, {}, None, True, True),
    ({"a": {"type": ["integer", "null"]}}, {}, None, True, True),
    ({"a": {"type": ["array", "null"]}}, {}, None, True, True),
    ({"a": {}}, {}, None, True, True),
    ({"a": TEXT}, {}, None, True, False),  # a key that is left out where it is NULL
    ({"a": NULLABLE}, {"x-rest": "more"}, None, True, False),
    ({"a": {**WHOLE, "format": "date-time", "x-epoch": "s"}}, {}, None, True, False),
    ({"a": {"type": ["number", "null"]}}, {}, None, False, False),
    ({"a": {"type": ["boolean", "null"]}}, {}, None, False, False),
    ({f"a{number}": NULLABLE for number in range(59)}, {}, None, True, True),
    ({f"a{number}": NULLABLE for number in range(60)}, {}, None, False, False),
    ({"rowid": NULLABLE, "oid": NULLABLE, "_ROWID_": NULLABLE}, {}, None, False, False),
    ({"rowid": NULLABLE, "oid": NULLABLE}, {}, None, True, True),
    ({"a": NULLABLE}, {}, PLAIN, True, True),
    ({"a": NULLABLE}, {}, PLAIN.replace("a TEXT", "a VARCHAR(9)"), True, True),
    ({"a": NULLABLE}, {}, PLAIN.replace("a TEXT", "a"), False, False),
    ({"a": {"type": ["integer", "null"]}}, {}, PLAIN.replace("a TEXT", "a REAL"), False, False),
    ({"a": NULLABLE}, {}, PLAIN.replace("a TEXT", "a TEXT, rowid TEXT"), False, False),
    ({"a": NULLABLE}, {}, f"{PLAIN} WITHOUT ROWID", False, False),
]


@pytest.mark.parametrize(("columns", "more", "create", "ahead", "objects"), FAST, ids=lambda each: str(each)[:60])
async def test_the_fast_ways_are_for_tables_of_which_they_say_just_the_same(
    tmp_path: Path, kind: Kind, columns: dict[str, Any], more: Any, create: str | None, ahead: bool, objects: bool
) -> None:
    tables = contract(tmp_path, columns, **more).tables
    statements = Statements(read_dialect("sqlite", tables), tables)
    made(Path(kind.url), create or statements.of("t", "create"))
    connection = await connect(Path(kind.url), "mode=ro")
    try:
        found = (await find_tables(connection, statements))["t"]
    finally:
        await connection.close()
    assert (may_be_read_ahead(statements, "t", found), may_be_objects(statements, "t", found)) == (ahead, objects)


async def test_the_last_digit_of_a_number_and_true_are_told(kind: Kind, tmp_path: Path) -> None:
    columns = {"x": {"type": "number"}, "good": {"type": "boolean"}}
    kind = replace(kind, contract=contract(tmp_path, columns))
    before = [{"id": "a", "x": 0.1 + 0.2, "good": True}, {"id": "b", "x": 1e300, "good": False}]
    await load_into(kind, {"t": before}, listed(1))
    assert await content(kind) == in_order({"t": before})
    after = [{**before[0], "x": 0.3}, before[1]]
    loaded = await load_into(kind, {"t": after}, listed(2))
    assert loaded.tables["t"] == TableCounts(2, 1, 1)
    assert await content(kind) == in_order({"t": after})


@pytest.mark.parametrize("create", [each[2] for each in FAST if each[2] and " a REAL" not in each[2]])
async def test_a_table_that_is_there_is_used_as_it_is(kind: Kind, tmp_path: Path, create: str) -> None:
    own = contract(tmp_path, {"a": NULLABLE})
    made(Path(kind.url), create)
    kind = replace(kind, contract=own)
    document = {"t": [{"id": str(number), "a": None if number % 3 else "01"} for number in range(9)]}
    new = replace(kind, url=str(tmp_path / "new.db"))
    for night in (1, 2):
        (loaded, other) = [await load_into(each, document, listed(night)) for each in (kind, new)]
        assert loaded.tables == other.tables
    assert await content(kind) == in_order(document)
    assert await digest_of(kind) == await digest_of(new)
    assert kind.query("SELECT sql FROM sqlite_schema WHERE name = 't'") == [(create,)]


async def test_names_are_alike_in_either_case(kind: Kind, tmp_path: Path) -> None:
    made(Path(kind.url), "CREATE TABLE T (ID TEXT PRIMARY KEY, A TEXT)", "CREATE INDEX AB ON T (A)")
    kind = replace(kind, contract=contract(tmp_path, {"a": NULLABLE}, **{"x-indexes": [["a"]]}))
    await load_into(kind, {"t": [{"id": "1", "a": "x"}]})
    assert await content(kind) == {"t": [{"id": "1", "a": "x"}]}
    assert kind.query("SELECT name FROM sqlite_schema WHERE name NOT LIKE '_aetl%' AND sql IS NOT NULL ORDER BY 1") == [
        ("AB",),
        ("T",),
        ("sqlite_sequence",),
    ]


@pytest.mark.parametrize("at_once", [1, 1000])
@pytest.mark.parametrize("night", [1, 3])
async def test_a_reference_that_only_the_contract_knows_is_looked_at_all_the_same(
    kind: Kind, tmp_path: Path, night: int, at_once: int
) -> None:
    made(Path(kind.url), "CREATE TABLE t (id TEXT PRIMARY KEY, above TEXT, number BIGINT)")
    columns = {"above": {**NULLABLE, "x-references": "t"}, "number": {"type": "integer"}}
    kind = replace(kind, contract=contract(tmp_path, columns))
    new = replace(kind, url=str(tmp_path / "new.db"))

    def row(name: str, above: str | None, number: int = 0) -> dict[str, Any]:
        return {"id": name, "above": above, "number": number}

    first = {"t": [row("a", None), row("b", "c"), row("c", "b"), row("d", "x"), row("e", "d"), row("f", "a")]}
    second = {"t": [row("a", "z"), row("g", "d"), row("h", "f"), row("f", "a", 1), row("i", "i")]}
    for each in (kind, new):
        loaded = await load_into(each, first, listed(2), at_once=at_once)
        assert loaded.places == [("t", 3, "/above"), ("t", 4, "/above")]
        loaded = await load_into(each, second, listed(night), at_once=at_once)
        assert loaded.places == [("t", 0, "/above"), ("t", 1, "/above")]
    assert await content(kind) == await content(new)


async def test_a_file_with_tables_and_no_ledger_is_taken_over_where_it_is_aetls(kind: Kind, tmp_path: Path) -> None:
    kind = replace(kind, contract=contract(tmp_path, {"a": NULLABLE}))
    made(Path(kind.url), PLAIN, "INSERT INTO t VALUES ('1', 'x')")
    async with kind.opened("check") as database:
        assert not [each for each in await database.examine() if each.level == "failure"]
        assert await database.history(5) == []
    assert await content(kind) == {"t": [{"id": "1", "a": "x"}]}
    loaded = await load_into(kind, {"t": [{"id": "1", "a": "x"}, {"id": "2", "a": None}]})
    assert loaded.tables["t"] == TableCounts(2, 1, 1)
