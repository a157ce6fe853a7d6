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
from aetl.errors import ExportMalformed, TablesDiffer
from aetl.models import TableCounts
from tests.exports import in_order, listed
from tests.integration.databases import Kind, content, load, load_into

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
    sql = finding.advice.partition("have an administrator run: ")[2]
    if kind.dialect == "sqlite":  # it is several statements, for one connection
        with closing(sqlite3.connect(kind.url)) as connection:
            connection.executescript(sql)
    else:
        kind.query(sql)
    record = item(3, name=5, size=1) if how == "type" else item(3, size=1)
    loaded = await load_into(changed, {"items": [record]}, listed(2))
    assert loaded.tables["items"].loaded == 1


@pytest.mark.parametrize("changes", ["apply", "refuse"])
async def test_nothing_is_changed_where_that_is_refused(kind: Kind, tmp_path: Path, changes: Changes) -> None:
    changed = by(kind, tmp_path, items=described({**ITEM, "size": {"type": ["integer", "null"]}}))

    def opened(purpose: Any) -> Any:
        return open_database(changed.url, purpose, changed.contract.tables, None, changed.contract.hash, changes)

    async with opened("check") as database:
        failures = [finding for finding in await database.examine() if finding.level == "failure"]
    assert bool(failures) == (changes == "refuse")
    if changes == "refuse":
        async with opened("load") as database:
            with pytest.raises(TablesDiffer, match="table items: the column size is missing"):
                async with database.load(listed(2)):
                    raise AssertionError("it began")
        kind.query(failures[0].advice.partition("have an administrator run: ")[2])
    async with opened("load") as database:
        await load(database, {"items": [item(3, size=1)]}, listed(2), changed.contract)
    assert await content(changed) == in_order(
        {"items": [*(item(number, size=None) for number in (1, 2)), item(3, size=1)]}
    )
