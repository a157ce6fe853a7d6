"""Gzip as a stream: stored bytes -> an export's bytes, and back. Pure and synchronous."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from aetl.errors import ExportMalformed

_GZIP = zlib.MAX_WBITS | 16
"""Tells zlib that the stream has a gzip header and trailer."""
_LEVEL = 6
_ZEROS = re.compile(rb"\0*+")
_FIRST = 4096
"""A second member is fed this many bytes first: each member's end copies what was fed behind it, and there may be
thousands of members."""


class Gunzip:
    """Decompresses one export, in pieces of bounded size whatever the compression ratio.

    A gzip file may have several members (RFC 1952, section 2.2) and zeros behind the last one.
    """

    def __init__(self, piece: int = 2**20) -> None:
        self._piece = piece
        self._member = zlib.decompressobj(_GZIP)
        self._begin = 0  # where the member begins, in bytes as stored
        self._read = 0
        self._is_between = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The decompressed bytes of the next chunk; raises ExportMalformed where it isn't gzip."""
        at, most = 0, len(chunk)
        while at < len(chunk):
            if self._is_between:
                at = _end_of_zeros(chunk, at)
                if at == len(chunk):
                    break
                self._member = zlib.decompressobj(_GZIP)
                self._begin = self._read + at
                self._is_between = False
                most = _FIRST
            part = chunk[at : at + most]
            try:
                piece = self._member.decompress(part, self._piece)
            except zlib.error as error:
                if self._begin:
                    raise ExportMalformed(
                        f"there is something else behind byte {self._begin} as stored, where a gzip member ends"
                        f" ({error})"
                    ) from error
                raise ExportMalformed(
                    f"it is not gzip, or damaged, somewhere behind byte {self._read} as stored ({error})"
                ) from error
            if piece:
                yield piece
            self._is_between = self._member.eof
            at += len(part) - len(self._member.unused_data if self._is_between else self._member.unconsumed_tail)
            most *= 2
        self._read += len(chunk)

    def close(self) -> Iterator[bytes]:
        """The last bytes; raises ExportMalformed where the stream ends too early."""
        if not self._is_between:
            while piece := self._member.decompress(b"", self._piece):
                yield piece
            if not self._member.eof:
                other = f", or something else is behind byte {self._begin}" if self._begin else ""
                raise ExportMalformed(f"the gzip stream ends too early, after {self._read} bytes as stored{other}")


def _end_of_zeros(chunk: bytes, at: int) -> int:
    zeros = _ZEROS.match(chunk, at)
    assert zeros is not None, "the pattern also matches nothing"
    return zeros.end()


class Gzip:
    """Compresses one export."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(_LEVEL, wbits=_GZIP)

    def feed(self, chunk: bytes) -> bytes:
        """Those compressed bytes that are ready."""
        return self._stream.compress(chunk)

    def close(self) -> bytes:
        """The rest of them."""
        return self._stream.flush()
