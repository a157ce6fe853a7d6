"""Finds out what would go wrong with a SQLite file tonight."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Collection
from pathlib import Path

import aiosqlite

from aetl.config import Changes
from aetl.database.changes import check_made, compare
from aetl.database.sqlite.bare import creating
from aetl.database.sqlite.dump import check_columns
from aetl.database.sqlite.errors import as_aetl_error
from aetl.database.sqlite.file import in_memory
from aetl.database.sqlite.schema import find_tables
from aetl.errors import ConfigurationError
from aetl.models import Finding
from aetl.sql import Statements

_NUMBERED = re.compile(r"\?\d+")
OF_ROWS = ("upsert", "insert", "select", "truncate")
"""The operations that say something of a table's columns."""
_LEAST_FREE = 200 * 2**20


async def examine(
    path: Path, connection: aiosqlite.Connection | None, statements: Statements, changes: Changes
) -> AsyncIterator[Finding]:
    """The findings on the statements, the file (None where there is none yet), its folder and the disk."""
    try:
        await check_own(statements)
        async with in_memory(creating(statements)) as model:
            await _prepare_all(model, statements, statements.tables.keys())
        yield Finding("ok", "SQL", f"{statements.source} and the contract agree")
    except sqlite3.Error as error:
        yield Finding("failure", "SQL", f"{statements.source}: {error}", "Mend the file that --sql names.")
        return
    except ConfigurationError as error:
        yield Finding("failure", "SQL", str(error), error.hint)
        return
    folder = path.resolve().parent
    if not folder.is_dir():
        advice = "Create it, or name another --database."
        yield Finding("failure", "database", f"the folder {folder} does not exist", advice)
        return
    if connection is None:
        yield Finding("ok", "database", f"{path} does not exist yet; the first load creates it")
    else:
        try:
            differences = compare(statements, await find_tables(connection, statements))
            changed = {change.table for change in differences.changes}
            if not differences.refusals:
                await _prepare_all(connection, statements, statements.tables.keys() - changed)
            async with connection.execute("PRAGMA quick_check(1)") as cursor:
                unsound = [text async for (text,) in cursor if text != "ok"]
            if unsound:
                yield Finding("failure", "database", f"{path} is corrupt: {unsound[0]}", "Restore it from a backup.")
            else:
                yield Finding("ok", "database", f"{path} is aetl's and sound")
            for finding in differences.findings(statements, changes):
                yield finding
        except sqlite3.Error as error:
            found = as_aetl_error(error, path)
            yield Finding("failure", "database", str(found), found.hint)
    for each in [folder, *([path] if connection is not None else [])]:
        if not os.access(each, os.W_OK):
            yield Finding(
                "failure", "database", f"{each} may not be written", "Give this account the right to write there."
            )
    yield _disk(path, folder)


async def check_own(statements: Statements) -> None:
    """Raises ConfigurationError where somebody's own SQL makes tables that the next load would refuse."""
    if statements.dialect.is_own:
        async with in_memory(creating(statements)) as model:
            check_made(statements, await find_tables(model, statements), statements.tables)


def _disk(path: Path, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    # A load may have to keep as much again as it changes, in the write-ahead log.
    need = max(_LEAST_FREE, path.stat().st_size // 2 if path.exists() else 0)
    if free < need:
        return Finding(
            "warning", "disk", f"{free / 1e6:.0f} MB are free in {folder}", f"Free at least {need / 1e6:.0f} MB."
        )
    return Finding("ok", "disk", f"{free / 1e9:.1f} GB are free in {folder}")


async def _prepare_all(connection: aiosqlite.Connection, statements: Statements, tables: Collection[str]) -> None:
    """Compiles every statement of some tables, which fails where a column is missing."""
    for name in (name for name in statements.tables if name in tables):
        for operation in OF_ROWS:
            if operation != "upsert" or not statements.tables[name].is_all_key:
                await _prepare(connection, statements.of(name, operation))
        async with connection.execute(statements.of(name, "select")) as cursor:
            check_columns(statements, name, [column[0] for column in cursor.description])
        for query in statements.references(name, "exists"):
            await _prepare(connection, query)


async def _prepare(connection: aiosqlite.Connection, statement: str) -> None:
    parameters = [None] * max((int(number[1:]) for number in _NUMBERED.findall(statement)), default=0)
    async with connection.execute(f"EXPLAIN {statement}", parameters):
        pass
