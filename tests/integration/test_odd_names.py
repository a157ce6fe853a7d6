"""Tables and columns by any names: what SQL would take for something else is a name all the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aetl.contract import Contract
from aetl.models import TableCounts
from tests.exports import in_order, listed
from tests.integration.databases import Kind, content, digest_of, load_into

NAMES = (
    "a", 'o"brien', "o'brien", "a b", "a:b", ":id", "$1", "?1", "100%s", "select", "Upper", "größe", "{table}",
    "straße", "STRASSE", "back\\slash", "`tick`", "[box]", "a.b", "x" * 63, "loads", "rejects",
    "position", "new", "old", "excluded", "json",
    "pg_class",
)  # fmt: skip
COLUMNS = ("position", "new", "old", "excluded", "value", "true", "false", *NAMES[1:10])


@pytest.fixture
def kind(kind: Kind, tmp_path: Path) -> Kind:
    properties: dict[str, Any] = {name: {"type": ["string", "null"]} for name in COLUMNS}
    arrays = {}
    for before, name in zip((NAMES[-1], *NAMES), NAMES, strict=False):
        own = {"id ": {"type": "integer"}, **properties, "of": {"type": ["integer", "null"], "x-references": before}}
        items = {"type": "object", "required": list(own), "additionalProperties": False, "properties": own}
        arrays[name] = {"type": "array", "x-key": ["id "], "x-indexes": [["of", "new"], ["a b"]], "items": items}
    path = tmp_path / "odd.json"
    path.write_text(json.dumps({"type": "object", "properties": arrays}))
    return replace(kind, contract=Contract.read(path))


def records(*numbers: int, of: int, text: str | None = "a") -> list[Any]:
    return [{"id ": number, **dict.fromkeys(COLUMNS, text), "of": of} for number in numbers]


async def test_any_name_is_a_tables_or_a_columns(kind: Kind) -> None:
    """The tables refer to one another in a ring, and records of each may be there, twice, or refer to nothing."""
    document = {name: records(1, 2, of=1) for name in NAMES}
    loaded = await load_into(kind, document, listed(1))
    assert set(loaded.tables.values()) == {TableCounts(2, 2)}
    again = {name: [*records(1, of=1), *records(2, 3, of=2, text=None), *records(3, of=3)] for name in NAMES}
    again[NAMES[5]].append(records(4, of=9)[0])
    loaded = await load_into(kind, again, listed(3))
    assert loaded.places == [(NAMES[5], 4, "/of")]
    assert loaded.tables[NAMES[0]] == TableCounts(4, 3, 1)
    older = await load_into(kind, document, listed(2))
    assert set(older.tables.values()) == {TableCounts(2, 0, 2)}
    expected = {name: [*records(1, of=1), *records(2, of=2, text=None), *records(3, of=3)] for name in NAMES}
    assert await content(kind) == in_order(expected)
    assert await digest_of(kind)


async def test_a_property_has_any_name_whatever_its_columns_is(kind: Kind, tmp_path: Path) -> None:
    keys = ("", "nul\0", "~/", 'quoted"', "\n", "x" * 1_000)
    properties = {key: {"type": "string", "x-column": f"c{place}"} for place, key in enumerate(keys)}
    items = {"type": "object", "required": list(keys), "properties": properties}
    path = tmp_path / "keys.json"
    path.write_text(
        json.dumps({"type": "object", "properties": {"t": {"type": "array", "x-key": ["c1"], "items": items}}})
    )
    kind = replace(kind, contract=Contract.read(path))
    record = dict.fromkeys(keys, "a")
    await load_into(kind, {"t": [record]})
    async with kind.opened("read") as database:
        written = [text async for _, text in database.dump_json(kind.contract.encode)]
    assert json.loads(b"".join(written)) == record
