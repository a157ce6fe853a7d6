"""The tables of a SQLite database, and what the contract wants of them."""

from __future__ import annotations

import aiosqlite

from aetl.database.sqlite.file import tables_of
from aetl.sql import Statements


async def make_tables(connection: aiosqlite.Connection, statements: Statements) -> None:
    """Makes those that are missing, inside a transaction."""
    there = {name.casefold() for name in await tables_of(connection)}
    for name in statements.tables:
        if name.casefold() not in there:
            for statement in (statements.of(name, "create"), *statements.indexes(name)):
                await connection.execute(statement)
