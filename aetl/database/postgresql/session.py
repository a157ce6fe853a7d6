"""A session on a PostgreSQL server: connecting, named parameters, parts of a transaction."""

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

from aetl.database.postgresql.errors import ERRORS, URL, postgresql_errors
from aetl.errors import ConfigurationError

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_PARAMETER = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")
_SECONDS_TO_CONNECT = 20.0
_KEEP_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}
"""Seconds of silence until the system asks, and until it asks again; how often; milliseconds to wait for an answer."""
_UNDO = "ROLLBACK TO SAVEPOINT aetl; RELEASE SAVEPOINT aetl"
_SETTINGS = {
    "TimeZone": "UTC",  # what a text without an offset means
    "DateStyle": "ISO",  # how a date becomes a text
    "work_mem": "64MB",  # for the joins of a load with what is there; of the default 4 MB they spill
    "lock_timeout": "10s",  # another program's lock must not hold a night up
    "idle_in_transaction_session_timeout": "0",  # while an export comes slowly, the server has nothing to do
    "row_security": "off",  # a policy that would hide rows is an error: what cannot be seen would be lost
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


async def connect(url: str, name: str) -> tuple[Connection, str | None]:
    """Opens a session, and gives the search path that the URL names, which is left to whoever finds the schema.

    Raises one of DatabaseError, or ConfigurationError for a URL that makes no sense.
    """
    try:
        parts = urlsplit(url)
        parameters = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        seconds = float(parameters.pop("connect_timeout", _SECONDS_TO_CONNECT))
        path = parameters.pop("search_path", None)
        dsn = urlunsplit(parts._replace(query=urlencode(parameters)))
    except ValueError:
        raise _not_understood() from None
    with postgresql_errors(name):
        try:
            # The settings come later: no pooler takes them here.
            connection: Connection = await asyncpg.connect(
                dsn, timeout=seconds, server_settings={"application_name": "aetl"}
            )
        except ValueError as error:
            if isinstance(error, ERRORS):  # as a certificate that cannot be verified is, too
                raise
            raise ConfigurationError(f"the URL of the database {name} cannot be used: {error}", hint=URL) from error
    _keep_alive(connection)
    return connection, path


async def set_up(connection: Connection) -> None:
    """Gives the session the settings that a load needs."""
    await connection.execute("; ".join(f"SET {name} = '{value}'" for name, value in _SETTINGS.items()))
    with suppress(asyncpg.PostgresError):  # not known before 14, nor on every system
        # A loader that was killed is noticed while the server still works for it, and its lock is free again.
        await connection.execute("SET client_connection_check_interval = '2s'")


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
    names = tuple(dict.fromkeys(_PARAMETER.findall(statement)))
    return _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement), names


async def fetch(
    connection: Connection, statement: str, parameters: Mapping[str, Any] | None = None
) -> Sequence[asyncpg.Record]:
    """The rows of a statement that takes its parameters by name."""
    text, names = _numbered(statement)
    return await connection.fetch(text, *[(parameters or {})[name] for name in names])


class LedgerSession:
    """A session as the ledger needs it."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    async def fetch(self, statement: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        with postgresql_errors(self._name):
            rows: Sequence[Any] = await fetch(self._connection, statement, parameters)
            return rows

    async def fetch_many(self, statement: str, parameters: Sequence[Mapping[str, Any]]) -> None:
        text, names = _numbered(statement)
        with postgresql_errors(self._name):
            await self._connection.executemany(text, [[each[name] for name in names] for each in parameters])


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
