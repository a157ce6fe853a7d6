"""The contract judges batches, quickly or record by record, and both ways come to the same verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aetl.contract import Contract
from aetl.contract.values import is_date_time
from aetl.models import Batch
from tests.exports import event, session

CONTRACT = Contract.read()


def schema(columns: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A schema with the one table t, all of whose columns are required: the key `k`, then these."""
    properties = {"k": {"type": "integer"}, **columns}
    items = {"type": "object", "required": list(properties), "additionalProperties": False, "properties": properties}
    table = {"type": "array", "x-key": ["k"], "items": {**items, **more}}
    return {"type": "object", "required": ["t"], "properties": {"t": table}}


def keyed(*records: Any) -> list[Any]:
    """The same records, each with a key where it is an object."""
    return [{"k": 1, **record} if isinstance(record, dict) else record for record in records]


def rows_of(column: Any, *values: Any) -> list[Any]:
    """What values become in a column."""
    batch = Batch("t", 0, keyed(*({"a": value} for value in values)))
    return [row[1] for row in Contract(schema({"a": column}), "test").check(batch).rows]


def as_kept(value: Any) -> Any:
    """Beyond 64 bits a number is what a double can tell of it."""
    return float(value) if type(value) is int and not -(2**63) <= value < 2**63 else value


def judge(table: str, *records: Any, contract: Contract = CONTRACT, first: int = 0) -> list[tuple[int, str, str]]:
    """Position, pointer and reason of each reject; what every verdict must fulfil is checked on the way."""
    result = contract.check(Batch(table, first, records))
    assert result.read == len(records) == len(result.rows) + len(result.rejects)
    for row, position in zip(result.rows, result.positions, strict=True):
        record = records[position - first]
        kept = {name: as_kept(record.get(name)) for name in contract.tables[table].names}
        assert json.loads(contract.encode(table, [row])) == kept
    for reject in result.rejects:
        assert json.dumps(json.loads(reject.record)) == json.dumps(records[reject.position - first])
        reject.reason.encode()
    assert sorted([*result.positions, *(reject.position for reject in result.rejects)]) == [
        *range(first, first + len(records))
    ]
    return [(reject.position, reject.pointer, reject.reason) for reject in result.rejects]


def test_columns_come_in_the_schemas_order() -> None:
    assert list(CONTRACT.tables) == ["sessions", "events", "event_parents"]
    assert CONTRACT.tables["sessions"].names == ("id", "started_at", "meta")
    shuffled = dict(reversed(session(1).items()))
    assert CONTRACT.check(Batch("sessions", 0, [shuffled])).rows == [tuple(session(1).values())]


@pytest.mark.parametrize(
    ("table", "record", "pointer", "reason"),
    [
        ("sessions", {"id": "s1", "meta": None}, "", "'started_at' is a required property"),
        ("sessions", session(1, extra=1), "", "unknown key 'extra'"),
        ("sessions", session(1, id=None), "/id", "None is not of type 'string'"),
        ("sessions", session(1, started_at="yesterday"), "/started_at", "'yesterday' is not an ISO 8601 date-time"),
        ("sessions", session(1, started_at=3), "/started_at", "3 is not of type 'string'"),
        ("events", event(1, 1, round="1"), "/round", "'1' is not of type 'integer', 'null'"),
        ("events", event(1, 1, round=True), "/round", "True is not of type 'integer', 'null'"),
        ("events", event(1, 1, round=1.5), "/round", "1.5 is not of type 'integer', 'null'"),
        ("events", event(1, 1, round=2**63), "/round", "9223372036854775808 is beyond 64 bits"),
        ("events", event(1, 1, round=-(2**63) - 1), "/round", "-9223372036854775809 is beyond 64 bits"),
        ("events", event(1, 1, round=10**40), "/round", "is beyond 64 bits"),
        ("events", event(1, 1, content={"text": "x"}), "/content", "is not of type 'string'"),
        ("sessions", None, "", "None is not of type 'object'"),
        ("sessions", [], "", "[] is not of type 'object'"),
        ("sessions", "s1", "", "'s1' is not of type 'object'"),
    ],
)
def test_a_reject_says_where_and_why(table: str, record: Any, pointer: str, reason: str) -> None:
    good = event(7, 1) if table == "events" else session(7)
    assert judge(table, good, first=40) == []
    ((position, at, why),) = judge(table, good, record, good, first=40)
    assert (position, at) == (41, pointer)
    assert reason in why


def test_half_a_surrogate_pair_is_told_where_the_batch_is_looked_at_record_by_record() -> None:
    """Elsewhere the database tells, which has to encode each text anyway."""
    (_, told) = judge("sessions", None, session(1, meta="\ud800"))
    assert told == (1, "/meta", "holds half of a surrogate pair, which is no Unicode text")


@pytest.mark.parametrize(
    ("table", "record"),
    [("sessions", session(1, started_at="x" * 10_000)), ("events", event(1, 1, round=10**4000))],
    ids=["text", "number"],
)
def test_a_long_reason_is_shortened_and_the_record_is_not(table: str, record: Any) -> None:
    ((_, _, reason),) = judge(table, record)
    assert len(reason) < 300


def test_a_pointer_is_escaped() -> None:
    contract = Contract(schema({"a/b~c": {"type": "string"}}), "test")
    assert judge("t", *keyed({"a/b~c": 1}), contract=contract) == [(0, "/a~1b~0c", "1 is not of type 'string'")]


@pytest.mark.parametrize("name", ["\ud800", "x" * 1000])
def test_a_key_that_cannot_be_written_is_told(name: str) -> None:
    contract = Contract(schema({"a": {"type": "string"}}, additionalProperties=True), "test")
    assert len(judge("t", *keyed({"a": "x", name: "y"}), contract=contract)) == (name == "\ud800")


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 0, 3.0])
def test_integers_of_64_bits_are_fine(number: int) -> None:
    assert judge("events", event(1, 1, round=number)) == []


@pytest.mark.parametrize(
    ("column", "spelled", "kept"),
    [
        ({"type": ["integer", "null"]}, [1, 1.0, 1e0, -0.0, None], [1, 1, 1, 0, None]),
        ({"type": "integer"}, [2.0**62], [2**62]),
        ({"type": "number"}, [1, 1.0, 1.5, -0.0, 10**300, 2.0**63, 2**63], [1, 1, 1.5, 0, 1e300, 2.0**63, 2.0**63]),
        ({"type": ["string", "number"]}, ["1.0", 1.0], ['"1.0"', "1"]),
    ],
)  # fmt: skip
def test_a_number_is_its_value_however_it_is_spelled(column: Any, spelled: list[Any], kept: list[Any]) -> None:
    rows = rows_of(column, *spelled)
    assert [(type(value), value) for value in rows] == [(type(value), value) for value in kept]


def test_a_number_that_no_double_holds_is_rejected_alone() -> None:
    contract = Contract(schema({"a": {"type": "number"}}), "test")
    assert [each[:2] for each in judge("t", *keyed({"a": 1}, {"a": 10**400}, {"a": 2}), contract=contract)] == [
        (1, "/a")
    ]


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "pointer", "reason"),
    [
        ({"x": ["y", {"z": "\ud800"}]}, "/a/x/1/z", "holds half of a surrogate pair"),
        ({"x": {"\ud800": 1}}, "/a/x/\\ud800", "holds half of a surrogate pair"),
        ([1, float("inf")], "/a/1", "is a larger number than any database keeps"),
        ([1, 10**400], "/a/1", "is a larger number than any database keeps"),
        (nested(501), "/a" + "/0" * 500, "is nested more than 500 deep"),
    ],
)
@pytest.mark.parametrize("rest", [False, True])
def test_json_that_no_database_keeps_is_a_reject(value: Any, pointer: str, reason: str, rest: bool) -> None:
    described = schema({} if rest else {"a": {}}, additionalProperties=True)
    if rest:
        described["properties"]["t"]["x-rest"] = "rest"
        if isinstance(value, list) and reason.endswith("deep"):
            value, pointer = value[0], pointer.removesuffix("/0")  # it is within an object already
    batch = Batch("t", 3, keyed({}, {"a": value}) if rest else keyed({"a": 1}, {"a": value}), is_unicode=False)
    result = Contract(described, "own.json").check(batch)
    ((position, at, why),) = [(each.position, each.pointer, each.reason) for each in result.rejects]
    assert (position, at) == (4, pointer) and reason in why
    assert len(result.rows) == 1


def test_json_that_is_deep_is_kept() -> None:
    (kept,) = rows_of({}, nested(500))
    assert kept == "[" * 500 + "]" * 500


def test_what_is_not_kept_is_refused_only_where_a_whole_record_would_be() -> None:
    contract = Contract(schema({}, additionalProperties=True), "test")
    assert judge("t", *keyed(None, {"a": 10**400}, {"b": nested(900)}), contract=contract)[1:] == []


@pytest.mark.parametrize(
    ("value", "unit", "kept"),
    [
        (0, "s", "1970-01-01T00:00:00.000000+00:00"),
        (1.5, "s", "1970-01-01T00:00:01.500000+00:00"),
        (1700000000.1234567, "s", "2023-11-14T22:13:20.123456700+00:00"),
        (1700000000123, "ms", "2023-11-14T22:13:20.123000+00:00"),
        (-1, "us", "1969-12-31T23:59:59.999999+00:00"),
        (1700000000123456789, "ns", "2023-11-14T22:13:20.123456789+00:00"),
        (1.7e18, "ns", "2023-11-14T22:13:20.000000000+00:00"),
        (253402300799, "s", "9999-12-31T23:59:59.000000+00:00"),
        (253402300800, "s", "253402300800 is not within the years 1 to 9999"),
        (1e300, "s", "1e+300 is not within the years 1 to 9999"),
        (10**400, "ns", "is not within the years 1 to 9999"),
        (0.1, "ns", "0.1 is finer than a nanosecond"),
        ("2025-03-01T02:00:00", "s", "is not of type 'number', 'null'"),
    ],
)
def test_an_epoch_is_kept_as_a_point_in_time(value: Any, unit: str, kept: str) -> None:
    column = {"type": ["number", "null"], "format": "date-time", "x-epoch": unit}
    contract = Contract(schema({"a": column}), "test")
    result = contract.check(Batch("t", 0, keyed({"a": None}, {"a": value})))
    found = [row[1] for row in result.rows] + [reject.reason for reject in result.rejects]
    assert found[0] is None and kept in found[1]
    assert all(reject.pointer == "/a" for reject in result.rejects)


@pytest.mark.parametrize(
    ("text", "is_good"),
    [
        ("2025-03-01", True), ("2024-02-29", True), ("2025-02-29", False), ("0000-01-01", False), ("20250301", False),
        ("2025-W09-6", False), ("2025-3-1", False), ("2025-03-01T00:00:00", False), ("", False),
        ("\uff12025-03-01", False),
    ],
)  # fmt: skip
def test_a_date_is_one_of_the_calendar(text: str, is_good: bool) -> None:
    contract = Contract(schema({"a": {"type": "string", "format": "date"}}), "test")
    reasons = [reason for _, _, reason in judge("t", *keyed({"a": text}), contract=contract)]
    assert reasons == ([] if is_good else [f"{text!r} is not a date such as 2025-03-01"])


def test_unknown_keys_are_counted_and_a_rest_column_keeps_them() -> None:
    described = schema({}, additionalProperties={"type": ["integer", "string"]})
    records = keyed({"a": 1, "b": 2}, {"a": "x"}, {}, {"b": None})
    result = Contract(described, "test").check(Batch("t", 0, records))
    assert (result.unknown, [reject.pointer for reject in result.rejects]) == ({"a": 2, "b": 1}, ["/b"])
    described["properties"]["t"]["x-rest"] = "rest"
    result = Contract(described, "test").check(Batch("t", 0, records))
    assert (result.unknown, [row[1] for row in result.rows]) == ({}, ['{"a":1,"b":2}', '{"a":"x"}', None])


TREE = {
    "definitions": {"id": {"type": "string", "x-column": "name"}, "record": {"$ref": "#/$defs/row"}},
    "$defs": {
        "tree": {"type": "object", "required": ["v"], "additionalProperties": {"$ref": "#/$defs/tree"},
                 "properties": {"v": {"type": "integer"}}},
        "row": {"type": "object", "required": ["k", "t"], "properties": {
            "k": {"$ref": "#/definitions/id"}, "t": {"$ref": "#/$defs/tree"}, "at~/%": {"$ref": "#/$defs/a~0b~1c%25"}}},
        "a~b/c%": {"type": "string", "format": "date"},
        "all": {"type": "object", "required": ["t"], "properties": {"t": {"$ref": "#/$defs/array"}}},
        "array": {"type": "array", "x-key": ["name"], "items": {"$ref": "#/definitions/record"}},
    },
    "$ref": "#/$defs/all",
}  # fmt: skip


@pytest.mark.parametrize(
    "draft", ["http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"]
)
def test_references_are_followed_wherever_they_stand(draft: str) -> None:
    contract = Contract({"$schema": draft, **TREE}, "own.json")
    assert contract.required == {"t"}
    assert [(column.name, column.type) for column in contract.tables["t"].columns] == [
        ("name", "text"), ("t", "json"), ("at~/%", "date")
    ]  # fmt: skip
    good = {"k": "x", "t": {"v": 1, "w": {"v": 2, "x": {"v": 3}}}, "at~/%": "2025-03-01"}
    bad = {"k": "x", "t": {"v": 1, "w": {"v": 2, "x": {"v": "3"}}}}
    result = contract.check(Batch("t", 0, [good, bad, {**good, "at~/%": "x"}]))
    assert result.rows == [("x", '{"v":1,"w":{"v":2,"x":{"v":3}}}', "2025-03-01")]
    assert [(each.pointer, each.reason) for each in result.rejects] == [
        ("/t/w/x/v", "'3' is not of type 'integer'"),
        ("/at~0~1%", "'x' is not a date such as 2025-03-01"),
    ]


def test_in_2020_12_what_stands_beside_a_reference_counts() -> None:
    described = schema({"a": {"$ref": "#/$defs/a", "maxLength": 2, "type": ["string", "null"]}}) | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"a": {"type": ["string", "null"], "minLength": 1, "format": "date-time", "pattern": "^2"}},
    }
    contract = Contract(described, "own.json")
    assert contract.tables["t"].columns[1].type == "date-time"
    found = judge("t", *keyed({"a": None}, {"a": "2025-03-01T02:00:00"}, {"a": "3"}), contract=contract)
    assert [position for position, _, _ in found] == [1, 2]


def test_a_reference_to_what_takes_anything_leaves_what_stands_beside_it() -> None:
    described = schema({"": {"$ref": "#/definitions/any", "x-column": "a"}}) | {"definitions": {"any": True}}
    column = Contract(described, "own.json").tables["t"].columns[1]
    assert (column.name, column.type, column.admits_null) == ("a", "json", True)


def test_half_a_surrogate_pair_is_told_whatever_the_validator_says() -> None:
    batch = Batch("sessions", 3, [session(1), session(2, meta="\ud800"), session(3)], is_unicode=False)
    ((reject,), positions) = (lambda checked: (checked.rejects, checked.positions))(CONTRACT.check(batch))
    assert (reject.position, reject.pointer, list(positions)) == (4, "/meta", [3, 5])


GOOD_TIMES = [
    "2025-03-01T02:00:00",
    "2025-03-01 02:00:00",
    "2025-03-01T02:00:00Z",
    "2025-03-01t02:00:00z",
    "2025-03-01T02:00:00.123456789+05:30",
    "2025-03-01T02:00",
    "20250301T020000Z",
    "2025-W09-6T02:00:00",
    "2016-12-31T23:59:60Z",
    "2016-12-31T235960",
    "2025-03-01T24:00:00",
    "2025-03-01T24:00:00.000+02:00",
    "2025-03-01T24",
    "20250301T240000Z",
]
BAD_TIMES = [
    "",
    "2025-03-01",
    "20250301",
    "02:00:00",
    "T02:00:00",
    "2025-02-30T02:00:00",
    "2025-03-01T25:00:00",
    "2025-03-01T24:00:01",
    "2025-03-01T24:00:00.5",
    "2025-03-01T24:30",
    "2025-03-01T02:61:00",
    "2025-03-01T02:00:00+25:00",
    "1 March 2025 02:00",
    "2025-03-01T02:00:00ZZ",
    "1740794400",
    "2025-03-01T02:00:00\n",
    "\uff12\uff10\uff12\uff15-03-01T02:00:00",
]


@pytest.mark.parametrize(
    ("text", "verdict"), [*((each, True) for each in GOOD_TIMES), *((each, False) for each in BAD_TIMES)]
)
def test_only_iso_8601_is_a_time(text: str, verdict: bool) -> None:
    assert is_date_time(text) is verdict
    assert bool(judge("sessions", session(1, started_at=text))) is not verdict


@given(st.datetimes(), st.sampled_from(["T", " "]), st.sampled_from(["", "Z", "+00:00", "-11:30"]))
def test_every_time_is_a_time(moment: datetime, separator: str, offset: str) -> None:
    assert is_date_time(moment.isoformat(separator) + offset)


@given(st.text())
@example("T")
@example("\ud800T")
def test_no_text_makes_the_judge_of_times_fail(text: str) -> None:
    assert is_date_time(text) in (True, False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("2025-03-01T02:00:00"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
NEARLY = st.fixed_dictionaries({}, optional=dict.fromkeys((*CONTRACT.tables["events"].names, "other"), JSON))


@given(st.lists(NEARLY | st.builds(lambda change: event(1, 1) | change, NEARLY) | JSON, max_size=4))
def test_a_batch_gets_the_verdicts_that_its_records_get_alone(records: list[Any]) -> None:
    alone = [verdict[1:] for record in records for verdict in judge("events", record)]
    assert [verdict[1:] for verdict in judge("events", *records)] == alone


def test_the_shipped_contract_would_pass_the_check_that_it_is_spared() -> None:
    text = resources.files("aetl").joinpath("json/schema.json").read_text(encoding="utf-8")
    assert Contract(json.loads(text), "json/schema.json").tables == CONTRACT.tables


def test_a_column_that_is_not_required_may_be_missing() -> None:
    contract = Contract(schema({"a": {"type": "string"}, "b": {"type": "integer"}}, required=["k", "a"]), "test")
    rows = contract.check(Batch("t", 0, keyed({"a": "x"}, {"b": 1, "a": "y"}))).rows
    assert rows == [(1, "x", None), (1, "y", 1)]
    assert contract.encode("t", rows) == b'{"k":1,"a":"x"},{"k":1,"a":"y","b":1}'


def test_one_column_alone_is_a_row() -> None:
    contract = Contract(schema({}), "test")
    assert contract.check(Batch("t", 0, [{"k": 7}])).rows == [(7,)]
    assert contract.encode("t", [(7,)]) == b'{"k":7}'


@pytest.mark.parametrize("name", ["class", "größe", 'a "quotation"', "back\\slash", "line\nbreak"])
def test_a_column_comes_back_under_any_name(name: str) -> None:
    contract = Contract(schema({name: {"type": "string"}}), "test")
    assert json.loads(contract.encode("t", [(1, "x")])) == {"k": 1, name: "x"}


def test_booleans_come_back_as_booleans() -> None:
    contract = Contract(schema({"a": {"type": ["boolean", "null"]}, "n": {"type": "integer"}}), "test")
    rows = [(1, 1, 1), (1, 0, 0), (1, None, 1), (1, True, 1)]
    assert contract.values("t", rows) == [(1, True, 1), (1, False, 0), (1, None, 1), (1, True, 1)]
    assert json.loads(b"[" + contract.encode("t", rows) + b"]") == keyed(
        {"a": True, "n": 1}, {"a": False, "n": 0}, {"a": None, "n": 1}, {"a": True, "n": 1}
    )


@pytest.mark.parametrize(
    ("column", "value", "is_good"),
    [
        ({"type": "string", "pattern": "^a$"}, "a\n", False),
        ({"type": "string", "pattern": "^[0-9]+$"}, "\u0661", False),
        ({"type": "string", "pattern": "^\\d$"}, "\u0661", False),
        ({"type": "string", "pattern": "^\\p{L}$"}, "\u00e9", True),
        ({"type": "string", "pattern": "(a+)+$"}, "a" * 1000 + "b", False),
        ({"type": "number", "multipleOf": 0.01}, 19.99, True),
        ({"type": "number", "multipleOf": 0.01}, 19.995, False),
        ({"type": "number"}, float("inf"), False),
        ({"type": "number"}, 10**40, True),
    ],
)
def test_a_verdict_does_not_depend_on_the_neighbours(column: Any, value: Any, is_good: bool) -> None:
    contract = Contract(schema({"a": column, "b": {"type": "null"}}), "test")
    (record,) = keyed({"a": value, "b": None})
    assert [at for _, at, _ in judge("t", record, contract=contract)] == ["/a"] * (not is_good)
    beside = judge("t", None, record, {"a": value}, contract=contract)
    assert [at for place, at, _ in beside if place == 1] == ["/a"] * (not is_good)
