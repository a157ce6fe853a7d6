"""A log file that stays small, and that never fails the run which it is about."""

from __future__ import annotations

import logging
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

from aetl.logs.outgoing import outgoing


class RotatingLogFile(logging.FileHandler):
    """Appends to a UTF-8 file and turns it into `<name>.1`, `.2`, ... when it has grown to `max_bytes`.

    logging.handlers has such a handler too; that one loses records and, little by little, all older files while
    another process keeps the file open on Windows, and it formats every record twice. Raises OSError when the file
    cannot be opened; from then on nothing that befalls the file is raised, the first such failure is told on stderr.
    """

    def __init__(self, path: Path, *, max_bytes: int, backups: int) -> None:
        super().__init__(path, mode="a", encoding="utf-8", errors="backslashreplace")
        self._path = Path(self.baseFilename)
        self._max_bytes, self._backups = max_bytes, backups
        self._rotate_at = max_bytes
        self._failed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, into a new file when the present one is full."""
        try:
            if self._size() >= self._rotate_at:
                self._rotate()
            super().emit(record)
        except Exception:  # as in every handler: a log must not fail a run
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Say once that the log is incomplete; the base class would print the record's arguments, unredacted."""
        if self._failed:
            return
        self._failed = True
        line = outgoing(f"aetl: the log file {self.baseFilename} is incomplete: {sys.exc_info()[1]}")
        with suppress(OSError, ValueError):  # stderr may be closed, too
            print(line, file=sys.stderr)

    def _size(self) -> int:
        # fstat and not tell(): other processes append too, and a pipe or a device has no size.
        status = os.fstat(self.stream.fileno()) if self.stream else None
        return status.st_size if status and stat.S_ISREG(status.st_mode) else 0

    def _rotate(self) -> None:
        if self.stream:
            self.stream.close()
            self.stream = None
        try:
            # Another process may have rotated: then this one wrote to a backup, and the new file is still small.
            if self._path.stat().st_size >= self._max_bytes:
                self._shift()
                self._path.replace(self._backup(0))
                self._shift()
            self._rotate_at = self._max_bytes
        except OSError:
            # Windows, and somebody has the file open: go on in it, and don't try again at every record.
            self._rotate_at += max(self._max_bytes // 10, 1)
        self.stream = self._open()

    def _shift(self) -> None:
        """Make .0 free, which only exists within a rotation: older files move only once the log itself could."""
        if self._backup(0).exists():
            for number in range(self._backups - 1, -1, -1):
                if self._backup(number).exists():
                    self._backup(number).replace(self._backup(number + 1))

    def _backup(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
