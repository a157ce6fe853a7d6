"""A digest is that of the records and of nothing else: not of the way they came, nor of where they lie in the file."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from aetl.config import Settings
from aetl.errors import ConfigurationError, DatabaseNotFound
from aetl.hashing import TableHash
from aetl.models import LoadReport
from aetl.pipeline import digest, load
from tests.digests import expected
from tests.exports import Document, checked, listed, make_export, write
from tests.integration.custom import COLUMNS, KEYS, node, value, write_schema, write_sql
from tests.integration.databases import sqlite_kind


async def loaded(name: str, *documents: Document, **settings: Any) -> Settings:
    """A database into which some exports were loaded one after the other."""
    for night, document in enumerate(documents):
        write(Path(name), night, document)
    options = Settings(container=name, database=f"{name}.db", **settings)
    assert [(each.status, each.rejected) for each in await load(options)] == [("loaded", 0)] * len(documents)
    return options


async def of(settings: Settings) -> dict[str, Any]:
    return asdict(await digest(settings))


def shuffled(document: Document, seed: int) -> dict[str, list[Any]]:
    chance = random.Random(seed)
    names = chance.sample(list(document), k=len(document))
    return {name: chance.sample(document[name], k=len(document[name])) for name in names}


def execute(statement: str, database: str = "a.db") -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize("seed", range(3))
async def test_the_order_in_which_records_come_makes_no_difference(seed: int) -> None:
    document = make_export(1200, events=3)
    assert await of(await loaded("a", document)) == await of(await loaded("b", shuffled(document, seed)))
    assert await of(Settings(database="a.db")) == expected(document)


async def test_many_nights_or_one_make_no_difference() -> None:
    last = make_export(30, meta="new")
    last["events"][7] |= {"round": None, "raw_text": ""}
    nights = [make_export(10), make_export(20, meta="old"), make_export(30), last]
    assert await of(await loaded("a", *nights)) == await of(await loaded("b", last)) == expected(last)


@pytest.mark.parametrize("encoding", ["UTF-16le", "UTF-16be"])
async def test_the_encoding_that_a_file_was_made_with_makes_no_difference(encoding: str) -> None:
    with closing(sqlite3.connect("a.db", isolation_level=None)) as connection:
        for statement in (f"PRAGMA encoding = '{encoding}'", "CREATE TABLE t (a)", "DROP TABLE t", "VACUUM"):
            connection.execute(statement)
    document = make_export(6, events=2)
    for number, text in enumerate(("z", "\u00ff", "\u0101", "\uffee", "\U00010000", "\U0010ffff")):
        document["sessions"][number]["id"] = document["events"][2 * number]["session_id"] = text
        document["events"][2 * number + 1]["session_id"] = text
    settings = await loaded("a", document, document)
    with closing(sqlite3.connect("a.db")) as connection:
        assert connection.execute("PRAGMA encoding").fetchone() == (encoding,)
    assert await of(settings) == expected(document)


@pytest.mark.parametrize("statement", ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA journal_mode = DELETE",
    "REINDEX", "DROP INDEX events_session_id_ts", "UPDATE _aetl_loads SET blob = 'x'"])  # fmt: skip
async def test_what_is_no_record_makes_no_difference(statement: str) -> None:
    settings = await loaded("a", make_export(20))
    before = await of(settings)
    with closing(sqlite3.connect("a.db", isolation_level=None)) as connection:
        connection.execute(statement)
    assert await of(settings) == before


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        *(
            ("events", f"UPDATE events SET {column} = {changed} WHERE id = 'e7'")
            for column, changed in [
                *((text, f"{text} || ' '") for text in ("ts", "kind", "role", "content", "raw_text")),
                ("session_id", "'s1'"), ("round", "round + 1"), ("round", "NULL"), ("raw_text", "NULL"),
                ("raw_text", "''"), ("meta", "''"), ("meta", "'null'"), ("id", "'E7'"),
            ]
        ),
        ("sessions", "UPDATE sessions SET started_at = replace(started_at, '+00:00', 'Z') WHERE id = 's1'"),
        ("sessions", "DELETE FROM sessions WHERE id = 's9'"),
        ("sessions", "INSERT INTO sessions SELECT 's10', started_at, meta FROM sessions WHERE id = 's1'"),
        ("event_parents", "DELETE FROM event_parents WHERE child_id = 'e7'"),
        ("event_parents", "UPDATE event_parents SET child_id = parent_id, parent_id = child_id WHERE child_id = 'e7'"),
    ],
)  # fmt: skip
async def test_any_other_value_or_record_changes_it_and_that_of_no_other_table(table: str, statement: str) -> None:
    settings = await loaded("a", make_export(10))
    before = await of(settings)
    execute(statement)
    after = await of(settings)
    assert {name for name in after["tables"] if after["tables"][name] != before["tables"][name]} == {table}
    assert after["sha256"] != before["sha256"]


OWN = {
    "nodes": [node(10), node(9, 10, "größe"), node(-3), node(2**63 - 1), node(-(2**63))],
    "values": [value(9, "y", 0.1, False), value(9, "Z", 1e16, None), value(-3, "é", 3.0), value(10, "", 1e300)],
}


async def test_tables_of_ones_own_have_one_with_a_file_that_knows_nothing_of_it(tmp_path: Path) -> None:
    own = {"schema": write_schema(tmp_path), "sql": write_sql(tmp_path)}
    columns = {name: tuple(each) for name, each in COLUMNS.items()}
    found = await of(await loaded("a", OWN, **own))
    assert found == expected(OWN, columns, KEYS) == await of(await loaded("b", shuffled(OWN, 1), **own))


@pytest.mark.parametrize(
    "changes",
    [
        {"select": "SELECT {columns} FROM {table};\n"},
        {"select": "SELECT {columns} FROM {table} -- all of them"},
        {"select": "SELECT {columns} FROM {table} /* all */ ; -- of them\n/* and\nno other */"},
        {"select": "SELECT {columns|, |n.{column}} FROM {table} AS n ORDER BY n.ROWID DESC LIMIT 100"},
        {"select": "WITH n AS (SELECT * FROM {table}) SELECT {columns} FROM n"},
        {"create": "CREATE TABLE IF NOT EXISTS nodes (id PRIMARY KEY, above, label COLLATE NOCASE)"},
        {
            "create": "CREATE TABLE IF NOT EXISTS nodes "
            "(id INTEGER PRIMARY KEY DESC, above INTEGER REFERENCES nodes, label TEXT)"
        },
    ],
    ids=str,
)
async def test_how_a_file_makes_and_reads_its_tables_makes_no_difference(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    own = {"schema": write_schema(tmp_path), "sql": write_sql(tmp_path, **changes)}
    columns = {name: tuple(each) for name, each in COLUMNS.items()}
    assert await of(await loaded("a", OWN, **own)) == expected(OWN, columns, KEYS)


@pytest.mark.parametrize("select", ["SELECT {key} FROM {table}", "SELECT {others}, {key} FROM {table}"])
async def test_a_file_whose_columns_are_not_the_schemas_is_refused(tmp_path: Path, select: str) -> None:
    schema = write_schema(tmp_path)
    settings = await loaded("a", OWN, schema=schema, sql=write_sql(tmp_path))
    with pytest.raises(ConfigurationError, match="select must give of nodes the contract's columns: id, above, label"):
        await digest(replace(settings, sql=write_sql(tmp_path, select=select)))


async def test_during_a_load_it_is_that_of_a_whole_state() -> None:
    settings = await loaded("a", make_export(5))
    kind = sqlite_kind(Path("a.db"))
    later = make_export(40, first=5, meta="later")
    async with kind.opened() as database, database.load(listed(7)) as running:
        for batch in checked(later, kind.contract, 10):
            await running.write(batch)
            assert await of(settings) == expected(make_export(5))
        await running.settle()
        assert await of(settings) == expected(make_export(5))
        await running.finish(LoadReport(listed(7).name, "1", "loaded"))
    assert await of(settings) == expected({name: make_export(5)[name] + later[name] for name in later})


async def test_what_is_loaded_while_it_reads_is_not_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = await loaded("a", make_export(5))
    add: Callable[..., None] = TableHash.add
    kind = sqlite_kind(Path("a.db"))

    def add_late(table: Any, rows: Any) -> None:
        execute("UPDATE events SET meta = 'changed'")
        execute("DELETE FROM event_parents")
        add(table, rows)

    with monkeypatch.context() as patch:
        patch.setattr(TableHash, "add", add_late)
        assert await of(settings) == expected(make_export(5))
    assert (await of(settings))["tables"]["event_parents"]["rows"] == 0
    assert kind.query("SELECT DISTINCT meta FROM events") == [("changed",)]


@pytest.mark.parametrize("content", [None, b""], ids=["missing", "empty"])
async def test_without_a_database_there_is_none(content: bytes | None) -> None:
    if content is not None:
        Path("local.db").write_bytes(content)
    with pytest.raises(DatabaseNotFound):
        await digest(Settings())
    assert [path.name for path in Path().iterdir()] == ([] if content is None else ["local.db"])


async def test_of_empty_tables_there_is_one() -> None:
    empty: dict[str, list[Any]] = {"sessions": [], "events": [], "event_parents": []}
    assert await of(await loaded("a", empty)) == expected(empty)
