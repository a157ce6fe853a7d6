"""Talks to Task Scheduler through schtasks.exe, in no word of any language: exit codes, CSV columns and numbers."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aetl.errors import SchedulingError
from aetl.scheduling import TASK
from aetl.scheduling.results import NEVER_RAN, in_words

SECONDS = 60
"""schtasks.exe waits for Task Scheduler's service for ever."""

# The columns of /Query /V /FO CSV; their titles are translated, their order is not.
_NAME, _NEXT_RUN, _LAST_RUN, _LAST_RESULT = 1, 2, 5, 6


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """What Task Scheduler knows of the task. Times are local, and written as this computer's language writes them."""

    is_registered: bool
    last_run: str | None = None
    last_result: int | None = None
    last_result_in_words: str | None = None
    next_run: str | None = None


def create_arguments(definition: Path) -> list[str]:
    """Registers the task, in the place of an older one."""
    return ["/Create", "/TN", TASK, "/XML", str(definition), "/F"]


def delete_arguments() -> list[str]:
    return ["/Delete", "/TN", TASK, "/F"]


def query_arguments() -> list[str]:
    return ["/Query", "/TN", TASK, "/V", "/FO", "CSV", "/NH"]


def list_arguments() -> list[str]:
    """All tasks that this account may see."""
    return ["/Query", "/FO", "CSV", "/NH"]


def create(definition: bytes) -> None:
    """Registers the task; raises SchedulingError.

    The definition lies in the environment of this Python meanwhile: who may change it there may change the program,
    too, while a user's temporary folder is open to all that this user runs.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="aetl-", dir=sys.prefix) as folder:
            path = Path(folder, "task.xml")
            path.write_bytes(definition)
            _succeed(create_arguments(path))
    except OSError as error:
        raise SchedulingError(f"{sys.prefix} cannot be written: {error.strerror}") from error


def remove() -> bool:
    """Removes the task; False where there is none. Raises SchedulingError."""
    done = run(delete_arguments())
    if done.returncode == 0:
        return True
    # It says no more than 1, be there no task or no right to it; who is no Administrator may not even see it.
    if not _is_administrator() or _is_listed():
        raise _error(delete_arguments(), done)
    return False


def status() -> TaskStatus:
    """What Task Scheduler knows of the task; raises SchedulingError."""
    done = run(query_arguments())
    if done.returncode:
        if _is_listed():
            raise _error(query_arguments(), done)
        return TaskStatus(is_registered=False)
    return read_status(done.stdout)


def read_status(answer: str) -> TaskStatus:
    """The status out of what `query_arguments` asked for: a line per trigger, and the task has one."""
    for row in csv.reader(answer.splitlines()):
        if len(row) > _LAST_RESULT and _is_task(row[_NAME]):
            result = _number(row[_LAST_RESULT])
            return TaskStatus(
                is_registered=True,
                last_run=None if result == NEVER_RAN else _moment(row[_LAST_RUN]),
                last_result=result,
                last_result_in_words=None if result is None else in_words(result),
                next_run=_moment(row[_NEXT_RUN]),
            )
    return TaskStatus(is_registered=False)


def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Runs schtasks.exe to its end; raises SchedulingError where it cannot be started or does not answer in time."""
    try:
        return subprocess.run(
            [program(), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="oem" if sys.platform == "win32" else None,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SchedulingError(
            f"schtasks {arguments[0]} did not answer within {SECONDS} seconds",
            hint="Look whether the service Task Scheduler (Schedule) runs.",
        ) from error
    except OSError as error:
        raise SchedulingError(
            f"{program()} cannot be started: {error.strerror or error}", hint="It is a part of Windows; repair that."
        ) from error


def program() -> str:
    """Windows' own schtasks.exe, never one that lies in the present folder."""
    return str(Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "schtasks.exe"))


def _succeed(arguments: Sequence[str]) -> None:
    done = run(arguments)
    if done.returncode:
        raise _error(arguments, done)


def _error(arguments: Sequence[str], done: subprocess.CompletedProcess[str]) -> SchedulingError:
    said = " ".join((done.stderr or done.stdout).split()).rstrip(".")
    return SchedulingError(f"schtasks {arguments[0]} failed with exit code {done.returncode}{': ' * bool(said)}{said}")


def _is_listed() -> bool:
    done = run(list_arguments())
    if done.returncode:
        raise _error(list_arguments(), done)
    return any(_is_task(row[0]) for row in csv.reader(done.stdout.splitlines()) if row)


def _is_task(name: str) -> bool:
    return name.removeprefix("\\").casefold() == TASK


def _is_administrator() -> bool:
    if sys.platform != "win32":
        return True
    import ctypes

    return bool(ctypes.windll.shell32.IsUserAnAdmin())


def _moment(text: str) -> str | None:
    """A time as it stands there; where there is none, the cell holds a word of the language and no digit."""
    return text if any(character.isdigit() for character in text) else None


def _number(text: str) -> int | None:
    try:
        return int(text) & 0xFFFFFFFF  # a HRESULT is shown as a negative number
    except ValueError:
        return None
