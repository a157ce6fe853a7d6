"""Maps what the sqlite3 module raises to aetl's errors."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aetl.errors import (
    AetlError,
    DatabaseDamaged,
    DatabaseError,
    DatabaseFull,
    DatabaseInaccessible,
    DatabaseLocked,
    DatabaseNotOurs,
    DatabaseRefused,
)

# Primary result codes, https://www.sqlite.org/rescode.html; an extended code's low byte is its primary one.
_BY_CODE: dict[int, tuple[type[DatabaseError], str]] = {
    sqlite3.SQLITE_BUSY: (DatabaseLocked, "is locked by another program"),
    sqlite3.SQLITE_LOCKED: (DatabaseLocked, "is locked by another program"),
    sqlite3.SQLITE_FULL: (DatabaseFull, "cannot grow: the disk is full, or its size limit is reached"),
    sqlite3.SQLITE_CORRUPT: (DatabaseDamaged, "is corrupt"),
    sqlite3.SQLITE_NOTADB: (DatabaseDamaged, "is not a SQLite database"),
    sqlite3.SQLITE_READONLY: (DatabaseInaccessible, "may not be written"),
    sqlite3.SQLITE_PERM: (DatabaseInaccessible, "may not be opened"),
    sqlite3.SQLITE_AUTH: (DatabaseInaccessible, "may not be opened"),
    sqlite3.SQLITE_CANTOPEN: (DatabaseInaccessible, "cannot be opened"),
    sqlite3.SQLITE_IOERR: (DatabaseInaccessible, "cannot be read or written: the disk answers with an error"),
    sqlite3.SQLITE_NOLFS: (DatabaseInaccessible, "is too large for this file system"),
    sqlite3.SQLITE_TOOBIG: (DatabaseError, "cannot hold a value that large"),
    sqlite3.SQLITE_NOMEM: (DatabaseError, "needs more memory than there is"),
    sqlite3.SQLITE_ERROR: (DatabaseNotOurs, "does not take a statement for its tables"),
    sqlite3.SQLITE_SCHEMA: (DatabaseNotOurs, "does not take a statement for its tables"),
    sqlite3.SQLITE_CONSTRAINT: (DatabaseRefused, "has a constraint that the export breaks"),
    sqlite3.SQLITE_MISMATCH: (DatabaseRefused, "has a column of another type than a value of the export"),
}


_STATEMENT = "`aetl check` tries them all: mend the file that --sql names, or name another database with --database."
_DISK = "Check the disk, and whether a file may become that large there (ulimit -f, quota)."


def as_aetl_error(error: sqlite3.Error | sqlite3.Warning | OSError, path: Path) -> AetlError:
    """The error of aetl's tree that says what `error` means for the database at `path`."""
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return DatabaseFull(f"the database {path} cannot grow: {error.strerror}")
        return DatabaseInaccessible(f"the database {path} cannot be opened: {error.strerror or error}")
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by the sqlite3 module itself, not by SQLite
        return DatabaseError(f"the database {path} failed: {error}")
    kind, meaning = _BY_CODE.get(
        code & 0xFF, (DatabaseError, f"failed with {getattr(error, 'sqlite_errorname', code)}")
    )
    if code & 0xFF == sqlite3.SQLITE_IOERR:
        return kind(f"the database {path} {meaning} ({error})", hint=_DISK)
    if kind is DatabaseNotOurs:
        return kind(f"the database {path} {meaning} ({error})", hint=_STATEMENT)
    told = f" ({error})" if kind in (DatabaseRefused, DatabaseError, DatabaseInaccessible) else ""
    return kind(f"the database {path} {meaning}{told}")


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turns what sqlite3 raises inside into errors of aetl that name the database."""
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning, OSError) as error:
        raise as_aetl_error(error, path) from error
