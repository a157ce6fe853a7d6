"""What only a folder does as a container."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aetl.config import Settings
from aetl.container import folder, open_container
from aetl.errors import (
    ContainerError,
    ContainerNotFound,
    ExportChanged,
)
from aetl.models import Export
from aetl.pipeline import load
from aetl.progress import LoggedProgress
from tests.exports import make_export, write
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


def _become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _become_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("elsewhere")


@pytest.mark.skipif(sys.platform == "win32", reason="a link needs a right there, and no file is opened meanwhile")
@pytest.mark.parametrize("change", [_become_folder, _become_link, os.unlink])
async def test_a_file_that_is_none_when_its_turn_comes_fails_alone(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    names = [write(tmp_path / "exports", night, make_export(first=night)) for night in range(3)]

    class Changing(LoggedProgress):
        def begin(self, export: Export) -> None:
            super().begin(export)
            if export.name == names[1]:
                change(tmp_path / "exports" / export.name)

    reports = await load(Settings(container="exports"), progress=Changing())
    assert [(each.blob, each.status, each.exit_code) for each in reports] == [
        (names[0], "loaded", 0), (names[1], "failed", 4), (names[2], "loaded", 0)
    ]  # fmt: skip


async def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    async with open_container(Settings(container=str(path))) as container:
        with pytest.raises(ContainerNotFound, match="is not a folder"):
            await listing(container)
        with pytest.raises(ContainerError):
            await container.write(NAME, chunks(b"{}"))


def stated(seconds: int) -> SimpleNamespace:
    """What a file system says of a file that was changed so many seconds after 1970."""
    return SimpleNamespace(st_ino=1, st_size=2, st_mtime_ns=seconds * 10**9)


@pytest.mark.parametrize("year", [1, 1600, 1969, 1970, 2446, 9999])
def test_a_file_of_any_year_that_a_calendar_has_was_changed_then(year: int) -> None:
    moment = datetime(year, 6, 1, tzinfo=UTC)
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    export = folder._export(NAME, stated(seconds))  # type: ignore[arg-type]
    assert (export.created, export.obstacle) == (moment, None)


@pytest.mark.parametrize("seconds", [253_402_300_800, -62_135_596_801, 2**63, -(2**63)])
async def test_a_file_of_no_year_fails_alone_and_is_found_beforehand(
    seconds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few file systems keep such times: what lstat says is changed here."""
    names = [write(tmp_path / "exports", night, make_export(first=night)) for night in range(3)]
    lstat = Path.lstat

    def wild(path: Path) -> Any:
        found = lstat(path)
        return SimpleNamespace(**vars(stated(seconds)), st_mode=found.st_mode) if path.name == names[1] else found

    monkeypatch.setattr(Path, "lstat", wild)
    reports = await load(Settings(container="exports"))
    assert {report.blob: report.status for report in reports} == dict(
        zip(names, ("loaded", "failed", "loaded"), strict=True)
    )
    (error,) = [str(report.error) for report in reports if report.error]
    assert "touch FILE" in error
    async with open_container(Settings(container="exports")) as container:
        (warning,) = [each for each in await container.examine() if each.level != "ok"]
    assert f"1 of the exports cannot be read, for example {names[1]}" in warning.message
