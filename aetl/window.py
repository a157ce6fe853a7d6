"""The bytes of an export that are here and not understood yet, and the JSON values that stand in them."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from typing import Any, TypeAlias, TypeVar

import msgspec

from aetl.errors import ExportMalformed
from aetl.models import Batch
from aetl.structure import Structure

_T = TypeVar("_T")
Steps: TypeAlias = Generator[Batch | None, None, _T]
"""Part of the way through a document: gives batches, and None where it needs more bytes to go on."""

SLICE = 2**18
"""A chunk is taken in by pieces of this size, in bytes: a batch of some hundred records or thousand, which stays in the
processor's cache with its rows. Pieces of 1 MiB take 3 to 5 % longer, and 10 MB more."""

COMMA, COLON, OPEN, CLOSE = b",:[]"

REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What bytes raise that are no value, or one that only the standard library takes."""

_BLANK = re.compile(rb"[ \t\n\r]*+")
_decode = msgspec.json.Decoder().decode


def _reserve(size: int) -> None:
    """Raises MemoryError where a large text would find no memory: msgspec ends the process then, the validator too.

    Each of them makes one copy. What is asked for here is not touched, so it costs nothing.
    """
    if size > 4 * SLICE:
        bytes(2 * size)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decode_leniently = json.JSONDecoder(parse_constant=_refuse_constant).decode


class Window:
    """A buffer that slides over a document: `at` is where in it begins what is not understood yet.

    `place` says what stands there, for messages; `is_unicode` whether msgspec took what was parsed last, which knows no
    half surrogate pair. `is_last` is set by who has no more bytes to give. No more of one value is kept than `largest`
    bytes.
    """

    def __init__(self, largest: int) -> None:
        self.buffer = bytearray()
        self.at = 0
        self.place = ""
        self.is_unicode = True
        self.is_last = False
        self._largest = largest
        self._offset = 0  # where in the document the buffer begins

    def take(self, chunk: memoryview) -> None:
        """Takes in the next bytes, and lets go of those that are understood."""
        del self.buffer[: self.at]
        self._offset += self.at
        self.at = 0
        self.buffer += chunk

    def next(self) -> Steps[bytes]:
        """Goes over white space to the next byte and gives it, or nothing at the end of the document."""
        while True:
            self.at = self._past_blank(self.at)
            if self.at < len(self.buffer):
                return bytes(self.buffer[self.at : self.at + 1])
            if self.is_last:
                return b""
            yield None

    def delimiter(self, structure: Structure, behind: int = 0) -> Steps[int]:
        """The index of the delimiter after the value that begins `behind` bytes from here, once it has arrived."""
        while (end := structure.find(self.buffer, self.at)) < 0:
            if self.is_last:
                raise self.malformed("the export ends in the middle of it", self._past_blank(self.at + behind))
            if len(self.buffer) - self.at > self._largest:
                raise self.malformed(f"it is larger than {self._largest} bytes", self._past_blank(self.at + behind))
            yield None
        return end

    def array(self, end: int) -> list[Any]:
        """The records of the array that begins here, taken as if it ended at `end`; raises one of REFUSED."""
        delimiter = self.buffer[end]
        self.buffer[end] = CLOSE
        try:
            with memoryview(self.buffer) as whole, whole[self.at : end + 1] as piece:
                _reserve(len(piece))
                records: list[Any] = _decode(piece)
                return records
        finally:
            self.buffer[end] = delimiter

    def value(self, start: int, end: int, place: str) -> Any:
        """One value: by the standard library where msgspec refuses it, which knows lone surrogates and 1e999."""
        text = bytes(self.buffer[start:end])
        _reserve(len(text))
        try:
            return _decode(text)
        except REFUSED:
            pass
        self.place = place
        self.is_unicode = False
        first = self._past_blank(start)
        try:
            return _decode_leniently(text.decode())
        except RecursionError as error:
            raise self.malformed("nested too deeply", first) from error
        except UnicodeDecodeError as error:
            raise self.malformed(f"not UTF-8 ({error.reason})", start + error.start) from error
        except json.JSONDecodeError as error:
            raise self.malformed(error.msg, start + len(error.doc[: error.pos].encode())) from error
        except ValueError as error:
            raise self.malformed(str(error).partition(":")[0], first) from error  # behind it: advice to programmers

    def unexpected(self, expected: str, found: bytes) -> ExportMalformed:
        """That something else stands here than what had to come."""
        what = f"not {ascii(found)[1:]}" if found else "but the export ends"
        return self.malformed(f"{expected} was expected here, {what}")

    def malformed(self, reason: str, index: int | None = None) -> ExportMalformed:
        """What is wrong with the bytes at an index of the buffer, or with those that come next."""
        byte = self._offset + (self.at if index is None else index)
        return ExportMalformed(f"{self.place} (byte {byte}): {reason}" if self.place else f"byte {byte}: {reason}")

    def _past_blank(self, index: int) -> int:
        blank = _BLANK.match(self.buffer, index)
        assert blank is not None, "the pattern also matches nothing"
        return blank.end()
