"""`aetl schedule` on a system without Task Scheduler; tests/windows/ has the rest."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from aetl.cli import aetl
from aetl.errors import AetlError, ConfigurationError
from tests.exports import make_export, write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has Task Scheduler")


def schedule(*arguments: str) -> Result:
    return CliRunner().invoke(aetl, ["schedule", *arguments], prog_name="aetl", standalone_mode=False)


def test_a_dry_run_prints_a_crontab_line_and_systemd_units(tmp_path: Path) -> None:
    done = schedule("create", "--dry-run", "--daily", "02:00", "--command", "load", "--", "--database", "x y.db")
    assert done.exception is None
    enter, program = f"cd {tmp_path} && set -a && . ./aetl.env && exec", f"{Path(sys.executable).parent}/aetl"
    assert f"0 2 * * * {enter} {program} load --quiet --database 'x y.db'\n" in done.stdout
    assert f"0 7 * * * {enter} {program} status --max-age 26h --quiet --database 'x y.db'\n" in done.stdout
    for name in ("aetl.service", "aetl.timer", "aetl-watchdog.service", "aetl-watchdog.timer"):
        assert f"# systemd: /etc/systemd/system/{name}\n" in done.stdout
    assert f"User={getpass.getuser()}\n" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_unless_told_it_is_the_simulated_job_every_five_minutes_in_this_folder(tmp_path: Path) -> None:
    done = schedule("create", "--dry-run")
    job = f"cd {tmp_path} && set -a && . ./aetl.env && exec {Path(sys.executable).parent}/aetl run --quiet\n"
    assert f"*/5 * * * * {job}" in done.stdout
    assert "watchdog" not in done.stdout


def test_alone_it_shows_its_help() -> None:
    assert schedule().stdout == schedule("--help").stdout
    assert schedule().stdout.startswith("Usage: aetl schedule ")


@pytest.mark.parametrize("where", ["option", "variable"])
def test_where_real_exports_lie_the_command_must_be_chosen(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = write(Path("exports"), 0, make_export())
    if where == "variable":
        monkeypatch.setenv("CHAT_DB_CONTAINER_URL", "exports")
    options = ["--container", "exports"] if where == "option" else []
    for chosen in ([], ["--command", "run"]):
        error = schedule("create", "--dry-run", *chosen, "--", *options).exception
        assert isinstance(error, ConfigurationError)
        assert str(error) == f"exports holds real exports, such as {real}"
        assert "--command load" in error.hint and "--command run" in error.hint
    assert "/aetl load " in schedule("create", "--dry-run", "--command", "load", "--", *options).stdout
    mixed = schedule("create", "--dry-run", "--", *options, "--into-real-container")
    assert "--into-real-container" in mixed.stdout


def test_where_the_container_cannot_be_looked_into_the_command_must_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "quick.yaml").write_text("retries: 0\n", encoding="utf-8")
    options = ("--", "--container", "http://127.0.0.1:1/account/exports?sp=rl", "--config", "quick.yaml")
    error = schedule("create", "--dry-run", *options).exception
    assert isinstance(error, ConfigurationError)
    assert (
        "http://127.0.0.1:1/account/exports holds real exports cannot be told" in str(error)
        and "--command load" in error.hint
    )
    assert "/aetl run " in schedule("create", "--dry-run", "--command", "run", *options).stdout
    assert "/aetl run " in schedule("create", "--dry-run", "--", "--container", "not-there-yet").stdout


@pytest.mark.parametrize(("arguments", "instead"), [(["remove"], "crontab"), (["status"], "systemctl")])
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
        ["--database", "postgresql://user%3Ageheim@server/db"],
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
