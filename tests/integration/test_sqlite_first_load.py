"""The load that makes a SQLite database leaves the tables that their `create` statements make, whatever the export."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aetl.contract import Contract
from aetl.database.sqlite.bare import creating, try_out
from aetl.models import TableCounts
from aetl.sql import Statements, read_dialect
from tests.exports import Document, event, in_order, listed, make_export, parent, session
from tests.integration.databases import Kind, content, load_into, sqlite_kind


@pytest.fixture
def kind(tmp_path: Path) -> Kind:
    return sqlite_kind(tmp_path / "local.db")


def statements(path: Path | None = None) -> Statements:
    tables = Contract.read().tables
    return Statements(read_dialect("sqlite", tables, path), tables)


def write_sql(folder: Path, **content: Any) -> Path:
    path = folder / "own.yaml"
    path.write_text(json.dumps(content))
    return path


def twice(document: Document) -> Document:
    return {**document, "events": [*document["events"], {**document["events"][0], "content": "{}"}]}


def orphaned(document: Document) -> Document:
    return {**document, "event_parents": [parent(1, 77), *document["event_parents"]]}


def with_rejects(document: Document) -> Document:
    """Of the events every other one breaks the contract, and so their answers refer to nothing."""
    events = [{**each, "ts": "never"} if place % 2 else each for place, each in enumerate(document["events"])]
    return {**document, "events": events}


def empty(document: Document) -> Document:
    return {name: [] for name in document}


CHANGES: list[Callable[[Document], Document]] = [dict, empty, twice, orphaned, with_rejects]


@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.__name__)
async def test_the_tables_are_what_their_statements_make_and_sound(
    kind: Kind, change: Callable[[Document], Document]
) -> None:
    await load_into(kind, change(make_export(40)))
    with closing(sqlite3.connect(":memory:")) as model:
        for statement in (*statements().ledger_create, *statements().migrations[2], *creating(statements())):
            model.execute(statement)
        for query in (
            "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name",
            # Which number an index has depends on when it was made.
            'SELECT t.name, i.name, "unique", origin, partial FROM sqlite_schema AS t, pragma_index_list(t.name) AS i'
            " ORDER BY 1, 2",
            "SELECT t.name, c.* FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS c ORDER BY t.name, cid",
        ):
            assert kind.query(query) == model.execute(query).fetchall()
    assert kind.query("PRAGMA integrity_check") == [("ok",)]
    assert kind.query("PRAGMA foreign_key_check") == []


@pytest.mark.parametrize("at_once", [7, 1000])
@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.__name__)
async def test_it_comes_to_the_same_as_loading_into_a_database_that_is_there(
    kind: Kind, tmp_path: Path, change: Callable[[Document], Document], at_once: int
) -> None:
    there = sqlite_kind(tmp_path / "there.db")
    await load_into(there, empty(make_export(1)), listed(0))
    document = change(make_export(40))
    first, later = [await load_into(each, document, at_once=at_once) for each in (kind, there)]
    assert (dict(first.tables), first.places) == (dict(later.tables), later.places)
    assert await content(kind) == await content(there)


@pytest.mark.parametrize("at_once", [7, 1000])
async def test_a_record_that_sqlite_refuses_is_rejected_alone(tmp_path: Path, at_once: int) -> None:
    own = write_sql(tmp_path, types={"integer": "BIGINT CHECK (round <> 777)"})
    new, there = (replace(sqlite_kind(tmp_path / f"{name}.db"), sql=own) for name in ("new", "there"))
    await load_into(there, empty(make_export(1)), listed(0))
    document = {**make_export(40), "event_parents": []}
    for place in (40, 79):
        document["events"][place]["round"] = 777
    assert await try_out(statements(own))
    first, later = [await load_into(each, document, at_once=at_once) for each in (new, there)]
    assert first.places == later.places == [("events", 40, ""), ("events", 79, "")]
    assert first.tables == later.tables
    assert await content(new) == await content(there)


async def test_a_whole_export_needs_no_look_at_each_reference(kind: Kind) -> None:
    assert (await try_out(statements())).keys() == statements().tables.keys()
    # An array before the one that it refers to: each record of it would have to wait.
    document = make_export(20)
    backwards = {name: document[name] for name in reversed(document)}
    assert (await load_into(kind, backwards)).tables["events"] == TableCounts(40, 40)
    assert await content(kind) == in_order(document)


async def test_keys_and_references_hold_behind_it(kind: Kind, tmp_path: Path) -> None:
    await load_into(kind, make_export(5))
    with closing(sqlite3.connect(tmp_path / "local.db")) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE constraint failed: events\.id"):
            connection.execute("INSERT INTO events SELECT * FROM events LIMIT 1")
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY constraint failed"):
            connection.execute("INSERT INTO event_parents VALUES ('e1', 'nobody')")
        connection.execute("DELETE FROM sessions")
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)


@pytest.mark.parametrize(
    "change",
    [
        {"tables": {"events": {"create": "CREATE TABLE {table} ({columns}, PRIMARY KEY ({key}))"}}},
        {"operations": {"create": "CREATE TABLE {table} ({columns}, PRIMARY KEY ({key}))"}},
        {"operations": {"bare": "CREATE TABLE {table} (id, ts)"}},
        {"operations": {"bare": "CREATE TABLE {table} ({columns})"}},
        {"operations": {"key": "CREATE UNIQUE INDEX {index} ON {table} ({key|, |{column} COLLATE NOCASE})"}},
        {"operations": {"key": "CREATE INDEX {index} ON {table} ({key})"}},
        {"operations": {"key": "SELECT 1"}},
        {"operations": {"key": "CREATE UNIQUE INDEX {index} ON {table} ({key}) WHERE true"}},
        {"operations": {"orphan": "SELECT nonsense"}},
        {"types": {"text": "TEXT UNIQUE"}},
    ],
    ids=str,
)
async def test_statements_that_do_not_fit_are_left_out(tmp_path: Path, kind: Kind, change: dict[str, Any]) -> None:
    assert not await try_out(statements(write_sql(tmp_path, **change)))


async def test_a_gap_before_an_orphan_does_not_move_its_place(kind: Kind) -> None:
    document = {
        "sessions": [session(1)],
        "events": [event(1, of=1, ts="never"), event(2, of=1), event(3, of=1, ts="never"), event(4, of=9)],
        "event_parents": [],
    }
    assert (await load_into(kind, document, at_once=2)).places == [
        ("events", 0, "/ts"),
        ("events", 2, "/ts"),
        ("events", 3, "/session_id"),
    ]
