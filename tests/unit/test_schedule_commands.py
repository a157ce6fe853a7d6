"""`aetl schedule` on a system without Task Scheduler; tests/windows/ has the rest."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from aetl.cli import aetl
from aetl.errors import AetlError, ConfigurationError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has Task Scheduler")


def schedule(*arguments: str) -> Result:
    return CliRunner().invoke(aetl, ["schedule", *arguments], prog_name="aetl", standalone_mode=False)


def test_a_dry_run_prints_a_crontab_line_and_systemd_units(tmp_path: Path) -> None:
    done = schedule("create", "--dry-run", "--daily", "02:00", "--command", "load", "--", "--database", "x y.db")
    assert done.exception is None
    assert f"0 2 * * * cd {tmp_path} && {Path(sys.executable).parent}/aetl load --database 'x y.db'\n" in done.stdout
    assert "/etc/systemd/system/aetl.service" in done.stdout
    assert "/etc/systemd/system/aetl.timer" in done.stdout


def test_unless_told_it_is_the_simulated_job_every_five_minutes_in_this_folder(tmp_path: Path) -> None:
    done = schedule("create", "--dry-run")
    assert f"*/5 * * * * cd {tmp_path} && {Path(sys.executable).parent}/aetl run\n" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "instead"), [(["create"], "--dry-run"), (["remove"], "crontab"), (["status"], "systemctl")]
)
def test_what_needs_task_scheduler_says_what_to_use_instead(arguments: list[str], instead: str) -> None:
    error = schedule(*arguments).exception
    assert isinstance(error, ConfigurationError)
    assert instead in error.hint


@pytest.mark.parametrize(
    "options",
    [
        ["--container", "https://account.blob.core.windows.net/c?sp=rl&sig=c2lnbmF0dXJl%2Bx"],
        ["--container", "https://account.blob.core.windows.net/c?sp=rl&SIG=c2lnbmF0dXJl"],
        ["--container=https://account.blob.core.windows.net/c?sig%3Dc2lnbmF0dXJl"],
        ["--database", "AccountName=a;AccountKey=c2VjcmV0LWtleQ=="],
        ["--database", "postgresql://user:geheim@server/db"],
    ],
)
def test_a_secret_in_the_options_is_refused_and_not_repeated(options: list[str]) -> None:
    done = schedule("create", "--dry-run", "--command", "load", "--", *options)
    assert isinstance(done.exception, AetlError)
    assert done.exception.exit_code == 2
    assert "secret" in str(done.exception)
    for said in (done.output, done.exception.line):
        assert not any(secret in said for secret in ("c2lnbmF0dXJl", "c2VjcmV0", "geheim"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--every", "5"],
        ["--every", "5s"],
        ["--every", "-5m"],
        ["--every", ""],
        ["--daily", "24:00"],
        ["--daily", "2"],
        ["--daily", "02:60"],
        ["--every", "5m", "--daily", "02:00"],
        ["--command", "export"],
        ["--working-dir", "no-such-folder"],
        ["--", "--no-such-option"],
        ["--command", "load", "--", "--sessions", "5"],
        ["--", "--sessions", "many"],
    ],
)
def test_nonsense_is_refused_before_anything_is_scheduled(arguments: list[str]) -> None:
    assert isinstance(schedule("create", "--dry-run", *arguments).exception, click.UsageError)


@pytest.mark.parametrize("every", ["0m", "32d", "745h"])
def test_an_interval_out_of_range_is_refused(every: str) -> None:
    assert isinstance(schedule("create", "--dry-run", "--every", every).exception, ConfigurationError)
