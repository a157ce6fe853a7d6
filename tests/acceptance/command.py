"""Runs aetl as its users do: in a process of its own, always with a time limit."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

SECONDS = 60
AETL = (sys.executable, "-m", "aetl")
TABLES = ("sessions", "events", "event_parents")


def run_aetl(
    *args: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None, seconds: float = SECONDS
) -> subprocess.CompletedProcess[str]:
    """A whole run; `env` is added to this process's own."""
    return subprocess.run(
        [*AETL, *args], capture_output=True, text=True, check=False, cwd=cwd, env=environment(env), timeout=seconds
    )


def succeed(*args: str | Path, env: Mapping[str, str] | None = None) -> str:
    """What a run that must succeed, and must say nothing on stderr, says on stdout."""
    done = run_aetl(*args, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def fail(exit_code: int, *args: str | Path, env: Mapping[str, str] | None = None) -> str:
    """The one line that a run says on stderr when it fails as it must."""
    done = run_aetl(*args, env=env)
    assert done.returncode == exit_code, done.stdout + done.stderr
    return one_line(done.stderr)


def one_line(stderr: str) -> str:
    """What stderr holds, if it is one line of aetl's and no traceback."""
    (line,) = stderr.splitlines()
    assert line.startswith("aetl: ")
    return line


def tell_to_end(process: subprocess.Popen[str], number: signal.Signals) -> tuple[str, str, float]:
    """Sends a signal to a run under way; what it writes to stdout and stderr, and the seconds that its end takes."""
    process.send_signal(number)
    sent = time.monotonic()
    stdout, stderr = process.communicate(timeout=SECONDS)
    return stdout, stderr, time.monotonic() - sent


def start(*args: str | Path, cwd: Path | None = None) -> subprocess.Popen[str]:
    """A run under way; where it moves data, its log tells of every stage."""
    stages = ("--log-level", "DEBUG") if {"load", "run", "export"}.intersection(args) else ()
    return subprocess.Popen([*AETL, *args, *stages], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd)


def environment(more: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(more or {})}


def wait_until(holds: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Another process tells nothing when it gets somewhere, so ask again and again."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.002)


def is_loading(log: Path = Path("global.log")) -> bool:
    """Whether the log says that an export is being read."""
    return log.exists() and "pipeline.cut: started" in log.read_text("utf-8")


def query(sql: str, database: str | Path = "local.db") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql).fetchall()


def counts(database: str | Path = "local.db") -> tuple[int, ...]:
    """The number of sessions, events and parents."""
    return tuple(query(f"SELECT count(*) FROM {table}", database)[0][0] for table in TABLES)


def content(database: str | Path = "local.db") -> dict[str, str]:
    """A hash of each table's rows; of a table that is not there as of an empty one."""
    there = {name for (name,) in query("SELECT name FROM sqlite_schema", database)}
    hashes = {}
    for table in TABLES:
        rows = query(f"SELECT * FROM {table} ORDER BY 1, 2", database) if table in there else []
        hashes[table] = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    return hashes


def is_sound(database: str | Path = "local.db") -> bool:
    return query("PRAGMA integrity_check", database) == [("ok",)] and not query("PRAGMA foreign_key_check", database)


def files() -> set[str]:
    """What lies in the working directory; a note of how a run ended aside, of which test_run_note.py tells."""
    return {path.name for path in Path().iterdir() if not path.name.startswith("global.log.run-")}
