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
from tests.integration.databases import Kind, content, digest_of, load_into
from tests.postgresql import PostgreSQLServer

GOOD = {
    "nodes": [node(1), node(2, 1), node(3, 2)],
    "values": [value(1), value(3, "y", 2.0, False), value(2, good=None)],
}


# A database's own words.
REASONS = {
    "sqlite": {
        "CHECK constraint failed: label <> 'bad'",
        "CHECK constraint failed: amount IS NOT NULL",
        "CHECK constraint failed: amount >= 0",
    },
    "postgresql": {
        'new row for relation "nodes" violates check constraint "label_is_good"',
        'new row for relation "values" violates check constraint "amount_is_there"',
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


@pytest.mark.parametrize("at_once", [1, 3, 1000])
@pytest.mark.parametrize("is_older", [False, True])
async def test_of_records_that_exclude_one_another_the_later_ones_are_rejected(
    kind: Kind, is_older: bool, at_once: int
) -> None:
    await load_into(kind, GOOD, listed(5))
    kind.query('CREATE UNIQUE INDEX own ON "values" (amount) WHERE amount > 4')
    kind.query("CREATE UNIQUE INDEX other ON nodes (label) WHERE label LIKE 'u%'")
    document = {
        "nodes": [node(10, 11, "u1"), node(11, 1, "u2"), node(12, 11, "u1"), node(13, 99), node(14, 12, "u3")],
        "values": [
            value(1, "a", 5),
            value(1, "b", 6),
            value(1, "c", 5),
            value(1, "d", 6),
            value(9, "e", 7),
            value(1, "f", 7),
        ],
    }
    if kind.dialect == "postgresql":  # it cannot look at one before what it refers to
        document["nodes"] = [document["nodes"][place] for place in (1, 0, 2, 3, 4)]
    loaded = await load_into(kind, document, listed(1 if is_older else 9), at_once=at_once)
    rejected = [("nodes", 2), ("nodes", 3), ("nodes", 4), ("values", 2), ("values", 3), ("values", 4)]
    assert [place[:2] for place in loaded.places] == rejected
    assert kind.query('SELECT name FROM "values" WHERE amount > 4 ORDER BY 1') == [("a",), ("b",), ("f",)]


MANY = 2_000
"""Records of which half are rejected: more than tests/postgresql.py lets its server have locks for."""


async def test_thousands_that_break_a_constraint_are_rejected_each_by_itself(kind: Kind) -> None:
    """More than a server has locks for, were each to keep one."""
    await load_into(kind, GOOD, listed(1))
    more = [node(number, label="bad" if number % 2 else "a") for number in range(10, 10 + MANY)]
    loaded = await load_into(kind, {"nodes": more, "values": []}, listed(2))
    assert len(loaded.places) == loaded.tables["nodes"].loaded == MANY // 2


@pytest.mark.parametrize(
    ("type_", "good", "bad", "reason"),
    [
        ("uuid", "00000000-0000-0000-0000-000000000000", "a", 'invalid input syntax for type uuid: "a"'),
        ("varchar(1)", "a", "ab", "value too long for type character varying(1)"),
        ("jsonb", "{}", "{", "invalid input syntax for type json"),
        ("json", '{"a": 1}', "{", "invalid input syntax for type json"),
        ("date", "2025-03-01", "2025-03-41", "date/time field value out of range"),
    ],
)
@pytest.mark.parametrize("is_older", [False, True])
@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
async def test_what_a_columns_own_type_cannot_hold_is_rejected_with_its_position(
    kind: Kind, tmp_path: Path, type_: str, good: str, bad: str, reason: str, is_older: bool
) -> None:
    """As the columns of a table that is there may be of any type."""
    bare = "label text NOT NULL CONSTRAINT label_is_good CHECK (label <> 'bad')"
    kind = replace(kind, sql=write_sql(tmp_path, kind.dialect, {bare: f"label {type_} NOT NULL"}))
    if is_older:
        await load_into(kind, {"nodes": [], "values": []}, listed(5))
    nodes = [node(number, label=good if number % 3 else bad) for number in range(7)]
    loaded = await load_into(kind, {"nodes": nodes, "values": []}, listed(1))
    assert loaded.places == [("nodes", number, "") for number in (0, 3, 6)]
    assert all(reject.reason.startswith(reason) for reject in loaded.rejects)
    assert loaded.tables["nodes"].loaded == 4
    again = await load_into(kind, {"nodes": nodes, "values": []}, listed(6))
    assert again.tables["nodes"] == TableCounts(7, 0, 4, 3)
    assert {each["label"] for each in (await content(kind))["nodes"]} == {good}


SPELLINGS: list[tuple[list[Any], list[Any]]] = [
    ([1, 2, 0, 4], [1.5, 1, 0, 1e300, 2**63]),
    ([1.0, 2.0, -0.0, 4e0], [1.5, 1.0, -0.0, int(1e300), 2.0**63]),
]
"""The same whole numbers and the same others, as two exports may write them."""


@pytest.mark.parametrize("first", [0, 1])
async def test_what_differs_does_not_hang_on_how_a_number_is_spelled(kind: Kind, first: int) -> None:
    digests = []
    for night, (ids, amounts) in enumerate((SPELLINGS[first], SPELLINGS[1 - first], SPELLINGS[first])):
        document = {
            "nodes": [node(number, ids[0]) for number in ids],
            "values": [value(ids[0], str(place), amount) for place, amount in enumerate(amounts)],
        }
        loaded = await load_into(kind, document, listed(night))
        assert loaded.tables == {
            name: TableCounts(len(records), 0, len(records)) if night else TableCounts(len(records), len(records))
            for name, records in document.items()
        }
        assert [each["id"] for each in (await content(kind))["nodes"]] == [0, 1, 2, 4]
        digests.append(await digest_of(kind))
    assert len(set(digests)) == 1


async def test_an_older_number_is_known_by_what_its_column_keeps_of_it(kind: Kind, tmp_path: Path) -> None:
    """A float has 53 bits: as a key, 2**53 + 1 is 2**53."""
    number: dict[str, Any] = {"type": "number"}
    schema = write_schema(tmp_path, id=number, above={"type": ["number", "null"]})
    schema.write_text(schema.read_text().replace('"node": {"type": "integer"', '"node": {"type": "number"'))
    kind = replace(kind, contract=Contract.read(schema), sql=None)
    await load_into(kind, {"nodes": [node(2**53, label="new")], "values": []}, listed(2))
    nodes = [node(2**53 + 1, label="old"), node(7, 2**53 + 1), node(8, 2**60 + 1), node(2**60 + 3)]
    loaded = await load_into(kind, {"nodes": nodes, "values": []}, listed(1))
    assert loaded.tables["nodes"] == TableCounts(4, 3, 1)
    labels = kind.query("SELECT label FROM nodes WHERE id > 9 ORDER BY id")
    assert labels == [("new",), ("a",)]


@pytest.mark.parametrize("of", ["char(8)", "varchar(8)", "name"])
@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
async def test_an_older_record_is_known_by_a_key_of_any_type_of_text(kind: Kind, tmp_path: Path, of: str) -> None:
    kind = replace(kind, sql=write_sql(tmp_path, kind.dialect, {"name text": f"name {of}"}))
    await load_into(kind, {"nodes": [node(1)], "values": [value(1, "abc", 9.0)]}, listed(2))
    older = [value(1, "abc", 1.0), value(1, "abc", 2.0), value(1, "abd", 3.0), value(1, "abd", 4.0)]
    loaded = await load_into(kind, {"nodes": [node(1)], "values": older}, listed(1))
    assert loaded.tables["values"] == TableCounts(4, 2, 2)
    assert kind.query('SELECT trim(name), amount FROM "values" ORDER BY 1') == [("abc", 9.0), ("abd", 4.0)]


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
async def test_one_key_in_two_spellings_is_one_record(kind: Kind, tmp_path: Path) -> None:
    kind = replace(kind, sql=write_sql(tmp_path, kind.dialect, {"name text": "name uuid"}))
    one, other = "0A" * 16, "0a" * 16
    values = [value(1, one, 1.0), value(1, other, 2.0), value(1, one, 3.0)]
    loaded = await load_into(kind, {"nodes": [node(1)], "values": values}, listed(1))
    assert loaded.tables["values"] == TableCounts(3, 3)
    assert [each["amount"] for each in (await content(kind))["values"]] == [3]


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
async def test_postgresql_hashes_numbers_as_sqlite_does(
    kind: Kind, postgresql: PostgreSQLServer, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    with postgresql.new_database() as name:
        sql = write_sql(tmp_path / "other", "postgresql")
        other = replace(kind, url=postgresql.url(name), dialect="postgresql", sql=sql)
        digests = set()
        for each, (ids, amounts) in zip((kind, other), SPELLINGS, strict=True):
            values = [value(ids[0], str(place), amount) for place, amount in enumerate(amounts)]
            await load_into(each, {"nodes": [node(number) for number in ids], "values": values})
            digests.add(await digest_of(each))
    assert len(digests) == 1


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


@pytest.mark.parametrize("at_once", [1, 1000])
@pytest.mark.parametrize("is_older", [False, True])
async def test_a_ring_of_references_is_in_if_all_that_it_refers_to_is(kind: Kind, is_older: bool, at_once: int) -> None:
    if is_older:
        await load_into(kind, {"nodes": [node(4)], "values": []}, listed(9))
    document = {
        "nodes": [node(1, 2), node(2, 1), node(3, 1), node(4), node(5, 6), node(6, 5, "bad"), node(7, 8), node(8, 7)],
        "values": [value(3), value(5), value(4), value(7)],
    }
    document["nodes"].append(node(8, 99))
    loaded = await load_into(kind, document, listed(2), at_once=at_once)
    assert loaded.places == [("nodes", 4, "/above"), ("nodes", 5, ""), ("nodes", 8, "/above"), ("values", 1, "/node")]
    kept = [each for place, each in enumerate(document["nodes"]) if place not in (4, 5, 8)]
    assert (await content(kind))["nodes"] == in_order({"nodes": kept})["nodes"]


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("end", [None, 99_999])
async def test_a_chain_of_any_length_comes_in_reverse_order(kind: Kind, end: int | None, is_known: bool) -> None:
    """All of it, or where its end refers to nothing, nothing of it."""
    if is_known:
        await load_into(kind, {"nodes": [node(50_000)], "values": []}, listed(1))
    chain = [node(number, number - 1 if number else end) for number in range(500)][::-1]
    loaded = await load_into(kind, {"nodes": chain, "values": []}, listed(2), at_once=100)
    assert loaded.tables["nodes"] == (TableCounts(500, 500) if end is None else TableCounts(500, rejected=500))


@pytest.mark.parametrize("is_older", [False, True])
@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
async def test_a_reference_counts_that_only_the_contract_or_only_the_database_knows(
    kind: Kind, tmp_path: Path, is_older: bool
) -> None:
    await load_into(kind, GOOD, listed(5))
    kind.query("ALTER TABLE nodes DROP CONSTRAINT nodes_above_fkey")
    schema = write_schema(tmp_path)
    schema.write_text(
        schema.read_text().replace('"x-references": "nodes.id"', '"x-key": []').replace(', "x-key": []', "")
    )
    kind = replace(kind, contract=Contract.read(schema))
    assert not kind.contract.tables["values"].references
    document = {"nodes": [node(4, 99), node(5, 4), node(6, 1)], "values": [value(98), value(5, "y"), value(6)]}
    loaded = await load_into(kind, document, listed(1 if is_older else 6))
    assert loaded.places == [
        *(("nodes", 0, "/above"), ("nodes", 1, "/above"), ("values", 0, "/node"), ("values", 1, "/node")),
    ]
    assert loaded.tables["nodes"].loaded == loaded.tables["values"].loaded == 1
    assert (await load_into(kind, GOOD, listed(7))).tables["nodes"] == TableCounts(3, 0, 3)


def orphaned(number: int) -> dict[str, Any]:
    return node(number, 77)


@pytest.mark.parametrize("at_once", [1, 2, 1000])
async def test_each_version_is_looked_at_also_of_what_is_known_in_an_older_export(kind: Kind, at_once: int) -> None:
    await load_into(kind, {"nodes": [node(1, label="kept")], "values": []}, listed(9))
    nodes = [
        *(orphaned(1), node(1, label="old"), node(1, label="bad"), node(2, label="first"), orphaned(2)),
        *(node(2, label="bad"), node(2, 2, "last"), orphaned(3)),
    ]
    loaded = await load_into(kind, {"nodes": nodes, "values": [value(3), value(2)]}, listed(2), at_once=at_once)
    assert loaded.places == [
        *(("nodes", 0, "/above"), ("nodes", 2, ""), ("nodes", 4, "/above"), ("nodes", 5, ""), ("nodes", 7, "/above")),
        ("values", 0, "/node"),
    ]
    assert loaded.tables["nodes"] == TableCounts(8, 2, 1, 5)
    assert (await content(kind))["nodes"] == in_order({"nodes": [node(1, label="kept"), node(2, 2, "last")]})["nodes"]


def documents(seed: int) -> Iterator[tuple[int, dict[str, list[Any]]]]:
    """Nights in any order, and exports that know, change, break, repeat and miss records of one another."""
    chance = random.Random(seed)
    for _ in range(4):
        nodes = [
            node(
                chance.choice([number, float(number)]),
                chance.choice([None, *range(7)]),
                chance.choice(["a", "b", "c", "bad"]),
            )
            for number in chance.choices(range(6), k=chance.randrange(9))
        ]
        values = [
            value(
                chance.randrange(7),
                chance.choice("xy"),
                chance.choice([1, 1.0, 2.0, 2.5, -1.0, None]),
                chance.choice([True, False]),
            )
            for _ in range(chance.randrange(9))
        ]
        both = [("nodes", nodes), ("values", values)]
        chance.shuffle(both)
        yield chance.randrange(6), dict(both)


PARTS: dict[str, tuple[tuple[str, ...], str]] = {"nodes": (("id",), "above"), "values": (("node", "name"), "node")}
"""Of each table the key's columns, and the one that refers to a node."""


def is_good(table: str, record: dict[str, Any]) -> bool:
    if table == "nodes":
        return bool(record["label"] != "bad")
    return record["amount"] is not None and record["amount"] >= 0


def as_stored(table: str, record: dict[str, Any]) -> dict[str, Any]:
    column, kind = ("id", int) if table == "nodes" else ("amount", float)
    return {**record, column: kind(record[column])}


def bring_in(
    model: dict[str, dict[Any, Any]], document: dict[str, list[Any]], *, is_older: bool
) -> tuple[set[tuple[str, int]], dict[str, TableCounts]]:
    """What a load must come to, told as simply as can be: the rejects' places and the counts; the model is changed."""
    left = {name: [(place, each) for place, each in enumerate(document[name]) if is_good(name, each)] for name in PARTS}
    before = -1
    while before != (before := sum(map(len, left.values()))):
        nodes = {*(key for (key,) in model["nodes"]), *(each["id"] for _, each in left["nodes"]), None}
        left = {name: [each for each in left[name] if each[1][PARTS[name][1]] in nodes] for name in PARTS}
    counts = {}
    for name, (key, _) in PARTS.items():
        known, loaded = set(model[name]), 0
        for _, record in left[name]:
            at = tuple(record[each] for each in key)
            if not (is_older and at in known) and model[name].get(at) != record:
                model[name][at] = record
                loaded += 1
        read = len(document[name])
        counts[name] = TableCounts(read, loaded, len(left[name]) - loaded, read - len(left[name]))
    kept = {(name, place) for name in PARTS for place, _ in left[name]}
    return {(name, place) for name in PARTS for place in range(len(document[name]))} - kept, counts


@pytest.mark.parametrize("at_once", [1, 3, 100])
@pytest.mark.parametrize("seed", range(20))
async def test_whatever_comes_the_tables_are_those_of_a_simple_model(kind: Kind, seed: int, at_once: int) -> None:
    model: dict[str, dict[Any, Any]] = {"nodes": {}, "values": {}}
    newest = -1
    for night, document in documents(seed):
        rejects, counts = bring_in(model, document, is_older=night < newest)
        newest = max(newest, night)
        loaded = await load_into(kind, document, listed(night), at_once=at_once)
        assert {place[:2] for place in loaded.places} == rejects, json.dumps(document)
        assert loaded.tables == counts
        kept = {name: [as_stored(name, each) for each in rows.values()] for name, rows in model.items()}
        assert await content(kind) == in_order(kept)
