"""Cuts an array into batches: guesses where records end, and looks closer where that fails.

A prefix of an array that ends after a complete record parses, any other does not. So a cut is guessed where a record
seems to end, `[` + prefix + `]` is parsed, and success proves the cut. Only where that fails does a Structure look
closer, at a tenth of the speed or less, and with certainty.
"""

from __future__ import annotations

import re
from typing import Any

from aetl.models import Batch
from aetl.structure import Structure
from aetl.window import CLOSE, COMMA, OPEN, REFUSED, Steps, Window

_MOST_RECORDS = 2**14
"""Records of a batch, at most: of the smallest ones a slice holds a hundred thousand, and each may become a reject."""

_GUESSES = 16
"""So many cuts are guessed per slice: each costs up to a slice of work, and there can be an array every few bytes."""

_TRIES = 3
"""So many of them in a row: a separator of nested records can look the same, and one more parse costs little."""

_SEPARATOR = re.compile(rb'\}[ \t\n\r]*+,[ \t\n\r]*+\{[ \t\n\r]*+"[^"\\]{0,64}+"?')
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")


class Guessing:
    """Cuts the arrays of one document; `allow` lets it guess again once more bytes are here."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._left = 0

    def allow(self) -> None:
        """Allows the guesses that a slice is worth."""
        self._left = _GUESSES

    def batches(self, name: str, table: str | None) -> Steps[None]:
        """The records of the array that begins here, which the messages call `name`; none where it is no table's."""
        window = self._window
        first, separator = 0, b""
        while True:
            window.place = f"{name}[{first}]"
            window.is_unicode = True
            found = self._guess(separator)
            if found is None:
                found, separator = yield from self._look_closer(name, first, separator)
            records, end = found
            delimiter = window.buffer[end]
            if not records and (first or delimiter != CLOSE):
                window.value(window.at + 1, end, window.place)
            if records and table is not None:
                for start in range(0, len(records), _MOST_RECORDS):
                    part = records[start : start + _MOST_RECORDS]
                    yield Batch(table, first + start, part, window.is_unicode)
            first += len(records)
            window.place = f"{name}[{first}]"
            window.at = end
            if delimiter == CLOSE:
                window.at += 1
                return
            if delimiter != COMMA:
                raise window.unexpected("',' or ']'", bytes(window.buffer[end : end + 1]))
            window.buffer[end] = OPEN  # the rest is an array again
            if not window.is_last:
                yield None

    def _guess(self, separator: bytes) -> tuple[list[Any], int] | None:
        """The records up to the last separator or the array's end, and the index of the `,` or `]` there."""
        window = self._window
        cut = len(window.buffer)
        for _ in range(min(_TRIES, self._left) if separator else 0):
            self._left -= 1
            cut = window.buffer.rfind(separator, window.at, cut)
            if cut < 0:
                return None
            end = window.buffer.index(COMMA, cut)
            try:
                return window.array(end), end
            except REFUSED as error:
                trailing = _TRAILING.search(str(error))
            if trailing is not None:
                # The parser came to the array's end. Its message is taken as a hint only, the proof is the same.
                end = window.buffer.rfind(b"]", window.at, window.at + int(trailing[1]) - 1)
                try:
                    return (window.array(end), end) if end > 0 else None
                except REFUSED:
                    return None
        return None

    def _look_closer(self, name: str, first: int, separator: bytes) -> Steps[tuple[tuple[list[Any], int], bytes]]:
        """Like a guess, but certain; learns the separator on the way.

        It stays until a record has ended: guesses at a large record would each cost as much as the whole of it.
        """
        window = self._window
        structure = Structure(1)
        end = yield from window.delimiter(structure, behind=1)
        brace = window.buffer.rfind(b"}", window.at, end)
        learned = _SEPARATOR.match(window.buffer, brace) if brace > 0 else None
        if learned is not None and learned[0] != separator:
            separator = learned[0]
            if (found := self._guess(separator)) is not None:
                return found, separator
        while window.buffer[end] == COMMA and (further := structure.find(window.buffer, window.at)) > 0:
            end = further
        try:
            return (window.array(end), end), separator
        except REFUSED:
            return (self._one_by_one(name, first, end), end), separator

    def _one_by_one(self, name: str, first: int, end: int) -> list[Any]:
        window = self._window
        structure = Structure(1)
        records: list[Any] = []
        start, stop = window.at + 1, -1
        while stop != end:
            stop = structure.find(window.buffer, window.at)
            records.append(window.value(start, stop, f"{name}[{first + len(records)}]"))
            start = stop + 1
        return records
