"""An Azure Blob container, through azure.storage.blob.aio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Self
from xml.etree import ElementTree

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobProperties, ContentSettings
from azure.storage.blob.aio import BlobClient, ContainerClient

from aetl.addresses import azure_address
from aetl.config import Settings
from aetl.container import CHUNK, NAMES, PREFIX, SIMULATED_METADATA, is_export, is_simulated, look_over
from aetl.container.azure_codes import CODES
from aetl.container.azure_errors import azure_errors
from aetl.container.azure_reading import RANGE, read_blob
from aetl.container.azure_retry import Retry
from aetl.container.azure_transport import Transport
from aetl.errors import (
    ConfigurationError,
    ContainerError,
    ContainerUnreachable,
    ExportNotFound,
    ExportUnavailable,
)
from aetl.models import Export, Finding, Obstacle, OtherBlobs

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

_PAGES_OF_OTHERS = 4
"""Of 5,000 blobs each: who sees that 20,000 are none of his exports needs no more."""
_UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)
"""The creation of a blob of which the server tells none: it is taken as the oldest."""
_ARCHIVED, _REHYDRATING, _ENCRYPTED = (
    Obstacle(meaning.message, meaning.hint or "")
    for meaning in map(
        CODES.__getitem__, ("BlobArchived", "BlobBeingRehydrated", "BlobUsesCustomerSpecifiedEncryption")
    )
)
_NAMELESS = Obstacle(
    "has no ETag or no length in the server's list", "Look whether the address is that of Azure itself."
)
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
        self._address = azure_address(settings.need_container())

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._client = await stack.enter_async_context(self._connect(stack))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    async def pages(self) -> AsyncGenerator[list[Export], None]:
        async with aclosing(self._listed(PREFIX)) as pages:
            async for page in pages:
                yield [_export(blob) for blob in page if is_export(blob.name)]

    async def others(self) -> OtherBlobs | None:
        async with aclosing(self._listed("")) as pages:
            count, example, number = 0, "", 0
            async for page in pages:
                names = [blob.name for blob in page if not is_export(blob.name)]
                count, example, number = count + len(names), example or (names[0] if names else ""), number + 1
                if number == _PAGES_OF_OTHERS:
                    return OtherBlobs(count, example, is_all=False)
        return OtherBlobs(count, example) if count else None

    async def _listed(self, prefix: str, **options: Any) -> AsyncGenerator[list[BlobProperties], None]:
        """The blobs in pages, named as in the URL's folder; a server that gives the same page for ever is told."""
        folder = self._address.folder
        tokens: set[str] = set()
        with azure_errors(self._what, self._settings, "list"):
            listing = self._client.list_blobs(name_starts_with=folder + prefix, include=["metadata"], **options)
            pages: Any = listing.by_page()
            async for page in pages:
                blobs = [blob async for blob in page]
                for blob in blobs:
                    blob.name = (blob.name or "").removeprefix(folder)
                yield blobs
                if pages.continuation_token in tokens:
                    raise ContainerUnreachable(
                        f"{self._what}: the server gives the same page of its list again and again"
                    )
                tokens.add(pages.continuation_token)

    async def find(self, name: str) -> Export:
        if not is_export(name):
            raise ExportNotFound(f"{name!r} is not the name of an export", hint=NAMES)
        with azure_errors(f"{name} in {self._what}", self._settings, "read"):
            found = await self._blob(name).get_blob_properties()
        found.name = name
        return _export(found)

    async def read(self, export: Export) -> AsyncGenerator[bytes, None]:
        if export.obstacle is _NAMELESS:  # of another one the server itself is asked: it may be gone
            raise ExportUnavailable(f"{export.name} in {self._what} {_NAMELESS.message}", hint=_NAMELESS.hint)
        blob = self._blob(export.name)
        async with aclosing(read_blob(blob, export, f"{export.name} in {self._what}", self._settings)) as pieces:
            async for piece in pieces:
                yield piece

    async def write(self, name: str, chunks: AsyncIterable[bytes]) -> None:
        content = ContentSettings(content_type="application/gzip" if name.endswith(".gz") else "application/json")
        metadata = {SIMULATED_METADATA: "true"} if is_simulated(name) else None
        with azure_errors(f"{name} in {self._what}", self._settings, "write"):
            await self._create_if_missing()
            # Blocks are only seen once they are all committed, so nobody meets half an export.
            await self._client.upload_blob(
                self._address.folder + name, chunks, overwrite=False, content_settings=content, metadata=metadata
            )

    async def examine(self) -> list[Finding]:
        seen, exports = _Seen(self._address.folder), list[Export]()
        try:
            async for page in self._listed(PREFIX, raw_response_hook=seen.look):
                exports += [seen.completed(_export(blob)) for blob in page if is_export(blob.name)]
            found = await look_over(self, exports, self._what)
        except ContainerError as error:
            found = [Finding("failure", "container", str(error), error.hint)]
        return found if seen.date is None and not exports else [*found, _clock(seen.date)]

    def _blob(self, name: str) -> BlobClient:
        return self._client.get_blob_client(self._address.folder + name)

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
            "transport": Transport(settings.timeout, 256 * 1024),
            "max_single_get_size": RANGE,
            "max_chunk_get_size": RANGE,
            "max_block_size": CHUNK,  # of larger ones aiohttp warns that they might block the event loop
        }
        account, name = self._address.account_url, self._address.container
        try:
            if settings.sas is None and settings.connection_string is not None:
                client = ContainerClient.from_connection_string(settings.connection_string, name, **options)
                if client.url.partition("://")[2].rpartition("/")[0].lower() != account.partition("://")[2].lower():
                    raise ConfigurationError(
                        f"{self._what} is not in the storage account of the connection string",
                        hint="Name a container of that account, or set a SAS for this one.",
                    )
                return client
            if settings.sas is not None:
                return ContainerClient(account, name, settings.sas, **options)
            credential = self._identity()
            stack.push_async_callback(credential.close)
            return ContainerClient(account, name, credential, **options)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(
                "the SAS or the connection string cannot be understood",
                hint="Copy it again; a connection string looks like "
                "DefaultEndpointsProtocol=https;AccountName=...;AccountKey=...;EndpointSuffix=core.windows.net.",
            ) from error

    def _identity(self) -> AsyncTokenCredential:
        try:
            from azure.identity.aio import DefaultAzureCredential
        except ImportError as error:
            raise ConfigurationError(
                "there is neither a SAS nor a connection string",
                hint=f"Set a SAS in the environment variable {self._settings.sas_variable}; or, to use this machine's"
                " own Azure identity, install what that needs: python -m pip install '.[identity]' in aetl's folder.",
            ) from error
        identity: AsyncTokenCredential = DefaultAzureCredential()
        return identity


class _Seen:
    """What the answers to a listing tell, refused ones too, and the client does not hand on."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.date: str | None = None
        self._encrypted: set[str | None] = set()

    def look(self, answer: Any) -> None:
        self.date = answer.http_response.headers.get("Date", self.date)
        if answer.http_response.status_code == 200:
            with suppress(ElementTree.ParseError):  # the client will say so
                blobs = ElementTree.fromstring(answer.http_response.body()).iter("Blob")
                key = "Properties/CustomerProvidedKeySha256"
                self._encrypted |= {blob.findtext("Name") for blob in blobs if blob.find(key) is not None}

    def completed(self, export: Export) -> Export:
        return replace(export, obstacle=_ENCRYPTED) if self._folder + export.name in self._encrypted else export


def _clock(date: str | None) -> Finding:
    try:
        clock = parsedate_to_datetime(date or "")
        skew = (datetime.now(UTC) - clock).total_seconds()
    except (ValueError, TypeError):  # a time without a zone
        return Finding("warning", "clock", "the server does not tell its time, so this machine's may be wrong")
    if abs(skew) < _MOST_SKEW:
        return Finding("ok", "clock", "this machine and the server agree")
    return Finding("warning", "clock", f"this machine is {skew:+.0f} s off the server's time", "Synchronise it (NTP).")


def _export(blob: BlobProperties) -> Export:
    obstacle: Obstacle | None = None
    if not blob.etag or blob.size is None:
        obstacle = _NAMELESS
    elif blob.archive_status:
        obstacle = _REHYDRATING
    elif blob.blob_tier == "Archive":
        obstacle = _ARCHIVED
    times: list[datetime | None] = [blob.creation_time, blob.last_modified]
    created = next(filter(None, times), _UNKNOWN)
    return Export(
        blob.name,
        (blob.etag or "").strip('"'),
        blob.size or 0,
        created,
        obstacle,
        is_simulated(blob.name, blob.metadata),
        bytes(md5) if (md5 := blob.content_settings.content_md5) else None,
    )
