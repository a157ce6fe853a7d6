"""The definition of the task keeps to Task Scheduler's schema and says what the operator asked for."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import PureWindowsPath

import pytest

from aetl.errors import ConfigurationError
from aetl.scheduling import Job
from aetl.scheduling.definition import duration, task_definition
from tests.task_schema import checked, parse_duration, texts

NOW = datetime(2025, 3, 1, 12, 34, 56, 789, UTC)
PROGRAM = PureWindowsPath(r"C:\etl_job\env\Scripts\aetl.exe")
FOLDER = PureWindowsPath(r"C:\etl_job")


def make_job(*arguments: str, when: timedelta | time = timedelta(minutes=5), folder: PureWindowsPath = FOLDER) -> Job:
    return Job(folder / "env/Scripts/aetl.exe", arguments or ("run",), folder, when)


def described(job: Job, user: str = "SYSTEM", now: datetime = NOW) -> dict[str, str]:
    return texts(checked(task_definition(job, user, now)))


def test_an_unattended_job_is_one_at_a_time_also_on_batteries_and_catches_up_a_missed_start() -> None:
    settings = {
        path.removeprefix("Settings/"): text for path, text in described(make_job()).items() if "Settings/" in path
    }
    assert settings == {
        "MultipleInstancesPolicy": "IgnoreNew",
        "DisallowStartIfOnBatteries": "false",
        "StopIfGoingOnBatteries": "false",
        "AllowHardTerminate": "true",
        "StartWhenAvailable": "true",
        "Enabled": "true",
        "ExecutionTimeLimit": "PT12H",
    }


def test_an_interval_starts_five_minutes_after_the_creation_and_goes_on_for_ever() -> None:
    found = described(make_job(when=timedelta(hours=2)))
    assert found["Triggers/TimeTrigger/StartBoundary"] == "2025-03-01T12:39:56"
    assert found["Triggers/TimeTrigger/Repetition/Interval"] == "PT2H"
    assert "Triggers/TimeTrigger/Repetition/Duration" not in found


@pytest.mark.parametrize(
    ("at", "first"),
    [
        (time(2), "2025-03-02T02:00:00"),
        (time(12, 34), "2025-03-02T12:34:00"),
        (time(12, 35), "2025-03-01T12:35:00"),
        (time(23, 59), "2025-03-01T23:59:00"),
    ],
)
def test_a_daily_job_starts_at_the_next_such_time_of_the_local_clock(at: time, first: str) -> None:
    found = described(make_job(when=at))
    assert found["Triggers/CalendarTrigger/StartBoundary"] == first
    assert found["Triggers/CalendarTrigger/ScheduleByDay/DaysInterval"] == "1"


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(minutes=1), "PT1M"),
        (timedelta(minutes=5), "PT5M"),
        (timedelta(minutes=60), "PT1H"),
        (timedelta(minutes=90), "PT90M"),
        (timedelta(hours=25), "PT25H"),
        (timedelta(hours=48), "P2D"),
        (timedelta(days=31), "P31D"),
    ],
)
def test_a_duration_is_written_in_its_largest_whole_unit(span: timedelta, text: str) -> None:
    assert duration(span) == text
    assert parse_duration(text) == span


@pytest.mark.parametrize("when", [timedelta(0), timedelta(seconds=59), timedelta(days=31, minutes=1)])
def test_an_interval_that_task_scheduler_does_not_know_is_refused(when: timedelta) -> None:
    with pytest.raises(ConfigurationError, match="1m to 31d"):
        make_job(when=when)


@pytest.mark.parametrize(
    ("user", "sid"),
    [
        ("SYSTEM", "S-1-5-18"),
        ("system", "S-1-5-18"),
        (r"NT AUTHORITY\SYSTEM", "S-1-5-18"),
        ("s-1-5-18", "S-1-5-18"),
        ("LOCAL SERVICE", "S-1-5-19"),
        (r"NT Authority\Network Service", "S-1-5-20"),
    ],
)
def test_a_service_account_goes_by_its_sid_whatever_the_language_and_needs_no_logon(user: str, sid: str) -> None:
    found = described(make_job(), user)
    assert found["Principals/Principal/UserId"] == sid
    assert found["Principals/Principal/RunLevel"] == "HighestAvailable"
    assert "Principals/Principal/LogonType" not in found


def test_another_user_needs_neither_a_password_nor_to_be_logged_on() -> None:
    found = described(make_job(), r"SERVER\jürgen")
    assert found["Principals/Principal/UserId"] == r"SERVER\jürgen"
    assert found["Principals/Principal/LogonType"] == "S4U"


@pytest.mark.parametrize(
    "folder",
    [r"C:\etl job", r"C:\a & b", r"C:\<x>", r"C:\it's", r"C:\größe", r"C:\100%", "C:\\\N{HIRAGANA LETTER A}\U0001f4be"],
)
def test_no_letter_of_a_path_gets_lost(folder: str) -> None:
    found = described(make_job(folder=PureWindowsPath(folder)))
    assert found["Actions/Exec/Command"] == str(PureWindowsPath(folder, r"env\Scripts\aetl.exe"))
    assert found["Actions/Exec/WorkingDirectory"] == folder


def test_arguments_are_quoted_as_windows_programs_read_them() -> None:
    found = described(
        make_job("load", "--database", r"C:\my data\x.db", "--container", "C:\\x y\\", "--sql", 'a"b', "")
    )
    assert found["Actions/Exec/Arguments"] == (
        r'load --database "C:\my data\x.db" --container "C:\x y\\" --sql a\"b ""'
    )


@pytest.mark.parametrize("text", ["a\nb", "a\0b", "a\x1bb", "a\tb"])
def test_a_control_character_is_refused_as_xml_cannot_hold_it(text: str) -> None:
    with pytest.raises(ConfigurationError, match="control character"):
        make_job("load", text)
