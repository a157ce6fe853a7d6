"""The statements of a SQLite database's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from aetl.database import statements
from aetl.database.statements import PARAMETER, in_key_order, optional_text, refuse, text, texts

MORE = (
    "schema", "adopt_table", "adopt_key", "triggers",
    "note", "stored", "lacking", "alike", "alike_real", "noted", "forget", "index", "drop_index",
)  # fmt: skip
"""Statements of the ledger's that are about what SQLite keeps of tables, and about records that wait."""
_TABLE_TEXTS = ("create", "upsert", "insert", "select", "truncate")
_MOST_PARAMETERS = 300
"""Of one statement; some builds of SQLite take no more than 999 (https://www.sqlite.org/limits.html, 9)."""


@dataclass(frozen=True)
class Bare:
    """The same table without key and references, and what makes both of it."""

    create: str
    insert: str
    """Takes a row by position."""
    insert_many: str
    """Takes `many` rows by position, one behind the other."""
    many: int
    key: str
    orphans: tuple[str, ...]
    """Each gives a value that refers to nothing, or no row."""
    rows: str
    drop: str


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
    """Gives one text and the last record's place, or two nulls."""
    repeated: str | None
    """Gives one text, as bytes, and the last record's place, or two nulls."""
    place: str | None
    """Takes the key's values by position."""
    bare: Bare | None
    parents: Mapping[int, str]
    """Place of a referring column -> the query that says whether the record that it means exists."""

    def in_key_order(self, collation: str) -> str:
        """`select` in the order of a digest."""
        return in_key_order(self.select, self.columns, [self.columns[place] for place in self.key], collation)


Statements: TypeAlias = statements.Statements[TableStatements]


def creating(every: Statements) -> list[str]:
    """The statements that make all tables and indexes of a database."""
    return [
        *every.ledger_create,
        *(text for table in every.tables.values() for text in (table.create, *table.indexes)),
    ]


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
        mandatory[each] = _by_position(mandatory[each], columns)
    place = optional_text(entry, source, f"tables/{name}", "place")
    if place is not None and set(PARAMETER.findall(place)) != set(key):
        raise refuse(source, f"tables/{name}/place must take the key's columns: {', '.join(key)}")
    return TableStatements(
        name,
        columns=tuple(columns),
        key=tuple(map(list(columns).index, key)),
        indexes=texts(entry, source, f"tables/{name}", "indexes") if entry.get("indexes") else (),
        encoded=_in_parts(entry, source, name, "encoded"),
        repeated=_in_parts(entry, source, name, "repeated"),
        place=PARAMETER.sub(lambda found: f"?{key.index(found[1]) + 1}", place) if place else None,
        bare=_bare(source, f"tables/{name}/bare", entry["bare"], columns) if entry.get("bare") else None,
        parents=_parents(source, name, entry.get("parents") or {}, columns),
        **mandatory,
    )


def _in_parts(entry: Mapping[str, Any], source: str, name: str, statement: str) -> str | None:
    """A statement that gives some of a table's records, if it is there."""
    found = optional_text(entry, source, f"tables/{name}", statement)
    if found is not None and set(PARAMETER.findall(found)) != {"place", "most"}:
        raise refuse(source, f"tables/{name}/{statement} must take :place and :most")
    return found


def _by_position(statement: str, columns: Sequence[str], behind: int = 0) -> str:
    """The statement with each parameter's place in a row, behind so many values of other rows."""
    return PARAMETER.sub(lambda found: f"?{behind + columns.index(found[1]) + 1}", statement)


def _bare(source: str, place: str, entry: Any, columns: Sequence[str]) -> Bare | None:
    """None also where a column was added to the table, and not here: it is for speed alone."""
    if not isinstance(entry, dict):
        raise refuse(source, f"{place} must be a mapping")
    create, insert, row, key, rows, drop = (
        text(entry, source, place, each) for each in ("create", "insert", "row", "key", "rows", "drop")
    )
    orphans = _queries(source, f"{place}/orphans", entry.get("orphans") or {}, columns)
    if set(PARAMETER.findall(row)) != set(columns):
        return None
    many = max(1, _MOST_PARAMETERS // len(columns))
    behind = [_by_position(row, columns, at * len(columns)) for at in range(many)]
    return Bare(
        create,
        insert=f"{insert} {behind[0]}",
        insert_many=f"{insert} {', '.join(behind)}",
        many=many,
        key=key,
        orphans=tuple(orphans.values()),
        rows=rows,
        drop=drop,
    )


def _parents(source: str, name: str, entry: Any, columns: Sequence[str]) -> dict[int, str]:
    queries = _queries(source, f"tables/{name}/parents", entry, columns)
    return {columns.index(column): PARAMETER.sub("?1", query) for column, query in queries.items()}


def _queries(source: str, place: str, entry: Any, columns: Sequence[str]) -> dict[str, str]:
    if not isinstance(entry, dict) or not entry.keys() <= set(columns):
        raise refuse(source, f"{place} must be a mapping of columns to queries")
    return {column: text(entry, source, place, column) for column in entry}
