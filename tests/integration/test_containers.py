"""What every container promises: one suite over all of them."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aetl.config import Settings
from aetl.container import CHUNK, Container, open_container
from aetl.container.azure_reading import RANGE
from aetl.errors import (
    ContainerNotFound,
    ContainerUnreachable,
    DatabaseDamaged,
    ExportChanged,
    ExportExists,
    ExportNotFound,
)
from aetl.models import Export, OtherBlobs
from tests.azurite import AzureContainer, Azurite
from tests.integration.containers import CONTENT, NAME, Place, azure_place, chunks, content, folder_place, listing

KINDS = ("folder", "azure")


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return folder_place(tmp_path / "exports")
    return azure_place(request.getfixturevalue("azure_container"))


@pytest.fixture
async def container(place: Place) -> AsyncIterator[Container]:
    async with open_container(place.settings) as opened:
        yield opened


async def test_only_exports_are_listed(place: Place, container: Container) -> None:
    assert await listing(container) == []
    for name in (NAME, f"{NAME}.gz", f"{NAME}.partial", "backup_1.jsonl", "notes.json", "zzz"):
        place.put(name, b"{}")
    found = await listing(container)
    assert sorted((each.name, each.size) for each in found) == [(NAME, 2), (f"{NAME}.gz", 2)]
    for each in found:
        assert each.created.utcoffset() == timedelta(0)
        assert abs(each.created - datetime.now(UTC)) < timedelta(minutes=1)


async def test_find_gives_what_the_listing_gives(place: Place, container: Container) -> None:
    for number in range(3):
        place.put(f"backup_{number}.json", b"x" * number)
    found = await listing(container)
    assert len(found) == 3
    assert [await container.find(each.name) for each in found] == found


@pytest.mark.parametrize("name", ["notes.json", "backup_1", f"../{NAME}", "", NAME])
async def test_what_is_not_there_or_no_export_is_not_found(container: Container, place: Place, name: str) -> None:
    place.put("notes.json", b"{}")
    with pytest.raises(ExportNotFound):
        await container.find(name)


async def test_another_content_has_another_etag_and_the_same_one_keeps_it(place: Place, container: Container) -> None:
    place.put(NAME, b"1")
    before = await container.find(NAME)
    assert before == await container.find(NAME)
    place.put(NAME, b"2")
    assert (await container.find(NAME)).etag != before.etag


@pytest.mark.parametrize("size", [0, 1, CHUNK, RANGE, RANGE + 1, len(CONTENT)])
async def test_an_export_is_read_whole(place: Place, container: Container, size: int) -> None:
    place.put(NAME, CONTENT[:size])
    export = await container.find(NAME)
    assert export.size == size
    assert await content(container, export) == CONTENT[:size]


async def test_a_compressed_export_is_read_as_stored(place: Place, container: Container) -> None:
    stored = gzip.compress(CONTENT, 1)
    place.put(f"{NAME}.gz", stored)
    (export,) = await listing(container)
    assert await content(container, export) == stored


async def test_a_content_encoding_does_not_unpack_on_the_way(azure_container: AzureContainer) -> None:
    from azure.storage.blob import ContentSettings

    stored = gzip.compress(CONTENT, 1)
    azure_container.upload(NAME, stored, content_settings=ContentSettings(content_encoding="gzip"))
    async with open_container(azure_place(azure_container).settings) as container:
        (export,) = await listing(container)
        assert export == await container.find(NAME)
        assert await content(container, export) == stored


@pytest.mark.parametrize("size", [0, 1, len(CONTENT), len(CONTENT) + 1])
async def test_one_replaced_before_it_is_read_has_changed(place: Place, container: Container, size: int) -> None:
    place.put(NAME, CONTENT)
    export = await container.find(NAME)
    place.put(NAME, bytes(size))
    with pytest.raises(ExportChanged, match=NAME):
        await content(container, export)


async def test_one_replaced_while_it_is_read_never_mixes_with_another(place: Place, container: Container) -> None:
    data = CONTENT * 2
    place.put(NAME, data)
    read = b""
    try:
        async with aclosing(container.read(await container.find(NAME))) as pieces:
            async for piece in pieces:
                if not read:
                    with suppress(PermissionError):  # Windows replaces no file that is open
                        place.put(NAME, bytes(len(data)))
                read += piece
    except ExportChanged:
        assert data.startswith(read)
    else:
        assert data == read  # a folder goes on with the file that it opened


async def test_one_deleted_before_it_is_read_is_told(place: Place, container: Container) -> None:
    """Azurite says of a missing blob, too, that it is no longer that version; who then looks does not find it."""
    place.put(NAME, CONTENT)
    export = await container.find(NAME)
    place.delete(NAME)
    with pytest.raises((ExportNotFound, ExportChanged), match=NAME):
        await content(container, export)
    with pytest.raises(ExportNotFound, match=NAME):
        await container.find(NAME)


async def test_a_reader_may_leave_in_the_middle(place: Place, container: Container) -> None:
    place.put(NAME, CONTENT)
    async with aclosing(container.read(await container.find(NAME))) as pieces:
        assert CONTENT.startswith(bytes(await anext(pieces)))


@pytest.mark.parametrize(
    "pieces", [(), (b"",), (b"{", b"}"), (CONTENT, CONTENT)], ids=["no", "empty", "small", "large"]
)
async def test_what_is_written_is_read(place: Place, container: Container, pieces: tuple[bytes, ...]) -> None:
    await container.write(NAME, chunks(*pieces))
    assert place.names() == [NAME]
    assert await content(container, await container.find(NAME)) == b"".join(pieces)


async def test_a_write_never_overwrites(place: Place, container: Container) -> None:
    place.put(NAME, b"first")
    before = await container.find(NAME)
    with pytest.raises(ExportExists, match=NAME):
        await container.write(NAME, chunks(b"second"))
    assert await container.find(NAME) == before
    assert place.names() == [NAME]


class Broken(Exception):
    """What a source raises in these tests."""


@pytest.mark.parametrize("pieces", [(), (b"{",), (CONTENT, CONTENT)], ids=["nothing", "little", "much"])
@pytest.mark.parametrize("error", [Broken("source"), DatabaseDamaged("source")], ids=["unknown", "aetl's own"])
async def test_nobody_sees_half_a_write(
    place: Place, container: Container, pieces: tuple[bytes, ...], error: Exception
) -> None:
    with pytest.raises(type(error), match="source"):
        await container.write(NAME, chunks(*pieces, then=error))
    assert await listing(container) == []
    assert place.names() == []
    await container.write(NAME, chunks(b"{}"))
    assert place.names() == [NAME]


async def test_nobody_sees_a_write_under_way(place: Place, container: Container) -> None:
    async def watched() -> AsyncIterator[bytes]:
        yield CONTENT
        assert await listing(container) == []
        yield CONTENT
        with pytest.raises(ExportNotFound):
            await container.find(NAME)

    await container.write(NAME, watched())
    assert [each.size for each in await listing(container)] == [2 * len(CONTENT)]


async def test_a_missing_container_is_told_by_every_reading(place: Place) -> None:
    async with open_container(place.missing) as container:
        with pytest.raises(ContainerNotFound):
            await listing(container)
        with pytest.raises(ContainerNotFound):
            await container.find(NAME)
        with pytest.raises(ContainerNotFound):
            await content(container, Export(NAME, "1", 5, datetime.now(UTC)))
        assert "failure" in {finding.level for finding in await container.examine()}


async def test_a_missing_container_is_created_by_a_write(place: Place) -> None:
    async with open_container(place.missing) as container:
        await container.write(NAME, chunks(b"{}"))
        assert [each.name for each in await listing(container)] == [NAME]


async def test_a_sound_container_has_no_findings_but_good_ones(place: Place, container: Container) -> None:
    assert {finding.level for finding in await container.examine()} == {"ok"}


async def test_a_server_that_does_not_answer_is_unreachable(azurite: Azurite) -> None:
    settings = Settings(container="http://127.0.0.1:9/devstoreaccount1/exports?sp=rl&sig=c2lnbmF0dXJl", retries=0)
    async with open_container(settings) as container:
        with pytest.raises(ContainerUnreachable) as caught:
            await listing(container)
    assert "c2lnbmF0dXJl" not in caught.value.line


async def test_the_page_of_an_azure_listing_is_followed_by_the_next(
    azure_container: AzureContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from azure.storage.blob.aio import ContainerClient

    list_blobs = ContainerClient.list_blobs
    monkeypatch.setattr(
        ContainerClient, "list_blobs", lambda self, **options: list_blobs(self, **options, results_per_page=3)
    )
    for number in range(7):
        azure_container.upload(f"backup_{number}.json", b"")
    async with open_container(azure_place(azure_container).settings) as container:
        assert [len(page) async for page in container.pages()] == [3, 3, 1]


async def test_what_is_no_export_is_counted_with_an_example(place: Place, container: Container) -> None:
    assert await container.others() is None
    assert await bad_findings(container) == []
    for name in ("dump_2.json", "dump_1.json", "backup_1.txt"):
        place.put(name, b"{}")
    others = await container.others()
    assert others == OtherBlobs(3, "backup_1.txt")
    ((level, message),) = await bad_findings(container)
    assert level == "warning" and message.endswith("holds no export, but 3 with other names, such as 'backup_1.txt'")


async def bad_findings(container: Container) -> list[tuple[str, str]]:
    return [(each.level, each.message) for each in await container.examine() if each.level != "ok"]
