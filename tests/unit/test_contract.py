"""The contract judges batches, quickly or record by record, and both ways come to the same verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aetl.contract import Contract, is_date_time
from aetl.errors import ConfigurationError
from aetl.models import Batch
from tests.exports import event, session

CONTRACT = Contract.read()


def schema(columns: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A schema with the one table t, all of whose columns are required."""
    items = {"type": "object", "required": list(columns), "additionalProperties": False, "properties": columns}
    return {"type": "object", "required": ["t"], "properties": {"t": {"type": "array", "items": {**items, **more}}}}


def as_kept(value: Any) -> Any:
    """Beyond 64 bits a number is what a double can tell of it."""
    return float(value) if type(value) is int and not -(2**63) <= value < 2**63 else value


def judge(table: str, *records: Any, contract: Contract = CONTRACT, first: int = 0) -> list[tuple[int, str, str]]:
    """Position, pointer and reason of each reject; what every verdict must fulfil is checked on the way."""
    result = contract.check(Batch(table, first, records))
    assert result.read == len(records) == len(result.rows) + len(result.rejects)
    for row, position in zip(result.rows, result.positions, strict=True):
        record = records[position - first]
        kept = {name: as_kept(record.get(name)) for name in contract.columns[table]}
        assert json.loads(contract.encode(table, [row])) == kept
    for reject in result.rejects:
        assert json.dumps(json.loads(reject.record)) == json.dumps(records[reject.position - first])
        reject.reason.encode()
    assert sorted([*result.positions, *(reject.position for reject in result.rejects)]) == [
        *range(first, first + len(records))
    ]
    return [(reject.position, reject.pointer, reject.reason) for reject in result.rejects]


def test_columns_come_in_the_schemas_order() -> None:
    assert list(CONTRACT.columns) == ["sessions", "events", "event_parents"]
    assert CONTRACT.columns["sessions"] == ("id", "started_at", "meta")
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
    assert judge("t", {"a/b~c": 1}, contract=contract) == [(0, "/a~1b~0c", "1 is not of type 'string'")]


@pytest.mark.parametrize("name", ["\ud800", "x" * 1000])
def test_a_key_that_cannot_be_written_is_told(name: str) -> None:
    contract = Contract(schema({"a": {"type": "string"}}, additionalProperties=True), "test")
    assert len(judge("t", {"a": "x", name: "y"}, contract=contract)) == (name == "\ud800")


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 0, 3.0])
def test_integers_of_64_bits_are_fine(number: int) -> None:
    assert judge("events", event(1, 1, round=number)) == []


@pytest.mark.parametrize(
    ("column", "spelled", "kept"),
    [
        ({"type": ["integer", "null"]}, [1, 1.0, 1e0, -0.0, None], [1, 1, 1, 0, None]),
        ({"type": "integer"}, [2.0**62], [2**62]),
        ({"type": "number"}, [1, 1.0, 1.5, -0.0, 10**300, 2.0**63, 2**63], [1, 1, 1.5, 0, 1e300, 2.0**63, 2.0**63]),
        ({"type": ["string", "number"]}, ["1.0", 1.0], ["1.0", 1]),
    ],
)  # fmt: skip
def test_a_number_is_its_value_however_it_is_spelled(column: Any, spelled: list[Any], kept: list[Any]) -> None:
    rows = Contract(schema({"a": column}), "test").check(Batch("t", 0, [{"a": each} for each in spelled])).rows
    assert [(type(value), value) for (value,) in rows] == [(type(value), value) for value in kept]


def test_a_number_that_no_double_holds_is_rejected_alone() -> None:
    contract = Contract(schema({"a": {"type": "number"}}), "test")
    assert [each[:2] for each in judge("t", {"a": 1}, {"a": 10**400}, {"a": 2}, contract=contract)] == [(1, "/a")]


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
NEARLY = st.fixed_dictionaries({}, optional=dict.fromkeys((*CONTRACT.columns["events"], "other"), JSON))


@given(st.lists(NEARLY | st.builds(lambda change: event(1, 1) | change, NEARLY) | JSON, max_size=4))
def test_a_batch_gets_the_verdicts_that_its_records_get_alone(records: list[Any]) -> None:
    alone = [verdict[1:] for record in records for verdict in judge("events", record)]
    assert [verdict[1:] for verdict in judge("events", *records)] == alone


def test_the_shipped_contract_would_pass_the_check_that_it_is_spared() -> None:
    text = resources.files("aetl").joinpath("json/schema.json").read_text(encoding="utf-8")
    assert Contract(json.loads(text), "json/schema.json").columns == CONTRACT.columns


def test_a_column_that_is_not_required_may_be_missing() -> None:
    contract = Contract(schema({"a": {"type": "string"}, "b": {"type": "integer"}}, required=["a"]), "test")
    assert contract.check(Batch("t", 0, [{"a": "x"}, {"b": 1, "a": "y"}])).rows == [("x", None), ("y", 1)]


def test_one_column_alone_is_a_row() -> None:
    assert Contract(schema({"a": {"type": "string"}}), "test").check(Batch("t", 0, [{"a": "x"}])).rows == [("x",)]


@pytest.mark.parametrize("name", ["", "class", "größe", 'a "quotation"', "back\\slash", "line\nbreak"])
def test_a_column_comes_back_under_any_name(name: str) -> None:
    contract = Contract(schema({name: {"type": "string"}}), "test")
    assert json.loads(contract.encode("t", [("x",)])) == {name: "x"}


def test_booleans_come_back_as_booleans() -> None:
    contract = Contract(schema({"a": {"type": ["boolean", "null"]}, "n": {"type": "integer"}}), "test")
    assert json.loads(b"[" + contract.encode("t", [(1, 1), (0, 0), (None, 1), (True, 1)]) + b"]") == [
        {"a": True, "n": 1},
        {"a": False, "n": 0},
        {"a": None, "n": 1},
        {"a": True, "n": 1},
    ]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "/"),
        ({}, "must describe an object"),
        ({"type": "array"}, "must describe an object"),
        ({"type": "object", "properties": {}}, "must describe an object"),
        ({"type": "objekt"}, "/type"),
        ({"type": "object", "properties": {"t": {"type": "object"}}}, "/properties/t: must be an array"),
        ({"type": "object", "properties": {"t": True}}, "/properties/t: must be an array"),
        (schema({}), "/properties/t: must be an array"),
        (schema({"a": {}}), "/properties/t/items/properties/a: a column's type"),
        (schema({"a": True}), "a column's type"),
        (schema({"a": {"type": "object"}}), "a column's type"),
        (schema({"a": {"type": ["string", "array"]}}), "a column's type"),
        (schema({"a": {"type": "string", "pattern": "("}}), "pattern"),
        ({**schema({"a": {"type": "string"}}), "required": ["u"]}, "'u' is not described"),
        (
            schema({"a": {"type": "string", "pattern": "a\\Z"}}),
            "/items/properties/a/pattern: 'a\\\\Z' is not a regular",
        ),
        (schema({"a": {"type": "string", "allOf": [{"$ref": "http://127.0.0.1:9/"}]}}), "/properties/a/allOf/0/$ref: "),
        (schema({"a": {"type": "string", "not": {"$ref": "#"}}}), "/properties/a/not/$ref: '$ref' is not supported"),
        (
            schema({"a": {"type": "string"}}, patternProperties={}),
            "/items/patternProperties: 'patternProperties' is not",
        ),
        (schema({"a": {"type": "string", "format": "email"}}), "/properties/a/format: of the formats only date-time"),
        (schema({"a": {"type": "string", "maxLenght": 3}}), "/properties/a/maxLenght: 'maxLenght' is not supported"),
        (schema({"a": {"type": "string", "contentEncoding": "base64"}}), "/properties/a/contentEncoding: "),
        (schema({"a": {"type": "string"}}, dependencies={"a": {"contains": True}}), "/dependencies/a/contains: "),
        (schema({"a": {"type": "string"}}, propertyNames={"pattern": "(?i)a"}), "/items/propertyNames/pattern: "),
        ({**schema({"a": {"type": "string"}}), "additionalProperties": False}, "/additionalProperties: must be true"),
        ({**schema({"a": {"type": "string"}}), "minProperties": 1}, "/minProperties: 'minProperties' is not supported"),
        (
            {
                "type": "object",
                "properties": {"t": {**schema({"a": {"type": "null"}})["properties"]["t"], "minItems": 1}},
            },
            "/properties/t/minItems: 'minItems' is not supported here",
        ),
    ],
)
def test_a_schema_that_cannot_be_loaded_by_is_refused(bad: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Contract(bad, "own.json").check(Batch("t", 0, []))
    assert str(caught.value).startswith("the schema file own.json cannot be used: ")
    assert message in str(caught.value)


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
    record = {"a": value, "b": None}
    assert [at for _, at, _ in judge("t", record, contract=contract)] == ["/a"] * (not is_good)
    beside = judge("t", None, record, {"a": value}, contract=contract)
    assert [at for place, at, _ in beside if place == 1] == ["/a"] * (not is_good)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"{", "is not JSON"), (b"\xff", "is not JSON"), (b"[]", "cannot be used")],
    ids=["missing", "cut", "not UTF-8", "no object"],
)
def test_a_schema_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "own.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=rf"own\.json {message}"):
        Contract.read(path)
