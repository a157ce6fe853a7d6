"""Reads tables out of a SQLite file, some thousand records at a time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import aiosqlite

from aetl.database.sqlite.errors import sqlite_errors
from aetl.database.sqlite.statements import Statements, TableStatements
from aetl.database.statements import check_columns
from aetl.models import Row

ROWS_AT_ONCE = 2_000
ROWS_AT_FIRST = 100
_BYTES_AT_ONCE = 2**20
"""Of a text that SQLite makes of records, as far as the ones before tell how long they are."""
_FIRST, _LAST = -(2**63), 2**63 - 1
"""The places of SQLite's first row and last, if there were so many (https://www.sqlite.org/lang_createtable.html#rowid)."""


async def fetch_rows(
    connection: aiosqlite.Connection, path: Path, statements: Statements, table: TableStatements, statement: str
) -> AsyncGenerator[list[Row], None]:
    """The records of a table as rows, by one of its statements; of an empty table one empty list."""
    async with aclosing(_fetch(connection, path, statement)) as fetched:
        async for columns, rows in fetched:
            check_columns(statements, table.name, "select", columns, table.columns)
            yield rows


async def fetch_encoded(
    connection: aiosqlite.Connection, path: Path, statements: Statements, table: TableStatements
) -> AsyncGenerator[bytes, None]:
    """The records of a table as JSON objects with commas between them, which SQLite makes; at least once."""
    assert table.encoded is not None
    connection.text_factory = bytes  # to decode them only to encode them again would take half of the time
    place, most = _FIRST, ROWS_AT_FIRST
    try:
        with sqlite_errors(path):
            while True:
                try:
                    found: Any = await connection.execute_fetchall(table.encoded, {"place": place, "most": most})
                except sqlite3.DataError:  # longer than a text may be
                    if most == 1:
                        raise
                    most = max(1, most // 16)
                    continue
                ((text, last),) = found
                if place == _FIRST:
                    check_columns(statements, table.name, "encoded", _first_keys(text, table), table.columns)
                    yield text or b""
                elif text is not None:
                    yield text
                if text is None or last == _LAST:
                    return
                place = last + 1
                most = records_for(most, len(text))
    finally:
        connection.text_factory = str


def records_for(before: int, size: int) -> int:
    """How many records to ask SQLite for in one text, after so many made one of that size in bytes."""
    return max(1, min(ROWS_AT_ONCE, 2 * before, before * _BYTES_AT_ONCE // size))


def _first_keys(text: bytes | None, table: TableStatements) -> Sequence[str]:
    return table.columns if text is None else list(json.loads(b"[%b]" % text)[0])


async def _fetch(
    connection: aiosqlite.Connection, path: Path, statement: str
) -> AsyncGenerator[tuple[list[str], list[Row]], None]:
    """The names of the columns, and rows; at least once."""
    # A cursor left open would still be running, and so interrupt the rollback too.
    with sqlite_errors(path):
        async with connection.execute(statement) as cursor:
            columns = [column[0] for column in cursor.description]
            rows = cast("list[Row]", await cursor.fetchmany(ROWS_AT_ONCE))
            yield columns, rows
            while rows := cast("Any", await cursor.fetchmany(ROWS_AT_ONCE)):
                yield columns, rows
