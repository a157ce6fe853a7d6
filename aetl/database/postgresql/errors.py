"""Maps what asyncpg raises to aetl's errors."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from aetl.errors import (
    AetlError,
    ConfigurationError,
    DatabaseConflict,
    DatabaseDamaged,
    DatabaseError,
    DatabaseFull,
    DatabaseInaccessible,
    DatabaseLocked,
    DatabaseNotOurs,
    DatabaseRefused,
)

URL = "It looks like postgresql://USER@HOST:5432/NAME."
_ROLE = "Check the user, and the password in PGPASSWORD or the passfile; pg_hba.conf says who may log on from where."
_SERVER = "Check the host and the port, and whether the server runs."
_RIGHTS = "Give this role the rights that docs/postgresql.md lists."
_LATER = "Run again later; the load was rolled back."
_TLS = "Check sslmode and the certificates in the URL; sslmode=disable does without TLS."
_NAME = "Create it (createdb), or name another one in the URL."
SHARED = "is reached through a pooler that gives each transaction a session of others, such as PgBouncer"
POOL = "Name the server's own host and port, or a pool with pool_mode = session."
_LIMIT = "Raise the limit for this role (ALTER ROLE ... SET), or run again when the server has less to do."

# By SQLSTATE, or its class (the first two letters): https://www.postgresql.org/docs/18/errcodes-appendix.html.
_BY_STATE: dict[str, tuple[type[AetlError], str, str | None]] = {
    "08": (DatabaseInaccessible, "cannot be reached, or the connection broke off", _SERVER),
    "0A": (DatabaseNotOurs, "cannot do what the SQL says", None),
    "22": (DatabaseRefused, "has a column of another type than a value of the export", None),
    "23": (DatabaseRefused, "has a constraint that the export breaks", None),
    "26": (DatabaseInaccessible, SHARED, POOL),
    "42P05": (DatabaseInaccessible, SHARED, POOL),
    "25006": (DatabaseInaccessible, "may only be read: it is a standby, or set to read only", _RIGHTS),
    "25": (DatabaseError, "ended the transaction", _LATER),
    "28": (DatabaseInaccessible, "refuses the log-on", _ROLE),
    "3D000": (DatabaseInaccessible, "does not exist", _NAME),
    "3F000": (DatabaseInaccessible, "has no schema to work in: that of the search_path does not exist", _RIGHTS),
    "40": (DatabaseConflict, "had another transaction come between", None),
    "42501": (DatabaseInaccessible, "refuses this role a right", _RIGHTS),
    "42": (DatabaseNotOurs, "does not take a statement for its tables", None),
    "44": (DatabaseRefused, "has a constraint that the export breaks", None),
    "53100": (DatabaseFull, "cannot grow: the server's disk is full", None),
    "53200": (DatabaseError, "needs more memory than the server has", _LATER),
    "53300": (DatabaseInaccessible, "has no connection left: too many clients", _LATER),
    "53": (DatabaseFull, "has reached a limit of the server", None),
    "54": (DatabaseError, "cannot hold a value or a statement that large", None),
    "55P03": (DatabaseLocked, "is locked by another program", None),
    "55006": (DatabaseLocked, "is in use by another program", None),
    "55": (DatabaseError, "is not ready for that", _LATER),
    "57014": (DatabaseError, "took longer than statement_timeout allows, or somebody cancelled the statement", _LIMIT),
    "57P04": (DatabaseInaccessible, "does not exist any more", _NAME),
    "57": (DatabaseInaccessible, "was stopped, is starting, or ended the connection", _SERVER),
    "58": (DatabaseInaccessible, "met an error of its own disk or system", None),
    "XX001": (DatabaseDamaged, "is corrupt", None),
    "XX002": (DatabaseDamaged, "is corrupt", None),
}


def as_aetl_error(error: BaseException, name: str) -> AetlError:
    """The error of aetl's tree that says what `error` means for the database of that name."""
    what = f"the database {name}"
    told = " ".join(str(getattr(error, "message", None) or error).split()) or type(error).__name__
    if isinstance(error, ssl.SSLError) or ("SSL" in told and isinstance(error, ConnectionError)):
        return DatabaseInaccessible(f"{what} and this machine find no TLS connection: {told}", hint=_TLS)
    if isinstance(error, TimeoutError):
        return DatabaseInaccessible(f"{what} gives no answer", hint=_SERVER)
    if isinstance(error, asyncpg.ClientConfigurationError):
        return ConfigurationError(f"{what} has a URL that cannot be used: {told}", hint=URL)
    state = getattr(error, "sqlstate", None)
    if isinstance(error, asyncpg.PostgresError) and isinstance(state, str):
        for code in (state, state[:2]):
            if code in _BY_STATE:
                kind, meaning, hint = _BY_STATE[code]
                return kind(f"{what} {meaning} ({told})", hint=hint)
        return DatabaseError(f"{what} failed with SQLSTATE {state} ({told})")
    if isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError):
        return DatabaseInaccessible(f"{what} cannot be reached, or the connection broke off: {told}", hint=_SERVER)
    return DatabaseError(f"{what} failed: {told}")


ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What asyncpg raises; TimeoutError and ssl.SSLError are OSErrors."""


@contextmanager
def postgresql_errors(name: str) -> Iterator[None]:
    """Turns what asyncpg raises inside into errors of aetl that name the database."""
    try:
        yield
    except ERRORS as error:
        raise as_aetl_error(error, name) from error
