"""For the JSON Schema that a contract may use, a load comes to the verdict of the reference implementation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, FormatChecker

from aetl.contract import Contract, is_date_time
from aetl.models import Batch
from tests.hostile.contracts import schema_of

COLUMNS = ("a", "b", "c")
TEXTS = st.sampled_from(
    ["", "a", "b", "ab", "abc", "a1", "A", "\u00e9", "e\u0301", "\U0001f600", "\0", "1", "1.0", "null", "a b", "\u2028"]
) | st.sampled_from(["2025-03-01T02:00:00", "2025-03-01 02:00:00.5Z", "2025-02-30T00:00:00", "2025-03-01", "yesterday"])
# Patterns of which Python thinks as JavaScript does.
PATTERNS = st.sampled_from(
    ["^a", "b", "^[a-z]*[0-9]?", "[^a]", "a|b", "^(a|b){1,2}", "a.c", "^.{2,3}", "1\\.0", "\\u00e9"]
)
NUMBERS = (
    st.integers(-3, 3)
    | st.sampled_from(
        [2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**30, 1.0, -0.0, 0.5, 1e19, 2.0**53]
    )
    | st.floats(-4, 4)
)
BOOLEANS = st.booleans()
VALUES: st.SearchStrategy[Any] = st.none() | BOOLEANS | NUMBERS | TEXTS | st.just([]) | st.just({}) | st.just(["a"])
OF_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXTS, "integer": NUMBERS, "number": NUMBERS, "boolean": BOOLEANS, "null": st.none()
}  # fmt: skip
TYPES = st.sampled_from([*OF_TYPE, ["string", "null"], ["integer", "string"], ["number", "boolean", "null"]])
NAMES = st.lists(st.sampled_from(COLUMNS), unique=True, max_size=2)
COUNTS = st.integers(0, 4)
BOUNDS = st.integers(-3, 3) | st.sampled_from([0.5, -1.5, 2**53, 2**63 - 1, 1e19])


def some(most: int, **keywords: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A schema of no more than so many of these keywords: of many, hardly a record keeps all."""
    names = st.lists(st.sampled_from(sorted(keywords)), max_size=most, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: keywords[name] for name in chosen}))


LEAVES = some(
    2,
    type=TYPES,
    enum=st.lists(VALUES, min_size=1, max_size=6),
    const=VALUES,
    minLength=st.integers(0, 2),
    maxLength=COUNTS,
    pattern=PATTERNS,
    format=st.just("date-time"),
    minimum=BOUNDS,
    maximum=BOUNDS,
    exclusiveMinimum=BOUNDS,
    exclusiveMaximum=BOUNDS,
    multipleOf=st.integers(1, 3),
    description=st.just("of no consequence"),
)


def combined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, min_size=1, max_size=3)
    return some(
        1, allOf=several, anyOf=several, oneOf=several,
        **{"not": inner, "if": inner}, then=inner, additionalProperties=inner, propertyNames=inner,
        required=st.lists(st.sampled_from([*COLUMNS, "d"]), max_size=2, unique=True),
        properties=st.dictionaries(st.sampled_from(COLUMNS), inner, max_size=2),
        minProperties=COUNTS, maxProperties=COUNTS,
        dependencies=st.dictionaries(st.sampled_from(COLUMNS), inner | NAMES, max_size=2),
    ) | st.fixed_dictionaries({"if": inner, "then": inner, "else": inner})  # fmt: skip


SUBSCHEMAS = BOOLEANS | LEAVES | combined(LEAVES | BOOLEANS) | combined(combined(LEAVES))
KIND = st.builds(lambda *parts: parts[0] | parts[1] | {"type": parts[2]}, LEAVES, combined(SUBSCHEMAS), TYPES)
KINDS = st.fixed_dictionaries(dict.fromkeys(COLUMNS, KIND))


def records_of(kinds: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Records that mostly have the right keys, and values of the right types."""
    right = {
        name: st.sampled_from([kind["type"]] if isinstance(kind["type"], str) else kind["type"]).flatmap(
            OF_TYPE.__getitem__
        )
        for name, kind in kinds.items()
    }
    return (
        st.fixed_dictionaries(right)
        | st.fixed_dictionaries(right)
        | st.fixed_dictionaries({}, optional=right | {"d": VALUES, "e\u0301": VALUES})
        | st.dictionaries(st.sampled_from([*COLUMNS, "d", ""]), VALUES, max_size=5)
        | VALUES
    )


def reference(contract: Mapping[str, Any]) -> Draft7Validator:
    """jsonschema on the records, and that integers have 64 bits at most, as the database says."""
    formats = FormatChecker(formats=())
    formats.checks("date-time")(is_date_time)
    items = contract["properties"]["t"]["items"]
    bounded = {
        name: {"minimum": -(2**63), "exclusiveMaximum": 2**63}
        for name, column in items["properties"].items()
        if "integer" in column["type"]
    }
    return Draft7Validator({"allOf": [items, {"properties": bounded}]}, format_checker=formats)


@given(data=st.data(), kinds=KINDS, more=combined(SUBSCHEMAS))
def test_the_two_validators_agree(data: st.DataObject, kinds: dict[str, Any], more: dict[str, Any]) -> None:
    more.pop("properties", None)
    schema = schema_of("t", COLUMNS, kinds, **more)
    records = data.draw(st.lists(records_of(kinds), min_size=1, max_size=6))
    wanted = list(map(reference(schema).is_valid, records))
    event("some are good" if any(wanted) else "all are bad")
    contract = Contract(schema, "own.json")
    together = contract.check(Batch("t", 0, records))
    assert sorted(together.positions) == [place for place, is_good in enumerate(wanted) if is_good]
    assert len(together.rejects) == wanted.count(False)
    for record, is_good in zip(records, wanted, strict=True):
        assert len(contract.check(Batch("t", 0, [record])).rows) == is_good
