"""What only a folder does as a container."""

from __future__ import annotations

from pathlib import Path

import pytest

from aetl.config import Settings
from aetl.container import folder, open_container
from aetl.errors import (
    ContainerError,
    ContainerNotFound,
    ExportChanged,
)
from tests.integration.containers import CONTENT, NAME, chunks, content, folder_place, listing


async def test_a_file_written_to_while_it_is_read_has_changed(tmp_path: Path) -> None:
    place = folder_place(tmp_path / "exports")
    place.put(NAME, CONTENT)
    async with open_container(place.settings) as container:
        pieces = container.read(await container.find(NAME))
        await anext(pieces)
        with (tmp_path / "exports" / NAME).open("ab") as file:
            file.write(b"more")
        with pytest.raises(ExportChanged):
            await anext(pieces)


async def test_a_folder_is_listed_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder_place(tmp_path / "exports")
    monkeypatch.setattr(folder, "PAGE", 3)
    for number in range(7):
        place.put(f"backup_{number}.json", b"")
    async with open_container(place.settings) as container:
        pages = [page async for page in container.pages()]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert len({export.name for page in pages for export in page}) == 7


@pytest.mark.parametrize("url", ["{path}", "file://{url_path}", "file://localhost{url_path}"])
async def test_a_folder_has_a_path_or_a_url(tmp_path: Path, url: str) -> None:
    path = tmp_path / "exports"
    folder_place(path).put(NAME, b"{}")
    async with open_container(
        Settings(container=url.format(path=path, url_path=path.as_uri().removeprefix("file://")))
    ) as container:
        assert len(await listing(container)) == 1


async def test_a_folders_name_for_an_export_is_none(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    async with open_container(Settings(container=str(tmp_path))) as container:
        assert await listing(container) == []
        with pytest.raises(ContainerError):
            await content(container, await container.find(NAME))


async def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    async with open_container(Settings(container=str(path))) as container:
        with pytest.raises(ContainerNotFound, match="is not a folder"):
            await listing(container)
        with pytest.raises(ContainerError):
            await container.write(NAME, chunks(b"{}"))
