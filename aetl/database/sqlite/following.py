"""Tells whether an export goes on as a table does."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any

import aiosqlite
import msgspec

from aetl.database.sqlite.dump import ROWS_AT_FIRST, records_for
from aetl.models import Row

_AHEAD = 2**20
"""Bytes of text that are kept ready, or being read."""

_encode = msgspec.json.Encoder().encode


class Following:
    """Reads what follows in a table after a rowid, ahead of the export that is compared with it.

    Most exports hold most records in the order of the one before. SQLite makes one text of some thousand of them in its
    own thread and without Python's lock, while the next ones are cut and checked: so that reading a table in its order,
    which takes half the time of looking each record up, costs little more than the comparison. Texts that are written
    otherwise here and there only make for records that are looked up after all.
    """

    def __init__(self, connection: aiosqlite.Connection, arrays: str, after: int) -> None:
        self._connection = connection
        self._arrays = arrays
        self._after = after
        self._most = ROWS_AT_FIRST
        self._text = b""  # JSON arrays, a comma behind each
        self._at = 0
        self._reading: asyncio.Task[Any] | None = None

    async def goes_on_with(self, rows: Sequence[Row]) -> bool:
        """Whether just these rows come next; if so, the next ones are those behind them."""
        try:
            wanted = _encode(rows)[1:-1] + b","
        except (OverflowError, UnicodeEncodeError):  # what no database could hold either
            return False
        while len(self._text) - self._at < len(wanted):
            if not await self._read():
                return False
        if not self._text.startswith(wanted, self._at):
            return False
        self._at += len(wanted)
        self._read_ahead()
        await asyncio.sleep(0)  # begin it before the next rows are cut
        return True

    def close(self) -> None:
        """Gives up what is being read."""
        if self._reading is not None:
            self._reading.cancel()  # also of one that failed, or asyncio would tell of it once more

    def _read_ahead(self) -> None:
        if self._reading is None and len(self._text) - self._at < _AHEAD:
            self._reading = asyncio.create_task(self._fetch())

    async def _fetch(self) -> tuple[bytes | None, int]:
        parameters = {"after": self._after, "most": self._most}
        try:
            ((text, last),) = await self._connection.execute_fetchall(self._arrays, parameters)
        except sqlite3.DataError:  # longer than a text may be
            return None, 0
        return text, last

    async def _read(self) -> bool:
        """Takes in what comes next, unless the table ends here."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._fetch())
        reading, self._reading = self._reading, None
        text, last = await reading
        if text is None:
            return False
        self._text, self._at = self._text[self._at :] + text + b",", 0
        self._after, self._most = last, records_for(self._most, len(text))
        return True
