"""Containers: one small interface, an implementation a file."""

from __future__ import annotations

import importlib
import re
from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Protocol, Self

from aetl.addresses import is_azure
from aetl.config import Settings
from aetl.models import Export, Finding, OtherBlobs

CHUNK = 2**20
"""Bytes that a container hands on at once, at most."""

PREFIX = "backup_"
NAMES = f"Exports are named {PREFIX}<UTC time>.json or .json.gz."
SIMULATED = ".simulated"
"""What stands before `.json` in the name of an export that holds a simulation's mock data."""
SIMULATED_METADATA = "aetl_simulated"
"""The name of the blob's metadata that says the same with the value `true`, also of a copy with another name."""
_MARK = re.compile(rf"{re.escape(SIMULATED)}(?!\w)", re.IGNORECASE)
"""Anywhere in the name: Windows calls a copy `NAME - Copy.json`, and a browser the second one `NAME (1).json`."""
_EXPORT = re.compile(rf"{PREFIX}[^/\\]*\.json(\.gz)?")


class Container(Protocol):
    """Where exports lie. Every error is one of errors.ContainerError."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exception: object) -> None: ...

    def pages(self) -> AsyncGenerator[list[Export], None]:
        """All exports in pages of some thousand, in no particular order."""

    async def find(self, name: str) -> Export:
        """One export by its name; raises ExportNotFound."""

    def read(self, export: Export) -> AsyncGenerator[bytes, None]:
        """The bytes of this very version of an export, as stored; raises ExportChanged, never mixes two versions."""

    async def write(self, name: str, chunks: AsyncIterable[bytes]) -> None:
        """A new export, which nobody sees before it is complete; creates a missing container; raises ExportExists.

        One with a simulated export's name also gets the metadata of one, where the container has such.
        """

    async def others(self) -> OtherBlobs | None:
        """What lies there that is not named like an export; asked for where no export is found."""

    async def examine(self) -> list[Finding]:
        """What would go wrong tonight."""


def open_container(settings: Settings) -> AbstractAsyncContextManager[Container]:
    """The container of some settings: Azure for an http(s) URL, else a folder."""
    # Imported here, as Azure's client is most of what a start costs.
    module = "aetl.container.azure" if is_azure(settings.need_container()) else "aetl.container.folder"
    opened: AbstractAsyncContextManager[Container] = importlib.import_module(module).open_container(settings)
    return opened


async def look_over(container: Container, exports: Sequence[Export], where: str) -> list[Finding]:
    """What a listing tells of tonight: how many exports there are, and which of them could not be read."""
    if not exports and (others := await container.others()):
        return [Finding("warning", "container", f"{where} holds no export, but {others}", NAMES)]
    found = [Finding("ok", "container", f"{where} can be listed and holds {len(exports):,} exports")]
    for obstacle in dict.fromkeys(each.obstacle for each in exports if each.obstacle is not None):
        names = [each.name for each in exports if each.obstacle == obstacle]
        text = f"{len(names):,} of the exports cannot be read, for example {names[0]}: it {obstacle.message}"
        found.append(Finding("warning", "container", text, obstacle.hint))
    return found


def is_export(name: str) -> bool:
    """Whether a blob's name is that of an export: it names no folder, and holds nothing that a terminal would obey."""
    return _EXPORT.fullmatch(name) is not None and name.isprintable()


async def first_real_export(container: Container) -> str | None:
    """The name of an export that no simulation wrote, or None."""
    async with aclosing(container.pages()) as pages:
        async for page in pages:
            for export in page:
                if not export.is_simulated:
                    return export.name
    return None


def is_simulated(name: str, metadata: Mapping[str, str] | None = None) -> bool:
    """Whether an export holds a simulation's mock data, by its name or by the blob's metadata."""
    marked = {key.lower(): value for key, value in (metadata or {}).items()}.get(SIMULATED_METADATA, "")
    return _MARK.search(name) is not None or marked.lower() == "true"
