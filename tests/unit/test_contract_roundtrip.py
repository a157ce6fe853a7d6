"""What a record is comes back from its row, whatever its contract, and equal records are hashed alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetl.contract import Contract
from aetl.hashing import canonical
from aetl.models import Batch, Row

TEXT = st.text(max_size=5)
INT64 = st.integers(-(2**63), 2**63 - 1)
DOUBLE = st.floats(allow_nan=False, allow_infinity=False)
NUMBER = st.integers(-5, 5) | INT64 | st.integers(-(10**30), 10**30) | DOUBLE | st.sampled_from([1.0, -0.0, 2.0**53])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)
DATE_TIME = {"format": "date-time"}
EPOCHS = {  # unit -> numbers whose point in time is one to the nanosecond
    "s": st.integers(-62135596800, 253402300799) | st.decimals(-(10**6), 10**6, places=9).map(float),
    "ms": st.integers(-62135596800000, 253402300799999) | st.decimals(0, 10**9, places=6).map(float),
    "us": st.integers(-(10**17), 10**17) | st.integers(-(10**15), 10**15).map(float),
    "ns": st.integers(-(10**19), 10**20) | st.just(1.7e18),
}
KINDS: list[tuple[dict[str, Any], st.SearchStrategy[Any]]] = [
    ({"type": "string"}, TEXT),
    ({"type": "integer"}, INT64 | st.just(3.0)),
    ({"type": "number"}, NUMBER),
    ({"type": ["integer", "number"]}, NUMBER),
    ({"type": "boolean"}, st.booleans()),
    ({"type": "string", **DATE_TIME}, st.datetimes().map(datetime.isoformat)),
    ({"type": "string", "format": "date"}, st.dates().map(date.isoformat)),
    ({"type": "object"}, OBJECT),
    ({"type": "array"}, st.lists(JSON, max_size=3)),
    ({"type": ["string", "object"]}, TEXT | OBJECT),
    ({}, JSON),
    ({"enum": ["a", 1, None, {"b": [1.5]}]}, st.sampled_from(["a", 1, None, {"b": [1.5]}])),
    *(({"type": "number", "x-epoch": unit, **DATE_TIME}, numbers) for unit, numbers in EPOCHS.items()),
]
NAMES = st.sampled_from(["a", "B", "", "a b", 'q"', "é", "\n", "select", "x-y", "0"]) | st.text(max_size=3)


@dataclass(frozen=True)
class Property:
    kind: Mapping[str, Any]
    values: st.SearchStrategy[Any]
    is_required: bool
    is_nullable: bool

    @property
    def schema(self) -> dict[str, Any]:
        if self.is_nullable and "type" in self.kind:
            types = self.kind["type"] if isinstance(self.kind["type"], list) else [self.kind["type"]]
            return {**self.kind, "type": [*types, "null"]}
        return dict(self.kind)

    @property
    def admits_null(self) -> bool:
        return self.is_nullable or "type" not in self.kind

    @property
    def is_number(self) -> bool:
        return "number" in self.kind.get("type", ()) and "x-epoch" not in self.kind


@st.composite
def properties(draw: st.DrawFn) -> Property:
    kind, values = draw(st.sampled_from(KINDS))
    is_nullable = draw(st.booleans())
    return Property(kind, values | st.none() if is_nullable else values, draw(st.booleans()), is_nullable)


def contract_of(columns: Mapping[str, Property], rest: str | None) -> Contract:
    described = {"k": {"type": "integer"}}
    for place, (key, each) in enumerate(columns.items()):
        described[key] = {**each.schema, "x-column": f"column {place}"}
    required = ["k", *(key for key, each in columns.items() if each.is_required)]
    items = {"type": "object", "required": required, "properties": described}
    table = {"type": "array", "x-key": ["k"], "items": items, **({"x-rest": rest} if rest else {})}
    return Contract({"type": "object", "properties": {"t": table}}, "own.json")


def records_of(columns: Mapping[str, Property], rest: bool) -> st.SearchStrategy[dict[str, Any]]:
    required = {"k": INT64, **{key: each.values for key, each in columns.items() if each.is_required}}
    optional = {key: each.values for key, each in columns.items() if not each.is_required}
    known = st.fixed_dictionaries(required, optional=optional)
    if not rest:
        return known
    others = st.dictionaries(NAMES.filter(lambda name: name != "k" and name not in columns), JSON, max_size=2)
    return st.builds(lambda one, other: {**other, **one}, known, others)


def value_of(value: Any) -> Any:
    """What a JSON value is: numbers beyond 64 bits are what a double tells of them, and true is not 1."""
    if isinstance(value, dict):
        return {key: value_of(each) for key, each in value.items()}
    if isinstance(value, list):
        return [value_of(each) for each in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value, type(value).__name__
    return float(value) if not -(2**63) <= value < 2**63 else value


def expected(record: Mapping[str, Any], columns: Mapping[str, Property]) -> dict[str, Any]:
    """What must come back of a record: a key that is missing is null where null is one of its values."""
    back = dict(record)
    for key, each in columns.items():
        if each.admits_null:
            back.setdefault(key, None)
        if each.is_number and back.get(key) is not None:
            back[key] = float(back[key])
    return back


def as_another_database_gives_them(contract: Contract, rows: list[Row]) -> list[Row]:
    """Booleans as 1 and 0, and JSON with blanks and its keys in another order."""

    def value(kind: str, each: Any) -> Any:
        if each is None or kind not in ("boolean", "json"):
            return each
        return int(each) if kind == "boolean" else json.dumps(json.loads(each, object_pairs_hook=backwards), indent=1)

    def backwards(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return dict(reversed(pairs))

    kinds = [column.type for column in contract.tables["t"].columns]
    return [tuple(map(value, kinds, row)) for row in rows]


@given(data=st.data(), columns=st.dictionaries(NAMES.filter(lambda name: name != "k"), properties(), max_size=5))
def test_a_record_comes_back_as_the_value_that_it_was(data: st.DataObject, columns: dict[str, Property]) -> None:
    has_rest = data.draw(st.booleans())
    contract = contract_of(columns, "rest" if has_rest else None)
    records = data.draw(st.lists(records_of(columns, has_rest), min_size=1, max_size=4))
    read = msgspec.json.decode(json.dumps(records))  # as an export is read
    checked = contract.check(Batch("t", 0, read))
    assert checked.rejects == () and checked.unknown == {}
    wanted = [value_of(expected(record, columns)) for record in records]
    for rows in (list(checked.rows), as_another_database_gives_them(contract, list(checked.rows))):
        assert [value_of(each) for each in json.loads(b"[" + contract.encode("t", rows) + b"]")] == wanted
    again = contract.check(Batch("t", 0, json.loads(b"[" + contract.encode("t", list(checked.rows)) + b"]")))
    assert again.rows == checked.rows
    one_by_one = [row for record in read for row in contract.check(Batch("t", 0, [record], is_unicode=False)).rows]
    assert one_by_one == checked.rows


@given(data=st.data(), columns=st.dictionaries(NAMES.filter(lambda name: name != "k"), properties(), max_size=5))
def test_the_hashed_lines_are_those_of_the_exported_values(data: st.DataObject, columns: dict[str, Property]) -> None:
    contract = contract_of(columns, "rest")
    records = data.draw(st.lists(records_of(columns, True), min_size=1, max_size=3))
    rows = list(contract.check(Batch("t", 0, msgspec.json.decode(json.dumps(records)))).rows)
    lines = canonical(contract.values("t", rows))
    assert canonical(contract.values("t", as_another_database_gives_them(contract, rows))) == lines
    for record, line in zip(records, lines.splitlines(), strict=True):
        back = expected(record, columns)
        others = {key: back[key] for key in back if key != "k" and key not in columns}
        values = [back["k"], *(back.get(key) for key in columns), others or None]
        wanted = json.dumps(
            [by_value(each) for each in values], ensure_ascii=False, sort_keys=True, separators=(",", ":")
        )
        assert line.decode() == wanted


def by_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: by_value(each) for key, each in value.items()}
    if isinstance(value, list):
        return [by_value(each) for each in value]
    if isinstance(value, float) and value.is_integer() and -(2**63) <= value < 2**63:
        return int(value)
    return float(value) if type(value) is int and not -(2**63) <= value < 2**63 else value


def test_what_the_rest_kept_gives_way_to_a_column_that_came_later() -> None:
    contract = contract_of({"a": Property({"type": "string"}, TEXT, False, False)}, "rest")
    rows: list[Row] = [(1, None, '{"a":"kept","b":[2]}'), (2, "new", '{"a":"kept"}')]
    assert contract.encode("t", rows) == b'{"k":1,"a":"kept","b":[2]},{"k":2,"a":"new"}'


@pytest.mark.parametrize("rest", [None, "rest"])
def test_what_is_skipped_is_checked_and_not_kept(rest: str | None) -> None:
    contract = contract_of({"a": Property({"type": "integer", "x-skip": True}, INT64, False, False)}, rest)
    checked = contract.check(Batch("t", 0, [{"k": 1, "a": 5}, {"k": 2, "a": "x"}]))
    assert [row[0] for row in checked.rows] == [1] and checked.unknown == {}
    assert [(reject.position, reject.pointer) for reject in checked.rejects] == [(1, "/a")]
    assert contract.encode("t", list(checked.rows)) == b'{"k":1}'
