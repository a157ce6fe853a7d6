"""Reads one blob in ranges, a few of them ahead, and compares what comes with the checksums that there are."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

from azure.core import MatchConditions
from azure.storage.blob.aio import BlobClient

from aetl.config import Settings
from aetl.container import CHUNK
from aetl.container.azure_errors import azure_errors
from aetl.errors import ExportChanged, ExportDamaged
from aetl.models import Export

RANGE = 8 * 2**20
"""Bytes per request: what a broken connection costs at most. Half of it takes a load a tenth longer, and 10 MB less."""
AHEAD = 2
"""Ranges under way at once."""
_HASHED = 4 * 2**20
"""Bytes of the longest range of which the service tells an MD5 (x-ms-range-get-content-md5 of "Get Blob")."""
_TRIES = 2
"""How often a range is asked for of which something else comes than was asked."""


async def read_blob(blob: BlobClient, export: Export, what: str, settings: Settings) -> AsyncGenerator[bytes, None]:
    """The stored bytes of this version of an export.

    Raises ExportChanged where another version takes its place, and ExportDamaged where other bytes come than those that
    were stored: at a range's end where that is short enough to have an MD5 of its own, else at the export's end.
    """
    offsets = iter(range(0, export.size, RANGE))
    ahead: deque[asyncio.Task[bytes]] = deque()
    md5 = hashlib.md5(usedforsecurity=False)
    hashing: asyncio.Future[None] | None = None
    try:
        while True:
            for offset in offsets:
                ahead.append(asyncio.create_task(_read_range(blob, export, offset, what, settings)))
                if len(ahead) == AHEAD:
                    break
            if not ahead:
                break
            content = await ahead.popleft()
            if export.md5 is not None:
                hashing = asyncio.get_running_loop().run_in_executor(None, md5.update, content)
            for start in range(0, len(content), CHUNK):
                yield content[start : start + CHUNK]  # a copy: a view would hold the whole range
            del content  # or it would be held while the next one is waited for
            if hashing is not None:
                await hashing
    finally:
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, *filter(None, [hashing]), return_exceptions=True)
    if export.md5 is not None and md5.digest() != export.md5:
        raise ExportDamaged(
            f"{what}: its bytes are not those that were stored (their MD5 is {md5.hexdigest()}, the blob's Content-MD5"
            f" {export.md5.hex()})"
        )


async def _read_range(blob: BlobClient, export: Export, offset: int, what: str, settings: Settings) -> bytes:
    length = min(RANGE, export.size - offset)
    headers = {"x-ms-range-get-content-md5": "true"} if length <= _HASHED else {}
    fault = ""
    for _ in range(_TRIES):
        answers: list[Any] = []
        with azure_errors(what, settings, "read"):
            # Decompressing is the pipeline's: a part of a compressed blob cannot be decompressed by itself.
            download = await blob.download_blob(
                offset,
                length,
                etag=f'"{export.etag}"',
                match_condition=MatchConditions.IfNotModified,
                decompress=False,
                headers=headers,
                raw_response_hook=answers.append,
            )
            if (download.properties.etag or "").strip('"') != export.etag:
                raise ExportChanged(f"{what} was replaced while it was read")
            # readall() would hold it twice at its end; this is one chunk, which join() gives back as it is
            content = b"".join([chunk async for chunk in download.chunks()])
        if len(content) != length:
            fault = f"{len(content)} bytes came where {length} were due at byte {offset}"
        elif headers and not _is_sound(content, answers[-1].http_response.headers.get("Content-MD5")):
            fault = f"the {length} bytes from byte {offset} on are not those that the server sent, as their MD5 tells"
        else:
            return content
    raise ExportDamaged(f"{what}: {fault}, also when asked again")


def _is_sound(content: bytes, md5: str | None) -> bool:
    """Whether the bytes are those of which the server told the MD5; one that tells none is believed."""
    return md5 is None or md5 == base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
