"""A SQLite file as such: opening it, telling whose it is, removing a simulation's."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import aiosqlite

from aetl.database.sqlite.errors import sqlite_errors
from aetl.errors import DatabaseDamaged, DatabaseInaccessible, DatabaseLocked, DatabaseNotOurs

# The application id in the file's header (https://www.sqlite.org/fileformat.html#application_id) says whose it is.
OURS = int.from_bytes(b"aetl")
SIMULATION = int.from_bytes(b"aets")

_SMALLEST = 512
"""Bytes of the smallest page."""
_NOT_WRITABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
_INSIDE_A_LOAD = (sqlite3.SQLITE_READONLY_ROLLBACK, sqlite3.SQLITE_READONLY_RECOVERY)

Version: TypeAlias = tuple[int, int, int]

# None stays None. Python's sqlite3 asks each one for an adapter first, and where there is none for how it would adapt
# itself, which makes an error with a text each time: that took longer than to write the value.
sqlite3.register_adapter(type(None), dict[None, None]().get)


async def connect(path: Path, parameters: str) -> aiosqlite.Connection:
    """A connection with URI parameters (https://www.sqlite.org/uri.html) that has looked into the file.

    Raises what sqlite3 raises. Its wait for a lock is short, so that it ends soon after an interrupt.
    """
    uri = f"{path.resolve().as_uri()}?{parameters}"
    connection = await _opened(aiosqlite.connect(uri, uri=True, isolation_level=None, timeout=0.5))
    try:
        await pragma(connection, "schema_version")
    except BaseException:
        await close(connection)
        raise
    return connection


async def _opened(connection: aiosqlite.Connection) -> aiosqlite.Connection:
    try:
        return await connection
    except BaseException:
        # It ends by itself, but outliving the event loop it would print a traceback. (aiosqlite 0.21 is the thread.)
        thread: Any = getattr(connection, "_thread", connection)
        thread.join()
        raise


async def close(connection: aiosqlite.Connection) -> None:
    """Closes it, also when the task is cancelled meanwhile: its thread must not outlive the event loop."""
    closing = asyncio.ensure_future(connection.close())
    try:
        await asyncio.shield(closing)
    finally:
        await closing


@asynccontextmanager
async def look(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    """A connection that leaves no trace: neither the file nor what lies beside it changes.

    Only a transaction that was killed is rolled back, since before that nobody can read.
    """
    if not path.is_file():  # of a pipe SQLite would wait for ever
        raise DatabaseInaccessible(f"the database {path} is not a file")
    refuse_other_names(path)
    if 0 < path.stat().st_size < _SMALLEST:  # SQLite takes it for an empty database, and would write over it
        raise DatabaseDamaged(f"the database {path} is not a SQLite database")
    with sqlite_errors(path):
        if is_at_rest(path):
            connection = await connect(path, "mode=ro&immutable=1")
        else:
            connection = await _connect_to_unfinished(path)
    try:
        yield connection
    finally:
        await close(connection)


async def _connect_to_unfinished(path: Path) -> aiosqlite.Connection:
    """A connection to a file with a log or a journal beside it; what nobody can read before is rolled back first."""
    try:
        try:
            return await connect(path, "mode=ro")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode not in _INSIDE_A_LOAD:
                raise
            await close(await connect(path, "mode=rw"))
            return await connect(path, "mode=ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in _NOT_WRITABLE:
            raise
        raise DatabaseInaccessible(
            f"the database {path} cannot be read by this account: the -wal or -journal file beside it has to be brought"
            " in first, by one that may write there",
            hint="Look with the account that loads, or copy all of these files to where this one may write.",
        ) from error


async def open_to_read(path: Path) -> tuple[aiosqlite.Connection, Version | None]:
    """A connection that changes nothing, but tidies up the -wal and -shm files at its end where it may.

    Where this account may write nothing, SQLite reads a file at rest as one that never changes. The version that it had
    is given, too, since then only who compares it afterwards knows whether that was so.
    """
    version = None
    if os.access(path, os.W_OK) and os.access(path.resolve().parent, os.W_OK):
        connection = await connect(path, "mode=rw")
    elif is_at_rest(path):
        version = version_of(path)
        connection = await connect(path, "mode=ro&immutable=1")
    else:
        connection = await _connect_to_unfinished(path)
    await connection.execute("PRAGMA query_only = ON")
    return connection, version


def is_at_rest(path: Path) -> bool:
    """Whether all of the database is in the file, and nothing in a log or a journal beside it."""
    for suffix in ("-wal", "-journal"):
        with suppress(FileNotFoundError):
            if _beside(path, suffix).stat().st_size:
                return False
    return True


def version_of(path: Path) -> Version:
    """What differs once somebody has written to the file."""
    known = path.stat()
    return known.st_ino, known.st_size, known.st_mtime_ns


def refuse_other_names(path: Path) -> None:
    """Raises DatabaseInaccessible where the file can be reached by a name that this one's lock and journals are not at.

    SQLite says why (https://www.sqlite.org/howtocorrupt.html#_multiple_links_to_the_same_file). A symbolic link is no
    such name: it is followed before anything else.
    """
    if (names := path.stat().st_nlink) > 1:
        raise DatabaseInaccessible(
            f"the database {path} has {names} names (hard links), and a load by one could undo that by another",
            hint=f"Leave it one name (find / -samefile {path.name} shows them all), or make a copy.",
        )
    if str(path.resolve()) in _mount_points():
        raise DatabaseInaccessible(
            f"the database {path} is mounted as a single file, without the lock and the journals beside it",
            hint="Mount the folder that it is in.",
        )


def _mount_points() -> set[str]:
    """Where file systems, folders and files are mounted, as far as this system tells: proc_pid_mountinfo(5)."""
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return set()
    return {re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), line.split(" ")[4]) for line in lines}


async def check_owner(connection: aiosqlite.Connection, path: Path, newest: int) -> bool:
    """Whether the file holds anything; raises DatabaseNotOurs where that is somebody else's, or a newer aetl's.

    `newest` is the version of the ledger that this one makes.
    """
    if not await tables_of(connection):
        return False
    if (owner := await pragma(connection, "application_id")) not in (OURS, SIMULATION):
        raise DatabaseNotOurs(f"the database {path} was not made by aetl (its application id is {owner})")
    if (version := await pragma(connection, "user_version")) > newest:
        raise DatabaseNotOurs(
            f"the database {path} has a ledger of version {version}, newer than this aetl knows", hint="Upgrade aetl."
        )
    return True


async def is_simulation(connection: aiosqlite.Connection) -> bool:
    """Whether a simulation made the file."""
    return bool(await pragma(connection, "application_id") == SIMULATION)


async def remove_simulation(path: Path, own: Collection[str]) -> None:
    """Removes the file and what lies beside it; raises DatabaseNotOurs where it holds more than a simulation.

    `own` are the tables that a simulation makes.
    """
    if not path.exists():
        return
    async with look(path) as connection:
        tables = await tables_of(connection)
        is_removable = await is_simulation(connection)
    more = {name.casefold() for name in tables if not name.startswith("sqlite_")} - set(map(str.casefold, own))
    if tables and (more or not is_removable):
        raise DatabaseNotOurs(
            f"the database {path} holds more than a simulation",
            hint="Name another file with --database, or start aetl in another folder; this one was left as it was.",
        )
    # The database last: a write-ahead log without it could be taken for the next one's.
    for suffix in ("-wal", "-shm", "-journal", ""):
        try:
            _beside(path, suffix).unlink(missing_ok=True)
        except PermissionError as error:
            raise DatabaseLocked(f"the database {path} is open in another program") from error


@asynccontextmanager
async def in_memory(statements: Iterable[str]) -> AsyncIterator[aiosqlite.Connection]:
    """A database in memory with what some statements make: the model of a real one."""
    connection = await _opened(aiosqlite.connect(":memory:"))
    try:
        for statement in statements:
            await connection.execute(statement)
        yield connection
    finally:
        await close(connection)


async def tables_of(connection: aiosqlite.Connection) -> set[str]:
    """The names of all tables and views."""
    async with connection.execute("PRAGMA table_list") as cursor:
        return {row[1] async for row in cursor if row[0] == "main" and row[1] != "sqlite_schema"}


async def pragma(connection: aiosqlite.Connection, name: str) -> Any:
    """The value of a pragma."""
    async with connection.execute(f"PRAGMA {name}") as cursor:
        row = await cursor.fetchone()
    assert row is not None
    return row[0]


async def key_collation(connection: aiosqlite.Connection) -> str:
    """The collation that compares texts by their bytes in UTF-8, whatever the encoding that the file was made with.

    SQLite's BINARY compares the bytes of that encoding (https://www.sqlite.org/datatype3.html#collation).
    """
    if await pragma(connection, "encoding") == "UTF-8":
        return "BINARY"
    own: Any = connection  # aiosqlite has no method for it, and only its thread may touch the connection
    await own._execute(own._conn.create_collation, "AETL_UTF8", _by_code_points)
    return "AETL_UTF8"


def _by_code_points(one: str, other: str) -> int:
    return (one > other) - (one < other)  # the order of code points is that of their bytes in UTF-8


async def pragma_of(connection: aiosqlite.Connection, name: str, of: str) -> list[Any]:
    """The rows of a pragma that tells of a table or an index."""
    return list(await connection.execute_fetchall(f"SELECT * FROM pragma_{name}(?)", [of]))


async def set_cache(connection: aiosqlite.Connection, size: int) -> None:
    """Says how many KiB of pages SQLite may hold; an index is sorted in as much again."""
    await connection.execute(f"PRAGMA cache_size = -{size}")


def _beside(path: Path, suffix: str) -> Path:
    path = path.resolve()  # SQLite, too, takes the name that a symbolic link leads to
    return path.with_name(path.name + suffix)
