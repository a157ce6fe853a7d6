"""Commands that only read leave everything as it was, also where they may write nothing; a load says what it lacks."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.acceptance.command import fail, is_loading, one_line, run_aetl, start, succeed, tell_to_end, wait_until
from tests.exports import make_export, write
from tests.faults.conftest import Night
from tests.faults.limits import run_limited, without_roots_rights

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="root's rights are only taken away on Linux")

READING = ("status", "digest", "check")
LOG = ("--log-file", "/nowhere/global.log")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One with a database."""
    folder = tmp_path / "place"
    folder.mkdir()
    write(Path("exports"), 0, make_export(3))
    succeed("load", "--container", "exports", "--database", folder / "local.db")
    return folder


@contextmanager
def read_only(folder: Path) -> Iterator[dict[str, tuple[bytes, int]]]:
    """Gives what is there, which must be there afterwards, byte for byte and as old."""
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield before
    finally:
        folder.chmod(0o755)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before


def leave_a_log(folder: Path) -> None:
    """As a load does that is killed after its commit: a session more, which is only in the write-ahead log."""
    copies = folder.with_name("copies")
    copies.mkdir()
    with closing(sqlite3.connect(folder / "local.db", isolation_level=None)) as connection:
        connection.execute("INSERT INTO sessions (id, started_at) VALUES ('more', '2025-01-01T00:00:00')")
        for path in folder.iterdir():
            shutil.copy(path, copies)
    for path in copies.iterdir():
        shutil.copy(path, folder)


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize("is_log_left", [False, True], ids=["at rest", "with a log beside it"])
def test_reading_needs_no_right_to_write(folder: Path, command: str, is_log_left: bool) -> None:
    if is_log_left:
        leave_a_log(folder)
    with read_only(folder):
        where = ("--container", "exports", "--database", folder / "local.db", *LOG)
        done = run_limited(without_roots_rights, command, *where)
    assert done.returncode == (1 if command == "check" else 0), done.stdout + done.stderr
    assert "cannot open the log file" in one_line(done.stderr)
    assert {
        "status": "No export waits",
        "digest": f"sessions: {4 if is_log_left else 3} rows",
        "check": "local.db may not be written",
    }[command] in done.stdout


def test_a_log_that_nobody_may_bring_in_is_told(folder: Path) -> None:
    leave_a_log(folder)
    (folder / "local.db-shm").unlink()
    with read_only(folder):
        done = run_limited(without_roots_rights, "digest", "--database", folder / "local.db")
    assert done.returncode == 5
    assert "has to be brought in first" in one_line(done.stderr)


def test_a_load_needs_its_log(folder: Path) -> None:
    assert "cannot open the log file" in fail(2, "load", "--container", "exports", *LOG)


@pytest.mark.parametrize("lock", ["a folder", "read-only"])
def test_a_lock_that_cannot_be_taken_is_named(folder: Path, lock: str) -> None:
    if lock == "a folder":
        (folder / "local.db.lock").mkdir()
    else:
        (folder / "local.db.lock").touch(0o444)
    where = ("--container", "exports", "--database", folder / "local.db")
    done = run_limited(without_roots_rights, "load", *where)
    assert done.returncode == 5
    assert f"{folder / 'local.db.lock'} cannot be written" in one_line(done.stderr)


def test_a_database_with_two_names_is_refused(folder: Path) -> None:
    other = folder / "other.db"
    other.hardlink_to(folder / "local.db")
    for command in ("load", "status", "digest"):
        assert "2 names (hard links)" in fail(5, command, "--container", "exports", "--database", other)
    assert "2 names" in run_aetl("check", "--container", "exports", "--database", other).stdout
    other.unlink()
    other.symlink_to(folder / "local.db")
    assert succeed("load", "--container", "exports", "--database", other) == "Nothing new.\n"


def test_a_database_that_is_mounted_by_itself_is_refused(folder: Path) -> None:
    mounted = folder / "mounted file.db"
    mounted.touch()
    done = subprocess.run(["mount", "--bind", folder / "local.db", mounted], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.decode()}")
    try:
        said = fail(5, "load", "--container", "exports", "--database", mounted)
    finally:
        subprocess.run(["umount", mounted], check=True)
    assert "mounted as a single file" in said


@pytest.mark.parametrize("container", ["nowhere", "empty"])
def test_a_load_that_brings_nothing_leaves_no_database(container: str, tmp_path: Path) -> None:
    Path("empty").mkdir()
    run_aetl("load", "--container", container, "--database", "place.db")
    assert not list(tmp_path.glob("place.db*"))


def test_a_first_load_that_is_interrupted_leaves_no_database(night: Night, tmp_path: Path) -> None:
    process = start("load", "--container", night.folder, "--database", "place.db")
    wait_until(is_loading)
    tell_to_end(process, signal.SIGINT)
    assert process.returncode == 130
    assert not list(tmp_path.glob("place.db*"))


def test_a_file_that_was_there_and_empty_stays(tmp_path: Path) -> None:
    Path("empty").mkdir()
    Path("place.db").touch()
    succeed("load", "--container", "empty", "--database", "place.db")
    assert [path.name for path in tmp_path.glob("place.db*")] == ["place.db"]


def test_a_file_that_may_not_be_read_stops_no_other(tmp_path: Path) -> None:
    names = [write(tmp_path / "exports", night, make_export(first=night)) for night in range(3)]
    (tmp_path / "exports" / names[1]).chmod(0)
    done = run_limited(without_roots_rights, "load", "--container", "exports", "--json")
    assert done.returncode == 4, done.stderr
    assert [(each["blob"], each["status"]) for each in json.loads(done.stdout)["loads"]] == [
        (names[0], "loaded"), (names[1], "failed"), (names[2], "loaded")
    ]  # fmt: skip
    assert f"{names[1]} in exports cannot be read: Permission denied" in done.stderr
