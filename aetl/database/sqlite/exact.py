"""For which tables the fast ways are exact: SQLite's JSON says of a record just what Python's does."""

from __future__ import annotations

from dataclasses import dataclass

import aiosqlite

from aetl.contract.tables import Column, Table
from aetl.database.sqlite.file import pragma_of
from aetl.sql.statements import row_number

_MOST_COLUMNS = 60
"""SQLite's functions take 127 arguments, and some builds' 100 (https://www.sqlite.org/limits.html, 6)."""


@dataclass(frozen=True)
class Look:
    """A table of the contract's as the database has it: its columns' types, and whether a rowid can be named."""

    table: Table
    types: dict[str, str]
    has_rowid: bool


async def look_at(connection: aiosqlite.Connection, table: Table) -> Look:
    """Looks at a table that is there."""
    columns = await pragma_of(connection, "table_xinfo", table.name)
    types = {name.lower(): kind for _, name, kind, *_ in columns}
    ((without_rowid,),) = await connection.execute_fetchall(
        "SELECT wr FROM pragma_table_list(?) WHERE schema = 'main'", [table.name]
    )
    return Look(table, types, not without_rowid and row_number(table) is not None and row_number(table) not in types)


def may_be_read_ahead(look: Look) -> bool:
    """Whether its records, as JSON arrays that SQLite makes, can be compared with those of an export.

    SQLite writes floats with too few digits, and 1 for true.
    """
    return _may_be_json(look) and not any(column.type in ("number", "boolean") for column in look.table.columns)


def may_be_objects(look: Look) -> bool:
    """Whether SQLite makes of its records what an export holds of them."""
    return may_be_read_ahead(look) and look.table.rest is None and all(map(_is_plain, look.table.columns))


def _may_be_json(look: Look) -> bool:
    return (
        look.has_rowid
        and len(look.table.columns) <= _MOST_COLUMNS
        and all(
            affinity(look.types.get(column.name.lower(), "")) == ("INTEGER" if column.type == "integer" else "TEXT")
            for column in look.table.columns
        )
    )


def _is_plain(column: Column) -> bool:
    return column.epoch is None and (column.is_mandatory or column.admits_null)


def affinity(kind: str) -> str:
    """What a column of a declared type makes of a value (https://www.sqlite.org/datatype3.html, 3.1)."""
    kind = kind.upper()
    if "INT" in kind:
        return "INTEGER"
    if any(each in kind for each in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if not kind or "BLOB" in kind:
        return "BLOB"
    return "REAL" if any(each in kind for each in ("REAL", "FLOA", "DOUB")) else "NUMERIC"
