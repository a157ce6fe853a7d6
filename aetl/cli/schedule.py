"""`aetl schedule`: has the system start aetl by the clock."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aetl.cli.group import Commands
from aetl.cli.job import choose_command, commands_of, common_options, create_for_unix
from aetl.cli.process import say, show
from aetl.errors import ConfigurationError, SchedulingError
from aetl.logs import redact

if TYPE_CHECKING:
    from aetl.scheduling import Job

_IS_WINDOWS = sys.platform == "win32"
_SYSTEM_VARIABLES = r"SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@click.group(cls=Commands, invoke_without_command=True)
@click.pass_context
def schedule(ctx: click.Context) -> int:
    """Have the system start aetl by the clock."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
    return 0


def _interval(ctx: click.Context, parameter: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,5})([mhd])", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not an interval such as 5m, 2h or 1d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _time_of_day(ctx: click.Context, parameter: click.Parameter, value: str | None) -> time | None:
    if value is None:
        return None
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not a time such as 02:00")
    return time(int(found[1]), int(found[2]))


@schedule.command()
@click.option("--every", metavar="5m|2h|1d", callback=_interval, help="The interval.  [default: 5m]")
@click.option("--daily", metavar="HH:MM", callback=_time_of_day, help="Once a day instead, by the local clock.")
@click.option(
    "--command",
    type=click.Choice(["run", "load"]),
    help="What to start.  [default: run, but none where the container holds real exports]",
)
@click.option(
    "--working-dir",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    default=".",
    help="The job's folder: where its files are.  [default: this one]",
)
@click.option("--user", help="The account that it runs as.  [default: SYSTEM on Windows, else this one]")
@click.option("--dry-run", is_flag=True, help="Print what would be registered; change nothing.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def create(
    ctx: click.Context,
    every: timedelta | None,
    daily: time | None,
    command: str | None,
    working_dir: Path,
    user: str | None,
    dry_run: bool,
    options: tuple[str, ...],
) -> int:
    """Register the task with Task Scheduler, in the place of an older one; elsewhere print it for cron and systemd.

    OPTIONS are those of the command that it starts; they stand after --.
    """
    from aetl.addresses import secrets_of
    from aetl.scheduling import Job
    from aetl.values import checked

    if every is not None and daily is not None:
        raise click.UsageError("--every and --daily exclude each other")
    _refuse_secrets(options)
    chosen = choose_command(ctx, command, options, working_dir)
    # Else it would fail by night.
    given = commands_of(ctx)[chosen].make_context(f"aetl {chosen}", list(options)).params
    for name in ("container", "database"):
        if given.get(name) is not None:
            checked(name, given[name], f"--{name}")
    if secrets_of(given.get("container"), None, None, given.get("database")):
        raise _told_secret()
    when = daily or (timedelta(minutes=5) if every is None else every)
    job = Job(_program(), (chosen, *options), working_dir, when)
    if _IS_WINDOWS:
        _create_task(job, user or "SYSTEM", dry_run=dry_run)
    else:
        create_for_unix(job, user, common_options(ctx, options), dry_run=dry_run)
    return 0


@schedule.command()
def remove() -> int:
    """Remove the task."""
    from aetl.scheduling import TASK, schtasks

    _need_windows("Remove the crontab line, or: systemctl disable --now aetl.timer.")
    if schtasks.remove():
        show(f"The task {TASK} is removed.")
    else:
        show(f"There is no task {TASK} to remove.")
    return 0


@schedule.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def status(as_json: bool) -> int:
    """Show whether the task is there, how it last ran and when it runs next.

    Exit code 1 where there is none.
    """
    from dataclasses import asdict

    from aetl.cli.display import print_json
    from aetl.scheduling import TASK, schtasks

    _need_windows("Try: crontab -l, or: systemctl status aetl.timer aetl.service.")
    found = schtasks.status()
    if as_json:
        print_json({"task": TASK, **asdict(found)})
    elif not found.is_registered:
        show(f"There is no task {TASK} that this account can see.")
    else:
        show(f"The task {TASK} is registered.")
        show(f"Last run: {found.last_run or 'never'}")
        if found.last_run is not None:
            show(f"Last result: {found.last_result_in_words or 'not known'}")
        show(f"Next run: {found.next_run or 'not known'}")
    return int(not found.is_registered)


def _refuse_secrets(options: tuple[str, ...]) -> None:
    if any(redact(text) != text for text in (*options, " ".join(options))):
        raise _told_secret()


def _told_secret() -> ConfigurationError:
    return ConfigurationError(
        "a task's options may hold no SAS and no other secret: whoever may list the tasks can read them",
        hint="Put it into the environment; on Windows, into a system variable.",
    )


def _program() -> Path:
    program = Path(sysconfig.get_path("scripts"), "aetl.exe" if _IS_WINDOWS else "aetl")
    if not program.exists():
        raise SchedulingError(f"there is no {program}", hint="Install aetl with pip.")
    return program


def _create_task(job: Job, user: str, *, dry_run: bool) -> None:
    import subprocess  # it takes as long to import as all of click, and `aetl --help` needs none

    from aetl.scheduling import TASK, schtasks
    from aetl.scheduling.definition import task_definition

    definition = task_definition(job, user, datetime.now().astimezone())
    if dry_run:
        # In ASCII, which every console can show and which is the same XML.
        show(definition.decode("utf-16").encode("ascii", "xmlcharrefreplace").decode("ascii"))
        show(subprocess.list2cmdline(["schtasks", *schtasks.create_arguments(Path("task.xml"))]))
        return
    if user.upper() == "SYSTEM":
        _refuse_what_others_may_change()
    schtasks.create(definition)
    if user.upper() == "SYSTEM" and (unseen := _unseen_by_system()):
        say(f"warning: the task runs as SYSTEM and will not see {', '.join(unseen)}: make it a system variable")
    show(f"The task {TASK} is registered: {_in_words(job)}.")


def _refuse_what_others_may_change() -> None:
    """What SYSTEM runs every night would give whoever may change it all rights."""
    from aetl.scheduling.rights import of_python

    for folder in {sys.base_prefix: None, sys.prefix: None}:
        if (reason := of_python(Path(folder))) is not None:
            raise SchedulingError(
                f"{reason}, and SYSTEM must not run that",
                hint="Install Python and aetl for all users, or name another account with --user.",
            )


def _unseen_by_system() -> list[str]:
    """The variables that name a container and are set here, but not for the whole computer."""
    if sys.platform != "win32":
        return []
    import winreg

    from aetl.config import variable_names

    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _SYSTEM_VARIABLES) as key:
        known = {winreg.EnumValue(key, place)[0].upper() for place in range(winreg.QueryInfoKey(key)[1])}
    return [name for name in variable_names() if name in os.environ and name.upper() not in known]


def _in_words(job: Job) -> str:
    import subprocess

    moment = (
        f"daily at {job.when:%H:%M}"
        if isinstance(job.when, time)
        else f"every {job.when // timedelta(minutes=1)} minutes"
    )
    return f"{subprocess.list2cmdline(['aetl', *job.arguments])}, {moment}, in {job.working_dir}"


def _need_windows(instead: str) -> None:
    if not _IS_WINDOWS:
        raise ConfigurationError("Task Scheduler is there on Windows only", hint=instead)
