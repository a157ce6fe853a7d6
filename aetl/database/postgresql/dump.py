"""Reads all rows of a PostgreSQL database, table by table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

import asyncpg

from aetl.contract.tables import Table
from aetl.database.postgresql.errors import ERRORS, postgresql_errors
from aetl.database.postgresql.session import Connection
from aetl.errors import ConfigurationError
from aetl.sql import Statements

_ROWS_AT_ONCE = 2_000


async def fetch_records(
    connection: Connection, name: str, statements: Statements, table: Table, *, by_key: bool
) -> AsyncGenerator[list[asyncpg.Record], None]:
    """Some thousand records at a time, and at least once; the next ones are on their way meanwhile."""
    with postgresql_errors(name):
        statement = statements.of(table.name, "select")
        if by_key:
            statement = statements.with_names(table.name, "by_key", select=statement)
        prepared = await connection.prepare(statement)
        check_columns(statements, table, prepared)
        cursor = await prepared.cursor()
        records = await cursor.fetch(_ROWS_AT_ONCE)
        is_first = True
        while records or is_first:
            is_first = False
            following = asyncio.ensure_future(cursor.fetch(_ROWS_AT_ONCE))
            try:
                await asyncio.sleep(0)  # so that it is asked for before these are worked on
                yield records
            finally:
                records = await _ended(following)


def check_columns(
    statements: Statements, table: Table, prepared: asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record]
) -> None:
    """Raises ConfigurationError where a statement of somebody's own gives other columns than the contract has."""
    if tuple(each.name for each in prepared.get_attributes()) != table.names:
        raise ConfigurationError(
            f"the SQL file {statements.source}: operations/select must give the contract's columns in order, for"
            f" {table.name}: {', '.join(table.names)}",
            hint="Mend the file that --sql names.",
        )


async def _ended(task: asyncio.Future[list[asyncpg.Record]]) -> list[asyncpg.Record]:
    """What a task gives; nothing else may use the session before it has ended, also when this one is cancelled."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        with suppress(asyncio.CancelledError, *ERRORS):
            await task
        raise
