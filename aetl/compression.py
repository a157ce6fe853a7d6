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


_MAGIC = b"\x1f\x8b"
"""How gzip begins (RFC 1952, section 2.3.1), and no JSON."""
_UPLOAD = "The file is damaged or was not written to its end: have it written and uploaded anew."


class Unpacking:
    """An export's bytes out of the stored ones, which are gzip if they begin so, whatever anybody says of them."""

    def __init__(self) -> None:
        self._begin = b""
        self._gunzip: Gunzip | None = None
        self._is_known = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The export's bytes in the next stored ones; raises ExportMalformed where gzip is damaged."""
        if not self._is_known:
            chunk = self._begin + chunk
            if len(chunk) < len(_MAGIC):
                self._begin = chunk
                return
            self._is_known = True
            self._gunzip = Gunzip() if chunk.startswith(_MAGIC) else None
        if self._gunzip is None:
            yield chunk
        else:
            yield from self._gunzip.feed(chunk)

    def close(self) -> Iterator[bytes]:
        """The last bytes; raises ExportMalformed where gzip ends too early."""
        if self._gunzip is not None:
            yield from self._gunzip.close()
        elif not self._is_known and self._begin:
            yield self._begin


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
                        f" ({_reason(error)})",
                        hint=_UPLOAD,
                    ) from error
                raise ExportMalformed(
                    f"its gzip is damaged, somewhere behind byte {self._read} as stored ({_reason(error)})",
                    hint=_UPLOAD,
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
                raise ExportMalformed(
                    f"the gzip stream ends too early, after {self._read} bytes as stored{other}", hint=_UPLOAD
                )


def _reason(error: zlib.error) -> str:
    """What zlib found, in words: it says "Error -3 while decompressing data: incorrect data check"."""
    found = str(error).rpartition(": ")[2]
    return {"incorrect data check": "its checksum is wrong", "incorrect length check": "its length is wrong"}.get(
        found, found
    )


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
