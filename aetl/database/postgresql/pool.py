"""Finds out whether a pooler such as PgBouncer gives each transaction another of the server's sessions.

A load needs a session of its own: its lock, its settings and its prepared statements are the session's. No pooler tells
what it does (https://www.pgbouncer.org/features.html), so it is tried.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncpg

from aetl.database.postgresql.errors import ERRORS, POOL, SHARED
from aetl.database.postgresql.session import Connection, connect, fetch
from aetl.errors import DatabaseError, DatabaseInaccessible
from aetl.sql import Statements

_SECONDS = 3.0
"""How long another session may take to come: one that has to wait for this one to end is proof enough."""
_ROUNDS = 4


def is_pooled(connection: Connection, session: asyncpg.Record) -> bool:
    """Whether another process answers than the server named when the session began: a pooler names one of its own."""
    return bool(connection.get_server_pid() != session["process"])


async def refuse_shared_session(connection: Connection, url: str, name: str, statements: Statements) -> None:
    """Raises DatabaseInaccessible where one process of the server answers two sessions, or two answer one."""
    try:
        ours = {await _process(connection, statements)}
    except asyncpg.PostgresError as error:  # in statement pooling there are no transactions
        raise _shared(name, f" ({error})") from error
    is_shared = False
    with suppress(TimeoutError, DatabaseError, *ERRORS):
        async with asyncio.timeout(_SECONDS):
            other, _ = await connect(url, name)
            try:
                for _ in range(_ROUNDS):
                    theirs = await _process(other, statements)
                    ours.add(await _process(connection, statements))
                    is_shared = is_shared or theirs in ours or len(ours) > 1
            finally:
                other.terminate()
    if is_shared:
        raise _shared(name)


async def _process(connection: Connection, statements: Statements) -> int:
    """The server's process that answers in a transaction."""
    async with connection.transaction():
        ((*_, process),) = await fetch(connection, statements.ledger["session"])
    return int(process)


def _shared(name: str, told: str = "") -> DatabaseInaccessible:
    return DatabaseInaccessible(f"the database {name} {SHARED}{told}", hint=POOL)
