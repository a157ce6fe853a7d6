"""What `aetl schedule create` prints for cron and for systemd, run as these two would run it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.command import counts, fail, run_aetl, succeed
from tests.exports import make_export, write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="tests/windows/ has the Task Scheduler's")

ODD = 'it\'s 100% "odd" $HOME & so'
TRICKY = "sig=a%2Bb$HOME`id`\"\\'"


def as_cron_would(line: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Runs a crontab's line with the few variables that cron gives; crontab(5) says what becomes of a percent sign."""
    command = line.split(maxsplit=5)[5]
    assert "%" not in command.replace("\\%", "")
    environment = {"HOME": "/", "LOGNAME": "nobody", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        ["/bin/sh", "-c", command.replace("\\%", "%")],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


def crontab_lines(printed: str) -> list[str]:
    return re.findall(r"^[\d*].* cd .*$", printed, re.MULTILINE)


def created(folder: Path, *arguments: str, **variables: str) -> str:
    done = run_aetl("schedule", "create", "--working-dir", folder, *arguments, env=variables)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_nights_load_and_its_watchdog_run_from_cron_in_a_folder_with_an_odd_name(tmp_path: Path) -> None:
    folder = tmp_path / ODD
    folder.mkdir()
    write(folder / "exports %", 0, make_export(3))
    options = ("--daily", "02:00", "--command", "load", "--", "--database", "my $x.db")
    load, watchdog = crontab_lines(created(folder, *options, CHAT_DB_CONTAINER_URL="exports %"))
    early = as_cron_would(watchdog)
    assert (early.returncode, early.stdout, early.stderr) == (1, "", "aetl: there never was a success\n")
    done = as_cron_would(load)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert counts(folder / "my $x.db")[0] == 3
    content = as_cron_would(watchdog)
    assert (content.returncode, content.stdout, content.stderr) == (0, "", "")
    assert {path.name for path in folder.iterdir()} == {"aetl.env", "exports %", "global.log", "my $x.db"}


def test_without_its_variables_a_job_from_cron_starts_nothing(tmp_path: Path) -> None:
    (line,) = crontab_lines(created(tmp_path))
    (tmp_path / "aetl.env").unlink()
    done = as_cron_would(line)
    assert done.returncode != 0
    assert "aetl.env" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_jobs_variables_are_kept_to_its_account_and_come_back_as_they_were(tmp_path: Path) -> None:
    secrets = {"CHAT_DB_CONTAINER_SAS_TOKEN": TRICKY, "PGPASSWORD": "p w", "AZURE_CLIENT_ID": "id"}
    printed = created(tmp_path, "--command", "load", CHAT_DB_CONTAINER_URL="exports", UNRELATED="x", **secrets)
    path = tmp_path / "aetl.env"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "CHAT_DB_CONTAINER_SAS_TOKEN" in printed
    assert not any(secret in printed for secret in secrets.values())
    read = "set -a; . ./aetl.env; exec env -0"
    done = subprocess.run(["/bin/sh", "-c", read], cwd=tmp_path, env={}, capture_output=True, text=True, check=True)
    found = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    assert {name: found.get(name) for name in secrets} == secrets
    assert found["CHAT_DB_CONTAINER_URL"] == "exports"
    assert "UNRELATED" not in found

    path.chmod(0o644)
    again = run_aetl("schedule", "create", "--command", "load", "--working-dir", tmp_path)
    assert "it was there already and stays as it is" in again.stdout
    assert again.stderr == f"aetl: warning: others than its owner may read {path}: chmod 600 aetl.env\n"
    assert "sig=" in path.read_text("utf-8")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not there to ask")
def test_systemd_takes_the_units_in_a_folder_with_an_odd_name(tmp_path: Path) -> None:
    folder = tmp_path / ODD
    folder.mkdir()
    printed = created(folder, "--every", "2h", "--command", "load", "--", "--database", 'a "b" 5% $x;.db')
    units = dict(
        re.findall(r"^# systemd: /etc/systemd/system/(\S+)\n(.*?)\n(?=\n# )", printed, re.MULTILINE | re.DOTALL)
    )
    assert set(units) == {"aetl.service", "aetl.timer", "aetl-watchdog.service", "aetl-watchdog.timer"}
    for name, unit in units.items():
        (tmp_path / name).write_text(f"{unit}\n", encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(f"./{name}" for name in units)],
        cwd=tmp_path,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_plain_schedule_create_stops_where_real_exports_lie_and_schedules_nothing(tmp_path: Path) -> None:
    write(tmp_path / "exports", 0, make_export())
    line = fail(2, "schedule", "create", "--", "--container", "exports")
    assert "exports holds real exports" in line and "--command load" in line
    assert {path.name for path in tmp_path.iterdir()} == {"exports"}
    assert "Usage: aetl schedule" in succeed("schedule")
