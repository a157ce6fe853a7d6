"""What the cases need and share: exports, containers and databases, each made when it is first asked for."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, closing
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from sqlite3 import connect

from aetl.config import Settings
from aetl.container.folder import open_container
from aetl.models import Export
from tests.azurite import AzureContainer, Azurite, running
from tools.benchmark import exports
from tools.benchmark.exports import Content
from tools.benchmark.measure import Command, clean_environment

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".benchmark"
AETL = str(Path(sys.executable).with_name("aetl"))
NAME = "backup_20250601T020000.json"
HOURS_OF_SAS = timedelta(hours=12)
GZIP_LEVEL = 6
EMPTY = b'{"sessions":[],"events":[],"event_parents":[]}\n'


class Supplies:
    """Exports stay in .benchmark/ from one benchmark to the next; all else is made by the aetl of today, and goes."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self._containers: dict[Path, AzureContainer] = {}
        self._databases: dict[tuple[str, object], Path] = {}
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / ".gitignore").write_text("*\n")
        generator = hashlib.sha256(Path(exports.__file__).read_bytes()).hexdigest()[:12]
        for old in FOLDER.glob("exports-*"):
            if old.name != f"exports-{generator}":
                shutil.rmtree(old)
        self._exports = FOLDER / f"exports-{generator}"
        self._made = FOLDER / "made"
        self.work = FOLDER / "work"
        for folder in (self._made, self.work):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            stack.callback(shutil.rmtree, folder, ignore_errors=True)

    def folder(self, content: Content, *, compressed: bool = False) -> Path:
        """A folder with one export of that content; read once, so that it lies in the file system's cache."""
        folder = self._exports / f"{content.seed}-{content.sessions}"
        path = folder / NAME
        exports.write(content, path)
        if compressed:
            folder, path = folder / "gz", folder / "gz" / f"{NAME}.gz"
            _compress(folder.parent / NAME, path)
        with path.open("rb") as file:
            while file.read(2**20):
                pass
        return folder

    def variables(self, content: Content, *, compressed: bool = False) -> dict[str, str]:
        """The environment for a container of Azurite with one blob of that content."""
        container = self._container(self.folder(content, compressed=compressed))
        sas = container.sas(expiry=HOURS_OF_SAS)
        return {"CHAT_DB_CONTAINER_URL": container.url, "CHAT_DB_CONTAINER_SAS_TOKEN": sas}

    def loaded(self, content: Content) -> Path:
        """A database into which aetl loaded that content from its folder."""
        if (key := ("folder", content)) not in self._databases:
            self._databases[key] = self._load({"CHAT_DB_CONTAINER_URL": str(self.folder(content))})
        return self._databases[key]

    def caught_up(self, content: Content) -> Path:
        """A database into which aetl loaded all that lies in the container of Azurite with that content."""
        if (key := ("azurite", content)) not in self._databases:
            self._databases[key] = self._load(self.variables(content))
        return self._databases[key]

    def many_blobs(self, count: int) -> tuple[Path, Path]:
        """A folder with so many tiny exports, and a database whose ledger says that all of them are loaded.

        One is loaded; the others are entered into the ledger by SQL, as loading them would take most of an hour.
        """
        folder = self._exports / f"blobs-{count}"
        folder.mkdir(parents=True, exist_ok=True)
        if len(os.listdir(folder)) != count:  # noqa: PTH208 - 100,000 of them
            for number in range(count):
                moment = exports.FIRST_SESSION + number * timedelta(minutes=5)
                path = folder / f"backup_{moment:%Y%m%dT%H%M%S}.json"
                path.write_bytes(EMPTY)
                os.utime(path, (moment.timestamp(),) * 2)
        if (key := ("blobs", count)) not in self._databases:
            single = self._made / "single"
            single.mkdir()
            (single / NAME).write_bytes(EMPTY)
            database = self._load({"CHAT_DB_CONTAINER_URL": str(single)})
            _enter(asyncio.run(_list(folder)), database)
            self._databases[key] = database
        return folder, self._databases[key]

    @cached_property
    def azurite(self) -> Azurite:
        """A server for the whole benchmark."""
        return self.stack.enter_context(running())

    def _container(self, folder: Path) -> AzureContainer:
        if folder not in self._containers:
            container = self.stack.enter_context(self.azurite.new_container())
            for path in folder.glob("backup_*"):
                with path.open("rb") as file:
                    container.client.upload_blob(path.name, file)
                for _ in container.client.download_blob(path.name).chunks():
                    pass  # the server's first answers are its slowest
            self._containers[folder] = container
        return self._containers[folder]

    def copy(self, content: Content, folder: Path) -> Path:
        """The folder of that content once more, where the export has another ETag."""
        folder.mkdir()
        shutil.copyfile(self.folder(content) / NAME, folder / NAME)
        return folder

    def run_load(self, variables: dict[str, str]) -> Path:
        """Runs a load that is not measured; gives the folder in which it ran."""
        folder = Path(tempfile.mkdtemp(dir=self._made))
        command = Command([AETL, "load", "--quiet"], folder, variables)
        subprocess.run(command.arguments, check=True, cwd=folder, env={**clean_environment(), **command.variables})
        return folder

    def _load(self, variables: dict[str, str]) -> Path:
        folder = self.run_load(variables)
        if (folder / "local.db-wal").exists():
            raise AssertionError(f"{folder} holds a write-ahead log after the load: the file alone is not the database")
        return folder / "local.db"


def _compress(path: Path, to: Path) -> None:
    if to.exists():
        return
    to.parent.mkdir(exist_ok=True)
    partial = to.with_name(to.name + ".partial")
    with path.open("rb") as source, gzip.open(partial, "wb", GZIP_LEVEL) as target:
        shutil.copyfileobj(source, target, 2**20)
    partial.rename(to)


async def _list(folder: Path) -> list[Export]:
    async with open_container(Settings(container=str(folder))) as container:
        return [export async for page in container.pages() for export in page]


def _enter(found: list[Export], database: Path) -> None:
    """Makes the ledger of a database say that these exports are loaded, each as the only load in it is."""
    statement = """
        INSERT INTO _aetl_loads (blob, etag, created, status, started_at, finished_at, seconds, bytes, tables)
        SELECT ?, ?, ?, status, started_at, finished_at, seconds, bytes, tables FROM _aetl_loads WHERE load_id = 1
    """
    rows = ((each.name, each.etag, each.created.isoformat(timespec="microseconds")) for each in found)
    with closing(connect(database)) as connection, connection:
        connection.executemany(statement, rows)
