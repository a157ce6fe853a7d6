"""An Azure Blob container, through azure.storage.blob.aio."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from azure.core import MatchConditions
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobProperties, ContentSettings
from azure.storage.blob.aio import ContainerClient

from aetl.config import Settings
from aetl.container import CHUNK, PREFIX, is_export, is_gzip
from aetl.container.azure_errors import azure_errors
from aetl.container.azure_retry import Retry
from aetl.errors import ConfigurationError, ExportDamaged, ExportNotFound
from aetl.models import Export, Finding

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

RANGE = 8 * 2**20
"""Bytes per request: what a broken connection costs at most. Half of it takes a load a tenth longer, and 10 MB less."""
AHEAD = 2
"""Ranges under way at once."""
_TRIES = 2
"""How often a range is asked for of which more or less comes than was asked."""
_MOST_SKEW = 60
"""Seconds; a SAS whose start is near now is refused by a server whose clock is behind."""


def open_container(settings: Settings) -> Azure:
    """The container whose URL the settings hold."""
    return Azure(settings)


class Azure:
    """One client for one command. A SAS wins over a connection string, and that over the machine's own identity."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._what = f"the container {settings.container}"

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._client = await stack.enter_async_context(self._connect(stack))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    async def pages(self) -> AsyncGenerator[list[Export], None]:
        with azure_errors(self._what, self._settings):
            pages = self._client.list_blobs(name_starts_with=PREFIX).by_page()
            async for page in pages:
                yield [_export(blob) async for blob in page if is_export(blob.name)]

    async def find(self, name: str) -> Export:
        if not is_export(name):
            raise ExportNotFound(
                f"{name!r} is not the name of an export", hint=f"Exports are named {PREFIX}<UTC time>.json or .json.gz."
            )
        with azure_errors(f"{name} in {self._what}", self._settings):
            return _export(await self._client.get_blob_client(name).get_blob_properties())

    async def read(self, export: Export) -> AsyncGenerator[bytes, None]:
        offsets = iter(range(0, export.size, RANGE))
        ahead: deque[asyncio.Task[bytes]] = deque()
        try:
            while True:
                for offset in offsets:
                    ahead.append(asyncio.create_task(self._read_range(export, offset)))
                    if len(ahead) == AHEAD:
                        break
                if not ahead:
                    return
                content = await ahead.popleft()
                for start in range(0, len(content), CHUNK):
                    yield content[start : start + CHUNK]  # a copy: a view would hold the whole range
                del content  # or it would be held while the next one is waited for
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def write(self, name: str, chunks: AsyncIterable[bytes]) -> None:
        content = ContentSettings(content_type="application/gzip" if is_gzip(name) else "application/json")
        with azure_errors(f"{name} in {self._what}", self._settings):
            await self._create_if_missing()
            # Blocks are only seen once they are all committed, so nobody meets half an export.
            await self._client.upload_blob(name, chunks, overwrite=False, content_settings=content)

    async def examine(self) -> list[Finding]:
        answers: list[Any] = []
        with azure_errors(self._what, self._settings):
            listing = self._client.list_blobs(
                name_starts_with=PREFIX, results_per_page=1, raw_response_hook=answers.append
            )
            async for _ in listing.by_page():
                break
        clock = parsedate_to_datetime(answers[0].http_response.headers["Date"])
        skew = (datetime.now(UTC) - clock).total_seconds()
        return [
            Finding("ok", "container", f"{self._what} can be reached and listed"),
            Finding("ok", "clock", "this machine and the server agree")
            if abs(skew) < _MOST_SKEW
            else Finding(
                "warning", "clock", f"this machine is {skew:+.0f} s off the server's time", "Synchronise it (NTP)."
            ),
        ]

    async def _read_range(self, export: Export, offset: int) -> bytes:
        length = min(RANGE, export.size - offset)
        what = f"{export.name} in {self._what}"
        for _ in range(_TRIES):
            with azure_errors(what, self._settings):
                # Decompressing is the pipeline's: a part of a compressed blob cannot be decompressed by itself.
                download = await self._client.get_blob_client(export.name).download_blob(
                    offset,
                    length,
                    etag=f'"{export.etag}"',
                    match_condition=MatchConditions.IfNotModified,
                    decompress=False,
                )
                # readall() would hold it twice at its end; this is one chunk, which join() gives back as it is
                content = b"".join([chunk async for chunk in download.chunks()])
            if len(content) == length:
                return content
        raise ExportDamaged(f"{what}: {len(content)} bytes came where {length} were due at byte {offset}")

    async def _create_if_missing(self) -> None:
        try:
            await self._client.get_container_properties()
        except ResourceNotFoundError:
            await self._client.create_container()
        except Exception:  # a SAS of this container alone may not ask; whether it is there, the upload tells
            return

    def _connect(self, stack: AsyncExitStack) -> ContainerClient:
        settings = self._settings
        options: dict[str, Any] = {
            "retry_policy": Retry(settings),
            "connection_timeout": min(settings.timeout, 20),
            "read_timeout": settings.timeout,
            "connection_data_block_size": 256 * 1024,
            "max_single_get_size": RANGE,
            "max_chunk_get_size": RANGE,
            "max_block_size": CHUNK,  # of larger ones aiohttp warns that they might block the event loop
        }
        url = settings.need_container()
        try:
            if settings.sas is None and settings.connection_string is not None:
                name = urlsplit(url).path.rpartition("/")[2]
                client = ContainerClient.from_connection_string(settings.connection_string, name, **options)
                if urlsplit(client.url).netloc.lower() != urlsplit(url).netloc.lower():
                    raise ConfigurationError(
                        f"the container {url} is not in the storage account of the connection string",
                        hint="Name a container of that account, or set a SAS for this one.",
                    )
                return client
            if settings.sas is not None:
                return ContainerClient.from_container_url(url, settings.sas, **options)
            credential = self._identity()
            stack.push_async_callback(credential.close)
            return ContainerClient.from_container_url(url, credential, **options)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(
                "the container's URL, SAS or connection string cannot be understood",
                hint="A container's URL looks like https://ACCOUNT.blob.core.windows.net/CONTAINER.",
            ) from error

    def _identity(self) -> AsyncTokenCredential:
        try:
            from azure.identity.aio import DefaultAzureCredential
        except ImportError as error:
            raise ConfigurationError(
                "there is neither a SAS nor a connection string",
                hint="Set one; or install aetl[identity] to use this machine's own Azure identity.",
            ) from error
        identity: AsyncTokenCredential = DefaultAzureCredential()
        return identity


def _export(blob: BlobProperties) -> Export:
    encoding = blob.content_settings.content_encoding
    return Export(blob.name, blob.etag.strip('"'), blob.size, blob.creation_time, is_gzip(blob.name, encoding))
