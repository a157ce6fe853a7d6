"""Tables of one's own, with constraints that only the database knows, and references within a table."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aetl.contract import Contract
from aetl.models import TableCounts
from tests.exports import in_order, listed
from tests.integration.custom import node, value, write_schema, write_sql
from tests.integration.databases import Kind, content, load_into

GOOD = {
    "nodes": [node(1), node(2, 1), node(3, 2)],
    "values": [value(1), value(3, "y", 2.0, False), value(2, good=None)],
}


# A database's own words.
REASONS = {
    "sqlite": {
        "CHECK constraint failed: label <> 'bad'",
        "NOT NULL constraint failed: values.amount",
        "CHECK constraint failed: amount >= 0",
    },
    "postgresql": {
        'new row for relation "nodes" violates check constraint "label_is_good"',
        'null value in column "amount" of relation "values" violates not-null constraint',
        'new row for relation "values" violates check constraint "amount_is_positive"',
    },
}


@pytest.fixture
def kind(kind: Kind, tmp_path: Path) -> Kind:
    contract = Contract.read(write_schema(tmp_path))
    return replace(kind, contract=contract, sql=write_sql(tmp_path, kind.dialect))


async def test_every_type_of_column_comes_back_as_it_was(kind: Kind) -> None:
    await load_into(kind, GOOD)
    found = await content(kind)
    assert found == in_order(GOOD)
    assert [type(each["good"]) for each in found["values"]].count(bool) == 2


@pytest.mark.parametrize("at_once", [1, 2, 1000])
@pytest.mark.parametrize("is_known", [False, True])
async def test_what_breaks_a_constraint_is_rejected_with_its_position(kind: Kind, is_known: bool, at_once: int) -> None:
    if is_known:
        await load_into(kind, GOOD, listed(1))
    document = {
        "nodes": [node(1), node(4, label="bad"), node(2, 1), node(3, 2), node(5, label="bad"), node(6)],
        "values": [value(1, amount=None), *GOOD["values"], value(6, amount=-1.0), value(6, "z")],
    }
    loaded = await load_into(kind, document, listed(2), at_once=at_once)
    assert loaded.places == kind.rejects() == [("nodes", 1, ""), ("nodes", 4, ""), ("values", 0, ""), ("values", 4, "")]
    assert {reject.reason for reject in loaded.rejects} == REASONS[kind.dialect]
    assert await content(kind) == in_order(
        {"nodes": [*GOOD["nodes"], node(6)], "values": [*GOOD["values"], value(6, "z")]}
    )


async def test_thousands_that_break_a_constraint_are_rejected_each_by_itself(kind: Kind) -> None:
    """More than a server has locks for, were each to keep one."""
    await load_into(kind, GOOD, listed(1))
    more = [node(number, label="bad" if number % 2 else "a") for number in range(10, 4_010)]
    loaded = await load_into(kind, {"nodes": more, "values": []}, listed(2))
    assert len(loaded.places) == 2_000 and loaded.tables["nodes"].loaded == 2_000


@pytest.mark.parametrize(
    ("type_", "good", "bad", "reason"),
    [
        ("uuid", "0" * 32, "a", "a value is none of the column's type: invalid UUID 'a'"),
        ("varchar(1)", "a", "ab", "value too long for type character varying(1)"),
        ("jsonb", "{}", "{", "invalid input syntax for type json"),
        ("text CHECK (label <> 'b')", "a", "b", 'new row for relation "_aetl_nodes" violates check constraint'),
    ],
)
@pytest.mark.parametrize("at_once", [1, 2, 1000])
@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
async def test_what_a_temporary_table_cannot_hold_is_rejected_with_its_position(
    kind: Kind, tmp_path: Path, type_: str, good: str, bad: str, reason: str, at_once: int
) -> None:
    """As the columns of a SQL file of one's own may be of any type."""
    stage = (
        f"CREATE TEMPORARY TABLE _aetl_nodes (position bigint, id bigint, above bigint, label {type_}) ON COMMIT DROP"
    )
    kind = replace(kind, sql=write_sql(tmp_path, kind.dialect, stage=stage))
    nodes = [node(number, label=good if number % 3 else bad) for number in range(7)]
    loaded = await load_into(kind, {"nodes": nodes, "values": []}, at_once=at_once)
    assert loaded.places == [("nodes", number, "") for number in (0, 3, 6)]
    assert all(reject.reason.startswith(reason) for reject in loaded.rejects)
    assert loaded.tables["nodes"].loaded == 4


@pytest.mark.parametrize("at_once", [1, 1000])
@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
async def test_a_fraction_is_never_cut_off(kind: Kind, is_known: bool, at_once: int) -> None:
    """As a contract may allow it, and the column not hold it."""
    assert kind.sql
    kind.sql.write_text(kind.sql.read_text().replace("amount double precision", "amount bigint"))
    if is_known:
        await load_into(kind, {"nodes": [node(1)], "values": []}, listed(1))
    values = [value(1, "a", 2.0), value(1, "b", 1.5), value(1, "c", 3), value(1, "d", -0.25)]
    loaded = await load_into(kind, {"nodes": [node(1)], "values": values}, listed(2), at_once=at_once)
    assert loaded.places == [("values", 1, "/amount"), ("values", 3, "/amount")]
    assert {reject.reason for reject in loaded.rejects} == {"is no whole number, and the column's type is bigint"}
    assert [each["amount"] for each in (await content(kind))["values"]] == [2, 3]


async def test_a_number_that_no_column_holds_is_rejected(kind: Kind) -> None:
    document = {
        "nodes": [node(1)],
        "values": [value(1), value(1, "y", 2**63), value(1, "z", 10**30), value(1, "v", 1e30)],
    }
    loaded = await load_into(kind, document)
    assert loaded.places == ([] if kind.differs("large numbers") else [("values", 1, ""), ("values", 2, "")])


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
@pytest.mark.parametrize("at_once", [1, 2, 4])
async def test_records_may_refer_to_later_ones_of_their_own_table(
    kind: Kind, order: tuple[int, ...], at_once: int
) -> None:
    chain = [node(0), node(1, 0), node(2, 1), node(3, 2)]
    document = {"nodes": [chain[place] for place in order], "values": []}
    loaded = await load_into(kind, document, at_once=at_once)
    assert loaded.tables["nodes"] == TableCounts(4, 4)
    assert await content(kind) == in_order(document)


async def test_a_ring_of_references_is_rejected_whole(kind: Kind) -> None:
    document = {"nodes": [node(1, 2), node(2, 1), node(3, 1), node(4)], "values": [value(3), value(4)]}
    loaded = await load_into(kind, document)
    rejected = [] if kind.differs("rings") else [("nodes", 0), ("nodes", 1), ("nodes", 2), ("values", 0)]
    assert [place[:2] for place in loaded.places] == rejected


def documents(seed: int) -> Iterator[dict[str, list[Any]]]:
    """Exports that know, change, break and miss records of one another."""
    chance = random.Random(seed)
    for _ in range(4):
        # Each node stands once, and only below those of lower numbers: what waits for what has an end.
        nodes = [
            node(number, chance.choice([None, *range(number)]), chance.choice(["a", "b", "c", "bad"]))
            for number in chance.sample(range(6), k=chance.randrange(7))
        ]
        values = [
            value(
                chance.randrange(7),
                chance.choice("xy"),
                chance.choice([1.0, 2.0, -1.0, None]),
                chance.choice([True, False]),
            )
            for _ in range(chance.randrange(9))
        ]
        both = [("nodes", nodes), ("values", values)]
        chance.shuffle(both)
        yield dict(both)


def bring_in(model: dict[str, dict[Any, Any]], document: dict[str, list[Any]]) -> set[tuple[str, int]]:
    """What a load must come to, told as simply as can be: the rejects' places; the model is changed."""
    rejects = set()
    nodes = [(place, each) for place, each in enumerate(document["nodes"]) if each["label"] != "bad"]
    known = set(model["nodes"])
    while more := {each["id"] for _, each in nodes if each["above"] is None or each["above"] in known} - known:
        known |= more
    for place, each in enumerate(document["nodes"]):
        if each["label"] == "bad" or not (each["above"] is None or each["above"] in known):
            rejects.add(("nodes", place))
        else:
            model["nodes"][each["id"]] = each
    for place, each in enumerate(document["values"]):
        if each["amount"] is None or each["amount"] < 0 or each["node"] not in model["nodes"]:
            rejects.add(("values", place))
        else:
            model["values"][each["node"], each["name"]] = each
    return rejects


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
@pytest.mark.parametrize("seed", range(20))
async def test_whatever_comes_the_tables_are_those_of_a_simple_model(kind: Kind, seed: int, at_once: int) -> None:
    model: dict[str, dict[Any, Any]] = {"nodes": {}, "values": {}}
    for night, document in enumerate(documents(seed)):
        expected = bring_in(model, document)
        loaded = await load_into(kind, document, listed(night), at_once=at_once)
        assert {place[:2] for place in loaded.places} == expected, json.dumps(document)
        assert await content(kind) == in_order({name: list(rows.values()) for name, rows in model.items()})
