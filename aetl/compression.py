"""Gzip as a stream: stored bytes -> an export's bytes, and back. Pure and synchronous."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from aetl.errors import ExportMalformed

_GZIP = zlib.MAX_WBITS | 16
"""Tells zlib that the stream has a gzip header and trailer."""
_LEVEL = 6


class Gunzip:
    """Decompresses one export, in pieces of bounded size whatever the compression ratio.

    A gzip file may have several members (RFC 1952, section 2.2) and zeros behind the last one.
    """

    def __init__(self, piece: int = 2**20) -> None:
        self._piece = piece
        self._member = zlib.decompressobj(_GZIP)
        self._read = 0
        self._members = 0
        self._is_between = False

    def feed(self, chunk: bytes | memoryview) -> Iterator[bytes]:
        """The decompressed bytes of the next chunk; raises ExportMalformed where it isn't gzip."""
        rest: bytes | memoryview = chunk
        while rest:
            if self._is_between:
                rest = bytes(rest).lstrip(b"\0")
                if not rest:
                    break
                self._member = zlib.decompressobj(_GZIP)
                self._is_between = False
            try:
                piece = self._member.decompress(rest, self._piece)
            except zlib.error as error:
                if self._members:
                    raise ExportMalformed(f"there is something else behind the gzip stream ({error})") from error
                raise ExportMalformed(
                    f"it is not gzip, or damaged, somewhere behind byte {self._read} as stored ({error})"
                ) from error
            if piece:
                yield piece
            if self._member.eof:
                self._members += 1
                self._is_between = True
                rest = self._member.unused_data
            else:
                rest = self._member.unconsumed_tail
        self._read += len(chunk)

    def close(self) -> Iterator[bytes]:
        """The last bytes; raises ExportMalformed where the stream ends too early."""
        if not self._is_between:
            while piece := self._member.decompress(b"", self._piece):
                yield piece
            if not self._member.eof:
                raise ExportMalformed(f"the gzip stream ends too early, after {self._read} bytes as stored")


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
