"""For which tables the fast ways are exact: SQLite's JSON says of a record just what Python's does."""

from __future__ import annotations

from aetl.contract.tables import Column
from aetl.database.sqlite.schema import SQLiteTable, affinity
from aetl.sql import Statements

_MOST_COLUMNS = 60
"""SQLite's functions take 127 arguments, and some builds' 100 (https://www.sqlite.org/limits.html, 6)."""


def may_be_read_ahead(statements: Statements, name: str, found: SQLiteTable) -> bool:
    """Whether its records, as JSON arrays that SQLite makes, can be compared with those of an export.

    SQLite writes floats with too few digits, and 1 for true; what somebody's own `select` makes of them it does not
    know.
    """
    table = statements.tables[name]
    return (
        "select" not in statements.dialect.changed
        and found.has_rowid
        and len(table.columns) <= _MOST_COLUMNS
        and all(column.name in found.columns and _is_exact(column, found) for column in table.columns)
    )


def may_be_objects(statements: Statements, name: str, found: SQLiteTable) -> bool:
    """Whether SQLite makes of its records what an export holds of them."""
    table = statements.tables[name]
    return may_be_read_ahead(statements, name, found) and table.rest is None and all(map(_is_plain, table.columns))


def _is_exact(column: Column, found: SQLiteTable) -> bool:
    wanted = {"number": "", "boolean": "", "integer": "INTEGER"}.get(column.type, "TEXT")
    return affinity(found.columns[column.name].type) == wanted


def _is_plain(column: Column) -> bool:
    is_text = "\0" not in column.key  # which no statement may hold
    return is_text and column.epoch is None and (column.is_mandatory or column.admits_null)
