"""A SQLite file as the database, through aiosqlite."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Self

import aiosqlite

from aetl.addresses import path_of
from aetl.config import Changes
from aetl.contract.tables import Table
from aetl.database import BeginAgain, Purpose
from aetl.database.changes import compare
from aetl.database.ledger import Ledger, NoLedger
from aetl.database.sqlite.bare import try_out
from aetl.database.sqlite.check import check_own, examine
from aetl.database.sqlite.dump import fetch_objects, fetch_table
from aetl.database.sqlite.errors import sqlite_errors
from aetl.database.sqlite.exact import may_be_objects
from aetl.database.sqlite.file import (
    OURS,
    SIMULATION,
    check_owner,
    close,
    connect,
    is_simulation,
    key_collation,
    look,
    open_to_read,
    pragma,
    remove_simulation,
    set_cache,
)
from aetl.database.sqlite.first_load import FirstLoad
from aetl.database.sqlite.load import SQLiteLoad
from aetl.database.sqlite.lock import Lock
from aetl.database.sqlite.schema import apply, find_tables
from aetl.database.sqlite.session import Session
from aetl.database.sqlite.transaction import transaction
from aetl.errors import (
    ConfigurationError,
    DatabaseLocked,
    DatabaseNotFound,
)
from aetl.models import Export, Finding, LoadReport, Reject, Row
from aetl.sql import LEDGER, Statements, read_dialect

PAGE_SIZE = 8 * 1024
_CACHE = 12 * 2**10
"""KiB. A load of what is known, and one of little that is new, take as long with twice as much."""


def open_database(
    url: str, purpose: Purpose, tables: Mapping[str, Table], sql: Path | None, contract: str | None, changes: Changes
) -> SQLite:
    """The SQLite file at a path or `sqlite:///` URL; `async with` opens and closes it."""
    path = path_of(url, "sqlite")
    if path in (Path(), Path(":memory:")):
        raise ConfigurationError("the database must be a file", hint="Name one with --database, such as local.db.")
    statements = Statements(read_dialect("sqlite", tables, sql), tables)
    return SQLite(path, purpose, statements, list(tables), contract, changes)


class SQLite:
    """One connection to a SQLite file, held for one command.

    `order` are the tables as they stand in an export, and `contract` is the hash of what they come of.
    """

    def __init__(
        self,
        path: Path,
        purpose: Purpose,
        statements: Statements,
        order: Sequence[str],
        contract: str | None,
        changes: Changes,
    ) -> None:
        self._path = path
        self._purpose = purpose
        self._statements = statements
        self._order = order
        self._contract = contract
        self._changes = changes
        self._connection: aiosqlite.Connection | None = None
        self._lock = Lock(path)
        self._is_to_begin_again = False
        self._ledger: Ledger | NoLedger = NoLedger()
        self._session: Session | None = None
        self.is_simulation = purpose == "simulate"

    async def __aenter__(self) -> Self:
        with sqlite_errors(self._path):
            try:
                if self._purpose in ("load", "simulate"):
                    self._lock.acquire()
                if self._purpose == "simulate":
                    await remove_simulation(self._path, (*LEDGER, *self._statements.tables))
                    self._lock.look()
                await self._open()
            except BaseException:
                await self.__aexit__()
                raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                with suppress(sqlite3.Error):
                    await close(connection)
        finally:
            self._lock.release()

    async def pending(self, exports: Sequence[Export]) -> list[Export]:
        return await self._ledger.pending(exports)

    @asynccontextmanager
    async def load(self, export: Export) -> AsyncIterator[SQLiteLoad | FirstLoad]:
        async with self._changing() as ledger:
            with sqlite_errors(self._path):
                load = await self._begin(ledger, export)
            try:
                with closing(load):
                    yield load
            except BeginAgain:
                self._is_to_begin_again = True
                raise
            assert load.is_finished, "a load must be finished, or left by an error"
        self._is_to_begin_again = False

    async def _begin(self, ledger: Ledger, export: Export) -> SQLiteLoad | FirstLoad:
        found = await find_tables(self._db, self._statements)
        is_new = isinstance(self._ledger, NoLedger) and not found
        differences = compare(self._statements, found)
        differences.refuse(self._statements, may_change=is_new or self._changes == "apply")
        await check_own(self._statements)
        keyed = await try_out(self._statements) if is_new and not self._is_to_begin_again else {}
        load_id, is_older = await ledger.begin(export, self._contract)
        if keyed:
            first = FirstLoad(self._db, self._path, self._statements, ledger, keyed, load_id)
            await first.begin()
            return first
        changes = await apply(self._db, self._statements, differences)
        if changes:
            found = await find_tables(self._db, self._statements)
        return SQLiteLoad(
            self._db,
            self._path,
            self._statements,
            ledger,
            found,
            load_id,
            is_older=is_older,
            changes=() if is_new else changes,
        )

    async def record_failure(self, export: Export, report: LoadReport, rejects: Sequence[Reject]) -> int:
        async with self._changing() as ledger:
            with sqlite_errors(self._path):
                if isinstance(self._ledger, NoLedger) and not await find_tables(self._db, self._statements):
                    await apply(self._db, self._statements, compare(self._statements, {}))
            load_id, _ = await ledger.begin(export, self._contract)
            await ledger.keep_rejects(load_id, rejects)
            await ledger.finish(load_id, report)
        return load_id

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[Ledger]:
        """A transaction over tables and the ledger, which is made, or made one of today's version."""
        is_new = isinstance(self._ledger, NoLedger)
        if is_new:
            # What this transaction creates has no reader and no old page to keep: the rollback journal writes each
            # page once where the write-ahead log would write it twice. A kill leaves an empty file either way.
            with sqlite_errors(self._path):
                await self._db.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        with sqlite_errors(self._path):
            await set_cache(self._db, _CACHE)  # SQLite counts its cache in pages of the size before
        ledger = Ledger(Session(self._db, self._path), self._statements)
        try:
            async with transaction(self._db, self._path):
                with sqlite_errors(self._path):
                    await self._bring_up(ledger, is_new=is_new)
                yield ledger
        except Exception:
            with suppress(Exception):  # what breaks right behind the commit leaves a ledger all the same
                self._ledger = ledger if await pragma(self._db, "user_version") else self._ledger
            raise
        self._ledger = ledger
        await self._turn_to_wal()

    async def _bring_up(self, ledger: Ledger, *, is_new: bool) -> None:
        if is_new:
            await self._db.execute(f"PRAGMA application_id = {SIMULATION if self.is_simulation else OURS}")
            await ledger.create()
        elif (version := await pragma(self._db, "user_version")) < self._statements.version:
            await ledger.migrate(version)
        else:
            return
        await self._db.execute(f"PRAGMA user_version = {self._statements.version}")

    async def dump(self, *, by_key: bool = False) -> AsyncGenerator[tuple[str, list[Row]], None]:
        async with self._reading():
            found = await find_tables(self._db, self._statements)
            collation = await key_collation(self._db) if by_key else None
            for name in self._order:
                table = fetch_table(self._db, self._path, self._statements, name, found, collation)
                async with aclosing(table) as fetched:
                    async for rows in fetched:
                        yield name, rows

    async def dump_json(self, encode: Callable[[str, list[Row]], bytes]) -> AsyncGenerator[tuple[str, bytes], None]:
        async with self._reading():
            found = await find_tables(self._db, self._statements)
            for name in self._order:
                if name in found and may_be_objects(self._statements, name, found[name]):
                    objects = fetch_objects(self._db, self._path, self._statements.of(name, "objects"))
                    async with aclosing(objects) as texts:
                        async for some in texts:
                            yield name, some
                else:
                    table = fetch_table(self._db, self._path, self._statements, name, found)
                    async with aclosing(table) as fetched:
                        async for rows in fetched:
                            yield name, encode(name, rows)

    async def truncate(self) -> None:
        async with self._changing() as ledger:
            with sqlite_errors(self._path):
                found = await find_tables(self._db, self._statements)
                for name in (name for name in reversed(self._statements.tables) if name in found):
                    await self._db.execute(self._statements.of(name, "truncate"))
            await ledger.truncate()

    async def history(self, most: int) -> list[LoadReport]:
        return await self._ledger.history(most)

    async def failures(self, most: int) -> list[LoadReport]:
        return await self._ledger.failures(most)

    async def last_success(self) -> datetime | None:
        return await self._ledger.last_success()

    async def examine(self) -> list[Finding]:
        return [finding async for finding in examine(self._path, self._connection, self._statements, self._changes)]

    @property
    def _db(self) -> aiosqlite.Connection:
        assert self._connection is not None, "used outside of async with"
        return self._connection

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[None]:
        """Reads as of one moment; raises DatabaseLocked where a file that seemed at rest was written meanwhile."""
        try:
            async with transaction(self._db, self._path, "BEGIN"):
                with sqlite_errors(self._path):
                    yield
        finally:
            if self._session is not None:
                self._session.check_still_at_rest()

    async def _open(self) -> None:
        holds_something = False
        if self._path.exists():
            try:
                async with look(self._path) as connection:
                    holds_something = await check_owner(connection, self._path, self._statements.version)
                    self.is_simulation = holds_something and await is_simulation(connection)
            except DatabaseLocked:
                if self._purpose in ("load", "simulate") or not self._lock.is_held_elsewhere():
                    raise
                # Only the load that makes a database locks readers out, and there is nothing to read yet.
                raise DatabaseNotFound(f"the database {self._path} is being made by its first load") from None
        if self._purpose in ("load", "simulate"):
            self._connection = await connect(self._path, "mode=rwc")
            await set_cache(self._db, _CACHE)
            await self._db.execute("PRAGMA synchronous = NORMAL")
            await self._db.execute("PRAGMA foreign_keys = ON")
            self._session = Session(self._db, self._path)
        elif holds_something:
            self._connection, version = await open_to_read(self._path)
            self._session = Session(self._db, self._path, version)
        elif self._purpose == "read":
            raise DatabaseNotFound(f"the database {self._path} does not exist yet, or holds nothing")
        if holds_something and self._session is not None:
            if await pragma(self._db, "user_version"):
                self._ledger = Ledger(self._session, self._statements)
            await self._turn_to_wal()

    async def _turn_to_wal(self) -> None:
        if self._purpose not in ("load", "simulate"):
            return
        # A reader of the new file may hold this up; then the next run tries again. Whatever goes wrong here, what was
        # loaded before is in.
        with suppress(Exception):
            if await pragma(self._db, "journal_mode") != "wal":
                await self._db.execute("PRAGMA journal_mode = WAL")
