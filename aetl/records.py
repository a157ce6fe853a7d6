"""Cuts an export into batches: bytes become records, at constant memory."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping

from aetl.errors import ContractError, ExportMalformed
from aetl.guessing import Guessing
from aetl.models import Batch
from aetl.structure import Structure
from aetl.window import COLON, SLICE, Steps, Window

_MOST_NAMED = 100
"""So many unknown keys are remembered: an export may hold millions of them."""

_LONGEST_NAME = 80
"""Characters of an unknown key that are remembered and told: it may be many megabytes long."""


class Records:
    """Cuts the bytes of one export into batches of records, at constant memory.

    `arrays` are those to take, each with the name of the table that its records are for; the document must hold those
    in `required` (all unless told). Other keys are skipped, but must be well-formed. A record is what json.loads makes
    of its text, also where that is no object. A record, a key or a skipped value that grows past `largest_record` bytes
    before it is complete is refused; apart from it, no more than some MiB are kept.

    Every fault raises ExportMalformed, and the verdict is the one of RFC 8259 and json.loads, except: NaN and Infinity
    are refused, a table's array must not stand twice, a UTF-8 BOM is skipped (RFC 8259, 8.1), UTF-16 and UTF-32 are
    refused, and so are surrogates encoded as UTF-8. How deep values may nest, and how many digits an integer may have,
    is up to Python's limits. Messages name an array as it stands in the export.
    """

    def __init__(
        self, arrays: Mapping[str, str], *, required: Collection[str] | None = None, largest_record: int = 128 * 2**20
    ) -> None:
        self._missing = dict.fromkeys(arrays)
        self._required = frozenset(arrays if required is None else required)
        self._arrays = arrays
        self._skipped: dict[str, None] = {}
        self._window = Window(largest_record)
        self._guessing = Guessing(self._window)
        self._steps = self._document()

    @property
    def skipped(self) -> tuple[str, ...]:
        """The top-level keys met so far that are no tables, each once and cut off where it is long; the first 100."""
        return tuple(self._skipped)

    def feed(self, chunk: bytes | bytearray | memoryview) -> Iterator[Batch]:
        """Takes in the next bytes of the document and gives the batches they complete, as the iterator is consumed.

        A chunk may have any size. Raises ExportMalformed, and ValueError after close(), an error, or an iterator that
        was left before its end.
        """
        if self._window.is_last:
            raise ValueError("the records of this export are closed")
        try:
            with memoryview(chunk) as whole:
                for start in range(0, len(whole), SLICE):
                    self._window.take(whole[start : start + SLICE])
                    self._guessing.allow()
                    for step in self._steps:
                        if step is None:
                            break
                        yield step
        except BaseException:  # GeneratorExit as well: bytes not taken in would be missing in the middle
            self._window.is_last = True
            raise

    def close(self) -> list[Batch]:
        """Ends the document and gives the batches that were still waiting.

        Raises ExportMalformed when the document is not complete or lacks a table, ValueError as feed() does.
        """
        if self._window.is_last:
            raise ValueError("the records of this export are closed")
        self._window.is_last = True
        batches = [step for step in self._steps if step is not None]
        if lacking := [name for name in self._missing if name in self._required]:
            raise ExportMalformed(
                f"the export lacks the table{'s' * (len(lacking) > 1)} {', '.join(lacking)}", hint=ContractError.hint
            )
        return batches

    def _document(self) -> Steps[None]:
        window = self._window
        yield from self._encoding()
        if (byte := (yield from window.next())) != b"{":
            raise window.unexpected("one JSON object", byte) if byte else window.malformed("the export is empty")
        window.at += 1
        if (yield from window.next()) != b"}":
            yield from self._member()
            while (byte := (yield from window.next())) == b",":
                window.at += 1
                yield from self._member()
            if byte != b"}":
                raise window.unexpected("',' or '}'", byte)
        window.at += 1
        if (yield from window.next()) != b"":
            raise window.malformed("something follows the document's end")

    def _encoding(self) -> Steps[None]:
        """RFC 8259 wants UTF-8; of other encodings, the pattern of the first four bytes tells (RFC 4627, 3)."""
        window = self._window
        while len(window.buffer) < 4 and not window.is_last:
            yield None
        start = window.buffer[:4]
        if start.startswith((b"\xff\xfe", b"\xfe\xff")) or 0 in start:
            raise window.malformed("the export must be in UTF-8, and looks like UTF-16 or UTF-32")
        if start.startswith(b"\xef\xbb\xbf"):
            window.at = 3

    def _member(self) -> Steps[None]:
        window = self._window
        if (byte := (yield from window.next())) != b'"':
            raise window.unexpected("a key in double quotes", byte)
        window.place = "a key"
        end = yield from window.delimiter(Structure())
        name: str = window.value(window.at, end, "a key")
        table = self._arrays.get(name)
        if table is not None and name not in self._missing:
            window.place = ""
            raise window.malformed(f"the table {name} stands here for the second time")
        window.at = end
        window.place = name if table is not None else f"the key {json.dumps(name[:_LONGEST_NAME])}"
        if window.buffer[end] != COLON:
            raise window.unexpected("':'", bytes(window.buffer[end : end + 1]))
        window.at += 1
        byte = yield from window.next()
        if table is not None:
            if byte != b"[":
                raise window.unexpected("a table's array", byte)
            del self._missing[name]
        elif len(self._skipped) < _MOST_NAMED:
            self._skipped[name[:_LONGEST_NAME]] = None
        if byte == b"[":
            yield from self._guessing.batches(window.place, table)
        else:
            end = yield from window.delimiter(Structure())
            window.value(window.at, end, window.place)
            window.at = end
        window.place = ""
