"""The file beside a SQLite database that a load holds locked, so that there is one at a time."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from aetl.errors import DatabaseFull, DatabaseInaccessible, LoadRunning


class Lock:
    """Takes the lock, and gives it back with no trace, neither of itself nor of a database into which nothing came."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(f"{path.resolve()}.lock", timeout=0)
        self._is_made_here = False

    def acquire(self) -> None:
        """Raises LoadRunning where another load has it, and DatabaseInaccessible where nothing could be written."""
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
        self.look()

    def look(self) -> None:
        """Notes whether the database is there, or will be made by whoever holds the lock."""
        self._is_made_here = not self._path.exists()

    def is_held_elsewhere(self) -> bool:
        """Whether a load is running."""
        if not Path(self._lock.lock_file).exists():
            return False
        try:
            with self._lock.acquire():
                return False
        except (Timeout, OSError):  # a file that is another account's is there while it loads
            return True

    def release(self) -> None:
        """Gives it back, if it is held."""
        if not self._lock.is_locked:
            return
        if self._is_made_here:
            self._remove_empty()
        # Removed while it is held: who waits for the removed file notices, and takes a new one.
        with suppress(OSError):
            Path(self._lock.lock_file).unlink()
        self._lock.release()

    def _remove_empty(self) -> None:
        path = self._path.resolve()
        with suppress(OSError):
            if not path.stat().st_size:
                path.unlink()
