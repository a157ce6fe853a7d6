"""Reads tables out of a SQLite file, some thousand records at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import aiosqlite

from aetl.database.sqlite.errors import sqlite_errors
from aetl.database.sqlite.schema import SQLiteTable
from aetl.models import Row
from aetl.sql import Statements
from aetl.sql.dialect import refuse

ROWS_AT_ONCE = 2_000
ROWS_AT_FIRST = 100
_BYTES_AT_ONCE = 2**20
"""Of a text that SQLite makes of records, as far as the ones before tell how long they are."""
_FIRST, _LAST = -(2**63), 2**63 - 1
"""The rowids of SQLite's first row and last, if there were so many (https://www.sqlite.org/lang_createtable.html#rowid)."""


async def fetch_table(
    connection: aiosqlite.Connection,
    path: Path,
    statements: Statements,
    name: str,
    found: Mapping[str, SQLiteTable],
    collation: str | None = None,
) -> AsyncGenerator[list[Row], None]:
    """The records of a table as rows, in a digest's order where its collation is given; at least one list.

    A column that is not there yet is NULL, and a table empty.
    """
    if name not in found:
        yield []
        return
    quoted = statements.dialect.quoted
    columns = [
        {"column": quoted(each) if each in found[name].columns else f"NULL AS {quoted(each)}"}
        for each in statements.tables[name].names
    ]
    statement = statements.with_names(name, "select", columns=columns)
    if collation is not None:
        statement = statements.with_names(name, "by_key", select=statement, collation=collation)
    # A cursor left open would still be running, and so interrupt the rollback too.
    with sqlite_errors(path):
        async with connection.execute(statement) as cursor:
            check_columns(statements, name, [column[0] for column in cursor.description])
            rows = cast("list[Row]", await cursor.fetchmany(ROWS_AT_ONCE))
            yield rows
            while rows := cast("Any", await cursor.fetchmany(ROWS_AT_ONCE)):
                yield rows


async def fetch_objects(connection: aiosqlite.Connection, path: Path, statement: str) -> AsyncGenerator[bytes, None]:
    """The records of a table as JSON objects with commas between them, which SQLite makes; at least once."""
    connection.text_factory = bytes  # to decode them only to encode them again would take half of the time
    first, most = _FIRST, ROWS_AT_FIRST
    try:
        with sqlite_errors(path):
            while True:
                try:
                    found: Any = await connection.execute_fetchall(statement, {"from": first, "most": most})
                except sqlite3.DataError:  # longer than a text may be
                    if most == 1:
                        raise
                    most = max(1, most // 16)
                    continue
                ((text, last),) = found
                if text is not None or first == _FIRST:
                    yield text or b""
                if text is None or last == _LAST:
                    return
                first = last + 1
                most = records_for(most, len(text))
    finally:
        connection.text_factory = str


def records_for(before: int, size: int) -> int:
    """How many records to ask SQLite for in one text, after so many made one of that size in bytes."""
    return max(1, min(ROWS_AT_ONCE, 2 * before, before * _BYTES_AT_ONCE // size))


def check_columns(statements: Statements, table: str, found: Sequence[str]) -> None:
    """Raises ConfigurationError where somebody's own `select` gives other columns, or in another order."""
    names = statements.tables[table].names
    if not all(map(_is_called, found, names)) or len(found) != len(names):
        raise refuse(statements.source, f"select must give of {table} the contract's columns: {', '.join(names)}")


def _is_called(found: str, name: str) -> bool:
    """Whether a column has this name: SQLite tells it as the table has it, and of one called true only its place."""
    return found.lower() == name.lower() or (name.lower() in ("true", "false") and found.startswith("column"))
