"""The bytes of an export made of records: the reverse of records.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

import msgspec

from aetl.compression import Gzip
from aetl.container import CHUNK
from aetl.logs import log_this


@log_this
async def document(records: AsyncIterator[tuple[str, bytes]], arrays: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
    """The bytes of an export that holds these records: one JSON object with an array per table, named by `arrays`."""
    pieces: list[bytes] = []
    size = 0
    current: str | None = None
    async for table, some in records:
        if table != current:
            pieces.append((b"{" if current is None else b"],\n") + msgspec.json.encode(arrays[table]) + b":[")
        elif some:
            pieces.append(b",")
        current = table
        pieces.append(some)
        size += len(some)
        if size >= CHUNK:
            yield b"".join(pieces)
            pieces, size = [], 0
    yield b"".join((*pieces, b"]}\n"))


@log_this
async def compress(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The same bytes as gzip."""
    gzip = Gzip()
    async for chunk in chunks:
        if compressed := await asyncio.to_thread(gzip.feed, chunk):
            yield compressed
    yield gzip.close()
