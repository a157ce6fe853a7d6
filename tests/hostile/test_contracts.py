"""Whatever stands in a contract, it is one that aetl can load by, or it is refused with one line."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aetl.contract import Contract
from aetl.errors import ConfigurationError
from aetl.models import Batch, Row

GOOD: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "required": ["t"],
    "definitions": {
        "a": {"type": "string", "x-column": "aa"},
        "r": {"type": "object", "properties": {"z": {"$ref": "#/definitions/r"}}},
    },
    "$defs": {"b": {"type": ["integer", "null"], "x-epoch": "s", "format": "date-time"}},
    "properties": {
        "p": {
            "type": "array",
            "x-key": ["id"],
            "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}, "q": True}},
        },
        "t": {
            "type": "array",
            "x-table": "tt",
            "x-key": ["k", "aa"],
            "x-indexes": [["k"], ["aa", "k"]],
            "x-rest": "rest",
            "items": {
                "type": "object",
                "required": ["k", "a"],
                "additionalProperties": {"type": "string"},
                "properties": {
                    "k": {"type": "string", "pattern": "^a", "default": "a"},
                    "a": {"$ref": "#/definitions/a"},
                    "b": {"$ref": "#/$defs/b"},
                    "r": {"$ref": "#/definitions/r"},
                    "p": {"type": "integer", "x-references": "p.id"},
                    "j": {"type": ["object", "array"], "items": {"enum": [1, "a"]}, "patternProperties": {"^b": False},
                          "properties": {"x": {"multipleOf": 0.5, "maximum": 3}}, "dependencies": {"x": ["y"]}},
                    "s": {"type": "string", "x-skip": True},
                    "d": {"type": "string", "format": "date"},
                },
            },
        },
    },
}  # fmt: skip
KEYWORDS = st.sampled_from([
    "x-key", "x-table", "x-rest", "x-skip", "x-epoch", "x-column", "x-references", "x-indexes", "type", "items",
    "properties", "$ref", "required", "default", "enum", "format", "pattern", "$schema", "$id", "definitions", "allOf",
    "additionalProperties", "not", "dependencies", "patternProperties", "multipleOf", "description", "k", "aa", "p",
])  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.sampled_from([
    None, True, False, 0, -1, 1.5, float("inf"), float("nan"), 10**400, "", "a", "k", "aa", "p", "tt", "\ud800", "\0",
    "(", "#/definitions/a", "#/definitions/r", "#/$defs/b", "#", "http://x", "string", "object", "date-time", "s",
    "_aetl_x", [], ["k"], [["k"]], ["string", "null"], {}, {"type": "string"}, {"$ref": "#/definitions/r"}, [{}],
    {"a": {}}, {"$ref": "#/properties/t"}, "https://json-schema.org/draft/2020-12/schema",
]).map(copy.deepcopy)  # fmt: skip
RECORDS = [
    {"k": "a", "a": "x", "id": 1, "b": 3, "j": {"x": 1}, "u": "1", "p": 1, "r": {"z": {}}, "d": "2025-01-01"},
    {"k": "a", "a": "x", "id": 1, "q": [1.0], "b": None, "aa": "s"},
    1,
]


def places(part: Any) -> Iterator[tuple[Any, Any]]:
    """Every object and array of the contract, each with every key of it."""
    if isinstance(part, dict | list):
        for key in list(part) if isinstance(part, dict) else range(len(part)):
            yield part, key
            yield from places(part[key])


@given(data=st.data())
def test_what_a_contract_says_is_taken_or_refused_in_one_line(data: st.DataObject) -> None:
    schema = copy.deepcopy(GOOD)
    for _ in range(data.draw(st.integers(1, 2))):
        found = [*places(schema)]
        part, key = found[data.draw(st.integers(0, len(found) - 1))]
        change = data.draw(st.sampled_from(["replace", "add", "rename", "drop"]))
        if change == "replace" or isinstance(part, list):
            part[key] = data.draw(VALUES)
        elif change == "add":
            part[data.draw(KEYWORDS)] = data.draw(VALUES)
        else:
            value = part.pop(key)
            if change == "rename":
                part[data.draw(KEYWORDS)] = value
    try:
        contract = Contract(schema, "own.json")
    except ConfigurationError as error:
        message = str(error)
    else:
        agree(contract)
        return
    assert message.startswith("the schema file own.json cannot be used: /") and message.isprintable()


def agree(contract: Contract) -> None:
    """That tables, records and rows of a contract agree."""
    for table in contract.tables.values():
        assert set(table.key) <= set(table.names) and len({name.lower() for name in table.names}) == len(table.names)
        assert all(each.target == contract.tables[each.table].key[0] for each in table.references)
        checked = contract.check(Batch(table.name, 0, RECORDS))
        assert len(checked.rows) + len(checked.rejects) == 3
        rows: list[Row] = list(checked.rows)
        assert len(json.loads(b"[" + contract.encode(table.name, rows) + b"]")) == len(
            contract.values(table.name, rows)
        )
