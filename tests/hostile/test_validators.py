"""For the JSON Schema that a contract may use, a load comes to the verdict of the reference implementation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker

from aetl.contract import Contract
from aetl.contract.values import is_date, is_date_time
from aetl.models import Batch
from tests.hostile.contracts import schema_of

KEY = "k"
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
PLAIN: st.SearchStrategy[Any] = st.none() | BOOLEANS | NUMBERS | TEXTS
NAMED = st.sampled_from([*COLUMNS, "d", ""])
VALUES: st.SearchStrategy[Any] = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMED, inner, max_size=3), max_leaves=5
)
ARRAYS = st.lists(VALUES, max_size=4)
OBJECTS = st.dictionaries(NAMED, VALUES, max_size=4)
OF_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXTS, "integer": NUMBERS, "number": NUMBERS, "boolean": BOOLEANS, "null": st.none(), "array": ARRAYS,
    "object": OBJECTS,
}  # fmt: skip
TYPES = st.sampled_from(
    [*OF_TYPE, "object", "array", ["string", "null"], ["integer", "string"], ["number", "boolean", "null"],
     ["array", "object"], ["object", "null"]]
)  # fmt: skip
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
    format=st.sampled_from(["date-time", "date"]),
    minimum=BOUNDS,
    maximum=BOUNDS,
    exclusiveMinimum=BOUNDS,
    exclusiveMaximum=BOUNDS,
    multipleOf=st.integers(1, 3),
    minItems=st.integers(0, 2),
    maxItems=COUNTS,
    uniqueItems=BOOLEANS,
    description=st.just("of no consequence"),
)
REFERRING = LEAVES | st.sampled_from([{"$ref": "#/definitions/one"}, {"$ref": "#/$defs/one"}])


@cache
def combined(draft: str, inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, min_size=1, max_size=3)
    named = st.dictionaries(st.sampled_from(COLUMNS), inner, max_size=2)
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "allOf": several, "anyOf": several, "oneOf": several, "not": inner, "if": inner, "then": inner,
        "additionalProperties": inner, "propertyNames": inner, "properties": named,
        "patternProperties": st.dictionaries(PATTERNS, inner, max_size=2),
        "required": st.lists(st.sampled_from([*COLUMNS, "d"]), max_size=2, unique=True),
        "minProperties": COUNTS, "maxProperties": COUNTS, "contains": inner, "items": inner,
    }  # fmt: skip
    if draft == "draft-07":
        keywords |= {
            "dependencies": st.dictionaries(st.sampled_from(COLUMNS), inner | NAMES, max_size=2),
            "items": inner | several,
            "additionalItems": inner,
        }
    else:
        keywords |= {
            "dependentSchemas": named,
            "dependentRequired": st.dictionaries(st.sampled_from(COLUMNS), NAMES, max_size=2),
            "prefixItems": several,
        }
    beside = {
        "draft-07": st.fixed_dictionaries({"items": several, "additionalItems": inner}),
        "2020-12": st.fixed_dictionaries(
            {"contains": inner}, optional={"minContains": st.integers(0, 2), "maxContains": st.integers(0, 3)}
        ),
    }
    return some(1, **keywords) | st.fixed_dictionaries({"if": inner, "then": inner, "else": inner}) | beside[draft]


@cache
def subschemas(draft: str) -> st.SearchStrategy[Any]:
    return BOOLEANS | REFERRING | combined(draft, REFERRING | BOOLEANS) | combined(draft, combined(draft, REFERRING))


@cache
def kinds(draft: str) -> st.SearchStrategy[dict[str, Any]]:
    def kind(one: dict[str, Any], other: dict[str, Any], types: Any) -> dict[str, Any]:
        both = one | other | {"type": types}
        return {"$ref": both["$ref"]} if "$ref" in both and draft == "draft-07" else both

    column = st.builds(kind, REFERRING, combined(draft, subschemas(draft)), TYPES)
    return st.fixed_dictionaries(dict.fromkeys(COLUMNS, column | st.sampled_from([{}, True])))


def records_of(kinds: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Records that mostly have the right keys, and values of the right types."""

    def value(kind: Any) -> st.SearchStrategy[Any]:
        types = kind.get("type", list(OF_TYPE)) if isinstance(kind, dict) else list(OF_TYPE)
        return st.sampled_from([types] if isinstance(types, str) else types).flatmap(OF_TYPE.__getitem__)

    right = {KEY: TEXTS, **{name: value(kind) for name, kind in kinds.items()}}
    return (
        st.fixed_dictionaries(right)
        | st.fixed_dictionaries(right)
        | st.fixed_dictionaries({}, optional=right | {"d": VALUES, "e\u0301": VALUES})
        | st.dictionaries(st.sampled_from([*COLUMNS, "d", ""]), VALUES, max_size=5)
        | VALUES
    )


def reference(contract: Mapping[str, Any], draft: str) -> Any:
    """jsonschema on the records, and that integers have 64 bits at most, as the database says."""
    formats = FormatChecker(formats=())
    formats.checks("date-time")(is_date_time)
    formats.checks("date")(is_date)
    items = contract["properties"]["t"]["items"]
    bounded = {
        name: {"minimum": -(2**63), "exclusiveMaximum": 2**63}
        for name, column in items["properties"].items()
        if column is not True and column.get("type", contract["$defs"]["one"].get("type")) in ("integer", ["integer"])
        and ("type" in column or "$ref" in column)
    }  # fmt: skip
    validator = {"draft-07": Draft7Validator, "2020-12": Draft202012Validator}[draft]
    definitions = {name: contract[name] for name in ("definitions", "$defs")}
    return validator({"allOf": [items, {"properties": bounded}], **definitions}, format_checker=formats)


DRAFTS = {
    "draft-07": "http://json-schema.org/draft-07/schema#",
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
}


@pytest.mark.parametrize("draft", DRAFTS)
@given(data=st.data())
def test_the_two_validators_agree(draft: str, data: st.DataObject) -> None:
    columns = data.draw(kinds(draft), "columns")
    more = data.draw(combined(draft, subschemas(draft)), "more")
    more.pop("properties", None)
    if "required" in more:
        more["required"] = [KEY, *more["required"]]
    one = data.draw(LEAVES, "one")
    definitions = {"one": one}
    schema = schema_of("t", (KEY, *COLUMNS), columns, **more) | {
        "$schema": DRAFTS[draft], "definitions": definitions, "$defs": definitions
    }  # fmt: skip
    records = data.draw(st.lists(records_of(columns), min_size=1, max_size=6), "records")
    wanted = list(map(reference(schema, draft).is_valid, records))
    event("some are good" if any(wanted) else "all are bad")
    contract = Contract(schema, "own.json")
    together = contract.check(Batch("t", 0, records))
    assert sorted(together.positions) == [place for place, is_good in enumerate(wanted) if is_good]
    assert len(together.rejects) == wanted.count(False)
    for record, is_good in zip(records, wanted, strict=True):
        assert len(contract.check(Batch("t", 0, [record])).rows) == is_good
