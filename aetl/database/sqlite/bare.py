"""Makes a table that was filled bare what `create` would have made of it.

For SQLite a table is a B-tree and a text; a primary key is another B-tree, an index with a name of SQLite's own and no
text (https://www.sqlite.org/fileformat2.html, 2.6). So a bare table's text and the name of its unique index are all
that tells it from the same table with a key. They are changed in the way that SQLite describes for other constraints
(https://www.sqlite.org/lang_altertable.html, 7), in the transaction that also made them.

To copy the rows in the key's order into a table that has one takes a quarter of a first load more, and leaves a file a
third larger; with the unique index alone, tools show no primary key.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiosqlite

from aetl.database.sqlite.file import in_memory, pragma_of
from aetl.sql import Statements

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Keyed:
    """What SQLite keeps of a table's `create`, its text and the name of the key's index; and what makes such an index.

    `made` is the name that it has before.
    """

    sql: str
    key: str
    make: str
    made: str


async def try_out(statements: Statements) -> Mapping[str, Keyed]:
    """What bare tables have to become, once that was done with empty ones in memory and gave what `create` gives.

    It is nothing where that was not so: as somebody's own `create` says more, as a key is the table's rowid, or as this
    SQLite does not let its schema be changed.
    """
    if statements.dialect.creates or "create" in statements.dialect.changed:
        return {}
    tables = statements.tables
    async with in_memory(creating(statements)) as model:
        wanted = await _schema(model, statements)
        texts = {name: sql for kind, name, _, sql in wanted if kind == "table"}
        keys = [(table, index) for kind, index, table, sql in wanted if kind == "index" and sql is None]
        if sorted(table for table, _ in keys) != sorted(tables):
            return {}
        looks = {table: await _look(model, table, index) for table, index in keys}
    names = {name: statements.name_of(name, "key") for name in tables}
    makes = {name: statements.with_names(name, "key", index=statements.dialect.quoted(names[name])) for name in tables}
    keyed = {table: Keyed(texts[table], index, makes[table], names[table]) for table, index in keys}
    bare = [statements.of(name, "bare") for name in tables]
    try:
        async with in_memory([*bare, *makes.values()]) as trial:
            if looks != {table: await _look(trial, table, names[table]) for table in looks}:
                return {}
            for name in tables:
                for statement in (*statements.indexes(name), *statements.references(name, "orphan")):
                    await trial.execute(statement)
            await adopt(trial, statements, keyed)
            return keyed if await _schema(trial, statements) == wanted else {}
    except sqlite3.Error as error:
        _LOG.info("the first load goes the ordinary way: %s", error)
        return {}


def creating(statements: Statements) -> list[str]:
    """The statements that make the tables of a contract and their indexes."""
    return [text for name in statements.tables for text in (statements.of(name, "create"), *statements.indexes(name))]


async def adopt(connection: aiosqlite.Connection, statements: Statements, keyed: Mapping[str, Keyed]) -> None:
    """Gives bare tables, and the indexes of their keys, the texts and names that make them keyed."""
    await connection.execute("PRAGMA writable_schema = ON")
    try:
        for table, own in keyed.items():
            await connection.execute(statements.ledger["adopt_table"], {"table": table, "sql": own.sql})
            await connection.execute(statements.ledger["adopt_key"], {"made": own.made, "key": own.key})
    finally:
        await connection.execute("PRAGMA writable_schema = RESET")  # and so the schema is read anew


async def _schema(connection: aiosqlite.Connection, statements: Statements) -> list[Any]:
    rows = await connection.execute_fetchall(statements.ledger["schema"])
    return [row for row in rows if row[2] in statements.tables]


async def _look(connection: aiosqlite.Connection, table: str, key: str) -> list[Any]:
    """What a table's columns and the index of its key have to be alike in."""
    columns = await pragma_of(connection, "table_xinfo", table)
    kinds = [(name, kind, is_mandatory, hidden) for _, name, kind, is_mandatory, _, _, hidden in columns]
    indexes = await pragma_of(connection, "index_list", table)
    unique = [(is_unique, is_partial) for _, name, is_unique, _, is_partial in indexes if name == key]
    return [kinds, unique, await pragma_of(connection, "index_xinfo", key)]
