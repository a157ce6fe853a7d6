"""What `aetl schedule create --dry-run` gives where there is no Task Scheduler."""

from __future__ import annotations

import shlex
from datetime import time, timedelta
from pathlib import PurePosixPath

import pytest

from aetl.scheduling import Job
from aetl.scheduling.unix import crontab_line, systemd_units


def make_job(*arguments: str, when: timedelta | time = timedelta(minutes=5), folder: str = "/srv/etl_job") -> Job:
    return Job(PurePosixPath("/srv/env/bin/aetl"), arguments or ("run",), PurePosixPath(folder), when)


@pytest.mark.parametrize(
    ("when", "schedule"),
    [
        (timedelta(minutes=1), "* * * * *"),
        (timedelta(minutes=5), "*/5 * * * *"),
        (timedelta(hours=1), "0 * * * *"),
        (timedelta(hours=2), "0 */2 * * *"),
        (timedelta(days=1), "0 0 * * *"),
        (time(2, 30), "30 2 * * *"),
    ],
)
def test_a_crontab_line_says_when(when: timedelta | time, schedule: str) -> None:
    assert crontab_line(make_job(when=when)) == f"{schedule} cd /srv/etl_job && /srv/env/bin/aetl run"


@pytest.mark.parametrize("when", [timedelta(minutes=7), timedelta(minutes=90), timedelta(hours=5), timedelta(days=2)])
def test_an_interval_that_cron_does_not_have_gives_no_line(when: timedelta) -> None:
    assert crontab_line(make_job(when=when)) is None


def test_a_crontab_line_keeps_what_the_shell_and_cron_would_take_as_their_own() -> None:
    line = crontab_line(make_job("load", "--database", "100% $HOME.db", folder="/srv/a & b"))
    assert line is not None
    assert "%" not in line.replace("\\%", "")
    command = line.split(maxsplit=5)[5].replace("\\%", "%")
    assert shlex.split(command) == [
        "cd", "/srv/a & b", "&&", "/srv/env/bin/aetl", "load", "--database", "100% $HOME.db"
    ]  # fmt: skip


def test_a_service_runs_the_job_in_its_folder_and_ends_one_that_hangs() -> None:
    service = systemd_units(make_job("load", "--database", 'a "b" 5% $x.db', folder="/srv/5 %"))["aetl.service"]
    assert "Type=oneshot\n" in service
    assert "WorkingDirectory=/srv/5 %%\n" in service
    assert r'ExecStart=/srv/env/bin/aetl load --database "a \"b\" 5%% $$x.db"' in service
    assert "TimeoutStartSec=43200s\n" in service


@pytest.mark.parametrize(
    ("when", "lines"),
    [
        (timedelta(minutes=7), "OnActiveSec=5min\nOnUnitActiveSec=420s\n"),
        (time(2), "OnCalendar=*-*-* 02:00:00\nPersistent=true\n"),
    ],
)
def test_a_timer_says_when_and_catches_up_a_missed_start(when: timedelta | time, lines: str) -> None:
    assert lines in systemd_units(make_job(when=when))["aetl.timer"]
