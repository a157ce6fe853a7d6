"""Each step of install.bat fails in turn: what it says, its errorlevel, and nothing half scheduled."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import pytest

import aetl
from tests.exports import make_export, write
from tests.task_schema import checked, texts
from tests.windows import wine
from tests.windows.job import TASK, Job, counts, is_registered
from tests.windows.stand_ins import Answer, stand_in

OLDER_TASK = (
    '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">'
    "<RegistrationInfo><Source>older</Source></RegistrationInfo><Actions><Exec><Command>older.exe</Command></Exec></Actions></Task>"
)


@pytest.fixture
def older_task(tmp_path: Path) -> Iterator[None]:
    """A task that an earlier install.bat registered."""
    path = tmp_path / "task.xml"
    path.write_text(OLDER_TASK, encoding="utf-16")
    done = wine.run("schtasks", "/Create", "/TN", "aetl", "/XML", wine.windows_path(path), "/F")
    assert done.code == 0, done.all
    yield
    TASK.unlink(missing_ok=True)


@pytest.fixture
def first_on_path(tmp_path: Path) -> Path:
    """A folder whose programs come before Windows' own: WINEPATH names it."""
    folder = tmp_path / "stand-ins"
    folder.mkdir()
    return folder


def put_batch(folder: Path, name: str, *lines: str) -> dict[str, str]:
    (folder / name).write_bytes("\r\n".join(("@echo off", *lines, "")).encode("ascii"))
    return {"WINEPATH": wine.windows_path(folder)}


def test_it_wants_an_administrator_before_it_touches_anything(job: Job, older_task: None) -> None:
    with stand_in("net.exe", other=Answer(2)) as net:
        done = job.install()
    assert net.calls == [["session"]]
    assert done.code == 1, done.all
    assert "Run as administrator" in done.stderr
    assert not job.home.exists()
    assert b"older" in TASK.read_bytes()


def test_so_does_uninstall(job: Job, older_task: None) -> None:
    job.home.mkdir()
    (job.home / "local.db").touch()
    with stand_in("net.exe", other=Answer(2)):
        done = job.uninstall("/purge")
    assert done.code == 1, done.all
    assert "Run as administrator" in done.stderr
    assert job.names() == {"local.db"}
    assert is_registered()


def test_without_python_it_says_where_to_get_one(job: Job, first_on_path: Path) -> None:
    done = job.install(env=put_batch(first_on_path, "python.bat", "exit /b 9009"))
    assert done.code == 1, done.all
    assert "there is no Python here" in done.stderr
    assert "3.11" in done.stderr
    assert not job.home.exists()


def test_a_python_too_old_is_named(job: Job, first_on_path: Path) -> None:
    old = (
        'if "%~1"=="--version" goto :version',
        'if "%~2"=="import sys" exit /b 0',
        "exit /b 1",
        ":version",
        "echo Python 3.9.13",
    )
    done = job.install(env=put_batch(first_on_path, "python.bat", *old))
    assert done.code == 1, done.all
    assert "too old" in done.stderr
    assert "Python 3.9.13" in done.stderr
    assert not job.home.exists()


def test_a_launcher_with_an_old_python_gives_way_to_a_newer_python(job: Job, first_on_path: Path) -> None:
    job.home.mkdir()
    (job.home / "env").write_bytes(b"")  # ends it soon, after Python was found
    old = put_batch(first_on_path, "py.bat", 'if "%~3"=="import sys" exit /b 0', "exit /b 1")
    done = job.install(env=old)
    assert "Installing aetl into" in done.stdout, done.all


def test_a_folder_that_cannot_be_made_is_named(job: Job) -> None:
    blocked = job.home.with_name("blocked")
    blocked.write_bytes(b"")
    try:
        done = job.install(env={"AETL_HOME": wine.windows_path(blocked / "job")})
    finally:
        blocked.unlink()
    assert done.code == 1, done.all
    assert r'"C:\blocked\job" cannot be made' in done.stderr


def test_where_the_folder_cannot_be_protected_nothing_is_put_into_it(job: Job) -> None:
    with stand_in("icacls.exe", other=Answer(5)):
        done = job.install()
    assert done.code == 1, done.all
    assert "Administrators and SYSTEM" in done.stderr
    assert job.names() == set()


def test_the_folder_is_given_to_administrators_and_system_alone(job: Job) -> None:
    job.home.mkdir()
    (job.home / "env").write_bytes(b"")
    with stand_in("icacls.exe") as icacls:
        job.install()
    home = wine.windows_path(job.home)
    assert icacls.calls == [
        [home, "/setowner", "*S-1-5-32-544", "/Q"],
        [home, "/reset", "/Q"],
        [home, "/inheritance:r", "/grant:r", "*S-1-5-32-544:(OI)(CI)F", "*S-1-5-18:(OI)(CI)F", "/Q"],
        [rf"{home}\*", "/setowner", "*S-1-5-32-544", "/T", "/L", "/Q"],
        [rf"{home}\*", "/reset", "/T", "/L", "/Q"],
    ]


SOMEBODY_ELSE = 12_345
"""An account of Linux's other than this one: wine shows what it owns as owned by another SID."""


@pytest.mark.parametrize("where", [".", "env", "env/Scripts"])
def test_what_somebody_else_made_beforehand_is_refused_before_anything_is_put_in(
    job: Job, older_task: None, where: str
) -> None:
    (job.home / "env/Scripts").mkdir(parents=True)
    os.chown(job.home / where, SOMEBODY_ELSE, SOMEBODY_ELSE)
    with stand_in("icacls.exe") as icacls:
        done = job.install()
    assert done.code == 1, done.all
    place = wine.windows_path(job.home / where)
    assert f"install.bat: {place} belongs to Anonymous Logon: " in done.stderr
    assert "nothing was put in" in done.stderr
    assert not any("/T" in call for call in icacls.calls), "what is somebody else's may lead anywhere"
    assert (icacls.calls == []) == (where == "."), "what becomes of its owner must not hide who it was"
    assert b"older" in TASK.read_bytes()
    assert [path.name for path in job.home.rglob("*")] == ["env", "Scripts"]


def test_uninstall_runs_and_removes_nothing_that_somebody_else_put_there(job: Job, older_task: None) -> None:
    programs = job.home / "env/Scripts"
    programs.mkdir(parents=True)
    for name in ("aetl.exe", "python.exe"):
        (programs / name).write_bytes(b"")
    os.chown(programs / "python.exe", SOMEBODY_ELSE, SOMEBODY_ELSE)
    done = job.uninstall("/purge")
    assert done.code == 1, done.all
    place = wine.windows_path(programs / "python.exe")
    assert f"uninstall.bat: {place} belongs to Anonymous Logon, so nothing in it is run or removed." in done.stderr
    assert not is_registered(), "what ran it is gone"
    assert {path.name for path in programs.iterdir()} == {"aetl.exe", "python.exe"}


@pytest.mark.parametrize("where", ["C:/Python311", "C:/Python311/python311.dll", "C:/Python311/Lib", "C:/"])
def test_a_python_that_others_may_change_is_refused(job: Job, where: str) -> None:
    path = wine.linux_path(where)
    mode = path.stat().st_mode
    path.chmod(mode | 0o022)
    try:
        done = job.install()
    finally:
        path.chmod(mode)
    assert done.code == 1, done.all
    assert "install.bat: Everyone may " in done.stderr
    assert str(PureWindowsPath(where)) in done.stderr
    assert "Install Python for all users" in done.stderr
    assert not job.home.exists()


@pytest.mark.parametrize(("home", "said"), [("C:\\", "is a whole drive"), (r"C:\Python311", "holds nothing of aetl's")])
def test_no_folder_of_others_is_taken_over(job: Job, home: str, said: str) -> None:
    with stand_in("icacls.exe") as icacls:
        done = job.install(env={"AETL_HOME": home})
    assert done.code == 1, done.all
    assert said in done.stderr
    assert icacls.calls == []


def test_where_real_exports_lie_plain_install_says_what_to_choose(job: Job, folder: Path) -> None:
    write(folder / "exports", 0, make_export(2))
    real = {"CHAT_DB_CONTAINER_URL": wine.windows_path(folder / "exports")}
    done = job.install(env=real)
    assert done.code == 2, done.all
    assert "exports holds real exports, such as backup_" in done.stderr
    assert '"install.bat load"' in done.stderr
    assert "Nothing is scheduled." in done.stderr
    assert not is_registered()
    assert job.names() == {"env"}
    assert len(list((folder / "exports").iterdir())) == 1

    simulated = aetl.Settings(database=str(job.home / "local.db"), container=str(folder / "mock"))
    asyncio.run(aetl.simulate(simulated, sessions=3))  # as one has it who tried the simulated job first
    asked = job.install(env=real, typed=b"load\n")
    assert asked.code == 0, asked.all
    assert "Type load or run: " in asked.stdout
    assert "The simulation's database local.db is removed" in asked.stdout
    assert counts(job.home / "local.db")["sessions"] == 2
    assert len(list((folder / "exports").iterdir())) == 1


def test_an_environment_that_cannot_be_made_leaves_no_task(job: Job, older_task: None) -> None:
    job.home.mkdir()
    (job.home / "env").write_bytes(b"")
    done = job.install()
    assert done.code == 1, done.all
    assert "cannot be made" in done.stderr
    assert "Nothing is scheduled." in done.stderr
    assert not is_registered()
    assert job.names() == {"env"}


def test_where_pip_finds_no_index_there_is_no_task(job: Job, older_task: None) -> None:
    done = job.install(env={"PIP_FIND_LINKS": r"C:\nowhere"})
    assert done.code == 1, done.all
    assert "Is a Python package index within reach?" in done.stderr
    assert "Nothing is scheduled." in done.stderr
    assert not is_registered()
    assert job.names() == {"env"}


def test_a_refusal_of_task_scheduler_ends_it_before_the_first_run(job: Job) -> None:
    refusal = Answer(1, "FEHLER: Zugriff verweigert, für alle.\r\n".encode("cp437"))
    with stand_in("schtasks.exe", {"/Create": refusal}, other=Answer(1)) as schtasks:
        done = job.install()
    assert done.code == 1, done.all
    assert "schtasks /Create failed with exit code 1" in done.stderr
    assert "the job could not be scheduled" in done.stderr
    assert "Nothing is scheduled." in done.stderr
    assert job.names() == {"env"}
    # An older task goes before anything changes.
    assert [call[0] for call in schtasks.calls] == ["/End", "/Delete", "/Create"]
    task = texts(checked(schtasks.definition))
    home = wine.windows_path(job.home)
    assert task["Actions/Exec/Command"] == rf"{home}\env\Scripts\aetl.exe"
    assert task["Actions/Exec/Arguments"] == "run"
    assert task["Actions/Exec/WorkingDirectory"] == home
    assert task["Triggers/TimeTrigger/Repetition/Interval"] == "PT5M"
    assert task["Principals/Principal/UserId"] == "S-1-5-18"


def test_a_first_run_that_fails_takes_the_task_back(job: Job) -> None:
    with stand_in("schtasks.exe") as schtasks:
        done = job.install("load")
    assert done.code == 2, done.all
    assert "no container is set" in done.stderr
    assert "the first run failed with exit code 2" in done.stderr
    assert "Nothing is scheduled." in done.stderr
    assert [call[0] for call in schtasks.calls] == ["/End", "/Delete", "/Create", "/Delete"]
    task = texts(checked(schtasks.definition))
    assert task["Actions/Exec/Arguments"] == "load"
    assert task["Triggers/CalendarTrigger/StartBoundary"].endswith("T02:00:00")


@pytest.mark.parametrize("batch", ["install.bat", "uninstall.bat"])
def test_an_argument_that_nobody_knows_is_refused(job: Job, batch: str) -> None:
    run = job.install if batch == "install.bat" else job.uninstall
    done = run("nightly & daily")
    assert done.code == 2, done.all
    assert 'nightly & daily" is none of' in done.stderr
    assert not job.home.exists()
