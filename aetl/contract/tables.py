"""What a database needs to know of a contract: tables, their columns, keys, references and indexes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
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

    @property
    def is_all_key(self) -> bool:
        """Whether it has no columns beside its key: then nothing of a record can change."""
        return len(self.key) == len(self.columns)


def in_order(tables: Iterable[Table]) -> list[Table]:
    """The tables with each after those that it refers to; those that refer to one another stay in the given order."""
    named = {table.name: table for table in tables}
    refers_to = {name: {each.table for each in table.references} for name, table in named.items()}
    return [named[name] for group in in_groups(refers_to) for name in group]


def in_groups(refers_to: Mapping[str, Set[str]]) -> list[tuple[str, ...]]:
    """The tables, each by what it refers to, in groups: a table, or those that refer to one another in a ring.

    They come after all that they refer to, and else stay in the given order.
    """
    below = {name: set(others) & refers_to.keys() for name, others in refers_to.items()}
    for _ in below:  # so long a way at most: what they refer to refers to others
        for others in below.values():
            others.update(*[below[each] for each in others])
    left, groups = list(below), []
    while left:
        name = next(each for each in left if all(each in below[other] for other in below[each] & set(left)))
        group = tuple(each for each in left if each == name or (each in below[name] and name in below[each]))
        groups.append(group)
        left = [each for each in left if each not in group]
    return groups
