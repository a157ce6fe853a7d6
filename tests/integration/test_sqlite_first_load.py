"""The load that makes a SQLite database leaves the tables that their `create` statements make, whatever the export."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aetl.contract import Contract
from aetl.database.sqlite.schema import try_out
from aetl.database.sqlite.statements import MORE, Statements, creating, read_table
from aetl.database.statements import read_statements
from aetl.models import TableCounts
from tests.exports import Document, event, in_order, listed, make_export, parent, session
from tests.integration.databases import Kind, content, load_into, sqlite_kind
from tests.unit.test_statements import with_change


@pytest.fixture
def kind(tmp_path: Path) -> Kind:
    return sqlite_kind(tmp_path / "local.db")


def statements(path: Path | None = None) -> Statements:
    return read_statements("sqlite", Contract.read().columns, path, read_table, MORE)


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
        for statement in creating(statements()):
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
    def check(events: Any) -> None:
        for statements in (events, events["bare"]):
            statements["create"] = statements["create"].replace("content TEXT", "content TEXT CHECK (content <> 'no')")

    own = with_change(tmp_path, lambda it: check(it["tables"]["events"]))
    new, there = (replace(sqlite_kind(tmp_path / f"{name}.db"), sql=own) for name in ("new", "there"))
    await load_into(there, empty(make_export(1)), listed(0))
    document = {**make_export(40), "event_parents": []}
    for place in (40, 79):
        document["events"][place]["content"] = "no"
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
        lambda events: events.pop("bare"),
        lambda events: events["bare"].update(rows=events["bare"]["rows"].replace("id, ts", "ts, id")),
        lambda events: events["bare"].update(rows=events["bare"]["rows"].replace(", meta", "")),
        lambda events: events["bare"].update(create="CREATE TABLE events (id, ts)"),
        lambda events: events["bare"].update(create=events["bare"]["create"].replace("round INTEGER", "round TEXT")),
        lambda events: events["bare"].update(create=events["bare"]["create"].replace("id TEXT NOT NULL", "id TEXT", 1)),
        lambda events: events["bare"].update(key="CREATE UNIQUE INDEX events_key ON events (id COLLATE NOCASE)"),
        lambda events: events["bare"].update(key="CREATE UNIQUE INDEX events_key ON events (id, ts)"),
        lambda events: events["bare"].update(key="CREATE INDEX events_key ON events (id)"),
        lambda events: events["bare"].update(key="SELECT 1"),
        lambda events: events["bare"].update(orphans={"session_id": "SELECT nonsense"}),
        lambda events: events["bare"].update(insert=events["bare"]["insert"].replace("meta", "more")),
        lambda events: events["bare"].update(row=events["bare"]["row"].replace(", :meta", "")),
        lambda events: events["bare"].update(row=events["bare"]["row"].replace(")", ", 1)")),
        lambda events: events["bare"].update(key="CREATE UNIQUE INDEX events_key ON events (id) WHERE id > ''"),
        lambda events: events.update(create=events["create"].replace("id TEXT NOT NULL", "id INTEGER NOT NULL")),
        lambda events: events.update(create=events["create"].replace("meta TEXT", "meta TEXT UNIQUE")),
        lambda events: events.update(create=events["create"].replace("meta TEXT", "meta TEXT, more TEXT")),
        lambda events: events.update(create=events["create"].rstrip() + " WITHOUT ROWID"),
    ],
)
async def test_statements_that_do_not_fit_are_left_out(
    tmp_path: Path, kind: Kind, change: Callable[[Any], object]
) -> None:
    path = with_change(tmp_path, lambda it: change(it["tables"]["events"]))
    assert not await try_out(statements(path))


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
