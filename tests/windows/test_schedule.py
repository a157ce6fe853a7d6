"""`aetl schedule` on Windows: wine's own schtasks, and one that answers as wine's never does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.task_schema import checked, texts
from tests.unit.test_scheduling_schtasks import ENGLISH, GERMAN, NEVER
from tests.windows import wine
from tests.windows.job import TASK, Installed, Job, counts, is_registered
from tests.windows.stand_ins import Answer, stand_in
from tests.windows.wine import Done

NOT_FOUND = Answer(1, "FEHLER: Das System kann die angegebene Datei nicht finden. Schlüssel\r\n".encode("cp437"))


@pytest.fixture
def aetl(installed: Installed) -> Iterator[Job]:
    TASK.unlink(missing_ok=True)
    yield installed.job
    TASK.unlink(missing_ok=True)


def run_as_the_clock_would(task: dict[str, str]) -> Done:
    """Task Scheduler hands the arguments on as one line, which wine's own command line would quote anew."""
    program, arguments = task["Actions/Exec/Command"], task["Actions/Exec/Arguments"]
    code = f"""
import subprocess, sys
sys.exit(subprocess.run({f'"{program}" {arguments}'!a}, cwd={task["Actions/Exec/WorkingDirectory"]!a}).returncode)
"""
    return wine.run(wine.PYTHON, "-c", code)


def test_a_task_is_created_replaced_removed_and_removed_again(aetl: Job, folder: Path) -> None:
    created = aetl.aetl("schedule", "create", cwd=folder)
    assert created.code == 0, created.all
    assert "every 5 minutes" in created.stdout
    assert is_registered()

    replaced = aetl.aetl("schedule", "create", "--daily", "2:30", "--command", "load", cwd=folder)
    assert replaced.code == 0, replaced.all
    assert "daily at 02:30" in replaced.stdout
    assert is_registered()

    removed = aetl.aetl("schedule", "remove", cwd=folder)
    assert (removed.code, removed.stdout) == (0, "The task aetl is removed.\n")
    assert not is_registered()

    again = aetl.aetl("schedule", "remove", cwd=folder)
    assert (again.code, again.stdout) == (0, "There is no task aetl to remove.\n")


def test_what_is_registered_runs_as_the_clock_would_run_it(aetl: Job, folder: Path) -> None:
    options = ["--sessions", "7", "--database", "my & own.db", "--container", r"exports & 100% ö"]
    create = ("schedule", "create", "--working-dir", wine.windows_path(folder))
    with stand_in("schtasks.exe") as schtasks:
        created = aetl.aetl(*create, "--", *options, cwd=folder.parent)
    assert created.code == 0, created.all
    task = texts(checked(schtasks.definition))
    assert task["Actions/Exec/WorkingDirectory"] == wine.windows_path(folder)
    assert task["Actions/Exec/Arguments"] == (
        'run --sessions 7 --database "my & own.db" --container "exports & 100% ö"'
    )

    done = run_as_the_clock_would(task)
    assert done.code == 0, done.all
    assert counts(folder / "my & own.db") == {"sessions": 7, "events": 14, "event_parents": 7}
    assert len(list((folder / "exports & 100% ö").iterdir())) == 1


def test_the_task_of_install_bat_runs_in_the_jobs_folder(aetl: Job) -> None:
    with stand_in("schtasks.exe") as schtasks:
        aetl.aetl("schedule", "create", "--command", "run", "--every", "5m", cwd=aetl.home)
    log = aetl.home / "global.log"
    before = log.stat().st_size
    done = run_as_the_clock_would(texts(checked(schtasks.definition)))
    assert done.code == 0, done.all
    assert log.stat().st_size > before


def test_a_dry_run_prints_definition_and_command_and_touches_nothing(aetl: Job, folder: Path) -> None:
    done = aetl.aetl("schedule", "create", "--dry-run", "--every", "2h", "--", "--database", "größe.db", cwd=folder)
    assert done.code == 0, done.all
    xml, _, command = done.stdout.strip().rpartition("\n")
    assert command == "schtasks /Create /TN aetl /XML task.xml /F"
    found = texts(checked(xml.strip().encode("utf-16")))
    assert found["Actions/Exec/Arguments"] == "run --database größe.db"
    assert not is_registered()
    assert list(folder.iterdir()) == []


def test_a_sas_in_the_options_is_refused(aetl: Job, folder: Path) -> None:
    url = "https://account.blob.core.windows.net/c?sp=rl&sig=c2lnbmF0dXJl%3D"
    done = aetl.aetl("schedule", "create", "--command", "load", "--", "--container", url, cwd=folder)
    assert done.code == 2, done.all
    assert "c2lnbmF0dXJl" not in done.all
    assert not is_registered()


@pytest.mark.parametrize(
    ("answer", "last_run", "result", "next_run"),
    [
        (ENGLISH, "11/24/2026 10:00:01 AM", 0, "11/24/2026 10:05:00 AM"),
        (GERMAN, "24.11.2026 10:00:01", 5, "24.11.2026 10:05:00"),
        (NEVER, None, 267011, "11/24/2026 10:05:00 AM"),
    ],
    ids=["english", "german", "never ran"],
)
def test_status_reads_every_language(
    aetl: Job, folder: Path, answer: str, last_run: str | None, result: int, next_run: str
) -> None:
    with stand_in("schtasks.exe", {"/Query": Answer(0, answer.encode("cp437"))}) as schtasks:
        as_json = aetl.aetl("schedule", "status", "--json", cwd=folder)
        in_words = aetl.aetl("schedule", "status", cwd=folder)
    assert schtasks.calls[0] == ["/Query", "/TN", "aetl", "/V", "/FO", "CSV", "/NH"]
    assert (as_json.code, in_words.code) == (0, 0), as_json.all + in_words.all
    found = json.loads(as_json.stdout)
    assert (found["is_registered"], found["last_run"], found["last_result"]) == (True, last_run, result)
    assert found["next_run"] == next_run
    assert f"Last run: {last_run or 'never'}\n" in in_words.stdout
    assert f"Next run: {next_run}\n" in in_words.stdout


def answering(query: bytes) -> dict[str, Answer]:
    """As where the task is not found: only the list of all tasks is given."""
    return {"/Query": Answer(0, query), "/Delete": NOT_FOUND}


def test_without_a_task_status_says_so_and_exits_1(aetl: Job, folder: Path) -> None:
    with stand_in("schtasks.exe", {"/Query": Answer(0, b'"\\other","N/A","Ready"\r\n')}):
        done = aetl.aetl("schedule", "status", "--json", cwd=folder)
    assert done.code == 1, done.all
    assert json.loads(done.stdout)["is_registered"] is False


def test_remove_tells_a_missing_task_from_a_refusal_in_any_language(aetl: Job, folder: Path) -> None:
    with stand_in("schtasks.exe", answering('"\\größe","N/V","Bereit"\r\n'.encode("cp437"))):
        missing = aetl.aetl("schedule", "remove", cwd=folder)
    with stand_in("schtasks.exe", answering(b'"\\aetl","24.11.2026 10:05:00","Bereit"\r\n')):
        refused = aetl.aetl("schedule", "remove", cwd=folder)
    assert (missing.code, missing.stdout) == (0, "There is no task aetl to remove.\n")
    assert refused.code == 1, refused.all
    assert "schtasks /Delete failed with exit code 1: FEHLER: Das System" in refused.stderr
    assert "Administrator" in refused.stderr


def test_who_is_no_administrator_is_not_told_that_there_is_no_task(aetl: Job, folder: Path) -> None:
    code = (
        "from aetl.scheduling import schtasks; schtasks._is_administrator = lambda: False; "
        "from aetl.cli import main; main()"
    )
    with stand_in("schtasks.exe", answering(b"")):
        done = aetl.python("-c", code, "schedule", "remove", cwd=folder)
    assert done.code == 1, done.all
    assert "Run it as Administrator" in done.stderr


@pytest.mark.parametrize("command", ["create", "remove", "status"])
def test_a_task_scheduler_that_does_not_answer_is_not_waited_for(aetl: Job, folder: Path, command: str) -> None:
    code = "from aetl.scheduling import schtasks; schtasks.SECONDS = 1; from aetl.cli import main; main()"
    with stand_in("schtasks.exe", other=Answer(0, b"", seconds=8)):
        done = aetl.python("-c", code, "schedule", command, cwd=folder)
    assert done.code == 1, done.all
    assert "did not answer within 1 seconds" in done.stderr
