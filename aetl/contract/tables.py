"""What a database needs to know of a contract: tables, their columns, keys, references and indexes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

ColumnType = Literal["text", "integer", "number", "boolean", "date-time", "date", "json"]
Epoch = Literal["s", "ms", "us", "ns"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in the database, and the property that it comes from (`key`; "" for the x-rest column).

    `is_mandatory` says that it never is NULL. `admits_null` that null is one of its values: then NULL is null in an
    export, and else a key that is missing. `default` is what a new mandatory column gets in the rows that are there.
    `epoch` is the unit of a point in time that exports tell as a number.
    """

    name: str
    key: str
    type: ColumnType
    is_mandatory: bool
    admits_null: bool
    default: str | int | float | bool | None = None
    epoch: Epoch | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """That a column's value must be one of the column `target` of `table`, which is that table's whole key."""

    column: str
    table: str
    target: str


@dataclass(frozen=True)
class Table:
    """One table: its name in the database, and the property of an export that holds its records (`array`).

    The column named `rest`, if there is one, is the last: it keeps what a record holds that the contract does not know.
    """

    name: str
    array: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    references: tuple[Reference, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    rest: str | None = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(column.name for column in self.columns)


def in_order(tables: Iterable[Table]) -> list[Table]:
    """The tables with each after those that it refers to; those that refer to one another stay in the given order."""
    left = {table.name: table for table in tables}
    ancestors = {name: _ancestors(name, left) for name in left}
    ordered: list[Table] = []
    while left:
        first = next(
            name for name in left if all(name in ancestors[other] for other in ancestors[name] if other in left)
        )
        ordered.append(left.pop(first))
    return ordered


def _ancestors(name: str, tables: dict[str, Table]) -> set[str]:
    """The tables that one refers to, and that these refer to, and so on; itself only where that leads back to it."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for reference in tables[waiting.pop()].references:
            if reference.table in tables and reference.table not in found:
                found.add(reference.table)
                waiting.append(reference.table)
    return found
