"""A database that cannot take the load: one clear line, exit code 5, and the file is as before."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.command import content, fail, one_line, start, succeed, wait_until
from tests.exports import encode, make_export, write
from tests.faults.databases import content_of_sound
from tests.faults.limits import files_up_to, run_limited, small_disk, without_roots_rights

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and rights as Unix knows them")

thorough = partial(pytest.param, marks=pytest.mark.thorough)
MB = 2**20
EXPORTS = Path("exports")


def files(folder: Path) -> dict[str, str]:
    """A hash of each file of the database; one that is empty is as good as none."""
    found = {path.name: path for path in folder.glob("local.db*") if path.is_file() and path.stat().st_size}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}


def execute(*statements: str) -> None:
    with closing(sqlite3.connect("local.db", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def loaded() -> dict[str, str]:
    """local.db after an earlier load, and ./exports with one that is to follow."""
    write(Path("earlier"), 0, make_export(500, meta="before"))
    succeed("load", "--container", "earlier")
    write(EXPORTS, 1, make_export(600))
    return content_of_sound()


def corrupt(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: 16 * 1024] + b"\x55" * (len(data) - 16 * 1024))


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 40 * 1024])


def overwritten(path: Path) -> None:
    path.write_bytes(bytes(8192))


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


HARM: dict[str, tuple[Callable[[Path], object], str]] = {
    "corrupt": (corrupt, "is corrupt"),
    "cut off": (cut_off, "is corrupt"),
    "overwritten": (overwritten, "is not a SQLite database"),
    "a pipe": (pipe, "is not a file"),
    "other columns": (
        lambda path: execute("ALTER TABLE events RENAME COLUMN kind TO sort"),
        "table events: the column kind is missing",
    ),
    "another program's": (lambda path: execute("PRAGMA application_id = 7"), "was not made by aetl"),
    "a newer ledger": (lambda path: execute("PRAGMA user_version = 99"), "Upgrade aetl"),
}


@pytest.mark.parametrize("harm", ["a pipe", "cut off", *map(thorough, sorted(HARM.keys() - {"a pipe", "cut off"}))])
def test_what_is_no_sound_database_of_aetls_is_left_as_it_is(harm: str, loaded: dict[str, str]) -> None:
    do, told = HARM[harm]
    do(Path("local.db"))
    before = files(Path())
    assert told in fail(5, "load", "--container", EXPORTS)
    assert files(Path()) == before


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_is_read_only_is_left_as_it_is(what: str, loaded: dict[str, str], tmp_path: Path) -> None:
    if os.geteuid() == 0 and sys.platform != "linux":
        pytest.skip("root may write everywhere")
    folder = tmp_path / "database"
    folder.mkdir()
    Path("local.db").rename(folder / "local.db")
    before = files(folder)
    (folder / "local.db" if what == "file" else folder).chmod(0o555)
    try:
        done = run_limited(
            without_roots_rights, "load", "--container", EXPORTS.absolute(), "--database", folder / "local.db"
        )
    finally:
        folder.chmod(0o755)
    assert done.returncode == 5
    assert "local.db" in one_line(done.stderr)
    assert files(folder) == before
    assert {path.name for path in folder.iterdir()} == {"local.db"}


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export that is more than SQLite's cache holds: writing begins long before the commit."""
    document = make_export(1000, events=2)
    for each in document["events"]:
        each["content"] = "x" * 24_000
    folder = tmp_path_factory.mktemp("wide")
    write(folder, 1, encode(document, indent=None))
    return folder


@pytest.mark.parametrize("is_first", [True, False], ids=["first load", "second load"])
@pytest.mark.parametrize("when", ["in the middle", "at the commit"])
@pytest.mark.parametrize("limit", ["disk", thorough("file size")])
def test_no_room_rolls_back(limit: str, when: str, is_first: bool, wide: Path, tmp_path: Path) -> None:
    exports = wide if when == "in the middle" else tmp_path / "exports"
    if when == "at the commit":
        write(exports, 1, make_export(3000))
    room = 4 * MB if when == "in the middle" else MB // 2

    def check(folder: Path, limited: Callable[[], None]) -> None:
        arguments = ("load", "--database", folder / "local.db", "--container")
        if not is_first:
            write(tmp_path / "earlier", 0, make_export(20))
            succeed(*arguments, tmp_path / "earlier")
        before = files(folder)
        done = run_limited(limited, *arguments, exports)
        assert done.returncode == 5
        assert ("cannot grow" if limit == "disk" else "ulimit") in one_line(done.stderr)
        assert files(folder) == before

    if limit == "disk":
        with small_disk(tmp_path / "disk", room) as disk:
            check(disk, lambda: None)
    else:
        check(tmp_path, files_up_to(room))
    if limit == "file size":
        succeed("load", "--container", exports)


@pytest.mark.thorough
def test_another_programs_lock_is_waited_for_and_then_told(loaded: dict[str, str]) -> None:
    with closing(sqlite3.connect("local.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert "is locked by another program" in fail(5, "load", "--container", EXPORTS)
        assert content() == loaded
        writer.execute("ROLLBACK")
    succeed("load", "--container", EXPORTS)


def test_another_programs_lock_that_goes_in_time_does_no_harm(loaded: dict[str, str]) -> None:
    log = Path("global.log")
    seen = log.read_text("utf-8").count("load_one")
    with closing(sqlite3.connect("local.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with start("load", "--container", EXPORTS) as load:
            wait_until(lambda: log.read_text("utf-8").count("load_one") > seen)
            writer.execute("COMMIT")
            _, stderr = load.communicate(timeout=60)
    assert (load.returncode, stderr) == (0, "")
    assert content() != loaded
