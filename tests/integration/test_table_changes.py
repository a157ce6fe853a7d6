"""A contract that changed: what the next load adds to the tables, and what it refuses to touch."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aetl.config import Changes
from aetl.contract import Contract
from aetl.database import open_database
from aetl.errors import ConfigurationError, ExportMalformed, TablesDiffer
from aetl.models import Finding, TableCounts
from tests.exports import in_order, listed
from tests.integration.databases import Kind, content, digest_of, load, load_into

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
OPTIONAL = {"type": ["string", "null"]}
ITEM: dict[str, Any] = {"id": NUMBER, "name": TEXT, "note": OPTIONAL}


def described(
    columns: dict[str, Any], required: str = "id name", key: str = "id", indexes: list[list[str]] | None = None
) -> dict[str, Any]:
    items = {"type": "object", "required": required.split(), "properties": columns}
    return {"type": "array", "x-key": key.split(), "x-indexes": indexes or [], "items": items}


def by(kind: Kind, folder: Path, **tables: dict[str, Any]) -> Kind:
    """The same database by another contract."""
    path = folder / "changing.json"
    path.write_text(json.dumps({"type": "object", "properties": tables}))
    return replace(kind, contract=Contract.read(path))


@pytest.fixture
async def kind(kind: Kind, tmp_path: Path) -> Kind:
    """A database with two items."""
    kind = by(kind, tmp_path, items=described(ITEM))
    await load_into(kind, {"items": [item(1), item(2)]}, listed(1))
    return kind


def item(number: int, **more: Any) -> dict[str, Any]:
    return {"id": number, "name": f"n{number}", "note": None, **more}


def run_advised(kind: Kind, finding: Finding) -> None:
    """Runs what a finding advises, as an administrator would."""
    sql = finding.advice.partition("have an administrator run: ")[2]
    assert sql.endswith(";")
    if kind.dialect == "sqlite":  # it is several statements, for one connection
        with closing(sqlite3.connect(kind.url)) as connection:
            connection.executescript(sql)
    else:
        for statement in filter(None, sql.split(";")):
            kind.query(statement)


async def failures(kind: Kind) -> list[Finding]:
    async with kind.opened("check") as database:
        return [finding for finding in await database.examine() if finding.level == "failure"]


async def changes_of(kind: Kind) -> list[str]:
    async with kind.opened("read") as database:
        return list((await database.history(1))[0].changes)


async def test_what_is_new_in_the_contract_comes_with_the_next_load(kind: Kind, tmp_path: Path) -> None:
    """A column, one with a default, one that refers to a new table, an index, and that table."""
    columns = {
        **ITEM,
        "size": {"type": ["number", "null"]},
        "state": {**TEXT, "default": "it's new"},
        "shop": {"type": ["integer", "null"], "x-references": "shops"},
    }
    items = described(columns, "id name state", indexes=[["name", "size"]])
    shops = described({"id": NUMBER, "best": {"type": ["integer", "null"], "x-references": "items"}}, "id")
    changed = by(kind, tmp_path, items=items, shops=shops)
    before = [item(number, size=None, state="it's new", shop=None) for number in (1, 2)]
    async with changed.opened("check") as database:
        due = [finding.message for finding in await database.examine() if "the next load adds" in finding.message]
        assert all(finding.level != "failure" for finding in await database.examine())
    assert sorted(due) == [
        "table items: the next load adds an index of name, size",
        *(f"table items: the next load adds the column {column}" for column in ("shop", "size", "state")),
        "table shops: the next load adds it",
    ]
    empty = await content(changed)
    assert empty["shops"] == [] and [each["size"] for each in empty["items"]] == [None, None]
    document: dict[str, list[Any]] = {
        "items": [item(3, size=2.5, state="b", shop=7), item(4, size=1, state="c", shop=8)],
        "shops": [{"id": 7, "best": 1}, {"id": 9, "best": None}],
    }
    loaded = await load_into(changed, document, listed(2))
    assert loaded.places == [("items", 1, "/shop")]
    assert loaded.tables == {"items": TableCounts(2, 1, 0, 1), "shops": TableCounts(2, 2)}
    assert await content(changed) == in_order({**document, "items": [*before, document["items"][0]]})
    assert sorted(await changes_of(changed)) == [
        each.replace("the next load adds", "added").replace("added it", "added") for each in sorted(due)
    ]
    orphan = {"items": [item(5, size=None, state="", shop=10)], "shops": [{"id": 11, "best": 77}]}
    assert (await load_into(changed, orphan, listed(3))).places == [("items", 0, "/shop"), ("shops", 0, "/best")]
    assert await changes_of(changed) == []
    async with changed.opened("check") as database:
        assert not [finding for finding in await database.examine() if "table items" in finding.message]


async def test_a_load_that_fails_takes_its_changes_back(kind: Kind, tmp_path: Path) -> None:
    before = await content(kind)
    changed = by(kind, tmp_path, items=described({**ITEM, "size": NUMBER}, "id name"), more=described(ITEM))
    async with changed.opened() as database:
        with pytest.raises(ExportMalformed):
            async with database.load(listed(2)):
                raise ExportMalformed("cut off")
    assert await content(kind) == before
    with pytest.raises(Exception, match="size"):
        kind.query("SELECT size FROM items")


async def test_what_is_gone_from_the_contract_stays(kind: Kind, tmp_path: Path) -> None:
    wide = by(kind, tmp_path, items=described({**ITEM, "size": {"type": ["integer", "null"]}}, indexes=[["size"]]))
    await load_into(wide, {"items": [item(3, size=5)]}, listed(2))
    narrow = by(kind, tmp_path, items=described(ITEM))
    await load_into(narrow, {"items": [item(3, note="new"), item(4)]}, listed(3))
    assert kind.query("SELECT id, note, size FROM items ORDER BY id") == [
        *((1, None, None), (2, None, None), (3, "new", 5), (4, None, None)),
    ]
    async with narrow.opened("check") as database:
        told = " ".join(finding.message for finding in await database.examine() if finding.subject == "tables")
    assert "the column size is none of the contract's; it stays" in told
    assert re.search(r"the index \w+ is none of the contract's; it stays", told)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "type": (described({**ITEM, "name": NUMBER}), "the column name is"),
    "key": (described(ITEM, key="id name"), "its key is id, and by the contract it is id, name"),
    "null": (described(ITEM, "id"), "the column name is NOT NULL, and by the contract it may be missing"),
    "new": (described({**ITEM, "size": NUMBER}, "id name size"), "the column size is missing, and by the contract no"),
}


@pytest.mark.parametrize("how", REFUSED)
async def test_what_a_load_must_not_change_is_refused_and_what_it_advises_works(
    kind: Kind, tmp_path: Path, how: str
) -> None:
    table, reason = REFUSED[how]
    kind.query("UPDATE items SET name = '12' WHERE id = 1")
    kind.query("UPDATE items SET name = '13' WHERE id = 2")
    changed = by(kind, tmp_path, items=table)
    async with changed.opened() as database:
        with pytest.raises(TablesDiffer, match=f"table items: {reason}") as caught:
            async with database.load(listed(2)):
                raise AssertionError("it began")
    assert caught.value.exit_code == 5
    async with changed.opened("check") as database:
        (finding,) = [each for each in await database.examine() if each.level == "failure"]
    assert reason in finding.message
    run_advised(kind, finding)
    record = item(3, name=5, size=1) if how == "type" else item(3, size=1)
    loaded = await load_into(changed, {"items": [record]}, listed(2))
    assert loaded.tables["items"].loaded == 1


FOREIGN_KEYS = {
    "sqlite": "SELECT count(*) FROM pragma_foreign_key_list('items') UNION ALL"
    " SELECT count(*) FROM pragma_foreign_key_list('shops')",
    "postgresql": "SELECT count(*) FROM pg_constraint"
    " WHERE contype = 'f' AND conrelid IN ('items'::regclass, 'shops'::regclass) GROUP BY conrelid",
}


@pytest.mark.parametrize("changes", ["apply", "refuse"])
async def test_nothing_is_changed_where_that_is_refused(kind: Kind, tmp_path: Path, changes: Changes) -> None:
    columns = {**ITEM, "size": {"type": ["integer", "null"]}, "shop": {**TEXT, "x-references": "shops"}}
    shops = described({"id": TEXT, "best": {**NUMBER, "x-references": "items"}}, "id", indexes=[["best"]])
    changed = by(kind, tmp_path, items=described(columns, indexes=[["shop"]]), shops=shops)

    def opened(purpose: Any) -> Any:
        return open_database(changed.url, purpose, changed.contract.tables, None, changed.contract.hash, changes)

    async with opened("check") as database:
        found = [finding for finding in await database.examine() if finding.level == "failure"]
    assert bool(found) == (changes == "refuse")
    if changes == "refuse":
        async with opened("load") as database:
            with pytest.raises(TablesDiffer, match=r"table \w+: (the column size|it) is missing"):
                async with database.load(listed(2)):
                    raise AssertionError("it began")
        for failure in sorted(found, key=lambda each: "it is missing" not in each.message):
            assert "\n" not in failure.advice
            run_advised(kind, failure)
    async with opened("load") as database:
        await load(
            database, {"items": [item(3, size=1, shop="s")], "shops": [{"id": "s"}]}, listed(2), changed.contract
        )
    assert kind.query("SELECT id, size, shop FROM items ORDER BY id") == [(1, None, None), (2, None, None), (3, 1, "s")]
    assert kind.query(FOREIGN_KEYS[kind.dialect]) == [(1,), (1,)]


NOTED = {
    "sqlite": ["CREATE TRIGGER noted AFTER INSERT ON items BEGIN -- each\n INSERT INTO log VALUES (new.id); END"],
    "postgresql": [
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (new.id);"
        " RETURN new; END $$",
        "CREATE TRIGGER noted AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION note()",
    ],
}


async def test_what_is_advised_for_another_type_keeps_all_that_others_made(kind: Kind, tmp_path: Path) -> None:
    """Also while another column is missing that no record may be without."""
    for statement in (
        "UPDATE items SET note = '7' WHERE id = 1",
        "ALTER TABLE items ADD COLUMN own TEXT DEFAULT 'mine'",
        "CREATE INDEX of_own ON items (own, id)",
        "CREATE VIEW seen AS SELECT id FROM items",
        "CREATE TABLE others (item BIGINT REFERENCES items (id))",
        "INSERT INTO others VALUES (2)",
        "CREATE TABLE log (id BIGINT)",
        *NOTED[kind.dialect],
    ):
        kind.query(statement)
    columns = {**ITEM, "note": {"type": ["integer", "null"]}, "size": NUMBER}
    changed = by(kind, tmp_path, items=described(columns, "id name size", indexes=[["size"]]))
    while found := await failures(changed):
        run_advised(kind, found[0])
    await load_into(changed, {"items": [item(3, note=8, size=9)]}, listed(2))
    assert kind.query("SELECT id, note, size, own FROM items ORDER BY id") == [
        (1, 7, None, "mine"),
        (2, None, None, "mine"),
        (3, 8, 9, "mine"),
    ]
    assert kind.query("SELECT id FROM seen ORDER BY id") == [(1,), (2,), (3,)]
    assert (kind.query("SELECT item FROM others"), kind.query("SELECT id FROM log")) == ([(2,)], [(3,)])
    async with changed.opened("check") as database:
        assert "the index of_own is" in " ".join(finding.message for finding in await database.examine())


async def test_a_key_that_others_refer_to_can_be_changed_as_advised(kind: Kind, tmp_path: Path) -> None:
    part = described({"id": NUMBER, "item": {**NUMBER, "x-references": "items"}}, "id item")
    before = by(kind, tmp_path, items=described(ITEM), parts=part)
    await load_into(before, {"items": [], "parts": [{"id": 1, "item": 2}]}, listed(2))
    del part["items"]["properties"]["item"]["x-references"]
    changed = by(kind, tmp_path, items=described(ITEM, key="name"), parts=part)
    while found := await failures(changed):
        run_advised(kind, found[0])
    parts = [{"id": 1, "item": 2}, {"id": 2, "item": 77}]
    await load_into(changed, {"items": [{**item(1), "name": "again"}], "parts": parts}, listed(3))
    assert kind.query("SELECT id, item FROM parts ORDER BY id") == [(1, 2), (2, 77)]
    assert kind.query("SELECT id, name FROM items ORDER BY name") == [(1, "again"), (1, "n1"), (2, "n2")]


async def test_no_default_names_a_record_that_is_referred_to(kind: Kind, tmp_path: Path) -> None:
    above = {**NUMBER, "x-references": "items", "default": 1}
    changed = by(kind, tmp_path, items=described({**ITEM, "above": above}, "id name above"))
    (found,) = await failures(changed)
    assert "the column above is missing" in found.message and "no default is used" in found.message
    run_advised(kind, found)
    await load_into(changed, {"items": [item(3, above=2)]}, listed(2))
    assert kind.query("SELECT id, above FROM items ORDER BY id") == [(1, None), (2, None), (3, 2)]


@pytest.mark.parametrize(
    ("before", "value", "after", "expected"),
    [
        ("boolean", True, "integer", 1),
        ("boolean", False, "number", 0),
        ("integer", 1, "boolean", True),
        ("number", 4, "integer", 4),
        ("number", 2**53, "integer", 2**53),
        ("number", 1, "boolean", True),
        ("integer", 5, "number", 5),
        ("integer", 5, "string", "5"),
    ],
)
async def test_values_come_over_into_another_type(
    kind: Kind, tmp_path: Path, before: str, value: Any, after: str, expected: Any
) -> None:
    def contract(name: str) -> Kind:
        return by(kind, tmp_path, items=described(ITEM), more=described({"id": NUMBER, "value": {"type": name}}, "id"))

    await load_into(contract(before), {"items": [], "more": [{"id": 1, "value": value}]}, listed(2))
    changed = contract(after)
    for found in await failures(changed):
        run_advised(kind, found)
    assert await failures(changed) == []
    assert (await content(changed))["more"] == [{"id": 1, "value": expected}]


async def test_no_whole_number_is_rounded_in_a_column_of_doubles(kind: Kind, tmp_path: Path) -> None:
    wide = by(kind, tmp_path, items=described({**ITEM, "size": {"type": "number"}}))
    await load_into(wide, {"items": [item(3, size=0.5)]}, listed(2))
    (found,) = await failures(by(kind, tmp_path, items=described({**ITEM, "size": NUMBER})))
    assert "the column size is" in found.message


@pytest.mark.parametrize(
    ("column", "name"),
    [({"type": "object"}, "json"), ({**NUMBER, "format": "date-time", "x-epoch": "s"}, "date-time")],
)
async def test_a_text_that_is_no_value_of_the_contract_is_told_and_not_exported(
    kind: Kind, tmp_path: Path, column: dict[str, Any], name: str
) -> None:
    changed = by(kind, tmp_path, items=described({**ITEM, "name": column}))
    for read in (content, digest_of):
        with pytest.raises(TablesDiffer, match=f"table items: the column name holds what is no {name}, as 'n1'"):
            await read(changed)


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        ("types: {{text: {wrong}}}", " is {wrong}, and by the contract text"),
        ("tables: {{more: {{create: 'CREATE TABLE other (id bigint, name text)'}}}}", "does not make it"),
        ("tables: {{more: {{create: CREATE TABLE more (id text)}}}}", "table more: the column name is missing"),
    ],
)
async def test_sql_of_ones_own_that_makes_no_table_for_the_contract_is_refused_before(
    kind: Kind, tmp_path: Path, own: str, reason: str
) -> None:
    wrong = {"sqlite": "json", "postgresql": "bigint"}[kind.dialect]
    (tmp_path / "own.yaml").write_text(own.format(wrong=wrong))
    more = described({"id": TEXT, "name": TEXT}, "id name")
    changed = replace(by(kind, tmp_path, items=described(ITEM), more=more), sql=tmp_path / "own.yaml")
    found = await failures(changed)
    assert reason.format(wrong=wrong) in " ".join(each.message for each in found)
    with pytest.raises(ConfigurationError, match=reason.format(wrong=wrong)):
        await load_into(changed, {"items": [], "more": []}, listed(2))
