"""Of a run that left nothing in the ledger `status` and `check` tell all the same, until one has ended well."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from aetl import Settings
from aetl.models import EarlyEnd
from aetl.run_note import RunNote, path_of_note, read_early_end
from tests.acceptance.command import (
    AETL,
    environment,
    fail,
    files,
    is_loading,
    one_line,
    run_aetl,
    start,
    succeed,
    tell_to_end,
    wait_until,
)
from tests.exports import make_export, write
from tests.faults.conftest import Night
from tests.faults.limits import run_limited, small_disk, without_roots_rights

unix = pytest.mark.skipif(sys.platform == "win32", reason="signals, limits and rights as Unix knows them")
SIZE = 4096
MB = 2**20
SECRET = "s3cr3t-Signature"


def told(*options: str | Path) -> Any:
    """What `status --json` says, after a look at what `status` and `check` say."""
    found = json.loads(succeed("status", "--json", *options))["ended_early"]
    lines = [line for line in run_aetl("check", *options).stdout.splitlines() if "last run: " in line]
    said = succeed("status", *options)
    assert [line.startswith("warning  ") for line in lines] == [True] * (found is not None)
    assert ("The run of 20" in said) == (found is not None)
    if found is not None:
        end = "never ended: it was killed" if found["error"] is None else f"ended early: {found['error'].rstrip('.')}"
        assert end in said and end in lines[0]
    return found


def left(folder: Path = Path()) -> EarlyEnd | None:
    """What they would say."""
    return read_early_end(Settings(database=str(folder / "local.db"), log_file=folder / "global.log"))


def notes(folder: Path = Path()) -> list[Path]:
    return list(folder.glob("*.run-*"))


def fill(path: Path) -> None:
    """Until there is no room left: from now on nothing can be written there but over what is there already."""
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(SIZE)):
            pass


@contextmanager
def stopped(*arguments: str | Path, log: str = "global.log") -> Iterator[subprocess.Popen[str]]:
    """A load that stands still in the middle, and then is killed."""
    with start("load", *arguments, "--log-file", log) as load:
        wait_until(lambda: is_loading(Path(log)))
        load.send_signal(signal.SIGSTOP)
        try:
            yield load
        finally:
            load.kill()
            load.communicate()


@unix
def test_a_killed_run_is_told_once_it_is_dead_and_until_the_next(night: Night) -> None:
    with stopped("--container", night.folder):
        assert told() is None
        (note,) = notes()
        before = note.read_bytes()
        fail(75, "load", "--container", night.folder)
        assert note.read_bytes() == before and len(before) == SIZE
    found = told()
    assert (found["command"], found["error"], found["exit_code"]) == ("load", None, None)
    succeed("load", "--container", night.folder)
    assert told() is None and notes() == []


@unix
def test_a_refused_run_puts_back_what_an_earlier_one_left(night: Night) -> None:
    fail(4, "load", "--container", "missing", "--log-file", "second.log")
    (note,) = notes()
    before = note.read_bytes()
    with stopped("--container", night.folder, log="first.log"):
        fail(75, "load", "--container", night.folder, "--log-file", "second.log")
        assert note.read_bytes() == before
        fail(75, "load", "--container", night.folder, "--log-file", "third.log")
    assert {path.name.partition(".")[0] for path in notes()} == {"first", "second"}


@unix
@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_an_interrupted_run_is_told(number: signal.Signals, word: str, night: Night) -> None:
    with start("load", "--container", night.folder) as load:
        wait_until(is_loading)
        tell_to_end(load, number)
    found = left()
    assert found is not None and found.error is not None and word in found.error
    assert found.exit_code == load.returncode == 128 + number


def test_an_unreachable_container_is_told_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("once.yaml").write_text("retries: 0\ntimeout: 1\n", "utf-8")
    url = f"http://127.0.0.1:1/account/nights?sv=2023-11-03&sp=rl&sig={SECRET}"
    monkeypatch.setenv("CHAT_DB_CONTAINER_URL", url)
    said = fail(4, "load", "--config", "once.yaml")
    (note,) = notes()
    assert SECRET.encode() not in note.read_bytes()
    monkeypatch.delenv("CHAT_DB_CONTAINER_URL")
    found = told()
    assert found["error"] in said and found["exit_code"] == 4


def test_a_run_that_the_ledger_tells_of_leaves_no_note() -> None:
    write(Path("exports"), 0, b"[]")
    fail(6, "load", "--container", "exports")
    assert notes() == []
    fail(4, "load", "--container", "missing", "--dry-run")
    assert notes() == []


@unix
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    document = make_export(1000, events=2)
    for each in document["events"]:
        each["content"] = "x" * 12_000
    write(Path("wide"), 1, document)
    write(Path("small"), 1, make_export(2))
    with small_disk(tmp_path / "disk", 4 * MB) as disk:
        where = ("--database", disk / "local.db", "--log-file", disk / "global.log")
        done = run_aetl("load", "--container", "wide", *where)
        assert done.returncode == 5
        found = told(*where)
        assert "cannot grow" in found["error"] and found["exit_code"] == 5
        (note,) = notes(disk)

        filler = disk / "filler"
        fill(filler)
        before = note.read_bytes()
        assert run_aetl("load", "--container", "missing", *where).returncode == 4
        assert b"missing" in note.read_bytes() and len(before) == SIZE

        note.unlink()
        fill(filler)
        done = run_aetl("load", "--container", "missing", *where)
        assert done.returncode == 4 and f"{note.name} cannot be written" in done.stderr
        assert note.read_bytes() == b""
        assert "there was no room to note why: the disk was full" in str(left(disk))

        filler.unlink()
        succeed("load", "--container", "small", *where)
        assert left(disk) is None and notes(disk) == []


@unix
@pytest.mark.skipif(sys.platform != "linux", reason="root's rights are only taken away on Linux")
def test_a_note_that_cannot_be_made_is_warned_of_and_the_run_goes_on(tmp_path: Path) -> None:
    write(Path("exports"), 0, make_export(2))
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "global.log").touch()
    folder.chmod(0o555)
    done = run_limited(without_roots_rights, "load", "--container", "exports", "--log-file", folder / "global.log")
    assert done.returncode == 0
    assert "Permission denied" in one_line(done.stderr) and ".run-" in done.stderr


@unix
@pytest.mark.skipif(sys.platform != "linux", reason="root's rights are only taken away on Linux")
def test_a_note_that_may_not_be_read_is_told_of() -> None:
    fail(4, "load", "--container", "missing")
    (note,) = notes()
    note.chmod(0)
    done = run_limited(without_roots_rights, "status", "--json")
    assert "cannot be read (Permission denied)" in json.loads(done.stdout)["ended_early"]["error"]


def test_each_database_has_a_note_of_its_own() -> None:
    url = f"postgresql://aetl:{SECRET}@127.0.0.1:1/chat"
    fail(4, "load", "--container", "missing", "--database", "one.db")
    done = subprocess.run(
        [*AETL, "load", "--container", "missing"],
        capture_output=True, check=False, env=environment({"CHAT_DB_URL": url}),
    )  # fmt: skip
    write(Path("exports"), 0, make_export(2))
    succeed("load", "--container", "exports", "--database", "two.db")
    assert read_early_end(Settings(database="two.db")) is None
    for one in ("one.db", f"sqlite:///{Path('one.db').absolute()}"):
        assert "missing" in str(read_early_end(Settings(database=one)))
    assert "127.0.0.1:1" in str(read_early_end(Settings(database=url)))
    assert done.returncode == 5
    assert not any(SECRET.encode() in note.read_bytes() for note in notes())


@pytest.mark.parametrize("log", [os.devnull, "missing.log", "."])
def test_beside_a_log_that_is_no_file_there_is_no_note(log: str) -> None:
    settings = Settings(log_file=Path(log))
    RunNote(settings, "load").end("error", 5)
    assert path_of_note(settings) is None and read_early_end(settings) is None and files() == set()


def test_a_note_keeps_its_size_whatever_it_tells() -> None:
    Path("global.log").touch()
    settings = Settings(database="\N{WHALE}" * 60)
    note = RunNote(settings, "run")
    assert read_early_end(settings) is None
    RunNote(settings, "load").end("the other one", 5)
    note.end(f"sig={SECRET} \x1b[31m " + "\N{WHALE}" * 5000, 5)
    (path,) = notes()
    assert path.stat().st_size == SIZE and SECRET.encode() not in path.read_bytes()
    found = read_early_end(settings)
    assert found is not None and found.error is not None
    assert found.error.startswith("sig=*** \\x1b[31m \N{WHALE}") and found.error.endswith("...")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"began": 7}', b"\xff", b"null"])
def test_a_note_that_says_nothing_is_told_of(content: bytes) -> None:
    Path("global.log").touch()
    path = path_of_note(Settings())
    assert path is not None
    path.write_bytes(content)
    found = read_early_end(Settings())
    assert found is not None and found.error == "there was no room to note why: the disk was full"
    RunNote(Settings(), "load").remove()
    assert read_early_end(Settings()) is None and notes() == []
