"""A SQLite file as the database, through aiosqlite."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Self

import aiosqlite
from filelock import FileLock, Timeout

from aetl.addresses import path_of
from aetl.contract.tables import Table
from aetl.database import BeginAgain, Changes, Purpose
from aetl.database.ledger import Ledger, NoLedger
from aetl.database.sqlite.bare import try_out
from aetl.database.sqlite.check import examine
from aetl.database.sqlite.dump import fetch_objects, fetch_rows
from aetl.database.sqlite.errors import sqlite_errors
from aetl.database.sqlite.exact import look_at, may_be_objects
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
from aetl.database.sqlite.schema import make_tables
from aetl.database.sqlite.session import Session
from aetl.database.sqlite.transaction import transaction
from aetl.errors import (
    ConfigurationError,
    DatabaseFull,
    DatabaseInaccessible,
    DatabaseLocked,
    DatabaseNotFound,
    LoadRunning,
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
    return SQLite(path, purpose, Statements(read_dialect("sqlite", tables, sql), tables), list(tables), contract)


class SQLite:
    """One connection to a SQLite file, held for one command.

    `order` are the tables as they stand in an export, and `contract` is the hash of what they come of.
    """

    def __init__(
        self, path: Path, purpose: Purpose, statements: Statements, order: Sequence[str], contract: str | None
    ) -> None:
        self._path = path
        self._purpose = purpose
        self._statements = statements
        self._order = order
        self._contract = contract
        self._connection: aiosqlite.Connection | None = None
        self._lock = FileLock(f"{path.resolve()}.lock", timeout=0)
        self._is_made_here = False
        self._is_to_begin_again = False
        self._ledger: Ledger | NoLedger = NoLedger()
        self._session: Session | None = None
        self.is_simulation = purpose == "simulate"

    async def __aenter__(self) -> Self:
        with sqlite_errors(self._path):
            try:
                if self._purpose in ("load", "simulate"):
                    self._acquire_lock()
                if self._purpose == "simulate":
                    await remove_simulation(self._path, (*LEDGER, *self._statements.tables))
                self._is_made_here = self._lock.is_locked and not self._path.exists()
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
            if self._lock.is_locked:
                if self._is_made_here:
                    self._remove_empty()
                # Removed while it is held: who waits for the removed file notices, and takes a new one.
                with suppress(OSError):
                    Path(self._lock.lock_file).unlink()
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
        is_first = isinstance(self._ledger, NoLedger) and not self._is_to_begin_again
        keyed = await try_out(self._statements) if is_first else {}
        load_id, is_older = await ledger.begin(export, self._contract)
        load: SQLiteLoad | FirstLoad
        if keyed:
            load = FirstLoad(self._db, self._path, self._statements, ledger, keyed, load_id)
        else:
            load = SQLiteLoad(self._db, self._path, self._statements, ledger, load_id, is_older=is_older)
        await load.begin()
        return load

    async def record_failure(self, export: Export, report: LoadReport, rejects: Sequence[Reject]) -> int:
        async with self._changing() as ledger:
            with sqlite_errors(self._path):
                await make_tables(self._db, self._statements)
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
        async with transaction(self._db, self._path):
            with sqlite_errors(self._path):
                await self._bring_up(ledger, is_new=is_new)
            yield ledger
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
            for name in self._order:
                statement = select = self._statements.of(name, "select")
                if by_key:
                    collation = await key_collation(self._db)
                    statement = self._statements.with_names(name, "by_key", select=select, collation=collation)
                rows_of = fetch_rows(self._db, self._path, self._statements, name, statement)
                async with aclosing(rows_of) as fetched:
                    async for rows in fetched:
                        yield name, rows

    async def dump_json(self, encode: Callable[[str, list[Row]], bytes]) -> AsyncGenerator[tuple[str, bytes], None]:
        async with self._reading():
            for name in self._order:
                if may_be_objects(await look_at(self._db, self._statements.tables[name])):
                    objects = fetch_objects(self._db, self._path, self._statements.of(name, "objects"))
                    async with aclosing(objects) as texts:
                        async for some in texts:
                            yield name, some
                else:
                    select = self._statements.of(name, "select")
                    records = fetch_rows(self._db, self._path, self._statements, name, select)
                    async with aclosing(records) as fetched:
                        async for rows in fetched:
                            yield name, encode(name, rows)

    async def truncate(self) -> None:
        async with self._changing() as ledger:
            with sqlite_errors(self._path):
                for name in reversed(self._statements.tables):
                    await self._db.execute(self._statements.of(name, "truncate"))
            await ledger.truncate()

    async def history(self, most: int) -> list[LoadReport]:
        return await self._ledger.history(most)

    async def failures(self, most: int) -> list[LoadReport]:
        return await self._ledger.failures(most)

    async def last_success(self) -> datetime | None:
        return await self._ledger.last_success()

    async def examine(self) -> list[Finding]:
        return [finding async for finding in examine(self._path, self._connection, self._statements)]

    @property
    def _db(self) -> aiosqlite.Connection:
        assert self._connection is not None, "used outside of async with"
        return self._connection

    def _remove_empty(self) -> None:
        """Removes the file that this command made where nothing came into it."""
        path = self._path.resolve()
        with suppress(OSError):
            if not path.stat().st_size:
                path.unlink()

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

    def _acquire_lock(self) -> None:
        # The lock would create the folder: a mistyped path must not begin a new database.
        if not (folder := self._path.resolve().parent).is_dir():
            raise DatabaseInaccessible(f"the folder {folder} of the database does not exist")
        if self._path.is_dir():
            raise DatabaseInaccessible(f"the database {self._path} is a folder")
        # SQLite would leave a file beside one that it may only read.
        if self._path.exists() and not os.access(self._path, os.W_OK):
            raise DatabaseInaccessible(f"the database {self._path} may not be written")
        lock = Path(self._lock.lock_file)
        try:
            if lock.is_dir():  # Windows would call it locked
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self._lock.acquire()
        except Timeout as error:
            raise LoadRunning(f"another load into {self._path} is running") from error
        except OSError as error:
            what = f"the database {self._path} cannot be locked: {lock} cannot be written: {error.strerror or error}"
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DatabaseFull(what) from error
            raise DatabaseInaccessible(
                what, hint="A load needs this file of its own: give this account the right to write it, and its folder."
            ) from error

    async def _open(self) -> None:
        holds_something = False
        if self._path.exists():
            try:
                async with look(self._path) as connection:
                    holds_something = await check_owner(connection, self._path, self._statements.version)
                    self.is_simulation = holds_something and await is_simulation(connection)
            except DatabaseLocked:
                if self._purpose in ("load", "simulate") or not self._is_loading():
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
            self._ledger = Ledger(self._session, self._statements)
            await self._turn_to_wal()

    def _is_loading(self) -> bool:
        if not Path(self._lock.lock_file).exists():
            return False
        try:
            with self._lock.acquire():
                return False
        except (Timeout, OSError):  # a file that is another account's is there while it loads
            return True

    async def _turn_to_wal(self) -> None:
        if self._purpose not in ("load", "simulate"):
            return
        # A reader of the new file may hold this up; then the next run tries again. Whatever goes wrong here, what was
        # loaded before is in.
        with suppress(Exception):
            if await pragma(self._db, "journal_mode") != "wal":
                await self._db.execute("PRAGMA journal_mode = WAL")
