"""The cases: what each needs beforehand, which command is measured, and what it must have left behind."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tools.benchmark.exports import FULL, Content
from tools.benchmark.measure import Command, Measured
from tools.benchmark.supplies import AETL, NAME, ROOT, Supplies
from tools.benchmark.verify import check_export, check_last_load, check_rows, check_said

NIGHT = 0.01
"""How much of an export is new in a night, and all that the night's increment holds."""
BLOBS = 100_000
SHELL = shutil.which("sqlite3")

Verify = Callable[[Path, Path], None]
"""Is given the folder in which the command ran and the file with its standard output; raises Failed."""


@dataclass(frozen=True)
class Case:
    """`prepare` arranges an empty folder and gives the command; neither it nor `verify` is measured.

    `rows` is how many records the command handles. `times` is how often it runs in a round, as what is over in a
    moment varies most. `seconds` reads the time from the command's output where not all of it counts.
    """

    name: str
    title: str
    prepare: Callable[[Path], Command]
    verify: Verify
    rows: int | None = None
    times: int = 1
    seconds: Callable[[Measured], float] = lambda measured: measured.wall
    missing: str | None = None
    """Why it cannot run here."""
    only_if_named: bool = False


@dataclass(frozen=True)
class Cases:
    """All cases for one size. What is loaded is `content`; where it `is_large`, a tenth of it is loaded beside it."""

    supplies: Supplies
    content: Content
    is_large: bool = False
    few_times: int = 5

    def all(self) -> list[Case]:
        content, night = self.content, self.content.times(NIGHT, seed=2)
        return [
            self._limit(),
            self._load("azurite", "aetl load from Azurite, new database", self._azurite(content)),
            self._load("folder", "aetl load from a folder, new database", self._folder(content)),
            self._load("gzip", "aetl load from .json.gz in Azurite, new database", self._azurite(content, gz=True)),
            self._load("again", "aetl load of the same under a new ETag", self._azurite(content), before=content),
            self._increment(night),
            self._floor(night),
            *([self._tenth()] if self.is_large else []),
            self._by_hand(),
            self._export(),
            self._shell(),
            self._quick("python", "python -c pass", lambda _: Command([sys.executable, "-c", "pass"], ROOT)),
            self._quick("help", "aetl --help", lambda folder: Command([AETL, "--help"], folder), "Usage:"),
            self._status(),
            self._start(night),
            self._nothing_new(),
        ]

    def _limit(self) -> Case:
        return Case(
            "limit",
            "LIMIT: sqlite3 executemany of ready tuples",
            lambda folder: _module("limit", str(self._file(self.content)), str(folder / "local.db")),
            lambda folder, _: check_rows(folder / "local.db", self.content),
            rows=self.content.all_rows,
            seconds=_seconds_told,
        )

    def _floor(self, night: Content) -> Case:
        before = self.content.times(10)

        def prepare(folder: Path) -> Command:
            shutil.copyfile(self.supplies.loaded(before), folder / "local.db")
            return _module("limit", str(self._file(night)), str(folder / "local.db"))

        case = Case(
            "floor",
            "sqlite3 executemany of the same 1 % into the same database",
            prepare,
            lambda folder, _: check_rows(folder / "local.db", before, night),
            rows=night.all_rows,
            seconds=_seconds_told,
        )
        return _named_if(case, self.is_large)

    def _load(
        self,
        name: str,
        title: str,
        variables: Callable[[], Mapping[str, str]],
        *,
        before: Content | None = None,
        content: Content | None = None,
    ) -> Case:
        """Loads a content; where it is `before` already, it came from a folder, and so has another ETag now."""
        content = content or self.content

        def prepare(folder: Path) -> Command:
            if before is not None:
                shutil.copyfile(self.supplies.loaded(before), folder / "local.db")
            return Command([AETL, "load"], folder, variables())

        def verify(folder: Path, _: Path) -> None:
            others = [before] if before not in (None, content) else []
            check_rows(folder / "local.db", content, *filter(None, others))
            outcome = "unchanged" if before == content else "loaded"
            check_last_load(folder / "local.db", content, outcome=outcome)

        return Case(name, title, prepare, verify, rows=content.all_rows)

    def _increment(self, night: Content) -> Case:
        title = "aetl load of 1 % from Azurite into a 10 times larger database"
        case = self._load("increment", title, self._azurite(night), before=self.content.times(10), content=night)
        return _named_if(case, self.is_large)

    def _tenth(self) -> Case:
        tenth = self.content.times(0.1)
        return self._load("tenth", "aetl load from Azurite, a tenth of the size", self._azurite(tenth), content=tenth)

    def _by_hand(self) -> Case:
        def prepare(folder: Path) -> Command:
            return _module("by_hand", NAME, str(folder / "local.db"), variables=self._azurite(self.content)())

        return Case(
            "hand",
            "by hand: download, orjson.loads, executemany",
            prepare,
            lambda folder, _: check_rows(folder / "local.db", self.content),
            rows=self.content.all_rows,
            missing=None if importlib.util.find_spec("orjson") else "orjson is not installed: pip install orjson",
            only_if_named=self.is_large,  # it would take 12 GB
        )

    def _export(self) -> Case:
        def prepare(folder: Path) -> Command:
            (folder / "out").mkdir()
            database = str(self.supplies.loaded(self.content))
            return Command([AETL, "export", "--database", database], folder, {"CHAT_DB_CONTAINER_URL": "out"})

        def verify(folder: Path, output: Path) -> None:
            check_export(folder / "out" / output.read_text().strip(), self.content)

        return Case("export", "aetl export to a folder", prepare, verify, rows=self.content.all_rows)

    def _shell(self) -> Case:
        def prepare(folder: Path) -> Command:
            assert SHELL is not None
            selects = [f"SELECT * FROM {table}" for table in self.content.rows]
            return Command([SHELL, str(self.supplies.loaded(self.content)), ".mode json", *selects], folder)

        return Case(
            "shell",
            "sqlite3 shell writing the same with .mode json",
            prepare,
            lambda _, output: check_export(output, self.content),
            rows=self.content.all_rows,
            missing=None if SHELL else "there is no sqlite3 on the PATH",
        )

    def _quick(self, name: str, title: str, prepare: Callable[[Path], Command], says: str = "") -> Case:
        case = Case(name, title, prepare, lambda _, output: check_said(output, says), times=self.few_times)
        return _named_if(case, self.is_large)

    def _status(self) -> Case:
        def prepare(folder: Path) -> Command:
            database = str(self.supplies.loaded(self.content))
            return Command([AETL, "status", "--database", database], folder, self._folder(self.content)())

        return self._quick("status", "aetl status", prepare, "No export waits.")

    def _start(self, night: Content) -> Case:
        def prepare(folder: Path) -> Command:
            shutil.copyfile(self.supplies.caught_up(night), folder / "local.db")
            return Command([AETL, "load"], folder, self._azurite(night)())

        return self._quick("start", "aetl load, nothing new, one blob in Azurite", prepare, "Nothing new.")

    def _nothing_new(self) -> Case:
        blobs = BLOBS if self.is_large else round(BLOBS * min(1, self.content.sessions / FULL))

        def prepare(folder: Path) -> Command:
            container, database = self.supplies.many_blobs(blobs)
            shutil.copyfile(database, folder / "local.db")
            return Command([AETL, "load"], folder, {"CHAT_DB_CONTAINER_URL": str(container)})

        title = f"aetl load, nothing new, {blobs:,} blobs in a folder"
        return self._quick("nothing-new", title, prepare, "Nothing new.")

    def _file(self, content: Content) -> Path:
        return self.supplies.folder(content) / NAME

    def _azurite(self, content: Content, *, gz: bool = False) -> Callable[[], Mapping[str, str]]:
        return lambda: self.supplies.variables(content, compressed=gz)

    def _folder(self, content: Content) -> Callable[[], Mapping[str, str]]:
        return lambda: {"CHAT_DB_CONTAINER_URL": str(self.supplies.folder(content))}


def _seconds_told(measured: Measured) -> float:
    return float(json.loads(measured.output.read_bytes())["seconds"])


def _named_if(case: Case, is_left_out: bool) -> Case:
    return replace(case, only_if_named=is_left_out)


def _module(name: str, *arguments: str, variables: Mapping[str, str] | None = None) -> Command:
    command = [sys.executable, "-m", f"{__package__}.{name}", *arguments]
    return Command(command, ROOT, variables or {})
