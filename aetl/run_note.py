"""A note beside the log of a run under way: what is left of one of which the ledger cannot tell.

A database on a full disk takes no ledger entry, and a process that is killed writes none. So the note is written when
the run begins, as large as it will ever be: what ended the run is then written over it, which takes no room. Where the
ledger tells everything, the note is removed. The run keeps it locked (the system frees that however the process ends),
so whoever reads it can tell a run under way from one that was killed. Each database has a note of its own.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from aetl.addresses import path_of, scheme_of
from aetl.config import Settings
from aetl.errors import ConfigurationError
from aetl.logs import outgoing, outgoing_json, redact
from aetl.models import EarlyEnd

_LOG = logging.getLogger(__name__)
_SIZE = 4096
"""Bytes: one page of most file systems."""
_TRIES, _PAUSE = 5, 0.05
"""Who reads the note holds its lock for a moment; another run, for its whole life."""


class RunNote:
    """The note of a run that moves data into a database; a note that cannot be written says so in the log, no more."""

    def __init__(self, settings: Settings, command: str) -> None:
        self._path = path_of_note(settings)
        self._content = {
            "command": command,
            "began": datetime.now(UTC).isoformat(timespec="seconds"),
            "database": redact(settings.database)[:100],
        }
        self._file: int | None = None
        self._before, self._was_there = b"", False
        if self._path is None:
            return
        self._was_there = self._path.exists()
        try:
            self._file = _open_locked(self._path)
            if self._file is not None:
                self._before = os.read(self._file, _SIZE)
                self._write(_encoded(self._content))
        except OSError as error:  # where the file is there, how the run ends may still find room
            self._warn(error)

    def end(self, error: str, exit_code: int) -> None:
        """What ended the run, as a line for the operator."""
        if self._file is not None:
            try:
                self._write(_encoded({**self._content, "error": outgoing(error), "exit_code": exit_code}))
            except OSError as reason:
                self._warn(reason)
            self._close()

    def withdraw(self) -> None:
        """Puts back what was there before: another run is under way, and this one never was."""
        if self._file is None or not self._was_there:
            self.remove()
            return
        with suppress(OSError):
            os.lseek(self._file, 0, os.SEEK_SET)
            os.write(self._file, self._before)
            os.ftruncate(self._file, len(self._before))
        self._close()

    def remove(self) -> None:
        """The ledger tells all of it."""
        if self._file is None:
            return
        assert self._path is not None
        with suppress(OSError):
            self._write(b"")  # on Windows it stays where somebody has it open
        if sys.platform == "win32":
            self._close()
        with suppress(OSError):
            self._path.unlink()
        self._close()

    def _write(self, content: bytes) -> None:
        assert self._file is not None
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, content.ljust(_SIZE - 1) + b"\n")
        os.fsync(self._file)

    def _warn(self, error: OSError) -> None:
        _LOG.warning("%s cannot be written: `aetl status` may not tell how this run ends: %s", self._path, error)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)  # which frees the lock
            self._file = None


def read_early_end(settings: Settings) -> EarlyEnd | None:
    """How the last run ended, where that is not in the ledger; None where it is, and while a run is under way."""
    path = path_of_note(settings)
    if path is None or (written := _written(path)) is None:
        return None
    try:
        with path.open("rb", buffering=0) as file:
            if not _lock(file.fileno(), shared=True):
                return None
            content = file.read(_SIZE)
    except OSError as error:
        reason = f"{path} cannot be read ({error.strerror or error}), nor whether it still runs"
        return None if isinstance(error, FileNotFoundError) else EarlyEnd(written, reason)
    if content and not content.strip():
        return None
    try:
        found = json.loads(content)
        return EarlyEnd(
            datetime.fromisoformat(found["began"]), found.get("error"), found.get("exit_code"), found["command"]
        )
    except (ValueError, TypeError, KeyError):
        return EarlyEnd(written, "there was no room to note why: the disk was full")


def path_of_note(settings: Settings) -> Path | None:
    """Where the note about a database is; None where the log is no file, and so nothing is beside it."""
    log = settings.log_file.absolute()
    if _written(log) is None:
        return None
    database = settings.database
    with suppress(ConfigurationError, OSError, ValueError):
        if scheme_of(database) in (None, "sqlite"):
            database = os.path.normcase(path_of(database, "sqlite").resolve())
    name = hashlib.sha256(redact(database).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return log.with_name(f"{log.name}.run-{name}")


def _written(path: Path) -> datetime | None:
    """When a file was written last; None where there is no file, or a pipe or a device."""
    try:
        found = path.stat()
    except OSError:
        return None
    return datetime.fromtimestamp(found.st_mtime, UTC) if stat.S_ISREG(found.st_mode) else None


def _encoded(content: Mapping[str, str | int]) -> bytes:
    """It as JSON, its error cut off where it would not fit."""
    while len(encoded := outgoing_json(content, ascii_only=True).encode()) >= _SIZE:
        content = {**content, "error": f"{str(content['error'])[: -len(encoded) // 20]}..."}
    return encoded


def _open_locked(path: Path) -> int | None:
    """The file, made where there is none; None where another run has it locked."""
    for _ in range(_TRIES):
        file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        if _lock(file) and os.fstat(file).st_nlink:  # it may have been removed before it was locked
            return file
        os.close(file)
        time.sleep(_PAUSE)
    return None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int, *, shared: bool = False) -> bool:
        # What is locked nobody else can read, so it is a byte behind the content.
        os.lseek(file, _SIZE, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(file, 0, os.SEEK_SET)
        return True
else:
    import fcntl

    def _lock(file: int, *, shared: bool = False) -> bool:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system that knows no locks
            return True
        return True
