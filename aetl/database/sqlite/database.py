"""A SQLite file as the database, through aiosqlite."""

from __future__ import annotations

import errno
import json
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
from aetl.database import Changes, Purpose
from aetl.database.ledger import named_in_ledger, report
from aetl.database.sqlite.check import examine
from aetl.database.sqlite.dump import fetch_encoded, fetch_rows
from aetl.database.sqlite.errors import sqlite_errors
from aetl.database.sqlite.file import (
    LEDGER_VERSION,
    OURS,
    SIMULATION,
    Version,
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
    version_of,
)
from aetl.database.sqlite.first_load import FirstLoad
from aetl.database.sqlite.load import SQLiteLoad
from aetl.database.sqlite.statements import MORE, Statements, TableStatements, creating, read_table
from aetl.database.sqlite.transaction import transaction
from aetl.database.statements import read_statements
from aetl.errors import (
    ConfigurationError,
    DatabaseError,
    DatabaseFull,
    DatabaseInaccessible,
    DatabaseLocked,
    DatabaseNotFound,
    LoadRunning,
)
from aetl.models import Export, Finding, LoadReport, Reject, Row

PAGE_SIZE = 8 * 1024
_CACHE = 12 * 2**10
"""KiB. A load of what is known, and one of little that is new, take as long with twice as much."""


def open_database(
    url: str, purpose: Purpose, tables: Mapping[str, Table], sql: Path | None, contract: str | None, changes: Changes
) -> SQLite:
    """The SQLite file at a path or `sqlite:///` URL; `async with` opens and closes it."""
    columns = {name: table.names for name, table in tables.items()}
    path = path_of(url, "sqlite")
    if path in (Path(), Path(":memory:")):
        raise ConfigurationError("the database must be a file", hint="Name one with --database, such as local.db.")
    return SQLite(path, purpose, columns, read_statements("sqlite", columns, sql, read_table, MORE))


class SQLite:
    """One connection to a SQLite file, held for one command."""

    def __init__(
        self, path: Path, purpose: Purpose, columns: Mapping[str, Sequence[str]], statements: Statements
    ) -> None:
        self._path = path
        self._purpose = purpose
        self._columns = columns
        self._statements = statements
        self._connection: aiosqlite.Connection | None = None
        self._lock = FileLock(f"{path.resolve()}.lock", timeout=0)
        self._is_new = False
        self._is_made_here = False
        self._read: Version | None = None
        self.is_simulation = purpose == "simulate"

    async def __aenter__(self) -> Self:
        with sqlite_errors(self._path):
            try:
                if self._purpose in ("load", "simulate"):
                    self._acquire_lock()
                if self._purpose == "simulate":
                    await remove_simulation(self._path, self._statements)
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
        if self._is_new:
            return list(exports)
        names = json.dumps([[export.name, export.etag] for export in exports])
        with sqlite_errors(self._path):
            places = await self._db.execute_fetchall(self._statements.ledger["pending"], {"exports": names})
        return [exports[place] for (place,) in sorted(places)]

    @asynccontextmanager
    async def load(self, export: Export) -> AsyncIterator[SQLiteLoad | FirstLoad]:
        if self._is_new:
            # What this transaction creates has no reader and no old page to keep: the rollback journal writes each
            # page once where the write-ahead log would write it twice. A kill leaves an empty file either way.
            with sqlite_errors(self._path):
                await self._db.execute(f"PRAGMA page_size = {PAGE_SIZE}")
                await set_cache(self._db, _CACHE)  # once more: SQLite counts its cache in pages of the size before
        async with transaction(self._db, self._path):
            with sqlite_errors(self._path):
                load = await (self._begin_first(export) if self._is_new else self._begin(export))
            with closing(load):
                yield load
            assert load.is_finished, "a load must be finished, or left by an error"
        self._is_new = False
        await self._turn_to_wal()

    async def _begin(self, export: Export) -> SQLiteLoad:
        await self._migrate()
        load = await self._enter(export)
        await load.begin()
        return load

    async def _begin_first(self, export: Export) -> FirstLoad:
        await self._migrate(with_tables=False)
        load = FirstLoad(self._db, self._path, self._statements, await self._enter(export), _CACHE)
        await load.begin()
        return load

    async def _enter(self, export: Export) -> SQLiteLoad:
        named = named_in_ledger(export)
        ((is_older,),) = await self._db.execute_fetchall(self._statements.ledger["is_older"], named)
        await self._db.execute(self._statements.ledger["forget_failures"], named)
        load_id = (await self._db.execute(self._statements.ledger["begin"], named)).lastrowid
        assert load_id is not None
        return SQLiteLoad(self._db, self._path, self._statements, self._columns, load_id, is_older=bool(is_older))

    async def record_failure(self, export: Export, report: LoadReport, rejects: Sequence[Reject]) -> int:
        async with transaction(self._db, self._path):
            with sqlite_errors(self._path):
                load = await self._begin(export)
            await load.keep_rejects(rejects)
            await load.finish(report)
        self._is_new = False
        await self._turn_to_wal()
        return load.load_id

    async def dump(self, *, by_key: bool = False) -> AsyncGenerator[tuple[str, list[Row]], None]:
        async with self._reading():
            for table in self._in_order():
                statement = table.in_key_order(await key_collation(self._db)) if by_key else table.select
                async with aclosing(fetch_rows(self._db, self._path, self._statements, table, statement)) as fetched:
                    async for rows in fetched:
                        yield table.name, rows

    async def dump_json(self, encode: Callable[[str, list[Row]], bytes]) -> AsyncGenerator[tuple[str, bytes], None]:
        async with self._reading():
            for table in self._in_order():
                if table.encoded is None:
                    records = fetch_rows(self._db, self._path, self._statements, table, table.select)
                    async with aclosing(records) as fetched:
                        async for rows in fetched:
                            yield table.name, encode(table.name, rows)
                else:
                    async with aclosing(fetch_encoded(self._db, self._path, self._statements, table)) as texts:
                        async for some in texts:
                            yield table.name, some

    def _in_order(self) -> list[TableStatements]:
        """The tables in the contract's order, which is that of an export."""
        return [self._statements.tables[name] for name in self._columns]

    async def truncate(self) -> None:
        async with transaction(self._db, self._path):
            with sqlite_errors(self._path):
                for table in reversed(list(self._statements.tables.values())):
                    await self._db.execute(table.truncate)
                await self._db.execute(self._statements.ledger["truncate"])

    async def history(self, most: int) -> list[LoadReport]:
        if self._is_new:
            return []
        async with self._reading():
            rows = await self._db.execute_fetchall(self._statements.ledger["history"], {"most": most})
        return [report(row) for row in rows]

    async def failures(self, most: int) -> list[LoadReport]:
        if self._is_new:
            return []
        async with self._reading():
            rows = await self._db.execute_fetchall(self._statements.ledger["failures"], {"most": most})
        return [report(row) for row in rows]

    async def last_success(self) -> datetime | None:
        if self._is_new:
            return None
        async with self._reading():
            ((finished_at,),) = await self._db.execute_fetchall(self._statements.ledger["last_success"])
        return datetime.fromisoformat(finished_at) if finished_at else None

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
        except DatabaseError:
            self._check_still_at_rest()
            raise
        self._check_still_at_rest()

    def _check_still_at_rest(self) -> None:
        if self._read is not None and self._read != version_of(self._path):
            raise DatabaseLocked(f"the database {self._path} was written while it was read", hint="Run again.")

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
                    holds_something = await check_owner(connection, self._path)
                    self.is_simulation = holds_something and await is_simulation(connection)
            except DatabaseLocked:
                if self._purpose in ("load", "simulate") or not self._is_loading():
                    raise
                # Only the load that makes a database locks readers out, and there is nothing to read yet.
                raise DatabaseNotFound(f"the database {self._path} is being made by its first load") from None
        self._is_new = not holds_something
        if self._purpose in ("load", "simulate"):
            self._connection = await connect(self._path, "mode=rwc")
            await self._turn_to_wal()
            await set_cache(self._db, _CACHE)
            await self._db.execute("PRAGMA synchronous = NORMAL")
            await self._db.execute("PRAGMA foreign_keys = ON")
        elif holds_something:
            self._connection, self._read = await open_to_read(self._path)
        elif self._purpose == "read":
            raise DatabaseNotFound(f"the database {self._path} does not exist yet, or holds nothing")

    def _is_loading(self) -> bool:
        if not Path(self._lock.lock_file).exists():
            return False
        try:
            with self._lock.acquire():
                return False
        except (Timeout, OSError):  # a file that is another account's is there while it loads
            return True

    async def _migrate(self, *, with_tables: bool = True) -> None:
        """Creates what is missing, inside a transaction."""
        owner = SIMULATION if self.is_simulation else OURS
        if await pragma(self._db, "application_id") != owner:
            await self._db.execute(f"PRAGMA application_id = {owner}")
            await self._db.execute(f"PRAGMA user_version = {LEDGER_VERSION}")
        for statement in creating(self._statements) if with_tables else self._statements.ledger_create:
            await self._db.execute(statement)

    async def _turn_to_wal(self) -> None:
        if self._is_new:
            return
        # A reader of the new file may hold this up; then the next run tries again. Whatever goes wrong here, what was
        # loaded before is in.
        with suppress(Exception):
            if await pragma(self._db, "journal_mode") != "wal":
                await self._db.execute("PRAGMA journal_mode = WAL")
