"""A SQLite file that an earlier aetl made is taken over as it is: only its ledger is brought up to date."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aetl import preflight
from aetl.config import Settings
from aetl.models import TableCounts
from aetl.pipeline import digest, export, load, status
from tests.exports import event, make_export, parent, session, write

SCRIPT = Path(__file__).parents[1] / "acceptance/earlier/sqlite.sql"
DIGEST = "df51af9caf69d98169bd79144ce09b87090ad1d64bf926565a26fb9029cd0639"
"""What that aetl said of it."""
TABLES = "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name NOT LIKE '_aetl%' ORDER BY name"


@pytest.fixture
def settings() -> Settings:
    with closing(sqlite3.connect("local.db")) as connection:
        connection.executescript(SCRIPT.read_text(encoding="utf-8"))
    return Settings(container="exports")


def of(query: str) -> list[Any]:
    with closing(sqlite3.connect("local.db")) as connection:
        return connection.execute(query).fetchall()


async def test_whoever_reads_it_leaves_it_untouched(settings: Settings) -> None:
    write(Path("exports"), 0, make_export(3, meta='{"a": 1}'))
    before = Path("local.db").read_bytes()
    assert (await digest(settings)).sha256 == DIGEST
    state = await status(settings)
    assert [(each.status, each.contract, each.changes) for each in state.loads] == [
        ("failed", None, ()),
        ("loaded", None, ()),
    ]
    found = await preflight.check(settings)
    assert not [each for each in found if each.level == "failure" or each.subject == "tables"]
    await export(settings)
    assert Path("local.db").read_bytes() == before


async def test_a_load_changes_nothing_but_the_ledger_and_what_is_new(settings: Settings) -> None:
    made, rows = of(TABLES), of("SELECT rowid, * FROM events")
    write(Path("exports"), 0, make_export(3, meta='{"a": 1}'))
    (report,) = await load(settings)
    assert {name: counts.unchanged for name, counts in report.tables.items()} == {
        "sessions": 3, "events": 6, "event_parents": 3,
    }  # fmt: skip
    assert report.changes == ()
    assert (of(TABLES), of("SELECT rowid, * FROM events")) == (made, rows)
    assert (await digest(settings)).sha256 == DIGEST
    document = make_export(3, meta='{"a": 1}')
    document["sessions"][1] = session(1, meta='{"a": 2}')
    document["events"] += [event(7, 0), event(8, 77), {**event(9, 2), "content": '"ü"'}]
    document["event_parents"].append(parent(7, 1))
    write(Path("exports"), 1, document)
    (report,) = await load(settings, max_rejects=1)
    assert report.tables == {
        "sessions": TableCounts(3, 1, 2),
        "events": TableCounts(9, 2, 6, 1),
        "event_parents": TableCounts(4, 1, 3),
    }
    assert of(TABLES) == made
    assert of("PRAGMA user_version") == [(2,)]
    assert of("SELECT contract IS NULL FROM _aetl_loads ORDER BY load_id") == [(1,), (1,), (0,), (0,)]
    assert of("PRAGMA integrity_check") == [("ok",)] and of("PRAGMA foreign_key_check") == []
