"""aetl as an operator has it: install.bat, the job's folder, the installed aetl.exe, the registered task."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.windows import wine
from tests.windows.wine import Done

# Where wine's Task Scheduler keeps what was registered.
TASK = wine.SYSTEM32 / "tasks/aetl"
TABLES = ("sessions", "events", "event_parents")


@dataclass(frozen=True)
class Job:
    """A job's folder, as Linux names it, and the folder that it is installed from."""

    source: Path
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"AETL_HOME": wine.windows_path(self.home)}

    def install(self, *arguments: str, env: Mapping[str, str] | None = None, typed: bytes | None = None) -> Done:
        """Without waiting for a key, unless something is typed."""
        quiet = () if typed is not None else ("/quiet",)
        return self._run("install.bat", *arguments, *quiet, env=env, typed=typed)

    def uninstall(self, *arguments: str, env: Mapping[str, str] | None = None) -> Done:
        return self._run("uninstall.bat", *arguments, "/quiet", env=env)

    def aetl(self, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Done:
        return wine.run(wine.windows_path(self.home / "env/Scripts/aetl.exe"), *arguments, cwd=cwd, env=env)

    def python(self, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, seconds: float = 120) -> Done:
        program = wine.windows_path(self.home / "env/Scripts/python.exe")
        return wine.run(program, *arguments, cwd=cwd, env=env, seconds=seconds)

    def names(self) -> set[str]:
        """What lies in the job's folder."""
        return {path.name for path in self.home.iterdir()} if self.home.exists() else set()

    def remove(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        TASK.unlink(missing_ok=True)

    def _run(self, name: str, *arguments: str, env: Mapping[str, str] | None, typed: bytes | None = None) -> Done:
        # From another folder than its own: it must not matter where it is started.
        batch, folder = wine.windows_path(self.source / name), self.source.parent
        environment = {**self.environment, **(env or {})}
        return wine.run(batch, *arguments, cwd=folder, env=environment, seconds=300, typed=typed)


@dataclass(frozen=True)
class Installed:
    """An installed job, and what install.bat said."""

    job: Job
    done: Done


def is_registered() -> bool:
    """Whether wine's Task Scheduler has the task. Of its definition it keeps the settings only."""
    return TASK.exists()


def content(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the chatbot's tables, sorted."""
    with closing(sqlite3.connect(database)) as connection:
        return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in TABLES}


def counts(database: Path) -> dict[str, int]:
    return {table: len(rows) for table, rows in content(database).items()}


def ledger(database: Path) -> list[tuple[str, ...]]:
    """What was loaded: name, ETag and status of each export."""
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.execute("SELECT blob, etag, status FROM _aetl_loads ORDER BY load_id"))
