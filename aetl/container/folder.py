"""A local folder that stands in for a container."""

from __future__ import annotations

import asyncio
import io
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Self

from aetl.addresses import path_of
from aetl.config import Settings
from aetl.container import CHUNK, NAMES, is_export, is_simulated, look_over
from aetl.errors import (
    ContainerAccessDenied,
    ContainerError,
    ContainerNotFound,
    ContainerUnreachable,
    ExportChanged,
    ExportExists,
    ExportNotFound,
    ExportUnavailable,
)
from aetl.models import Export, Finding, Obstacle, OtherBlobs

PAGE = 5_000
PARTIAL = ".partial"
"""The ending of a file that is not an export yet."""


def open_container(settings: Settings) -> Folder:
    """The folder that the settings name, as a path or a `file://` URL."""
    return Folder(path_of(settings.need_container(), "file"))


class Folder:
    """Exports as files. A file's version is told by its inode, size and time of change, its creation by that time too:
    few file systems keep another, and a file that is replaced is new."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        pass

    async def pages(self) -> AsyncGenerator[list[Export], None]:
        with self._errors():
            names = [name for name in await asyncio.to_thread(self._names) if is_export(name)]
            for start in range(0, len(names), PAGE):
                if page := await asyncio.to_thread(self._look, names[start : start + PAGE]):
                    yield page

    async def others(self) -> OtherBlobs | None:
        with self._errors():
            names = sorted(name for name in await asyncio.to_thread(self._names) if not is_export(name))
        return OtherBlobs(len(names), names[0]) if names else None

    async def find(self, name: str) -> Export:
        path = self._file(name)
        with self._errors(name):
            found = await asyncio.to_thread(os.lstat, path)
        if not stat.S_ISREG(found.st_mode):
            raise ExportNotFound(f"{name} in {self._path} is no file", hint=_FILES)
        return _export(name, found)

    async def read(self, export: Export) -> AsyncGenerator[bytes, None]:
        if export.obstacle is not None:
            raise ExportUnavailable(f"{export.name} in {self._path} {export.obstacle.message}", hint=_TOUCH.hint)
        path = self._file(export.name)
        with self._errors(export.name, is_read=True):
            file = await asyncio.to_thread(_open, path)
            try:
                while True:
                    # A file that is written to while it is read changes its time; a replaced one is still the old one
                    # here, whole, though its name now means another: that one waits for the next run.
                    if _export(export.name, os.fstat(file.fileno())).etag != export.etag:
                        raise ExportChanged(f"{export.name} in {self._path} changed while it was read")
                    if not (chunk := await asyncio.to_thread(file.read, CHUNK)):
                        return
                    yield chunk
            finally:
                file.close()

    async def write(self, name: str, chunks: AsyncIterable[bytes]) -> None:
        target = self._file(name)
        partial = self._path / (name + PARTIAL)
        with self._errors(name):
            self._path.mkdir(parents=True, exist_ok=True)
            file = await asyncio.to_thread(open, partial, "xb")
            try:
                with file:
                    await _write_behind(file, chunks)
                    await asyncio.to_thread(_sync, file)
                _move(partial, target)
            finally:
                partial.unlink(missing_ok=True)

    async def examine(self) -> list[Finding]:
        try:
            exports = [export async for page in self.pages() for export in page]
            findings = await look_over(self, exports, str(self._path))
        except ContainerError as error:
            return [Finding("failure", "container", str(error), error.hint)]
        if not os.access(self._path, os.W_OK):
            findings.append(
                Finding("warning", "container", f"{self._path} may not be written: `aetl export` would fail")
            )
        return findings

    def _file(self, name: str) -> Path:
        """Where an export lies: in the folder itself, whatever its name."""
        if not is_export(name):
            raise ExportNotFound(f"{name!r} is not the name of an export", hint=NAMES)
        return self._path / name

    def _names(self) -> list[str]:
        """All at once: an iterator over them that a cancelled task closes while its thread still reads it crashes
        Python."""
        with os.scandir(self._path) as entries:
            return [entry.name for entry in entries]

    def _look(self, names: Sequence[str]) -> list[Export]:
        return [export for name in names if (export := _listed(self._path / name)) is not None]

    @contextmanager
    def _errors(self, name: str | None = None, *, is_read: bool = False) -> Iterator[None]:
        """Turns what the file system raises into errors of aetl that name the folder and the file.

        While a file is read they are that export's own, whatever they are: the others may be sound.
        """
        what = f"the folder {self._path}" if name is None else f"{name} in {self._path}"
        try:
            yield
        except FileNotFoundError as error:
            if name is None or not self._path.is_dir():
                raise ContainerNotFound(f"the folder {self._path} does not exist", hint=_FOLDER) from error
            raise ExportNotFound(f"there is no {what}") from error
        except FileExistsError as error:
            raise ExportExists(f"{what} exists already") from error
        except NotADirectoryError as error:
            raise ContainerNotFound(f"{self._path} is not a folder", hint=_FOLDER) from error
        except OSError as error:
            if is_read and self._path.is_dir():
                raise ExportUnavailable(f"{what} cannot be read: {error.strerror or error}", hint=_READABLE) from error
            raise self._unusable(what, error, is_all=name is None) from error

    def _unusable(self, what: str, error: OSError, *, is_all: bool) -> ContainerError:
        if isinstance(error, PermissionError):
            return ContainerAccessDenied(
                f"{what} may not be read or written: {error.strerror}",
                hint="Give this account the right to it, or name another folder with --container.",
            )
        if self._path.is_file():  # Windows has no one error for that
            return ContainerNotFound(f"{self._path} is not a folder", hint=_FOLDER)
        kind = ContainerUnreachable if is_all else ContainerError
        return kind(f"{what} cannot be read or written: {error.strerror or error}")


_CHUNKS_A_SYNC = 16
"""Every so many the disk is waited for: in the end there is little left to wait for then, however slow it is."""
_FOLDER = "Name an Azure container's URL or a folder that exists."
_FILES = "An export is a file in the folder itself, and no link to another one."
_READABLE = "Give this account the right to read the file, or look at the disk; each load tries it again."
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TOUCH = Obstacle(
    "has a time of change outside the years 1 to 9999, so nobody knows which exports are newer",
    "Set the file's time: touch FILE.",
)


def _listed(path: Path) -> Export | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None  # deleted while the folder was listed
    return _export(path.name, found) if stat.S_ISREG(found.st_mode) else None


def _open(path: Path) -> io.FileIO:
    """Opens a file of the folder's own: no link to one elsewhere, and without waiting for who writes to a pipe."""
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    return io.FileIO(path, opener=lambda name, mode: os.open(name, mode | flags))


async def _write_behind(file: BinaryIO, chunks: AsyncIterable[bytes]) -> None:
    """Writes each chunk while the next one is being made, and has the disk keep up with it."""
    writing: asyncio.Future[None] | None = None
    count = 0
    try:
        async for chunk in chunks:
            if writing is not None:
                await writing
            count += 1
            writing = asyncio.get_running_loop().run_in_executor(None, _write, file, chunk, count % _CHUNKS_A_SYNC == 0)
    finally:
        if writing is not None:
            await writing


def _write(file: BinaryIO, chunk: bytes, is_synced: bool) -> None:
    file.write(chunk)
    if is_synced:
        _sync(file)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _export(name: str, found: os.stat_result) -> Export:
    etag = f"{found.st_ino:x}-{found.st_size:x}-{found.st_mtime_ns:x}"
    simulated = is_simulated(name)
    try:
        # Not fromtimestamp: on Windows it takes none before 1970.
        created = _EPOCH + timedelta(microseconds=found.st_mtime_ns // 1000)
    except OverflowError:
        # If it were loaded as the newest, no later export could change a record of it.
        return Export(name, etag, found.st_size, _EPOCH, _TOUCH, simulated)
    return Export(name, etag, found.st_size, created, is_simulated=simulated)


def _move(partial: Path, target: Path) -> None:
    """Gives a complete file its name, unless that is taken."""
    if os.name == "nt":
        partial.rename(target)  # raises FileExistsError there
        return
    try:
        os.link(partial, target)
    except (PermissionError, OSError) as error:
        if isinstance(error, FileExistsError) or target.exists():
            raise FileExistsError(str(target)) from error
        partial.rename(target)  # a file system without links
