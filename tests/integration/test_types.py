"""Columns of every type that a contract knows: what comes in comes out, and is the same on every database."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from aetl.contract import Contract
from aetl.models import TableCounts
from tests.exports import in_order, listed
from tests.integration.databases import Kind, content, digest_of, load_into

PROPERTIES: dict[str, Any] = {
    "id": {"type": "integer"},
    "above": {"type": ["integer", "null"], "x-references": "things"},
    "text": {"type": ["string", "null"]},
    "number": {"type": ["number", "null"]},
    "flag": {"type": ["boolean", "null"]},
    "at": {"type": "string", "format": "date-time"},
    "day": {"type": "string", "format": "date"},
    "seconds": {"type": "number", "format": "date-time", "x-epoch": "s"},
    "millis": {"type": ["integer", "null"], "format": "date-time", "x-epoch": "ms"},
    "object": {"type": "object", "properties": {"a": {"type": "integer"}}},
    "list": {"type": "array", "items": {"type": ["integer", "string"]}},
    "any": {},
    "mixed": {"type": ["string", "integer"]},
}
NULLS = {key: None for key, each in PROPERTIES.items() if "null" in each.get("type", ["null"])}
"""Where null may stand, a key that is missing comes back as null."""
THINGS: list[dict[str, Any]] = [
    {
        **NULLS,
        "id": 1,
        "above": None,
        "text": "{}",
        "number": 0.1,
        "flag": True,
        "at": "2025-03-01T02:00:00.000000+00:00",
    },
    {
        **NULLS,
        "id": 2,
        "above": 1,
        "day": "2025-03-01",
        "seconds": 1740794400.25,
        "millis": -1,
        "flag": False,
        "number": 3,
    },
    {
        **NULLS,
        "id": 3,
        "object": {"b": [1.5, None, "ü\n"], "a": 1, "": {}},
        "list": [1, "1", 2],
        "any": None,
        "mixed": 7,
    },
    {
        **NULLS,
        "id": 4,
        "list": [],
        "object": {},
        "any": [True, {"deep": [[]]}],
        "mixed": "7",
        "flag": None,
        "number": 5e-324,
    },
    {**NULLS, "id": 5, "any": "text", "rest": 1, "another": {"kept": [1, 2.5]}, "number": -(2.0**60), "millis": None},
    {**NULLS, "id": 6, "any": 0, "number": 0.30000000000000004, "text": "\\u0041 ' \" ; --", "seconds": 0},
]
DIGEST = "6a6cbc41487917b400fd83e5dfcab3fa4a0ca60e7b37475aa7730de9f3134370"
SQL: dict[str, dict[str, str]] = {
    "as shipped": {},
    "typed": {"date-time": "timestamptz", "date": "date", "json": "jsonb"},
    "json": {"json": "json", "number": "numeric", "text": "varchar"},
}
"""What --sql may say of PostgreSQL's types."""


EVERYWHERE = pytest.mark.parametrize(
    ("kind", "types"), [("sqlite", "as shipped"), *(("postgresql", types) for types in SQL)], indirect=["kind"]
)


@pytest.fixture
def kind(kind: Kind, types: str, tmp_path: Path) -> Kind:
    items = {"type": "object", "required": ["id"], "properties": PROPERTIES}
    table = {"type": "array", "x-key": ["id"], "x-rest": "more", "items": items}
    schema, sql = tmp_path / "types.json", tmp_path / "types.yaml"
    schema.write_text(json.dumps({"type": "object", "properties": {"things": table}}))
    sql.write_text(yaml.safe_dump({"types": SQL[types]}))
    return replace(kind, contract=Contract.read(schema), sql=sql)


@EVERYWHERE
@pytest.mark.parametrize("is_first", [True, False])
async def test_a_value_of_any_type_comes_back_as_it_was(kind: Kind, is_first: bool) -> None:
    if not is_first:
        await load_into(kind, {"things": []}, listed(1))
    loaded = await load_into(kind, {"things": THINGS}, listed(2))
    assert loaded.tables["things"] == TableCounts(6, 6)
    assert await content(kind) == in_order({"things": THINGS})
    again = await load_into(kind, {"things": THINGS[::-1]}, listed(3))
    assert again.tables["things"] == TableCounts(6, 0, 6)
    assert await digest_of(kind) == DIGEST
    changes: list[dict[str, Any]] = [
        {"number": 0.30000000000000004}, {"flag": False}, {"object": {"a": 2}}, {"list": [2, 1]}, {"more": 1},
        {"at": "2025-03-01T02:00:00.000001+00:00"}, {"day": "2025-03-02"}, {"millis": 5}, {"any": {}}, {"text": ""},
    ]  # fmt: skip
    for night, change in enumerate(changes, 4):
        loaded = await load_into(kind, {"things": [{**THINGS[0], **change}]}, listed(night))
        assert loaded.tables["things"] == TableCounts(1, 1), change


@EVERYWHERE
async def test_a_reject_of_the_databases_keeps_the_whole_record(kind: Kind) -> None:
    """As it refers to nothing, and that is only known in the end; load() compares the records."""
    orphans = [{**each, "id": number, "above": 99} for number, each in enumerate(THINGS, 10)]
    await load_into(kind, {"things": [THINGS[0]]}, listed(1))
    loaded = await load_into(kind, {"things": [*orphans, THINGS[0]]}, listed(2))
    assert [place[:2] for place in loaded.places] == [("things", number) for number in range(6)]
