"""What the documentation says of a contract that changes, of tables that are there, and of SQL of one's own, holds."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import aetl
from aetl.cli import aetl as program
from aetl.contract import Contract
from aetl.errors import DatabaseError
from tests.documentation.contracts import HELP_DESK, HELP_DESK_EXPORT, Home, with_lines_of, without_url
from tests.documentation.pages import PACKAGE, blocks, section
from tests.exports import in_order, make_export, write
from tests.integration.databases import Kind, sqlite_kind

PAGE = "docs/tables.md"
Change = Callable[[Any], None]


def changed(*changes: Change) -> Any:
    """The help desk's contract after some changes."""
    schema = deepcopy(HELP_DESK)
    for change in changes:
        change(schema)
    return schema


def tickets(schema: Any) -> Any:
    return schema["properties"]["tickets"]["items"]


def comments(schema: Any) -> Any:
    return schema["properties"]["comments"]


def without_priority(schema: Any) -> None:
    tickets(schema)["required"].remove("priority")
    del tickets(schema)["properties"]["priority"]


def without_tags(schema: Any) -> None:
    del tickets(schema)["properties"]["tags"]


def without_comments(schema: Any) -> None:
    del schema["properties"]["comments"]


def without_index(schema: Any) -> None:
    del comments(schema)["x-indexes"]


def with_another_type(schema: Any) -> None:
    schema["$defs"]["comment"]["properties"]["author"]["type"] = "integer"


def with_another_key(schema: Any) -> None:
    comments(schema)["x-key"] = ["number"]


def with_mandatory(schema: Any) -> None:
    tickets(schema)["properties"]["owner"] = {"type": "string"}
    tickets(schema)["required"].append("owner")


NEXT = {"tickets": [HELP_DESK_EXPORT["tickets"][0] | {"id": 8, "priority": "low"}], "comments": []}


def findings(settings: aetl.Settings, *levels: str) -> list[str]:
    """What `aetl check` finds of these levels, or of any."""
    found = asyncio.run(aetl.check(settings))
    return [f"{each.message} {each.advice}" for each in found if not levels or each.level in levels]


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (without_priority, "table tickets: added the column priority"),
        (without_tags, "table tickets: added the column tags"),
        (without_comments, "table ticket_comments: added"),
        (without_index, "table ticket_comments: added an index of author"),
    ],
    ids=["mandatory column", "column", "table", "index"],
)
def test_what_is_new_in_a_contract_is_told_by_check_and_made_by_the_next_load(
    kind: Kind, before: Change, said: str
) -> None:
    home = Home(kind, changed(before))
    home.load({"tickets": [{"id": 7, "created": 0, "priority": "high"}]})
    home.schema = HELP_DESK
    assert said.replace("added", "the next load adds").removesuffix("adds") in " ".join(findings(home.settings))
    report = home.load(NEXT)
    assert list(report.changes) == [said]
    assert report.contract == Contract(HELP_DESK, None).hash
    assert {"priority", "tags"} <= home.types("tickets").keys()
    assert ("author",) in home.indexes("ticket_comments")
    if before is without_priority:
        assert home.rows("tickets", ["id", "priority"]) == [["7", "normal"], ["8", "low"]]
    state = asyncio.run(aetl.status(home.settings))
    assert [list(each.changes) for each in state.loads] == [[said], []]
    assert list(home.load(NEXT).changes) == []


def test_a_default_is_for_columns_that_must_not_be_null(kind: Kind) -> None:
    home = Home(kind, changed(without_tags))
    home.load(HELP_DESK_EXPORT)
    home.schema = deepcopy(HELP_DESK)
    tickets(home.schema)["properties"]["tags"]["default"] = ["none"]
    tickets(home.schema)["properties"]["language"] = {"type": "string", "default": "en"}
    home.load(NEXT)
    assert home.rows("tickets", ["id", "tags", "language"]) == [["7", "", ""], ["8", '["sale"]', ""]]


def test_what_a_contract_no_longer_has_stays(kind: Kind) -> None:
    home = Home(kind, HELP_DESK)
    home.load(HELP_DESK_EXPORT)
    home.schema = changed(without_tags, without_index)
    told = " ".join(findings(home.settings))
    assert "the column tags" in told and "the index" in told
    assert list(home.load(NEXT).changes) == []
    assert home.rows("tickets", ["id", "tags"]) == [["7", '["sale"]'], ["8", ""]]
    assert ("author",) in home.indexes("ticket_comments")


@pytest.mark.parametrize("change", [with_another_type, with_another_key, with_mandatory])
def test_what_no_load_can_change_is_refused_with_the_sql_that_an_administrator_would_run(
    kind: Kind, change: Change
) -> None:
    home = Home(kind, HELP_DESK)
    home.load({**HELP_DESK_EXPORT, "comments": [{"ticket": 7, "number": 1, "author": "12"}]})
    home.schema = changed(change)
    assert findings(home.settings, "failure")
    write(Path("exports"), 1, NEXT)
    with pytest.raises(DatabaseError) as caught:
        asyncio.run(aetl.load(home.settings))
    assert caught.value.exit_code == 5
    _, _, sql = str(caught.value.hint).partition(" run: ")
    home.run(sql)
    assert not findings(home.settings, "failure")
    (report,) = asyncio.run(aetl.load(home.settings, max_rejects=None))
    assert (report.status, list(report.changes)) == ("loaded", [])
    assert home.rows("ticket_comments", ["ticket", "number", "author"]) == [["7", "1", "12"]]


def test_changes_refuse_refuses_what_would_be_applied(kind: Kind) -> None:
    assert "`changes: refuse`" in section("When the contract changes").replace("\n", " ")
    home = Home(kind, changed(without_tags))
    home.load(HELP_DESK_EXPORT)
    home.schema = HELP_DESK
    Path("own.yaml").write_text("changes: refuse\n", encoding="utf-8")
    settings = replace(home.settings, changes=aetl.read_settings(Path("own.yaml"), environ={}).changes)
    assert "the column tags" in " ".join(findings(settings, "failure"))
    write(Path("exports"), 1, NEXT)
    with pytest.raises(DatabaseError, match="the column tags") as caught:
        asyncio.run(aetl.load(settings))
    assert caught.value.exit_code == 5
    assert "tags" not in home.types("tickets")


def test_status_tells_by_which_contract_each_load_came_in(kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(kind, changed(without_tags))
    home.load(HELP_DESK_EXPORT)
    home.schema = HELP_DESK
    home.load(NEXT)
    program(
        ["status", "--json", "--database", kind.url, "--schema", str(home.settings.schema)],
        prog_name="aetl",
        standalone_mode=False,
    )
    hashes = [each["contract"] for each in json.loads(capsys.readouterr().out)["loads"]]
    assert hashes == [Contract(schema, None).hash for schema in (HELP_DESK, changed(without_tags))]


def test_a_change_makes_no_load_read_an_export_again(kind: Kind) -> None:
    home = Home(kind, changed(without_tags))
    home.load(HELP_DESK_EXPORT)
    home.schema = HELP_DESK
    assert asyncio.run(aetl.load(home.settings)) == []
    (export,) = Path("exports").iterdir()
    asyncio.run(aetl.load(home.settings, blob=export.name))
    assert home.rows("tickets", ["id", "tags"]) == [["7", '["sale"]']]


NOTES = {
    "type": "object",
    "properties": {
        "notes": {
            "type": "array",
            "x-key": ["id"],
            "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
        }
    },
}
TICKETS = {
    "sqlite": """CREATE TABLE tickets (
        id INTEGER PRIMARY KEY, created DATETIME NOT NULL, team VARCHAR(20), priority VARCHAR NOT NULL, tags TEXT,
        more TEXT, seen TEXT NOT NULL DEFAULT 'no', CHECK (priority <> 'none'))""",
    "postgresql": """CREATE TABLE tickets (
        id bigint PRIMARY KEY, created timestamptz NOT NULL, team uuid, priority urgency NOT NULL, tags jsonb,
        more json, seen text NOT NULL DEFAULT 'no', CHECK (priority <> 'none'))""",
}


def test_a_table_that_is_there_is_used_as_it_is(kind: Kind) -> None:
    home = Home(kind, NOTES)
    home.load({"notes": []})
    if kind.dialect == "postgresql":
        kind.query("CREATE TYPE urgency AS ENUM ('high', 'low', 'none')")
    kind.query(TICKETS[kind.dialect])
    home.schema = HELP_DESK
    before = home.types("tickets")
    none = {"id": 9, "created": 0, "priority": "none"}
    report = home.load({**HELP_DESK_EXPORT, "tickets": [*HELP_DESK_EXPORT["tickets"], none]}, max_rejects=None)
    assert report.tables["tickets"].rejected == 1
    assert not [each for each in report.changes if "table tickets" in each]
    assert home.types("tickets") == before
    assert home.rows("tickets", ["id", "priority", "seen"]) == [["7", "high", "no"]]
    assert home.exported() == in_order(without_url(HELP_DESK_EXPORT))


def test_a_file_that_is_not_aetls_is_left_alone(tmp_path: Path) -> None:
    kind = sqlite_kind(tmp_path / "others.db")
    kind.query(TICKETS["sqlite"])
    with pytest.raises(DatabaseError, match="was not made by aetl"):
        Home(kind, HELP_DESK).load(HELP_DESK_EXPORT)


def test_the_example_of_sql_of_ones_own_makes_strict_tables_and_a_column_of_its_own(tmp_path: Path) -> None:
    (own,) = blocks("yaml", page=PAGE)
    kind = sqlite_kind(tmp_path / "own.db")
    home = Home(kind, with_lines_of("Adding a table"), sql=own)
    feedback = [{"id": "1", "event_id": "e0", "score": 5}]
    home.load({**make_export(1), "feedback": feedback})
    strict = kind.query("SELECT name FROM pragma_table_list WHERE strict ORDER BY name")
    assert [name for (name,) in strict] == ["event_parents", "events", "feedback", "sessions"]
    assert (home.types("feedback")["score"], home.types("events")["round"]) == (("INT", True), ("INT", False))
    assert home.rows("feedback", ["made_at"])[0][0].startswith("20")
    assert home.exported()["feedback"] == feedback
    with pytest.raises(sqlite3.IntegrityError):
        kind.query("INSERT INTO feedback (id, score) VALUES ('2', 'five')")


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
def test_on_postgresql_the_create_of_a_table_needs_no_key_and_no_references(kind: Kind) -> None:
    create = "CREATE TABLE {table} (id text NOT NULL, event_id text, score int, made_at timestamptz DEFAULT now())"
    home = Home(kind, with_lines_of("Adding a table"), sql=f"tables: {{feedback: {{create: '{create}'}}}}")
    feedback = [{"id": "1", "event_id": "e0", "score": 5}, {"id": "2", "event_id": "nobody", "score": 5}]
    home.load({**make_export(1), "feedback": feedback}, max_rejects=None)
    assert home.rows("feedback", ["made_at"])[0][0].startswith("20")
    assert home.exported()["feedback"] == feedback[:1]
    kinds = kind.query("SELECT contype::text FROM pg_constraint WHERE conrelid = 'feedback'::regclass")
    assert {("p",), ("f",)} <= set(kinds)


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
def test_the_typed_columns_of_postgresql_are_as_shown_and_come_back(kind: Kind) -> None:
    (typed,) = blocks("yaml", page="docs/postgresql.md")
    shipped = (PACKAGE / "yaml/sql/postgresql_typed.yaml").read_text("utf-8")
    assert yaml.safe_load(typed) == yaml.safe_load(shipped)
    home = Home(kind, HELP_DESK, sql=typed)
    home.load(HELP_DESK_EXPORT)
    types = {name: kind for name, (kind, _) in home.types("tickets").items()}
    assert (types["created"], types["tags"], types["more"]) == ("timestamp with time zone", "jsonb", "jsonb")
    assert home.exported() == in_order(without_url(HELP_DESK_EXPORT))
