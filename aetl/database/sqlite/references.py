"""Which tables of a SQLite database refer to which, by the contract and as the database itself knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aetl.database.sqlite.schema import ForeignKey, SQLiteTable
from aetl.models import Row
from aetl.sql import Statements


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference of the table `child`: the places of its columns in a row, and what they name of `parent`.

    Where it is not `is_enforced`, only the contract knows of it: the table was not made by it.
    """

    child: str
    places: tuple[int, ...]
    parent: str
    columns: tuple[str, ...]
    is_enforced: bool = True

    def value(self, row: Row) -> tuple[Any, ...] | None:
        """What a row refers to, or None: with a null in it, a foreign key refers to nothing at all."""
        value = tuple(row[place] for place in self.places)
        return None if None in value else value


def references_of(statements: Statements, found: Mapping[str, SQLiteTable]) -> list[Reference]:
    """All references of the contract's tables, those first that the database enforces."""
    references = []
    for name, table in statements.tables.items():
        enforced = list(found[name].foreign_keys)
        own = [ForeignKey((each.column,), each.table, (each.target,)) for each in table.references]
        for each in (*enforced, *(each for each in own if each not in enforced)):
            if set(each.columns) <= set(table.names):  # or else it is about a column that no export has
                places = tuple(map(table.names.index, each.columns))
                references.append(Reference(name, places, each.parent, each.targets, each in enforced))
    return references
