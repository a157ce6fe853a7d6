"""Which of JSON Schema's draft-07 a contract may use.

What is not here is refused rather than ignored: a contract that is not held to is worse than none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

_Path = tuple[str | int, ...]

_TELLING_NOTHING = frozenset(
    (
        "$schema",
        "$id",
        "$comment",
        "title",
        "description",
        "default",
        "examples",
        "readOnly",
        "writeOnly",
        "definitions",
    )
)
_OF_DOCUMENTS = _TELLING_NOTHING | {"type", "required", "properties", "additionalProperties"}
_OF_TABLES = _TELLING_NOTHING | {"type", "items"}
_OF_VALUES = _TELLING_NOTHING | {
    "type", "enum", "const", "format", "pattern", "minLength", "maxLength", "multipleOf",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "required", "properties", "additionalProperties", "propertyNames", "minProperties", "maxProperties", "dependencies",
    "allOf", "anyOf", "oneOf", "not", "if", "then", "else",
}  # fmt: skip
_REASONS = {
    "$ref": "'$ref' is not supported: write out what it means",
    "format": "of the formats only date-time is supported",
    "additionalProperties": "must be true or missing: tables that are not described are skipped with a warning",
}


def unsupported(schema: Mapping[str, Any]) -> Iterator[tuple[_Path, str]]:
    """Path and reason of everything in the schema of an export that a load would not hold records to."""
    yield from _others(schema, _OF_DOCUMENTS, ())
    if schema.get("additionalProperties", True) is not True:
        yield ("additionalProperties",), _REASONS["additionalProperties"]
    for name, table in schema["properties"].items():
        path = ("properties", name)
        yield from _others(table, _OF_TABLES, path)
        yield from _in_values(table["items"], (*path, "items"))


def _others(schema: Mapping[str, Any], known: frozenset[str], path: _Path) -> Iterator[tuple[_Path, str]]:
    for keyword in schema:
        if keyword not in known and not keyword.startswith("x-"):
            yield (*path, keyword), _REASONS.get(keyword, f"{keyword!r} is not supported here")


def _in_values(schema: Any, path: _Path) -> Iterator[tuple[_Path, str]]:
    if not isinstance(schema, dict):
        return  # true or false
    yield from _others(schema, _OF_VALUES, path)
    if schema.get("format", "date-time") != "date-time":
        yield (*path, "format"), _REASONS["format"]
    if "pattern" in schema and (reason := _wrong_pattern(schema["pattern"])):
        yield (*path, "pattern"), reason
    for below, subschema in _subschemas(schema):
        yield from _in_values(subschema, (*path, *below))


def _subschemas(schema: Mapping[str, Any]) -> Iterator[tuple[_Path, Any]]:
    for keyword in ("additionalProperties", "propertyNames", "not", "if", "then", "else"):
        if keyword in schema:
            yield (keyword,), schema[keyword]
    for keyword in ("properties", "dependencies"):
        for name, subschema in schema.get(keyword, {}).items():
            yield (keyword, name), subschema
    for keyword in ("allOf", "anyOf", "oneOf"):
        for number, subschema in enumerate(schema.get(keyword, ())):
            yield (keyword, number), subschema


def _wrong_pattern(pattern: str) -> str | None:
    try:
        jsonschema_rs.Draft7Validator({"pattern": pattern})
    except ValueError as error:
        return f"{pattern!r} is not a regular expression as JSON Schema means it ({str(error).splitlines()[0]})"
    return None
