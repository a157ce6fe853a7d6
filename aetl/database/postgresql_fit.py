"""Tells beforehand what PostgreSQL's COPY takes: a row that it refuses ends the whole transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aetl.database.rejects import NO_UNICODE
from aetl.models import Row

_NONE = type(None)
_TAKEN = {"bigint": {int, _NONE}, "double precision": {float, _NONE}, "boolean": {bool, _NONE}}
"""Types of columns, and the classes whose values they take, within their bounds."""
_LEAST, _MOST = -(2**63), 2**63 - 1
_NUL = "holds U+0000, which PostgreSQL cannot keep in a text"


@dataclass(frozen=True)
class Column:
    """A column as the server describes it; `type` is empty where more than the type decides what it takes."""

    name: str
    type: str
    is_required: bool


@dataclass(frozen=True)
class Unfit:
    """Why a row cannot be kept: the JSON pointer to the value, and the reason."""

    pointer: str
    reason: str


def all_fit(columns: Sequence[Column], rows: Sequence[Row]) -> bool:
    """Whether COPY takes all rows for sure; it may take more than that."""
    return all(map(_takes_all, columns, zip(*rows, strict=True)))


def _takes_all(column: Column, values: Sequence[object]) -> bool:
    if column.is_required and None in values:
        return False
    if column.type == "text":
        try:
            return b"\0" not in "".join([each for each in values if each is not None]).encode()  # type: ignore[misc]  # what is no str is caught
        except (TypeError, UnicodeEncodeError):
            return False
    if not set(map(type, values)) <= _TAKEN.get(column.type, set()):
        return False
    return column.type != "bigint" or all(_LEAST <= each <= _MOST for each in values if each is not None)  # type: ignore[operator]  # they are int


def fit(columns: Sequence[Column], row: Row) -> Row | Unfit:
    """The same values as the columns want them; or why that cannot be, as far as it is known."""
    values = []
    for column, value in zip(columns, row, strict=True):
        if isinstance(value, str):
            if "\0" in value:
                return Unfit(f"/{column.name}", _NUL)
            try:
                value.encode()
            except UnicodeEncodeError:
                return Unfit(f"/{column.name}", NO_UNICODE)
        if column.type == "bigint" and isinstance(value, float) and value.is_integer():
            value = int(value)  # of integers, JSON Schema says, 1.0 is one
        values.append(value)
    return tuple(values)
