"""A schema on a PostgreSQL server as the database, through asyncpg."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self, cast

import asyncpg

from aetl.contract.tables import Table
from aetl.database import Changes, Purpose
from aetl.database.ledger import named_in_ledger, report
from aetl.database.postgresql.check import examine
from aetl.database.postgresql.errors import ERRORS, postgresql_errors
from aetl.database.postgresql.load import PostgreSQLLoad
from aetl.database.postgresql.pool import is_pooled, refuse_shared_session
from aetl.database.postgresql.schema import (
    SIMULATION,
    check_encoding,
    find_schema,
    ledger_is_there,
    make_simulation,
    tables_there,
)
from aetl.database.postgresql.session import Connection, close, connect, fetch, name_of, set_up
from aetl.database.postgresql.statements import Statements, read_table
from aetl.database.postgresql.triggers import guards, refuse_on_ledger
from aetl.database.statements import check_columns, in_key_order, in_schema, read_statements
from aetl.errors import DatabaseNotFound, LoadRunning
from aetl.models import Export, Finding, LoadReport, Reject, Row

_ROWS_AT_ONCE = 2_000
_TEXTS = ("text", "varchar", "bpchar")
"""The types that are compared by a collation."""
_MORE_STATEMENTS = (
    "session", "schemas", "enter", "lock", "there", "describe", "lacking",
    "repeated", "versions", "first", "known", "guards", "lost", "altered",
    "own_references", "referring", "take_out",
    "simulation_relations", "simulation_drop", "simulation_create",
)  # fmt: skip


def open_database(
    url: str, purpose: Purpose, tables: Mapping[str, Table], sql: Path | None, contract: str | None, changes: Changes
) -> PostgreSQL:
    """The schema that a `postgresql://` URL names, by its search_path; `async with` opens and closes the session."""
    columns = {name: table.names for name, table in tables.items()}
    return PostgreSQL(url, purpose, columns, read_statements("postgresql", columns, sql, read_table, _MORE_STATEMENTS))


class PostgreSQL:
    """One session on a server, held for one command."""

    def __init__(
        self, url: str, purpose: Purpose, columns: Mapping[str, Sequence[str]], statements: Statements
    ) -> None:
        self._url = url
        self._name = name_of(url)
        self._purpose = purpose
        self._columns = columns
        self._statements = statements
        self._connection: Connection | None = None
        self._schema = ""
        self._is_new = False
        self.is_simulation = False

    async def __aenter__(self) -> Self:
        self._connection, path = await connect(self._url, self._name)
        try:
            with postgresql_errors(self._name):
                await self._open(path)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*ERRORS):
                await close(connection)

    async def _open(self, path: str | None) -> None:
        (session,) = await fetch(self._db, self._statements.ledger["session"])
        check_encoding(session, self._name)
        if is_pooled(self._db, session):
            await refuse_shared_session(self._db, self._url, self._name, self._statements)
        await set_up(self._db)
        if self._purpose == "simulate":
            self._schema = SIMULATION
        else:
            self._schema = await find_schema(self._db, self._name, session, path, self._statements)
        if self._purpose in ("load", "simulate"):
            await self._lock()
        if self._purpose == "simulate":
            await make_simulation(self._db, self._name, self._statements)
        self._statements = in_schema(self._statements, self._schema)
        # For the names without a schema in a SQL file of one's own: they mean the same one.
        await self._db.execute(self._statements.ledger["enter"])
        self._is_new = not await ledger_is_there(self._db, self._name, self._schema, self._statements)
        self.is_simulation = self._schema == SIMULATION
        if self._is_new and self._purpose == "read":
            raise DatabaseNotFound(f"the database {self._name} holds nothing yet")

    async def _lock(self) -> None:
        """Takes the lock of the schema; the server frees it when the session ends."""
        ((is_ours,),) = await fetch(self._db, self._statements.ledger["lock"], {"schema": self._schema})
        if not is_ours:
            raise LoadRunning(f"another load into the database {self._name} is running")

    async def pending(self, exports: Sequence[Export]) -> list[Export]:
        if self._is_new:
            return list(exports)
        names = json.dumps([[export.name, export.etag] for export in exports])
        with postgresql_errors(self._name):
            rows = await fetch(self._db, self._statements.ledger["pending"], {"exports": names})
        return [exports[row["place"]] for row in rows]

    @asynccontextmanager
    async def load(self, export: Export) -> AsyncIterator[PostgreSQLLoad]:
        async with self._transaction():
            with postgresql_errors(self._name):
                load = await self._begin(export)
                await load.begin()
            try:
                yield load
            finally:
                await load.end()
            assert load.is_finished, "a load must be finished, or left by an error"
        self._is_new = False

    async def record_failure(self, export: Export, report: LoadReport, rejects: Sequence[Reject]) -> int:
        async with self._transaction():
            with postgresql_errors(self._name):
                load = await self._begin(export, with_keys=True)
                await load.keep_rejects(rejects)
            await load.finish(report)
        self._is_new = False
        return load.load_id

    async def _begin(self, export: Export, *, with_keys: bool = False) -> PostgreSQLLoad:
        """Makes what is missing, and the export's row in the ledger."""
        if self._is_new:
            for statement in self._statements.ledger_create:
                await self._db.execute(statement)
        there = await tables_there(self._db, self._schema, self._statements)
        made = frozenset(self._statements.tables.keys() - there)
        for table in self._statements.tables.values():
            for statement in (table.create, *(table.keys if with_keys else ())) if table.name in made else ():
                await self._db.execute(statement)
        found = await guards(self._db, self._schema, self._statements)
        refuse_on_ledger(found, self._name)
        named = named_in_ledger(export)
        ledger = self._statements.ledger
        ((is_older,),) = await fetch(self._db, ledger["is_older"], named)
        await fetch(self._db, ledger["forget_failures"], named)
        ((load_id,),) = await fetch(self._db, ledger["begin"], named)
        return PostgreSQLLoad(
            self._db,
            self._name,
            self._schema,
            self._statements,
            self._columns,
            load_id,
            is_older=is_older,
            made=made,
            guards=found,
        )

    async def dump(self, *, by_key: bool = False) -> AsyncGenerator[tuple[str, list[Row]], None]:
        async with aclosing(self._records(by_key=by_key)) as fetched:
            async for name, records in fetched:
                yield name, [tuple(record) for record in records]

    async def dump_json(self, encode: Callable[[str, list[Row]], bytes]) -> AsyncGenerator[tuple[str, bytes], None]:
        # The server's own row_to_json takes three times as long as sending the values and encoding them here.
        async with aclosing(self._records()) as fetched:
            async for name, records in fetched:
                yield name, encode(name, cast("list[Row]", records))  # a Record is a sequence of values, too

    async def _records(self, *, by_key: bool = False) -> AsyncGenerator[tuple[str, list[asyncpg.Record]], None]:
        """Some thousand records at a time; the next ones are on their way meanwhile."""
        async with self._transaction(isolation="repeatable_read", readonly=True):
            for name, columns in self._columns.items():
                with postgresql_errors(self._name):
                    table = self._statements.tables[name]
                    statement = await self._db.prepare(table.select)
                    found = statement.get_attributes()
                    check_columns(self._statements, name, "select", [each.name for each in found], columns)
                    if by_key:
                        texts = [each.name for each in found if each.type.name in _TEXTS]
                        ordered = in_key_order(table.select, columns, table.key, '"C"', texts)
                        statement = await self._db.prepare(ordered)
                    cursor = await statement.cursor()
                    records = await cursor.fetch(_ROWS_AT_ONCE)
                    is_first = True
                    while records or is_first:
                        is_first = False
                        following = asyncio.ensure_future(cursor.fetch(_ROWS_AT_ONCE))
                        try:
                            await asyncio.sleep(0)  # so that it is asked for before these are worked on
                            yield name, records
                        finally:
                            records = await _ended(following)

    async def truncate(self) -> None:
        async with self._transaction():
            with postgresql_errors(self._name):
                for table in reversed(list(self._statements.tables.values())):
                    await self._db.execute(table.truncate)
                await self._db.execute(self._statements.ledger["truncate"])

    async def history(self, most: int) -> list[LoadReport]:
        if self._is_new:
            return []
        with postgresql_errors(self._name):
            rows = await fetch(self._db, self._statements.ledger["history"], {"most": most})
        return [report(row) for row in rows]

    async def failures(self, most: int) -> list[LoadReport]:
        if self._is_new:
            return []
        with postgresql_errors(self._name):
            rows = await fetch(self._db, self._statements.ledger["failures"], {"most": most})
        return [report(row) for row in rows]

    async def last_success(self) -> datetime | None:
        if self._is_new:
            return None
        with postgresql_errors(self._name):
            ((finished_at,),) = await fetch(self._db, self._statements.ledger["last_success"])
        return datetime.fromisoformat(finished_at) if finished_at else None

    async def examine(self) -> list[Finding]:
        found = examine(self._db, self._name, self._schema, self._statements, is_new=self._is_new)
        return [each async for each in found]

    @property
    def _db(self) -> Connection:
        assert self._connection is not None, "used outside of async with"
        return self._connection

    @asynccontextmanager
    async def _transaction(self, **options: Any) -> AsyncIterator[None]:
        transaction = self._db.transaction(**options)
        with postgresql_errors(self._name):
            await transaction.start()
        try:
            yield
            with postgresql_errors(self._name):
                await transaction.commit()
        except BaseException:
            with suppress(*ERRORS):  # where the connection broke, the server rolls back by itself
                await transaction.rollback()
            raise


async def _ended(task: asyncio.Future[list[asyncpg.Record]]) -> list[asyncpg.Record]:
    """What a task gives; nothing else may use the session before it has ended, also when this one is cancelled."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        with suppress(asyncio.CancelledError, *ERRORS):
            await task
        raise
