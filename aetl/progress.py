"""What a load tells while it runs."""

from __future__ import annotations

import logging
import time
from typing import Protocol

from aetl.models import Export, LoadReport, OtherBlobs

_LOG = logging.getLogger(__name__)


class Progress(Protocol):
    """Listens to a load."""

    def begin(self, export: Export) -> None:
        """An export begins; also told when its load starts again."""

    def advance(self, size: int, rows: int) -> None:
        """So many more bytes (as stored) are read, and so many more records."""

    def end(self, report: LoadReport) -> None:
        """The export is in, or has failed."""

    def pass_over(self, count: int, example: str) -> None:
        """So many simulated exports are not taken, such as this one."""

    def find_others(self, others: OtherBlobs) -> None:
        """The container holds no export, but these."""


class LoggedProgress:
    """Writes a log line now and then: for where nobody watches."""

    def __init__(self, seconds: float = 10.0) -> None:
        self._seconds = seconds

    def begin(self, export: Export) -> None:
        self._export, self._size, self._rows = export, 0, 0
        self._started = self._told = time.monotonic()

    def advance(self, size: int, rows: int) -> None:
        self._size += size
        self._rows += rows
        now = time.monotonic()
        if now - self._told >= self._seconds:
            self._told = now
            _LOG.info(
                "%s: %.0f of %.0f MB, %.1f MB/s, %d records",
                self._export.name,
                self._size / 1e6,
                self._export.size / 1e6,
                self._size / 1e6 / (now - self._started),
                self._rows,
            )

    def end(self, report: LoadReport) -> None:
        pass

    def pass_over(self, count: int, example: str) -> None:
        pass

    def find_others(self, others: OtherBlobs) -> None:
        pass
