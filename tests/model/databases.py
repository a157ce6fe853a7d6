"""The databases that a sequence is played on, looked at behind aetl's back."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from aetl import TableCounts
from tests.exports import FIRST_NIGHT
from tests.model.model import Version
from tests.postgresql import PostgreSQLServer

Rows = list[tuple[Any, ...]]
LEDGER = "SELECT load_id, blob, created, status, tables FROM _aetl_loads ORDER BY load_id"
COUNTS = ("read", "loaded", "unchanged", "rejected")
REJECTS = "SELECT load_id, table_name, position, reason, record FROM _aetl_rejects"


@dataclass(frozen=True)
class Row:
    """A row of the ledger with its rejects: of each (table, position) the reason and the record."""

    version: Version
    status: str
    counts: Mapping[str, tuple[int, int, int, int]]
    rejects: Mapping[tuple[str, int], tuple[str, Any]]


@dataclass(frozen=True)
class Found:
    """What a database holds: the rows of each table as they stand there, and the ledger, oldest load first."""

    tables: Mapping[str, Rows]
    ledger: Sequence[Row]


class Database(Protocol):
    url: str
    dialect: str

    async def wait_for_end_of_killed(self) -> None:
        """Returns once nothing of a killed load goes on."""

    async def query(self, table: str, statement: str) -> Rows:
        """The rows that a statement gives, or none where there is no such table."""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


async def look_at(database: Database, columns: Mapping[str, Sequence[str]]) -> Found:
    tables = {}
    for name, of in columns.items():
        columns_of = ", ".join(map(quoted, of))
        tables[name] = await database.query(name, f"SELECT {columns_of} FROM {quoted(name)}")
    rejects: dict[int, dict[tuple[str, int], tuple[str, Any]]] = {}
    for load_id, table, position, reason, record in await database.query("_aetl_rejects", REJECTS):
        of_load = rejects.setdefault(load_id, {})
        assert (table, position) not in of_load, f"{table}[{position}] is rejected twice"
        of_load[table, position] = reason, json.loads(record)
    ledger = []
    for load_id, blob, created, status, counted in await database.query("_aetl_loads", LEDGER):
        of_tables = json.loads(counted or "{}").items()
        counts = counts_of({table: TableCounts(*(each.get(name, 0) for name in COUNTS)) for table, each in of_tables})
        moment = created if isinstance(created, datetime) else datetime.fromisoformat(created)
        version = blob, round((moment - FIRST_NIGHT).total_seconds() * 1000)
        ledger.append(Row(version, status, counts, rejects.pop(load_id, {})))
    assert not rejects, "there are rejects of no load"
    return Found(tables, ledger)


def counts_of(tables: Mapping[str, TableCounts]) -> dict[str, tuple[int, int, int, int]]:
    """Of each table that had any records: read, loaded, unchanged, rejected."""
    counts = {name: (each.read, each.loaded, each.unchanged, each.rejected) for name, each in tables.items()}
    return {name: each for name, each in counts.items() if any(each)}


class SQLite:
    dialect = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self.url = str(folder / "chat.db")
        self._looked_at = self.url

    async def wait_for_end_of_killed(self) -> None:
        pass

    async def query(self, table: str, statement: str) -> Rows:
        # Whoever opens what a killed load leaves rolls it back, and that is left to aetl: so a copy is looked at.
        copy = self._folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._folder, copy)
        with closing(sqlite3.connect(copy / "chat.db")) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", [table]).fetchall():
                return []
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            return connection.execute(statement).fetchall()


class PostgreSQL:
    dialect = "postgresql"

    def __init__(self, connection: Any, schema: str, url: str) -> None:
        self._connection = connection
        self._schema = schema
        self.url = url

    async def wait_for_end_of_killed(self) -> None:
        sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'aetl%'"
        async with asyncio.timeout(30):
            while await self._connection.fetchval(sessions):  # noqa: ASYNC110 - the server tells nobody of it
                await asyncio.sleep(0.01)

    async def query(self, table: str, statement: str) -> Rows:
        if await self._connection.fetchval("SELECT to_regclass($1)", f"{self._schema}.{quoted(table)}") is None:
            return []
        return [tuple(row) for row in await self._connection.fetch(statement)]


@asynccontextmanager
async def both(folder: Path, server: PostgreSQLServer) -> AsyncIterator[list[Database]]:
    """An empty SQLite file, and an empty schema."""
    import asyncpg

    schema = f"model_{uuid.uuid4().hex}"
    url = server.url(search_path=schema)
    connection: Any = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE SCHEMA {schema}")
        yield [SQLite(folder / "sqlite"), PostgreSQL(connection, schema, url)]
    finally:
        await connection.execute(f"DROP SCHEMA {schema} CASCADE")
        await connection.close()
