"""Derives tables and columns from a contract's schema; what it may not say is refused elsewhere, before this."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from aetl.contract.resolving import merged
from aetl.contract.tables import Column, ColumnType, Reference, Table
from aetl.contract.values import converter

_TYPES: dict[frozenset[str], ColumnType] = {
    frozenset({"string"}): "text",
    frozenset({"integer"}): "integer",
    frozenset({"number"}): "number",
    frozenset({"integer", "number"}): "number",
    frozenset({"boolean"}): "boolean",
}
_FORMATS: dict[str, ColumnType] = {"date-time": "date-time", "date": "date"}


_MAY_EXCLUDE_NULL = frozenset(("enum", "const", "allOf", "anyOf", "oneOf", "not", "if"))

IsGood = Callable[[Any, object], bool]
"""Whether a value keeps a schema that stands in the contract."""


def tables_of(schema: Mapping[str, Any], is_good: IsGood) -> dict[str, Table]:
    """The tables of a contract by their names, in the schema's order."""
    arrays = {array: merged(schema, described) for array, described in merged(schema, schema)["properties"].items()}
    names = {array: described.get("x-table", array) for array, described in arrays.items()}
    keys = {names[array]: tuple(described.get("x-key", ())) for array, described in arrays.items()}
    return {names[array]: _table(schema, array, described, keys, is_good) for array, described in arrays.items()}


def _table(
    schema: Mapping[str, Any],
    array: str,
    described: Mapping[str, Any],
    keys: Mapping[str, tuple[str, ...]],
    is_good: IsGood,
) -> Table:
    name, rest = described.get("x-table", array), described.get("x-rest")
    items = merged(schema, described["items"])
    required = frozenset(items.get("required", ()))
    columns, references = [], []
    for key, written in items["properties"].items():
        kind = merged(schema, written)
        kind = {} if kind is True else kind
        if kind.get("x-skip", False):
            continue
        column = _column(key, kind, key in required, partial(is_good, written, None))
        columns.append(column)
        if "x-references" in kind:
            table, target = split_reference(kind["x-references"], keys)
            references.append(Reference(column.name, table, target or keys[table][0]))
    if rest is not None:
        columns.append(Column(rest, "", "json", is_mandatory=False, admits_null=False))
    indexes = tuple(map(tuple, described.get("x-indexes", ())))
    return Table(name, array, tuple(columns), keys[name], tuple(references), indexes, rest)


def split_reference(text: str, tables: Container[str]) -> tuple[str, str]:
    """Table and column of an x-references; the column is empty where it is not told, and the table where none fits."""
    if text in tables:
        return text, ""
    for dot in re.finditer("[.]", text):
        if text[: dot.start()] in tables:
            return text[: dot.start()], text[dot.end() :]
    return "", ""


def _column(key: str, kind: Mapping[str, Any], is_required: bool, is_null_good: Callable[[], bool]) -> Column:
    kinds = types(kind)
    admits_null = (not kinds or "null" in kinds) and (_MAY_EXCLUDE_NULL.isdisjoint(kind) or is_null_good())
    column = Column(
        kind.get("x-column", key),
        key,
        type_of(kind),
        is_mandatory=is_required and not admits_null,
        admits_null=admits_null,
        epoch=kind.get("x-epoch"),
    )
    default, convert = kind.get("default"), converter(column)
    return replace(column, default=default if convert is None else convert([default])[0])


def type_of(kind: Mapping[str, Any]) -> ColumnType:
    """The type of a column, by `type` and `format`."""
    found = _TYPES.get(frozenset(types(kind)) - {"null"}, "json")
    if found == "text":
        return _FORMATS.get(kind.get("format", ""), "text")
    return "date-time" if "x-epoch" in kind else found


def types(schema: Any) -> Sequence[str]:
    """What stands under `type`, as a list."""
    found = schema.get("type", ()) if isinstance(schema, dict) else ()
    return [found] if isinstance(found, str) else found
