"""Triggers that others put on the tables: what they write is not counted, and what they take away is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aetl.contract import Contract
from aetl.errors import DatabaseRefused
from aetl.models import TableCounts
from tests.exports import listed
from tests.integration.custom import node, write_schema, write_sql
from tests.integration.databases import Kind, load_into

FUNCTION = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN {}; END $$"
LOGGING = "INSERT INTO notes VALUES (NEW.id); INSERT INTO notes VALUES (NEW.id);"
TRIGGERS = {
    "sqlite": {
        "logs": [f"CREATE TRIGGER t{each} AFTER {each} ON Nodes BEGIN {LOGGING} END" for each in ("INSERT", "UPDATE")],
        "drops": ["CREATE TRIGGER t BEFORE INSERT ON nodes WHEN NEW.id = 7 BEGIN SELECT RAISE(IGNORE); END"],
        "removes": ["CREATE TRIGGER t AFTER INSERT ON nodes WHEN NEW.id = 7 BEGIN DELETE FROM nodes WHERE id = 7; END"],
    },
    "postgresql": {
        "logs": [
            FUNCTION.format(LOGGING, "NEW"),
            "CREATE TRIGGER t AFTER INSERT OR UPDATE ON nodes FOR EACH ROW EXECUTE FUNCTION f()",
        ],
        "drops": [
            FUNCTION.format("IF NEW.id = 7 THEN RETURN NULL; END IF;", "NEW"),
            "CREATE TRIGGER t BEFORE INSERT ON nodes FOR EACH ROW EXECUTE FUNCTION f()",
        ],
        "removes": [
            FUNCTION.format("DELETE FROM nodes WHERE id = 7;", "NEW"),
            "CREATE TRIGGER t AFTER INSERT ON nodes FOR EACH ROW EXECUTE FUNCTION f()",
        ],
    },
}


@pytest.fixture
async def kind(kind: Kind, tmp_path: Path) -> Kind:
    contract = Contract.read(write_schema(tmp_path))
    kind = replace(kind, contract=contract, sql=write_sql(tmp_path, kind.dialect))
    await load_into(kind, nodes(node(1), node(2, label="b")), listed(2))
    do(kind, "CREATE TABLE notes (id bigint)")
    return kind


def do(kind: Kind, *statements: str) -> None:
    for statement in statements:
        kind.query(statement)


def nodes(*records: dict[str, Any]) -> dict[str, Any]:
    return {"nodes": list(records), "values": []}


@pytest.mark.parametrize("at_once", [1, 3, 1000])
@pytest.mark.parametrize("is_older", [False, True])
async def test_what_a_trigger_writes_is_not_counted(kind: Kind, is_older: bool, at_once: int) -> None:
    """Also where some records are refused, by a constraint or as they refer to nothing."""
    do(kind, *TRIGGERS[kind.dialect]["logs"])
    document = nodes(
        node(1), node(2, label="c"), node(3), node(3), node(3, label="d"), node(4, label="bad"), node(5, 9), node(6)
    )
    loaded = await load_into(kind, document, listed(1 if is_older else 3), at_once=at_once)
    assert loaded.places == [("nodes", 4 + 1, ""), ("nodes", 6, "/above")]
    changed = 3 if is_older else 4
    assert loaded.tables["nodes"] == TableCounts(8, changed, 6 - changed, 2)
    found = kind.query("SELECT id, label FROM nodes ORDER BY id")
    assert found == [(1, "a"), (2, "b" if is_older else "c"), (3, "d"), (6, "a")]
    assert set(kind.query("SELECT id FROM notes")) == {(3,), (6,)} | ({(2,)} if not is_older else set())


@pytest.mark.parametrize("how", ["drops", "removes"])
@pytest.mark.parametrize("is_older", [False, True])
async def test_a_record_that_a_trigger_takes_away_fails_the_export(kind: Kind, is_older: bool, how: str) -> None:
    do(kind, *TRIGGERS[kind.dialect][how])
    with pytest.raises(DatabaseRefused, match=r"did not keep 1 records of the table nodes .*: trigger t on nodes"):
        await load_into(kind, nodes(node(6), node(7), node(8)), listed(1 if is_older else 3))
    assert kind.query("SELECT id FROM nodes ORDER BY id") == [(1,), (2,)]


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
async def test_nothing_stays_of_an_export_whose_transaction_a_trigger_ends(kind: Kind) -> None:
    do(kind, "CREATE TRIGGER t BEFORE INSERT ON nodes WHEN NEW.id = 7 BEGIN SELECT RAISE(ROLLBACK, 'no'); END")
    with pytest.raises(DatabaseRefused, match="the database ended the transaction by itself: no"):
        await load_into(kind, nodes(node(6), node(7), node(8)), listed(3), at_once=1)
    assert kind.query("SELECT id FROM nodes ORDER BY id") == [(1,), (2,)]
    assert (await load_into(kind, nodes(node(6)), listed(4))).tables["nodes"].loaded == 1
