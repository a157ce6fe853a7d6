"""The statements of a SQLite database's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from aetl.database import statements
from aetl.database.statements import PARAMETER, in_key_order, optional_text, refuse, text, texts

_TABLE_TEXTS = ("create", "upsert", "insert", "select", "truncate")


@dataclass(frozen=True)
class TableStatements:
    """The statements of one table; `upsert` and `insert` take a row by position (`?1`, `?2`, ...)."""

    name: str
    columns: tuple[str, ...]
    key: tuple[int, ...]
    """The places of the key's columns in a row."""
    create: str
    indexes: tuple[str, ...]
    upsert: str
    insert: str
    select: str
    truncate: str
    encoded: str | None
    following: str | None
    place: str | None
    """Takes the key's values by position."""
    parents: Mapping[int, str]
    """Place of a referring column -> the query that says whether the record that it means exists."""

    @property
    def select_in_key_order(self) -> str:
        return in_key_order(self.select, self.columns, [self.columns[place] for place in self.key], "BINARY")


Statements: TypeAlias = statements.Statements[TableStatements]


def read_table(source: str, name: str, entry: Mapping[str, Any], columns: Sequence[str]) -> TableStatements:
    """The statements of one table, checked against the contract's columns.

    Raises ConfigurationError that names file, table and statement.
    """
    mandatory = {each: text(entry, source, f"tables/{name}", each) for each in _TABLE_TEXTS}
    key = texts(entry, source, f"tables/{name}", "key")
    for column in key:
        if column not in columns:
            raise refuse(source, f"tables/{name}/key names {column!r}, which is no column of the schema file's")
    for each in ("upsert", "insert"):
        named = set(PARAMETER.findall(mandatory[each]))
        if difference := named ^ set(columns):
            raise refuse(source, f"tables/{name}/{each} and the schema file differ in {', '.join(sorted(difference))}")
        mandatory[each] = PARAMETER.sub(lambda found: f"?{columns.index(found[1]) + 1}", mandatory[each])
    place = optional_text(entry, source, f"tables/{name}", "place")
    if place is not None and set(PARAMETER.findall(place)) != set(key):
        raise refuse(source, f"tables/{name}/place must take the key's columns: {', '.join(key)}")
    return TableStatements(
        name,
        columns=tuple(columns),
        key=tuple(map(list(columns).index, key)),
        indexes=texts(entry, source, f"tables/{name}", "indexes") if entry.get("indexes") else (),
        encoded=optional_text(entry, source, f"tables/{name}", "encoded"),
        following=optional_text(entry, source, f"tables/{name}", "following"),
        place=PARAMETER.sub(lambda found: f"?{key.index(found[1]) + 1}", place) if place else None,
        parents=_parents(source, name, entry.get("parents") or {}, columns),
        **mandatory,
    )


def _parents(source: str, name: str, entry: Any, columns: Sequence[str]) -> dict[int, str]:
    place = f"tables/{name}/parents"
    if not isinstance(entry, dict) or not entry.keys() <= set(columns):
        raise refuse(source, f"{place} must be a mapping of columns to queries")
    queries = {column: text(entry, source, place, column) for column in entry}
    return {columns.index(column): PARAMETER.sub("?1", query) for column, query in queries.items()}
