"""What goes wrong on Windows and nowhere else: open files, code pages, processes that are killed, path names."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest

from aetl.container.azure_reading import RANGE
from tests.azurite import AzureContainer
from tests.exports import blob_name, make_export
from tests.faults.proxy import Fault, Proxy
from tests.windows import wine
from tests.windows.job import Installed, Job, content, counts

SIMULATED = {"sessions": 3, "events": 6, "event_parents": 3}
SESSIONS = 60_000
"""Of an export that takes three ranges."""
LOAD = ("load", "--config", "patient.yaml")
HOLD = "import sys; file = open(sys.argv[1], sys.argv[2]); print('open', flush=True); sys.stdin.read()"


@pytest.fixture
def aetl(installed: Installed) -> Job:
    return installed.job


@contextmanager
def held_open(aetl: Job, path: Path, mode: str = "rb") -> Iterator[None]:
    """Another program of Windows has a file open."""
    python = wine.windows_path(aetl.home / "env/Scripts/python.exe")
    with subprocess.Popen(
        ["wine", python, "-c", HOLD, wine.windows_path(path), mode],
        env=wine.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"open"
        try:
            yield
        finally:
            process.communicate()


def lay_down(folder: Path, sessions: int, night: int = 1) -> None:
    folder.mkdir(exist_ok=True)
    text = json.dumps(make_export(sessions))
    (folder / f"backup_202503{night:02}T020000.json").write_text(text, encoding="utf-8")


def test_a_simulated_database_that_is_open_elsewhere_is_one_clear_line(aetl: Job, folder: Path) -> None:
    assert aetl.aetl("run", "--sessions", "3", cwd=folder).code == 0
    with held_open(aetl, folder / "local.db"):
        done = aetl.aetl("run", "--sessions", "4", cwd=folder)
    assert done.code == 5, done.all
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "local.db" in done.stderr
    assert counts(folder / "local.db") == SIMULATED
    assert aetl.aetl("run", "--sessions", "3", cwd=folder).code == 0


@pytest.mark.parametrize("left", ["local.db-wal", "local.db-shm"])
def test_what_a_killed_run_left_beside_the_database_goes_with_it(aetl: Job, folder: Path, left: str) -> None:
    assert aetl.aetl("run", "--sessions", "3", cwd=folder).code == 0
    (folder / left).write_bytes(b"")
    done = aetl.aetl("run", "--sessions", "3", cwd=folder)
    assert done.code == 0, done.all
    assert counts(folder / "local.db") == SIMULATED
    assert not list(folder.glob("local.db?*"))


@dataclass(frozen=True)
class Halfway:
    """A container whose only export stays half read, the first time, until that load is told to go on."""

    environment: dict[str, str]
    is_reached: Event
    goes_on: Event


@pytest.fixture
def halfway(azure_container: AzureContainer, folder: Path) -> Iterator[Halfway]:
    azure_container.upload(blob_name(1), json.dumps(make_export(SESSIONS)).encode())
    (folder / "patient.yaml").write_text("timeout: 300", encoding="utf-8")
    is_reached, goes_on = Event(), Event()

    def wait() -> None:
        is_reached.set()
        assert goes_on.wait(300)

    def plan(number: int, offset: int) -> Fault | None:
        # When this range is asked for, all before it is cut and on its way into the database.
        return Fault("swap", then=wait) if offset == 2 * RANGE and not is_reached.is_set() else None

    with Proxy(azure_container.azurite.account_url).running() as proxy:
        proxy.plan = plan
        url = proxy.url(azure_container.url_with_sas("rl"))
        try:
            yield Halfway({"CHAT_DB_CONTAINER_URL": url}, is_reached, goes_on)
        finally:
            goes_on.set()


@contextmanager
def loading(aetl: Job, folder: Path, halfway: Halfway) -> Iterator[wine.Started]:
    """A load in the midst of its export."""
    program = wine.windows_path(aetl.home / "env/Scripts/python.exe")
    with wine.start(program, "-m", "aetl", *LOAD, cwd=folder, env=halfway.environment) as process:
        assert halfway.is_reached.wait(300), process.poll()
        yield process


def test_a_load_that_is_killed_is_rolled_back_and_the_next_one_is_whole(
    aetl: Job, folder: Path, halfway: Halfway
) -> None:
    with loading(aetl, folder, halfway) as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    done = aetl.aetl(*LOAD, cwd=folder, env=halfway.environment)
    assert done.code == 0, done.all
    assert counts(folder / "local.db")["sessions"] == SESSIONS


def test_ctrl_c_rolls_back_and_exits_130(aetl: Job, folder: Path, halfway: Halfway) -> None:
    with loading(aetl, folder, halfway) as process:
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert b"interrupted; what was not finished is rolled back" in err
    if (folder / "local.db").exists():
        with closing(sqlite3.connect(folder / "local.db")) as connection:
            assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []


@pytest.mark.parametrize("code_page", ["cp1252", "cp437", "cp1251", "cp932", "ascii"])
def test_no_code_page_ends_a_run(aetl: Job, folder: Path, code_page: str) -> None:
    lay_down(folder / "container", 2)
    record = make_export(1)
    record["sessions"][0]["id"] = "\N{HIRAGANA LETTER A}\u2192\U0001f4be\x85"
    record["events"][0]["ts"] = "no time \u2192 \U0001f4be"
    name = "backup_20250302T020000.json"
    (folder / "container" / name).write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
    environment = {"PYTHONIOENCODING": code_page}
    loaded = aetl.aetl("load", "--container", "container", cwd=folder, env=environment)
    assert loaded.code == 6, loaded.all
    assert len(loaded.stderr.splitlines()) == 1, loaded.stderr
    for command in (["status"], ["check"], ["load", "--dry-run"], ["--help"], ["schedule", "create", "--dry-run"]):
        options = [] if "--help" in command or "schedule" in command else ["--container", "container"]
        done = aetl.aetl(*command, *options, cwd=folder, env=environment)
        assert "UnicodeEncodeError" not in done.all
        assert done.code == 0, (command, done.all)


def test_two_runs_may_write_the_same_log(aetl: Job, folder: Path) -> None:
    program = wine.windows_path(aetl.home / "env/Scripts/aetl.exe")
    started = [
        wine.start(program, "run", "--sessions", "50", "--database", f"{name}.db", "--container", name, cwd=folder)
        for name in ("first", "second")
    ]
    for process in started:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, (out, err)
        assert err == b""
    lines = (folder / "global.log").read_text(encoding="utf-8").splitlines()
    assert sum(": loaded, " in line for line in lines) == 2


def test_a_log_that_another_program_has_open_and_that_is_full_is_written_on(aetl: Job, folder: Path) -> None:
    log = folder / "global.log"
    log.write_bytes(b"older\n" * (11 * 2**20 // 6))
    size = log.stat().st_size
    with held_open(aetl, log):
        done = aetl.aetl("run", "--sessions", "3", cwd=folder)
    assert (done.code, done.stderr) == (0, ""), done.all
    assert log.stat().st_size > size
    assert aetl.aetl("run", "--sessions", "3", cwd=folder).code == 0
    assert (folder / "global.log.1").stat().st_size > size


@pytest.mark.parametrize(
    "form", ["C:/work & é/exports ö", "file:///C:/work%20%26%20%C3%A9/exports%20%C3%B6", "exports ö"]
)
def test_a_folder_has_a_path_or_a_file_url(aetl: Job, folder: Path, form: str) -> None:
    lay_down(folder / "exports ö", 3)
    done = aetl.aetl("load", "--container", form, cwd=folder)
    assert done.code == 0, done.all
    assert counts(folder / "local.db")["sessions"] == 3


@pytest.mark.parametrize("form", [r"C:\work & é\my ö.db", "sqlite:///C:/work & é/my ö.db", "sqlite:///my%20%C3%B6.db"])
def test_a_database_has_a_path_or_a_url(aetl: Job, folder: Path, form: str) -> None:
    done = aetl.aetl("run", "--sessions", "3", "--database", form, cwd=folder)
    assert done.code == 0, done.all
    assert counts(folder / "my ö.db") == SIMULATED


def test_what_looks_like_a_variable_or_a_pattern_in_an_argument_is_a_name(aetl: Job, folder: Path) -> None:
    (folder / "a1").mkdir()
    done = aetl.aetl("run", "--sessions", "3", "--database", "%OS% $OS ~ [1].db", "--container", "a[1]", cwd=folder)
    assert done.code == 0, done.all
    assert counts(folder / "%OS% $OS ~ [1].db") == SIMULATED
    assert len(list((folder / "a[1]").iterdir())) == 1


def test_an_export_that_another_program_reads_is_loaded_and_one_that_is_replaced_is_loaded_again(
    aetl: Job, folder: Path
) -> None:
    lay_down(folder / "container", 3)
    (export,) = (folder / "container").iterdir()
    with held_open(aetl, export):
        assert aetl.aetl("load", "--container", "container", cwd=folder).code == 0
    lay_down(folder / "container", 4)
    assert aetl.aetl("load", "--container", "container", cwd=folder).code == 0
    assert len(content(folder / "local.db")["sessions"]) == 4


def test_a_second_load_into_the_same_database_is_told(aetl: Job, folder: Path, halfway: Halfway) -> None:
    with loading(aetl, folder, halfway) as first:
        second = aetl.aetl(*LOAD, cwd=folder, env=halfway.environment)
        halfway.goes_on.set()
        out, err = first.communicate(timeout=120)
    assert first.returncode == 0, (out, err)
    assert second.code == 75, second.all
    assert second.stderr.startswith("aetl: error: another load into local.db is running. "), second.stderr
    assert counts(folder / "local.db")["sessions"] == SESSIONS
    assert not (folder / "local.db.lock").exists()
