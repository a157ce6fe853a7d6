"""Which tables of a SQLite database refer to which, as the database itself knows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import aiosqlite

from aetl.database.sqlite.file import pragma_of
from aetl.models import Row
from aetl.sql import Statements


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key of the table `child`: the places of its columns in a row, and what they name of `parent`."""

    child: str
    places: tuple[int, ...]
    parent: str
    columns: tuple[str, ...]

    def value(self, row: Row) -> tuple[Any, ...] | None:
        """What a row refers to, or None: with a null in it, a foreign key refers to nothing at all."""
        value = tuple(row[place] for place in self.places)
        return None if None in value else value


async def find_references(connection: aiosqlite.Connection, statements: Statements) -> list[Reference]:
    """All foreign keys of the contract's tables."""
    found = []
    names = {name.casefold(): name for name in statements.tables}
    for name, table in statements.tables.items():
        keys = await pragma_of(connection, "foreign_key_list", name)
        for _, parts in groupby(sorted(keys, key=itemgetter(0, 1)), key=itemgetter(0)):
            _, _, parents, own, others, *_ = zip(*parts, strict=True)
            if set(own) <= set(table.names):  # or else it is about a column that no export has
                columns = others if None not in others else await _primary_key(connection, parents[0])
                places = tuple(map(table.names.index, own))
                found.append(Reference(name, places, names.get(parents[0].casefold(), parents[0]), columns))
    return found


def in_groups(tables: Sequence[str], references: Sequence[Reference]) -> Iterator[tuple[str, ...]]:
    """The tables, those first that others refer to; in one group those that refer to one another in a ring."""
    below: Mapping[str, set[str]] = {
        name: {each.parent for each in references if each.child == name} & set(tables) for name in tables
    }
    for _ in tables:  # so long a way at most: what they refer to refers to others
        for parents in below.values():
            parents.update(*[below[each] for each in parents])
    left = list(tables)
    while left:
        name = next(each for each in left if all(each in below[other] for other in below[each] & set(left)))
        group = tuple(each for each in left if each == name or (each in below[name] and name in below[each]))
        yield group
        left = [each for each in left if each not in group]


async def _primary_key(connection: aiosqlite.Connection, table: str) -> tuple[str, ...]:
    columns = await pragma_of(connection, "table_info", table)
    return tuple(name for _, name, *_, place in sorted(columns, key=itemgetter(5)) if place)
