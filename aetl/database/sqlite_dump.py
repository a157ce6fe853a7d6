"""Reads tables out of a SQLite file, some thousand records at a time."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import aiosqlite

from aetl.database.sqlite_errors import sqlite_errors
from aetl.database.sqlite_statements import Statements, TableStatements
from aetl.database.statements import check_columns
from aetl.models import Row

ROWS_AT_ONCE = 2_000


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
    """The records of a table as JSON objects with commas between them, which SQLite makes."""
    assert table.encoded is not None
    is_checked = False
    connection.text_factory = bytes  # to decode them only to encode them again would take half of the time
    try:
        async with aclosing(_fetch(connection, path, table.encoded)) as fetched:
            async for _, rows in fetched:
                if rows and not is_checked:
                    check_columns(statements, table.name, "encoded", json.loads(rows[0][0]), table.columns)
                    is_checked = True
                yield b",".join([text for (text,) in rows])
    finally:
        connection.text_factory = str


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
