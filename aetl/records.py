"""Cuts an export into batches: bytes become records, at constant memory.

A prefix of an array that ends after a complete record parses, any other does not. So a cut is guessed where a record
seems to end, `[` + prefix + `]` is parsed, and success proves the cut. Only where that fails does a Structure look
closer, at a tenth of the speed or less, and with certainty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Generator, Iterator
from typing import Any, TypeAlias, TypeVar

import msgspec

from aetl.errors import ContractError, ExportMalformed
from aetl.models import Batch
from aetl.structure import Structure

_T = TypeVar("_T")
_Steps: TypeAlias = Generator[Batch | None, None, _T]
"""Part of the way through a document: gives batches, and None where it needs more bytes to go on."""

_SLICE = 2**18
"""A chunk is taken in by pieces of this size, in bytes: a batch of some hundred records or thousand, which stays in the
processor's cache with its rows. Pieces of 1 MiB take 3 to 5 % longer, and 10 MB more."""

_MOST_RECORDS = 2**14
"""Records of a batch, at most: of the smallest ones a slice holds a hundred thousand, and each may become a reject."""

_GUESSES = 16
"""So many cuts are guessed per slice: each costs up to a slice of work, and there can be an array every few bytes."""

_TRIES = 3
"""So many of them in a row: a separator of nested records can look the same, and one more parse costs little."""

_MOST_NAMED = 100
"""So many unknown keys are remembered: an export may hold millions of them."""

_LONGEST_NAME = 80
"""Characters of an unknown key that are remembered and told: it may be many megabytes long."""

_BLANK = re.compile(rb"[ \t\n\r]*+")
_SEPARATOR = re.compile(rb'\}[ \t\n\r]*+,[ \t\n\r]*+\{[ \t\n\r]*+"[^"\\]{0,64}+"?')
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_COMMA, _COLON, _OPEN, _CLOSE = b",:[]"

_decode = msgspec.json.Decoder().decode
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _reserve(size: int) -> None:
    """Raises MemoryError where a large text would find no memory: msgspec ends the process then, the validator too.

    Each of them makes one copy. What is asked for here is not touched, so it costs nothing.
    """
    if size > 4 * _SLICE:
        bytes(2 * size)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decode_leniently = json.JSONDecoder(parse_constant=_refuse_constant).decode


class Records:
    """Cuts the bytes of one export into batches of records, at constant memory.

    `tables` are the arrays to take, of which the document must hold those in `required` (all unless told); other keys
    are skipped, but must be well-formed. A record is what json.loads makes of its text, also where that is no object.
    A record, a key or a skipped value that grows past `largest_record` bytes before it is complete is refused; apart
    from it, no more than some MiB are kept.

    Every fault raises ExportMalformed, and the verdict is the one of RFC 8259 and json.loads, except: NaN and Infinity
    are refused, a table's array must not stand twice, a UTF-8 BOM is skipped (RFC 8259, 8.1), UTF-16 and UTF-32 are
    refused, and so are surrogates encoded as UTF-8. How deep values may nest, and how many digits an integer may have,
    is up to Python's limits.
    """

    def __init__(
        self, tables: Collection[str], *, required: Collection[str] | None = None, largest_record: int = 128 * 2**20
    ) -> None:
        self._missing = dict.fromkeys(tables)
        self._required = frozenset(tables if required is None else required)
        self._tables = frozenset(tables)
        self._largest = largest_record
        self._skipped: dict[str, None] = {}
        self._buffer = bytearray()
        self._offset = 0  # where in the document the buffer begins
        self._at = 0  # where in the buffer begins what is not understood yet
        self._place = ""  # what stands there, for messages
        self._guesses = 0
        self._is_unicode = True  # whether msgspec took what was parsed last, which knows no half surrogate pair
        self._ended = False
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
        if self._ended:
            raise ValueError("the records of this export are closed")
        try:
            with memoryview(chunk) as whole:
                for start in range(0, len(whole), _SLICE):
                    self._take(whole[start : start + _SLICE])
                    for step in self._steps:
                        if step is None:
                            break
                        yield step
        except BaseException:  # GeneratorExit as well: bytes not taken in would be missing in the middle
            self._ended = True
            raise

    def close(self) -> list[Batch]:
        """Ends the document and gives the batches that were still waiting.

        Raises ExportMalformed when the document is not complete or lacks a table, ValueError as feed() does.
        """
        if self._ended:
            raise ValueError("the records of this export are closed")
        self._ended = True
        batches = [step for step in self._steps if step is not None]
        if lacking := [name for name in self._missing if name in self._required]:
            raise ExportMalformed(
                f"the export lacks the table{'s' * (len(lacking) > 1)} {', '.join(lacking)}", hint=ContractError.hint
            )
        return batches

    def _take(self, chunk: memoryview) -> None:
        del self._buffer[: self._at]
        self._offset += self._at
        self._at = 0
        self._buffer += chunk
        self._guesses = _GUESSES

    def _document(self) -> _Steps[None]:
        yield from self._encoding()
        if (byte := (yield from self._next())) != b"{":
            raise self._unexpected("one JSON object", byte) if byte else self._malformed("the export is empty")
        self._at += 1
        if (yield from self._next()) != b"}":
            yield from self._member()
            while (byte := (yield from self._next())) == b",":
                self._at += 1
                yield from self._member()
            if byte != b"}":
                raise self._unexpected("',' or '}'", byte)
        self._at += 1
        if (yield from self._next()) != b"":
            raise self._malformed("something follows the document's end")

    def _encoding(self) -> _Steps[None]:
        """RFC 8259 wants UTF-8; of other encodings, the pattern of the first four bytes tells (RFC 4627, 3)."""
        while len(self._buffer) < 4 and not self._ended:
            yield None
        start = self._buffer[:4]
        if start.startswith((b"\xff\xfe", b"\xfe\xff")) or 0 in start:
            raise self._malformed("the export must be in UTF-8, and looks like UTF-16 or UTF-32")
        if start.startswith(b"\xef\xbb\xbf"):
            self._at = 3

    def _next(self) -> _Steps[bytes]:
        """Goes over white space to the next byte and gives it, or nothing at the end of the document."""
        while True:
            self._at = self._past_blank(self._at)
            if self._at < len(self._buffer):
                return bytes(self._buffer[self._at : self._at + 1])
            if self._ended:
                return b""
            yield None

    def _past_blank(self, index: int) -> int:
        blank = _BLANK.match(self._buffer, index)
        assert blank is not None, "the pattern also matches nothing"
        return blank.end()

    def _member(self) -> _Steps[None]:
        if (byte := (yield from self._next())) != b'"':
            raise self._unexpected("a key in double quotes", byte)
        self._place = "a key"
        end = yield from self._delimiter(Structure())
        name: str = self._value(self._at, end, "a key")
        if name in self._tables and name not in self._missing:
            self._place = ""
            raise self._malformed(f"the table {name} stands here for the second time")
        self._at = end
        self._place = name if name in self._tables else f"the key {json.dumps(name[:_LONGEST_NAME])}"
        if self._buffer[end] != _COLON:
            raise self._unexpected("':'", bytes(self._buffer[end : end + 1]))
        self._at += 1
        byte = yield from self._next()
        if name in self._tables:
            if byte != b"[":
                raise self._unexpected("a table's array", byte)
            del self._missing[name]
        else:
            if len(self._skipped) < _MOST_NAMED:
                self._skipped[name[:_LONGEST_NAME]] = None
        if byte == b"[":
            yield from self._array(self._place, name if name in self._tables else None)
        else:
            end = yield from self._delimiter(Structure())
            self._value(self._at, end, self._place)
            self._at = end
        self._place = ""

    def _array(self, name: str, table: str | None) -> _Steps[None]:
        first, separator = 0, b""
        while True:
            self._place = f"{name}[{first}]"
            self._is_unicode = True
            found = self._guess(separator)
            if found is None:
                found, separator = yield from self._look_closer(name, first, separator)
            records, end = found
            delimiter = self._buffer[end]
            if not records and (first or delimiter != _CLOSE):
                self._value(self._at + 1, end, self._place)
            if records and table is not None:
                for start in range(0, len(records), _MOST_RECORDS):
                    part = records[start : start + _MOST_RECORDS]
                    yield Batch(table, first + start, part, self._is_unicode)
            first += len(records)
            self._place = f"{name}[{first}]"
            self._at = end
            if delimiter == _CLOSE:
                self._at += 1
                return
            if delimiter != _COMMA:
                raise self._unexpected("',' or ']'", bytes(self._buffer[end : end + 1]))
            self._buffer[end] = _OPEN  # the rest is an array again
            if not self._ended:
                yield None

    def _guess(self, separator: bytes) -> tuple[list[Any], int] | None:
        """The records up to the last separator or the array's end, and the index of the `,` or `]` there."""
        cut = len(self._buffer)
        for _ in range(min(_TRIES, self._guesses) if separator else 0):
            self._guesses -= 1
            cut = self._buffer.rfind(separator, self._at, cut)
            if cut < 0:
                return None
            end = self._buffer.index(_COMMA, cut)
            try:
                return self._parse(end), end
            except _REFUSED as error:
                trailing = _TRAILING.search(str(error))
            if trailing is not None:
                # The parser came to the array's end. Its message is taken as a hint only, the proof is the same.
                end = self._buffer.rfind(b"]", self._at, self._at + int(trailing[1]) - 1)
                try:
                    return (self._parse(end), end) if end > 0 else None
                except _REFUSED:
                    return None
        return None

    def _look_closer(self, name: str, first: int, separator: bytes) -> _Steps[tuple[tuple[list[Any], int], bytes]]:
        """Like a guess, but certain; learns the separator on the way.

        It stays until a record has ended: guesses at a large record would each cost as much as the whole of it.
        """
        structure = Structure(1)
        end = yield from self._delimiter(structure, behind=1)
        brace = self._buffer.rfind(b"}", self._at, end)
        learned = _SEPARATOR.match(self._buffer, brace) if brace > 0 else None
        if learned is not None and learned[0] != separator:
            separator = learned[0]
            if (found := self._guess(separator)) is not None:
                return found, separator
        while self._buffer[end] == _COMMA and (further := structure.find(self._buffer, self._at)) > 0:
            end = further
        try:
            return (self._parse(end), end), separator
        except _REFUSED:
            return (self._one_by_one(name, first, end), end), separator

    def _delimiter(self, structure: Structure, behind: int = 0) -> _Steps[int]:
        """The index of the delimiter after the value that begins `behind` bytes from here, once it has arrived."""
        while (end := structure.find(self._buffer, self._at)) < 0:
            if self._ended:
                raise self._malformed("the export ends in the middle of it", self._past_blank(self._at + behind))
            if len(self._buffer) - self._at > self._largest:
                raise self._malformed(f"it is larger than {self._largest} bytes", self._past_blank(self._at + behind))
            yield None
        return end

    def _parse(self, end: int) -> list[Any]:
        """The records of the array that begins here, taken as if it ended at `end`; raises one of _REFUSED."""
        delimiter = self._buffer[end]
        self._buffer[end] = _CLOSE
        try:
            with memoryview(self._buffer) as whole, whole[self._at : end + 1] as piece:
                _reserve(len(piece))
                records: list[Any] = _decode(piece)
                return records
        finally:
            self._buffer[end] = delimiter

    def _one_by_one(self, name: str, first: int, end: int) -> list[Any]:
        structure = Structure(1)
        records: list[Any] = []
        start, stop = self._at + 1, -1
        while stop != end:
            stop = structure.find(self._buffer, self._at)
            records.append(self._value(start, stop, f"{name}[{first + len(records)}]"))
            start = stop + 1
        return records

    def _value(self, start: int, end: int, place: str) -> Any:
        """One value: by the standard library where msgspec refuses it, which knows lone surrogates and 1e999."""
        text = bytes(self._buffer[start:end])
        _reserve(len(text))
        try:
            return _decode(text)
        except _REFUSED:
            pass
        self._place = place
        self._is_unicode = False
        first = self._past_blank(start)
        try:
            return _decode_leniently(text.decode())
        except RecursionError as error:
            raise self._malformed("nested too deeply", first) from error
        except UnicodeDecodeError as error:
            raise self._malformed(f"not UTF-8 ({error.reason})", start + error.start) from error
        except json.JSONDecodeError as error:
            raise self._malformed(error.msg, start + len(error.doc[: error.pos].encode())) from error
        except ValueError as error:
            raise self._malformed(str(error).partition(":")[0], first) from error  # behind it: advice to programmers

    def _unexpected(self, expected: str, found: bytes) -> ExportMalformed:
        what = f"not {ascii(found)[1:]}" if found else "but the export ends"
        return self._malformed(f"{expected} was expected here, {what}")

    def _malformed(self, reason: str, index: int | None = None) -> ExportMalformed:
        byte = self._offset + (self._at if index is None else index)
        return ExportMalformed(f"{self._place} (byte {byte}): {reason}" if self._place else f"byte {byte}: {reason}")
