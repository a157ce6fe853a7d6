"""A session on a PostgreSQL server: connecting, named parameters, whose schema it is."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import asyncpg

from aetl.database.postgresql_errors import ERRORS, URL, postgresql_errors
from aetl.database.postgresql_statements import Statements
from aetl.database.statements import PARAMETER
from aetl.errors import ConfigurationError, DatabaseInaccessible, DatabaseNotOurs

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

LEDGER = "aetl ledger 1"
"""The comment on the ledger: whose it is, and its version."""
SIMULATION = "aetl_simulation"
_SECONDS_TO_CONNECT = 20.0
_KEEP_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}
"""Seconds of silence until the system asks, and until it asks again; how often; milliseconds to wait for an answer."""
_UNDO = "ROLLBACK TO SAVEPOINT aetl; RELEASE SAVEPOINT aetl"
_SETTINGS = {
    "application_name": "aetl",
    "TimeZone": "UTC",  # what a text without an offset means
    "work_mem": "64MB",  # for the joins of a load with what is there; of the default 4 MB they spill
    "lock_timeout": "10s",  # another program's lock must not hold a night up
    "idle_in_transaction_session_timeout": "0",  # while an export comes slowly, the server has nothing to do
}


def name_of(url: str) -> str:
    """How messages call the database at a URL: host and name, without user, password and parameters.

    Raises ConfigurationError for a URL that makes no sense.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _not_understood() from None
    host = parts.netloc.rpartition("@")[2]
    return f"{unquote(parts.path.strip('/')) or 'of this user'} at {host or 'this machine'}"


async def connect(url: str, name: str) -> Connection:
    """Opens a session; raises one of DatabaseError, or ConfigurationError for a URL that makes no sense."""
    try:
        parts = urlsplit(url)
        parameters = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        seconds = float(parameters.pop("connect_timeout", _SECONDS_TO_CONNECT))
        dsn = urlunsplit(parts._replace(query=urlencode(parameters)))
    except ValueError:
        raise _not_understood() from None
    with postgresql_errors(name):
        try:
            connection: Connection = await asyncpg.connect(dsn, timeout=seconds, server_settings=_SETTINGS)
        except ValueError as error:
            if isinstance(error, ERRORS):  # as a certificate that cannot be verified is, too
                raise
            raise ConfigurationError(f"the URL of the database {name} cannot be used: {error}", hint=URL) from error
        with suppress(asyncpg.PostgresError):  # not known before 14, nor on every system
            # A loader that was killed is noticed while the server still works for it, and its lock is free again.
            await connection.execute("SET client_connection_check_interval = '2s'")
    _keep_alive(connection)
    return connection


def _keep_alive(connection: Connection) -> None:
    """Has the system ask after a server that says nothing: a statement may take long, but not on a dead wire."""
    transport = connection._transport  # type: ignore[attr-defined]  # asyncpg has no option for it
    wire = transport.get_extra_info("socket")
    if wire.family not in (socket.AF_INET, socket.AF_INET6):
        return
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, setting in _KEEP_ALIVE.items():
        if hasattr(socket, name):  # not every system has each
            wire.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), setting)


async def close(connection: Connection) -> None:
    """Ends the session, also when the task is cancelled meanwhile."""
    closing = asyncio.ensure_future(connection.close(timeout=5))
    try:
        await asyncio.shield(closing)
    except BaseException:
        connection.terminate()
        raise


def _not_understood() -> ConfigurationError:
    return ConfigurationError("the database's URL cannot be understood", hint=URL)


@cache
def _numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    names = tuple(dict.fromkeys(PARAMETER.findall(statement)))
    return PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement), names


async def fetch(
    connection: Connection, statement: str, parameters: Mapping[str, Any] | None = None
) -> Sequence[asyncpg.Record]:
    """The rows of a statement that takes its parameters by name."""
    text, names = _numbered(statement)
    return await connection.fetch(text, *[(parameters or {})[name] for name in names])


async def execute_many(connection: Connection, statement: str, parameters: Sequence[Mapping[str, Any]]) -> None:
    """Executes a statement once for each of the parameters, which it takes by name."""
    text, names = _numbered(statement)
    await connection.executemany(text, [[each[name] for name in names] for each in parameters])


@asynccontextmanager
async def attempt(connection: Connection, *, is_kept: bool = True) -> AsyncIterator[None]:
    """A part of a transaction that may fail by itself; one that is not kept is undone in any case.

    asyncpg's own leaves the savepoint open when it rolls back. An open one in which something is written keeps a lock
    of the server's until it ends, and there are only some thousand of those.
    """
    await connection.execute("SAVEPOINT aetl")
    try:
        yield
    except BaseException:
        await connection.execute(_UNDO)
        raise
    await connection.execute("RELEASE SAVEPOINT aetl" if is_kept else _UNDO)


async def check_owner(connection: Connection, name: str, statements: Statements) -> bool:
    """Whether the schema holds aetl's ledger; raises DatabaseNotOurs where its tables are somebody else's."""
    (about,) = await fetch(connection, statements.ledger["look"])
    if about["encoding"] != "UTF8":
        raise DatabaseInaccessible(
            f"the database {name} is encoded in {about['encoding']}, which cannot hold every text",
            hint="Create one with ENCODING 'UTF8' TEMPLATE template0.",
        )
    if about["schema"] is None:
        raise DatabaseInaccessible(
            f"the database {name} has no schema to work in: none of the search_path exists",
            hint="Create the schema, or name another one with ?search_path= in the URL.",
        )
    if about["is_there"]:
        found = re.fullmatch(r"aetl ledger (\d+)", about["ledger"] or "")
        if found is None:
            raise DatabaseNotOurs(f"the table _aetl_loads in the database {name} was not made by aetl")
        if about["ledger"] != LEDGER:
            raise DatabaseNotOurs(
                f"the database {name} has a ledger of version {found[1]}, newer than this aetl knows",
                hint="Upgrade aetl.",
            )
        return True
    if there := await tables_there(connection, statements):
        raise DatabaseNotOurs(
            f"the table {', '.join(sorted(there))} in the schema {about['schema']} of the database {name}"
            " was not made by aetl",
            hint="Name another database, or another schema with ?search_path= in the URL.",
        )
    return False


async def tables_there(connection: Connection, statements: Statements) -> set[str]:
    """Which of the chatbot's tables exist."""
    rows = await fetch(connection, statements.ledger["tables"], {"names": list(statements.tables)})
    return {row["relname"] for row in rows}


async def enter_simulation(connection: Connection, name: str, statements: Statements) -> None:
    """Makes the simulation's schema anew; raises DatabaseNotOurs where it holds more than a simulation."""
    rows = await fetch(connection, statements.ledger["simulation_relations"])
    others = {row["relname"] for row in rows} - {*statements.tables, "_aetl_loads", "_aetl_rejects"}
    if others:
        raise DatabaseNotOurs(
            f"the schema {SIMULATION} of the database {name} holds more than a simulation: {', '.join(sorted(others))}",
            hint="Move it elsewhere, or name another database with --database; this one was left as it was.",
        )
    async with connection.transaction():
        for each in ("simulation_drop", "simulation_create"):
            await connection.execute(statements.ledger[each])
    await connection.execute(statements.ledger["simulation_enter"])
