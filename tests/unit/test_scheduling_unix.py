"""What `aetl schedule create --dry-run` gives where there is no Task Scheduler."""

from __future__ import annotations

import shlex
import sys
from datetime import time, timedelta
from pathlib import Path, PurePosixPath

import pytest

from aetl.errors import ConfigurationError
from aetl.scheduling import Job
from aetl.scheduling.unix import crontab_line, environment_text, systemd_units, watchdog, write_environment


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
    command = "cd /srv/etl_job && set -a && . ./aetl.env && exec /srv/env/bin/aetl run --quiet"
    assert crontab_line(make_job(when=when)) == f"{schedule} {command}"


@pytest.mark.parametrize("when", [timedelta(minutes=7), timedelta(minutes=90), timedelta(hours=5), timedelta(days=2)])
def test_an_interval_that_cron_does_not_have_gives_no_line(when: timedelta) -> None:
    assert crontab_line(make_job(when=when)) is None


def test_a_crontab_line_keeps_what_the_shell_and_cron_would_take_as_their_own() -> None:
    line = crontab_line(make_job("load", "--database", "100% $HOME.db", folder="/srv/a & b"))
    assert line is not None
    assert "%" not in line.replace("\\%", "")
    command = line.split(maxsplit=5)[5].replace("\\%", "%")
    assert shlex.split(command) == [
        "cd", "/srv/a & b", "&&", "set", "-a", "&&", ".", "./aetl.env", "&&",
        "exec", "/srv/env/bin/aetl", "load", "--quiet", "--database", "100% $HOME.db",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("when", "max_age", "looks_at"),
    [
        (time(2), "26h", time(7)),
        (time(21, 30), "26h", time(2, 30)),
        (timedelta(minutes=5), "26h", time(7)),
        (timedelta(days=2), "50h", time(7)),
    ],
)
def test_a_watchdog_looks_once_a_day_after_the_load_should_be_in(
    when: timedelta | time, max_age: str, looks_at: time
) -> None:
    found = watchdog(make_job("load", "--max-rejects", "5", when=when), ["--database", "x.db"])
    assert found.arguments == ("status", "--max-age", max_age, "--quiet", "--database", "x.db")
    assert (found.when, found.working_dir) == (looks_at, make_job().working_dir)


@pytest.mark.skipif(sys.platform == "win32", reason="cron and systemd are not there, and files have no such rights")
def test_a_file_of_variables_is_this_accounts_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "aetl.env"
    assert write_environment(path, {"A": "1"})
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_text("utf-8")
    assert not write_environment(path, {"A": "2"})
    assert path.read_text("utf-8") == before


def test_a_value_with_a_line_break_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="the variable A holds"):
        environment_text({"A": "1\n2"})


def test_a_service_runs_the_job_in_its_folder_and_ends_one_that_hangs() -> None:
    job = make_job("load", "--database", 'a "b" 5% $x.db', folder="/srv/5 %")
    service = systemd_units(job, "chat")["aetl.service"]
    assert "Type=oneshot\n" in service
    assert "User=chat\n" in service
    assert "WorkingDirectory=/srv/5 %%\n" in service
    assert "EnvironmentFile=/srv/5 %%/aetl.env\n" in service
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
    assert lines in systemd_units(make_job(when=when), "chat")["aetl.timer"]
