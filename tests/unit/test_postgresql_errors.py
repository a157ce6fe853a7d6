"""Whatever asyncpg raises becomes one of aetl's errors, with the database's name and a way out."""

from __future__ import annotations

import re
import ssl
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("the Windows rig has no asyncpg", allow_module_level=True)

import asyncpg

from aetl.database.postgresql.errors import as_aetl_error, postgresql_errors
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


def raised_by_servers() -> list[type[asyncpg.PostgresError]]:
    found, left = [], [asyncpg.PostgresError]
    while left:
        kind = left.pop()
        found += [kind] if kind.sqlstate else []
        left += kind.__subclasses__()
    return found


# Of these no statement of aetl's or of a --sql file's can be the cause, or only by a fault of the server or of aetl.
UNEXPECTED = re.compile("03|09|0B|0F|0L|0P|0Z|10|20|21|24|26|27|2B|2D|2F|34|38|39|3B|72|F0|HV|P0|XX")


@pytest.mark.parametrize("kind", raised_by_servers(), ids=lambda kind: kind.__name__)
def test_every_error_of_a_server_has_its_meaning(kind: type[asyncpg.PostgresError]) -> None:
    error = as_aetl_error(kind("what it said"), "chat at host")
    assert "chat at host" in str(error)
    assert "what it said" in str(error)
    assert error.hint
    assert error.exit_code == 5
    assert kind.sqlstate
    is_known = "SQLSTATE" not in str(error)
    assert is_known or UNEXPECTED.match(kind.sqlstate)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (asyncpg.InvalidPasswordError, DatabaseInaccessible),
        (asyncpg.InvalidAuthorizationSpecificationError, DatabaseInaccessible),
        (asyncpg.InvalidCatalogNameError, DatabaseInaccessible),
        (asyncpg.InsufficientPrivilegeError, DatabaseInaccessible),
        (asyncpg.TooManyConnectionsError, DatabaseInaccessible),
        (asyncpg.AdminShutdownError, DatabaseInaccessible),
        (asyncpg.CannotConnectNowError, DatabaseInaccessible),
        (asyncpg.ConnectionFailureError, DatabaseInaccessible),
        (asyncpg.ReadOnlySQLTransactionError, DatabaseInaccessible),
        (asyncpg.DiskFullError, DatabaseFull),
        (asyncpg.QueryCanceledError, DatabaseError),
        (asyncpg.SerializationError, DatabaseConflict),
        (asyncpg.DeadlockDetectedError, DatabaseConflict),
        (asyncpg.LockNotAvailableError, DatabaseLocked),
        (asyncpg.UndefinedTableError, DatabaseNotOurs),
        (asyncpg.UndefinedColumnError, DatabaseNotOurs),
        (asyncpg.DatatypeMismatchError, DatabaseNotOurs),
        (asyncpg.UniqueViolationError, DatabaseRefused),
        (asyncpg.DataCorruptedError, DatabaseDamaged),
        (asyncpg.InternalServerError, DatabaseError),
    ],
)
def test_it_is_the_error_that_an_operator_knows(raised: type[asyncpg.PostgresError], kind: type[AetlError]) -> None:
    assert type(as_aetl_error(raised("no"), "chat at host")) is kind


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (TimeoutError(), DatabaseInaccessible),
        (ConnectionRefusedError(111, "refused"), DatabaseInaccessible),
        (ConnectionResetError(104, "reset"), DatabaseInaccessible),
        (ssl.SSLError(1, "wrong version"), DatabaseInaccessible),
        (asyncpg.InterfaceError("connection is closed"), DatabaseInaccessible),
        (asyncpg.ClientConfigurationError("sslmode"), ConfigurationError),
        (asyncpg.InternalClientError("lost"), DatabaseInaccessible),
    ],
    ids=lambda each: getattr(each, "__name__", type(each).__name__),
)
def test_what_the_client_raises_becomes_an_error_too(raised: Exception, kind: type[AetlError]) -> None:
    with pytest.raises(kind, match="chat at host"), postgresql_errors("chat at host"):
        raise raised
