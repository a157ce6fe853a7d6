"""Makes a table that was filled bare what `create` would have made of it.

For SQLite a table is a B-tree and a text; a primary key is another B-tree, an index with a name of SQLite's own and no
text (https://www.sqlite.org/fileformat2.html, 2.6). So a bare table's text and the name of its unique index are all
that tells it from the same table with a key. They are changed in the way that SQLite describes for other constraints
(https://www.sqlite.org/lang_altertable.html, 7), in the transaction that also made them.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiosqlite

from aetl.database.sqlite.file import in_memory, pragma_of
from aetl.database.sqlite.statements import Bare, Statements, creating

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Keyed:
    """A bare table's statements, and what SQLite keeps of its `create`: the text, and the name of the key's index.

    `made` is the name that this index has before.
    """

    bare: Bare
    sql: str
    key: str
    made: str


async def try_out(statements: Statements) -> Mapping[str, Keyed]:
    """What bare tables have to become, once that was done with empty ones in memory and gave what `create` gives.

    It is nothing where that was not so: as a table has no bare statements, no key of its own, or another column than
    they know, or as this SQLite does not let its schema be changed.
    """
    bare = {name: table.bare for name, table in statements.tables.items() if table.bare}
    if len(bare) < len(statements.tables):
        return {}
    async with in_memory(creating(statements)) as model:
        wanted = await _schema(model, statements)
        texts = {name: sql for kind, name, _, sql in wanted if kind == "table"}
        keys = [(table, index) for kind, index, table, sql in wanted if kind == "index" and sql is None]
        if sorted(table for table, _ in keys) != sorted(statements.tables):
            return {}
        looks = {table: await _look(model, table, index) for table, index in keys}
    try:
        async with in_memory(text for each in bare.values() for text in (each.create, each.key)) as trial:
            made = {table: index for kind, index, table, _ in await _schema(trial, statements) if kind == "index"}
            is_alike = looks == {table: await _look(trial, table, index) for table, index in made.items()}
            keyed = {table: Keyed(bare[table], texts[table], index, made[table]) for table, index in keys}
            for index in (index for table in statements.tables.values() for index in table.indexes):
                await trial.execute(index)
            for name, each in bare.items():
                for insert in (each.insert, each.insert_many):
                    await trial.executemany(insert, [])  # is compiled all the same
                for query in each.orphans:
                    await trial.execute(query)
                is_alike &= await _columns(trial, each.rows) == statements.tables[name].columns
            await adopt(trial, statements, keyed)
            return keyed if is_alike and await _schema(trial, statements) == wanted else {}
    except (sqlite3.Error, KeyError) as error:
        _LOG.info("the first load goes the ordinary way: %s", error)
        return {}


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


async def _columns(connection: aiosqlite.Connection, rows: str) -> tuple[str, ...]:
    async with connection.execute(rows, {"place": 0, "most": 0}) as cursor:
        return tuple(column[0] for column in cursor.description)
