"""The contracts that the documentation shows make the tables that it shows, on each database, and exports come back."""

from __future__ import annotations

import asyncio
import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft7Validator

import aetl
from aetl.cli import aetl as program
from aetl.contract import Contract
from aetl.contract.tables import ColumnType
from aetl.errors import ConfigurationError
from aetl.models import TableCounts
from tests.documentation.contracts import (
    HELP_DESK,
    HELP_DESK_EXPORT,
    SHIPPED,
    Home,
    shown_tables,
    with_lines_of,
    without_url,
)
from tests.documentation.pages import PACKAGE, section, section_blocks, table_rows
from tests.exports import event, in_order, make_export
from tests.integration.databases import Kind

DRAFT_7 = ("https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#")
KEYWORDS = [row[0].strip("`") for row in table_rows(section("The keywords")) if row[0].startswith("`x-")]
TYPES = [[re.findall("`([^`]+)`", cell) for cell in row] for row in table_rows(section("The types of columns"))]


def test_a_new_column_is_one_line_in_one_file(kind: Kind) -> None:
    (line,) = section_blocks("Adding a column", "json")
    assert line.count("\n") == 1
    home = Home(kind)
    first, second = make_export(1, events=1), {**make_export(0), "events": [event(7, 0, model="m-1")]}
    home.load(first)
    home.schema = with_lines_of("Adding a column")
    report = home.load(second)
    assert list(report.changes) == ["table events: added the column model"]
    assert home.rows("events", ["id", "model"]) == [["e0", ""], ["e7", "m-1"]]
    assert home.exported() == {**first, "events": [*first["events"], *second["events"]]}


def test_a_new_table_is_four_lines_in_one_file(kind: Kind) -> None:
    (lines,) = section_blocks("Adding a table", "json")
    assert lines.count("\n") == 4
    home = Home(kind)
    home.load(make_export(1, events=1))
    home.schema = with_lines_of("Adding a table")
    good = {"id": "1", "event_id": "e0", "score": 5}
    feedback = [good, {"id": "2", "event_id": "e0", "score": 6}, {"id": "3", "event_id": "nobody", "score": 1}]
    report = home.load({**make_export(0), "feedback": feedback}, max_rejects=None)
    assert report.tables["feedback"] == TableCounts(3, 1, 0, 2)
    assert home.rows("feedback", ["id", "event_id", "score"]) == [["1", "e0", "5"]]
    assert kind.rejects() == [("feedback", 1, "/score"), ("feedback", 2, "/event_id")]
    assert home.exported()["feedback"] == [good]
    home.load(make_export(0))  # it may be missing


@pytest.mark.parametrize("draft", ["2020-12", "draft-07"])
def test_the_help_desk_has_the_rows_that_are_shown_and_comes_back(kind: Kind, draft: str) -> None:
    schema = json.dumps(HELP_DESK)
    assert draft == "2020-12" or DRAFT_7[0] in schema
    if draft == "draft-07":
        schema = schema.replace(*DRAFT_7).replace("$defs", "definitions")
    home = Home(kind, json.loads(schema))
    home.load(HELP_DESK_EXPORT)
    for table, (columns, rows) in shown_tables("The keywords").items():
        assert list(home.types(table)) == columns
        assert home.rows(table, columns) == rows
    assert ("author",) in home.indexes("ticket_comments")
    assert home.types("tickets")["created"][1] and not home.types("tickets")["team"][1]
    assert home.exported() == in_order(without_url(HELP_DESK_EXPORT))
    assert home.load(HELP_DESK_EXPORT).tables == {
        name: TableCounts(len(rows), 0, len(rows)) for name, (_, rows) in shown_tables("The keywords").items()
    }
    home.run(f"{'PRAGMA foreign_keys = ON;' * (kind.dialect == 'sqlite')} DELETE FROM tickets")
    assert home.rows("ticket_comments", ["ticket"]) == []


def test_values_that_break_the_help_desks_contract_are_rejects(kind: Kind) -> None:
    ticket: dict[str, Any] = {"id": 1, "created": 0, "priority": ""}
    tickets = [ticket, ticket | {"url": 7}, ticket | {"created": "now"}, ticket | {"tags": [7]}]
    comments = [{"ticket": 1, "number": 1}, {"ticket": 2, "number": 1}]
    Home(kind, HELP_DESK).load({"tickets": tickets, "comments": comments}, max_rejects=None)
    pointers = [("tickets", 1, "/url"), ("tickets", 2, "/created"), ("tickets", 3, "/tags/0")]
    assert kind.rejects() == [("ticket_comments", 1, "/ticket"), *pointers]


def test_each_type_is_kept_as_shown_and_comes_back(kind: Kind) -> None:
    columns = {f"c{number}": json.loads(row[0][0]) for number, row in enumerate(TYPES)}
    record = {"id": 1, **{f"c{number}": json.loads(row[1][0]) for number, row in enumerate(TYPES)}}
    items = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}, **columns}}
    schema = {"type": "object", "properties": {"examples": {"type": "array", "x-key": ["id"], "items": items}}}
    home = Home(kind, schema)
    home.load({"examples": [record]})
    place = ("sqlite", "postgresql").index(kind.dialect)
    assert home.rows("examples", list(columns)) == [[row[2][min(place, len(row[2]) - 1)] for row in TYPES]]
    assert [home.types("examples")[name][0] for name in columns] == [row[3 + place][0] for row in TYPES]
    assert home.exported() == {"examples": [record]}


def test_every_keyword_and_every_type_has_its_example() -> None:
    definitions = json.loads((PACKAGE / "json/contract.schema.json").read_text("utf-8"))["definitions"]
    known = {name for part in definitions.values() for name in part.get("properties", {})}
    assert sorted(KEYWORDS) == sorted(known)
    assert [each for each in (*KEYWORDS, "default", "$ref") if f'"{each}":' not in json.dumps(HELP_DESK)] == []
    items = {"type": "object", "properties": {str(number): json.loads(row[0][0]) for number, row in enumerate(TYPES)}}
    items = {**items, "required": ["0"]}
    schema = {"type": "object", "properties": {"examples": {"type": "array", "x-key": ["0"], "items": items}}}
    shown = {column.type for column in Contract(schema, "examples").tables["examples"].columns}
    assert shown == set(get_args(ColumnType))


def test_no_column_and_no_table_of_the_shipped_contract_is_named_in_code_or_sql() -> None:
    tables = Contract.read().tables.values()
    names = {name for table in tables for name in (table.name, *table.names) if "_" in name} - {"started_at"}
    assert len(names) == 5  # others are words that anything may be called by; `started_at` is a column of the ledger
    sources = [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.yaml")]
    naming = [path for path in sources if re.search(rf"\b({'|'.join(names)})\b", path.read_text("utf-8"))]
    assert {path.relative_to(PACKAGE).parts[0] for path in naming} == {"simulation"}


def test_the_contracts_that_are_shown_keep_the_schema_of_contracts() -> None:
    validator = Draft7Validator(json.loads((PACKAGE / "json/contract.schema.json").read_text("utf-8")))
    for schema in (SHIPPED, with_lines_of("Adding a column"), with_lines_of("Adding a table"), json.dumps(HELP_DESK)):
        validator.validate(json.loads(schema))
        assert not validator.is_valid(json.loads(schema.replace('"x-key"', '"x-keys"')))


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_a_misspelt_keyword_is_refused_with_its_place(keyword: str) -> None:
    schema = json.dumps(HELP_DESK).replace(f'"{keyword}"', f'"{keyword}s"')
    with pytest.raises(ConfigurationError, match=rf"my-schema\.json.*/{keyword}s\b.*did you mean '{keyword}'"):
        Contract(json.loads(schema), "my-schema.json")


def test_a_keyword_that_no_record_could_be_held_to_is_refused_with_its_place() -> None:
    assert "`format: email`" in section("What a contract may say").replace("\n", " ")
    schema = deepcopy(HELP_DESK)
    schema["$defs"]["comment"]["properties"]["author"]["format"] = "email"
    with pytest.raises(ConfigurationError, match="/comment/properties/author/format"):
        Contract(schema, "my-schema.json")


def test_an_unknown_key_is_a_reject_or_kept_or_told(kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
    schema = deepcopy(HELP_DESK)
    comment = schema["$defs"]["comment"]
    export = {"tickets": HELP_DESK_EXPORT["tickets"], "comments": [{"ticket": 7, "number": 1, "vip": True}]}
    home = Home(kind, schema)
    report = home.load(export)
    said = "ticket_comments: the key 'vip' (in 1 record) was left out"
    assert report.unknown_keys == {"ticket_comments": {"vip": 1}}
    settings = home.settings
    program(
        ["status", "--database", settings.database, "--schema", str(settings.schema)],
        prog_name="aetl",
        standalone_mode=False,
    )
    assert said in re.sub(r"\s+", " ", "".join(capsys.readouterr()))
    assert home.exported()["comments"] == [{"ticket": 7, "number": 1}]
    comment["additionalProperties"] = False
    home.load(export, max_rejects=None)
    assert kind.rejects() == [("ticket_comments", 0, "")]


def test_an_export_without_a_table_that_is_not_required_loads(kind: Kind) -> None:
    Home(kind, HELP_DESK).load({"tickets": []})
    with pytest.raises(AssertionError, match="tickets"):
        Home(kind, HELP_DESK, nights=1).load({"comments": []})


def test_the_calls_that_are_shown_say_that_the_contract_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    Path("exports").mkdir()
    Path("my-schema.json").write_text(with_lines_of("Adding a table"), encoding="utf-8")
    settings = aetl.Settings(container="exports", schema=Path("my-schema.json"))
    findings = asyncio.run(aetl.check(settings))
    told = {finding.subject: finding for finding in findings}
    assert told["contract"].message == "4 tables: sessions, events, feedback, event_parents"
    assert not [finding for finding in findings if finding.level == "failure"]
