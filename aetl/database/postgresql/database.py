"""A schema on a PostgreSQL server as the database, through asyncpg."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self, cast

import asyncpg

from aetl.config import Changes
from aetl.contract.tables import Table
from aetl.database import BeginAgain, Purpose
from aetl.database.changes import check_made, compare
from aetl.database.ledger import Ledger, NoLedger
from aetl.database.postgresql.check import examine
from aetl.database.postgresql.dump import fetch_records
from aetl.database.postgresql.errors import ERRORS, postgresql_errors
from aetl.database.postgresql.load import PostgreSQLLoad
from aetl.database.postgresql.pool import is_pooled, refuse_shared_session
from aetl.database.postgresql.schema import apply, find_tables, lacking_references
from aetl.database.postgresql.search_path import (
    SIMULATION,
    check_encoding,
    find_schema,
    ledger_version,
    make_simulation,
)
from aetl.database.postgresql.session import Connection, LedgerSession, close, connect, fetch, name_of, set_up
from aetl.database.postgresql.triggers import guards, refuse_on_ledger
from aetl.errors import DatabaseNotFound, LoadRunning
from aetl.models import Export, Finding, LoadReport, Reject, Row
from aetl.sql import Statements, read_dialect


def open_database(
    url: str, purpose: Purpose, tables: Mapping[str, Table], sql: Path | None, contract: str | None, changes: Changes
) -> PostgreSQL:
    """The schema that a `postgresql://` URL names, by its search_path; `async with` opens and closes the session."""
    statements = Statements(read_dialect("postgresql", tables, sql), tables)
    return PostgreSQL(url, purpose, tables, statements, contract, changes)


class PostgreSQL:
    """One session on a server, held for one command."""

    def __init__(
        self,
        url: str,
        purpose: Purpose,
        tables: Mapping[str, Table],
        statements: Statements,
        contract: str | None,
        changes: Changes,
    ) -> None:
        self._url = url
        self._name = name_of(url)
        self._purpose = purpose
        self._tables = tables
        self._statements = statements
        self._contract = contract
        self._changes = changes
        self._connection: Connection | None = None
        self._schema = ""
        self._version = 0
        self._begun_again: str | None = None
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
        self._statements = self._statements.in_schema(self._schema)
        # For the names without a schema in a SQL file of one's own: they mean the same one.
        await self._db.execute(self._statements.ledger["enter"])
        self._version = await ledger_version(self._db, self._name, self._schema, self._statements)
        self.is_simulation = self._schema == SIMULATION
        if not self._version and self._purpose == "read":
            raise DatabaseNotFound(f"the database {self._name} holds nothing yet")

    async def _lock(self) -> None:
        """Takes the lock of the schema; the server frees it when the session ends."""
        ((is_ours,),) = await fetch(self._db, self._statements.ledger["lock"], {"schema": self._schema})
        if not is_ours:
            raise LoadRunning(f"another load into the database {self._name} is running")

    @property
    def _ledger(self) -> Ledger | NoLedger:
        return self._ledger_there if self._version else NoLedger()

    @property
    def _ledger_there(self) -> Ledger:
        return Ledger(LedgerSession(self._db, self._name), self._statements)

    async def pending(self, exports: Sequence[Export]) -> list[Export]:
        return await self._ledger.pending(exports)

    @asynccontextmanager
    async def load(self, export: Export) -> AsyncIterator[PostgreSQLLoad]:
        async with self._transaction():
            with postgresql_errors(self._name):
                load = await self._begin(export)
                await load.begin()
            try:
                yield load
            except BeginAgain:
                self._begun_again = export.name
                raise
            finally:
                await load.end()
            assert load.is_finished, "a load must be finished, or left by an error"
        self._version = self._statements.version

    async def _begin(self, export: Export) -> PostgreSQLLoad:
        """Makes what is missing, and the export's row in the ledger."""
        found = await find_tables(self._db, self._schema, self._statements)
        differences = compare(self._statements, found)
        differences.refuse(self._statements, may_change=not found or self._changes == "apply")
        ledger = await self._today()
        is_first = not found
        if differences.changes:
            await apply(self._db, self._statements, differences)
            found = await find_tables(self._db, self._schema, self._statements)
            check_made(self._statements, found, [each.table for each in differences.changes])
        others = await guards(self._db, self._schema, self._statements)
        refuse_on_ledger(others, self._name)
        load_id, is_older = await ledger.begin(export, self._contract)
        return PostgreSQLLoad(
            self._db,
            self._name,
            self._schema,
            self._statements,
            ledger,
            load_id,
            found,
            changes=() if is_first else [each.done for each in differences.changes],
            made={each.table for each in differences.changes if each.is_table},
            lacking=lacking_references(self._statements, differences.changes, found),
            guards=others,
            is_older=is_older,
            is_straight=export.name != self._begun_again,
        )

    async def _today(self) -> Ledger:
        """The ledger, made or brought to today's version within the transaction of a load."""
        ledger = self._ledger_there
        if not self._version:
            await ledger.create()
        else:
            await ledger.migrate(self._version)
        if self._version != self._statements.version:
            await self._db.execute(self._statements.ledger["mark"])
        return ledger

    async def record_failure(self, export: Export, report: LoadReport, rejects: Sequence[Reject]) -> int:
        async with self._transaction():
            with postgresql_errors(self._name):
                ledger = await self._today()
                refuse_on_ledger(await guards(self._db, self._schema, self._statements), self._name)
                load_id, _ = await ledger.begin(export, self._contract)
                await ledger.keep_rejects(load_id, rejects)
                await ledger.finish(load_id, report)
        self._version = self._statements.version
        return load_id

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
        async with self._transaction(isolation="repeatable_read", readonly=True):
            with postgresql_errors(self._name):
                found = await find_tables(self._db, self._schema, self._statements)
            for name, table in self._tables.items():
                if name not in found:  # the next load makes it
                    yield name, []
                    continue
                fetched = fetch_records(self._db, self._name, self._statements, table, by_key=by_key)
                async with aclosing(fetched) as some:
                    async for records in some:
                        yield name, records

    async def truncate(self) -> None:
        async with self._transaction():
            with postgresql_errors(self._name):
                found = await find_tables(self._db, self._schema, self._statements)
                for name in found:
                    await self._db.execute(self._statements.of(name, "truncate"))
                await self._ledger_there.truncate()

    async def history(self, most: int) -> list[LoadReport]:
        return await self._ledger.history(most)

    async def failures(self, most: int) -> list[LoadReport]:
        return await self._ledger.failures(most)

    async def last_success(self) -> datetime | None:
        return await self._ledger.last_success()

    async def examine(self) -> list[Finding]:
        found = examine(self._db, self._name, self._schema, self._statements, self._changes, version=self._version)
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
