"""A transaction in a SQLite file: all of it, or nothing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiosqlite

from aetl.database.sqlite.errors import sqlite_errors
from aetl.database.sqlite.file import pragma

PATIENCE = 10.0
"""Seconds to wait for another program's write lock."""


@asynccontextmanager
async def transaction(
    connection: aiosqlite.Connection, path: Path, begin: str = "BEGIN IMMEDIATE"
) -> AsyncIterator[None]:
    """Commits at its end, and rolls back where it is left by an error or a cancelled task."""
    try:
        with sqlite_errors(path):
            await _patiently(connection, begin)
        yield
        with sqlite_errors(path):
            await _patiently(connection, "COMMIT")
    except BaseException:
        await connection.interrupt()  # a statement may still run in the thread when a task was cancelled
        with suppress(sqlite3.Error):  # SQLite itself rolls back when the disk is full
            await connection.execute("ROLLBACK")
        with suppress(sqlite3.Error):  # or means to: it puts the file right for whoever reads it next
            await pragma(connection, "schema_version")
        raise


async def _patiently(connection: aiosqlite.Connection, statement: str) -> None:
    """Executes BEGIN or COMMIT, again and again for a while where another program holds a lock."""
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE
    while True:
        try:
            await connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or loop.time() > until:
                raise
        await asyncio.sleep(0.05)
