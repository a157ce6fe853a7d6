"""What `aetl schedule create` makes of its options: the command to start, and on Unix what to write where."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aetl.cli.process import run_async, say, show
from aetl.errors import AetlError, ConfigurationError

if TYPE_CHECKING:
    from aetl.scheduling import Job

_CHOOSE = (
    "Choose: --command load brings them into the database every night; "
    "--command run plays with mock data, and writes it there with -- --into-real-container only."
)
_ALSO = re.compile(r"(AZURE|PG)[A-Z_]*|(HTTPS?|NO|ALL)_PROXY|SSL_CERT_(FILE|DIR)", re.IGNORECASE)
"""Further variables that the drivers of Azure and PostgreSQL read."""


def commands_of(ctx: click.Context) -> Mapping[str, click.Command]:
    """All commands of aetl, by their names."""
    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    return group.commands


def choose_command(ctx: click.Context, command: str | None, options: tuple[str, ...], folder: Path) -> str:
    """The command to start in a folder: `run` unless told, and never where that would write among real exports.

    Raises ConfigurationError where the container holds such, or where that cannot be told and no command is.
    """
    from aetl.config import read_settings

    if command == "load" or "--into-real-container" in options:
        return command or "run"
    given = _common(ctx, options)
    with contextlib.chdir(folder):
        config = given.get("config")
        settings = read_settings(Path(config) if config else None, container=given.get("container"))
        if settings.container is None:
            return "run"
        from aetl.simulation.night import real_export

        try:
            real = run_async(real_export(settings))
        except AetlError as error:
            if command is not None:
                return command
            raise ConfigurationError(
                f"whether {settings.container} holds real exports cannot be told: {error}", hint=_CHOOSE
            ) from error
    if real is not None:
        raise ConfigurationError(f"{settings.container} holds real exports, such as {real}", hint=_CHOOSE)
    return "run"


def common_options(ctx: click.Context, options: tuple[str, ...]) -> list[str]:
    """Those of a command's options that every command takes, as they would be given to another one."""
    return [text for name, value in _common(ctx, options).items() for text in (f"--{name.replace('_', '-')}", value)]


def create_for_unix(job: Job, user: str | None, options: list[str], *, dry_run: bool) -> None:
    """Writes the job's variables into a file, and says what to write for cron or for systemd.

    Of a load `options` are those for the watchdog, too.
    """
    import getpass

    from aetl.scheduling import TASK
    from aetl.scheduling.unix import ENVIRONMENT, crontab_line, systemd_units, watchdog

    if user is not None and not re.fullmatch(r"[\w.@$-]+", user):
        raise click.BadParameter(f"{user!r} is not the name of an account", param_hint="'--user'")
    account = user or getpass.getuser()
    _provide_environment(Path(job.working_dir, ENVIRONMENT), user, options, dry_run=dry_run)
    jobs = {TASK: job}
    if job.arguments[0] == "load":
        jobs[f"{TASK}-watchdog"] = watchdog(job, options)
    show(f"\n# cron: crontab -e, as {account}:")
    for each in jobs.values():
        line = crontab_line(each)
        show(line or "# it has no such interval; use systemd, or an interval that divides an hour or a day")
    for name, each in jobs.items():
        for file, unit in systemd_units(each, account, name).items():
            show(f"\n# systemd: /etc/systemd/system/{file}\n{unit.rstrip()}")
    timers = " ".join(f"{name}.timer" for name in jobs)
    show(f"\n# then, as root: systemctl daemon-reload && systemctl enable --now {timers}")
    show("# Nothing is scheduled before you have put either the lines for cron or the files for systemd in place.")


def _provide_environment(path: Path, user: str | None, options: list[str], *, dry_run: bool) -> None:
    from aetl.config import variable_names
    from aetl.scheduling.unix import write_environment

    config = Path(options[options.index("--config") + 1]) if "--config" in options else None
    with contextlib.chdir(path.parent):
        read = variable_names(config)
    variables = {name: value for name, value in os.environ.items() if value and (name in read or _ALSO.fullmatch(name))}
    named = ", ".join(sorted(variables)) or "none that is set here"
    if path.exists():
        show(f"# {path} holds the job's variables; it was there already and stays as it is.")
        if path.stat().st_mode & 0o077:
            say(f"warning: others than its owner may read {path}: chmod 600 {path.name}")
    elif dry_run:
        show(f"# {path}, mode 600, would hold the job's variables: {named}.")
    elif write_environment(path, variables):
        if user is not None and os.geteuid() == 0:
            shutil.chown(path, user)
        show(f"# {path}, mode 600, now holds the job's variables: {named}.")


def _common(ctx: click.Context, options: tuple[str, ...]) -> dict[str, str]:
    """The values of the options that every command takes, by their names; others are left to the command itself."""
    commands = commands_of(ctx)
    parsed = commands["load"].make_context(
        "aetl", list(options), ignore_unknown_options=True, allow_extra_args=True, resilient_parsing=True
    )
    status, load = ({each.name or "" for each in commands[name].params} for name in ("status", "load"))
    shared = status & load
    found = {name: parsed.params.get(name) for name in sorted(shared - {"quiet", "as_json"})}
    return {name: str(value) for name, value in found.items() if value is not None}
