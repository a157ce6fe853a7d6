"""What the tests of all containers share: places to write into, and short ways to read."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from aetl.config import Settings
from aetl.container import CHUNK, Container
from aetl.container.azure_reading import RANGE
from aetl.models import Export
from tests.azurite import AzureContainer

NAME = "backup_20250301T020000.json"
CONTENT = random.Random(1).randbytes(2 * RANGE + 12_345)


@dataclass(frozen=True)
class Place:
    """A container, and what a test does to it behind aetl's back."""

    settings: Settings
    missing: Settings
    """The same for a container that does not exist."""
    put: Callable[[str, bytes], object]
    delete: Callable[[str], object]
    names: Callable[[], list[str]]


def folder_place(path: Path) -> Place:
    path.mkdir()

    def put(name: str, data: bytes) -> None:
        new = path / "new"
        new.write_bytes(data)
        new.replace(path / name)

    return Place(
        Settings(container=str(path)),
        Settings(container=str(path.with_name("missing"))),
        put,
        lambda name: (path / name).unlink(),
        lambda: sorted(each.name for each in path.iterdir()),
    )


def azure_place(container: AzureContainer) -> Place:
    return Place(
        Settings(container=container.url_with_sas("rlcw"), retries=0),
        Settings(
            container=f"{container.url}-missing", connection_string=container.azurite.connection_string, retries=0
        ),
        container.upload,
        container.client.delete_blob,
        container.names,
    )


async def listing(container: Container) -> list[Export]:
    return [export async for page in container.pages() for export in page]


async def content(container: Container, export: Export) -> bytes:
    pieces = [bytes(piece) async for piece in container.read(export)]
    assert all(0 < len(piece) <= CHUNK for piece in pieces)
    return b"".join(pieces)


async def chunks(*pieces: bytes, then: Exception | None = None) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    if then is not None:
        raise then
