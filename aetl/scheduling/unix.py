"""What to write for cron and for systemd, where there is no Task Scheduler."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path

from aetl.errors import ConfigurationError
from aetl.scheduling import HUNG_AFTER, TASK, Job

ENVIRONMENT = "aetl.env"
"""The file in the job's folder that holds its variables: neither cron nor systemd knows those of a shell."""

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_HOURS_LATER = 5
"""So long after a daily load the watchdog looks."""
_MORNING = time(7)
_ALLOWED = 2 * _HOUR
"""A load may take so much longer than the last one, and the next success come so much later."""
_HEAD = '# What aetl reads from the environment: NAME="value", as sh and systemd both take it.\n'


def watchdog(job: Job, options: Sequence[str]) -> Job:
    """What complains once a day where the last success of a load is too old; `options` are those common to both."""
    span = job.when if isinstance(job.when, timedelta) else _DAY
    hours = (max(span, _DAY) + _ALLOWED) // _HOUR
    when = _MORNING
    if isinstance(job.when, time):
        when = job.when.replace(hour=(job.when.hour + _HOURS_LATER) % 24)
    return replace(job, arguments=("status", "--max-age", f"{hours}h", "--quiet", *options), when=when)


def environment_text(variables: Mapping[str, str]) -> str:
    """The file of variables. Between double quotes sh and systemd take the same four characters for their own."""
    for name, value in variables.items():
        if not value.isprintable():
            raise ConfigurationError(f"the variable {name} holds a line break or another control character")
    escaped = {name: re.sub(r'([\\"$`])', r"\\\1", value) for name, value in variables.items()}
    return _HEAD + "".join(f'{name}="{value}"\n' for name, value in escaped.items())


def write_environment(path: Path, variables: Mapping[str, str]) -> bool:
    """Writes the file, for this account's eyes only; False, and nothing is touched, where it is there already."""
    text = environment_text(variables)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}", hint="Name a folder of the job's with --working-dir."
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def crontab_line(job: Job) -> str | None:
    """A line for `crontab -e`, which any sh runs with no variable set; None where cron has no such interval.

    What a good run says is left out: cron mails all that a job says.
    """
    schedule = _cron_schedule(job.when)
    if schedule is None:
        return None
    quiet = () if "--quiet" in job.arguments else ("--quiet",)
    program = shlex.join([str(job.program), job.arguments[0], *quiet, *job.arguments[1:]])
    command = f"cd {shlex.quote(str(job.working_dir))} && set -a && . ./{ENVIRONMENT} && exec {program}"
    return f"{schedule} {command.replace('%', chr(92) + '%')}"  # cron takes a bare % for the end of the line


def systemd_units(job: Job, user: str, name: str = TASK) -> dict[str, str]:
    """A service and its timer: file names and contents."""
    # Of what it starts systemd replaces no $, and `$$` would be taken as it stands.
    program = _quoted(str(job.program)).replace("$$", "$")
    command = " ".join((program, *map(_quoted, job.arguments)))
    folder = str(job.working_dir).replace("%", "%%")
    service = f"""\
[Unit]
Description=aetl {job.arguments[0]}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
User={user}
WorkingDirectory={folder}
EnvironmentFile={folder}/{ENVIRONMENT}
ExecStart={command}
TimeoutStartSec={_seconds(HUNG_AFTER)}
"""
    timer = f"""\
[Unit]
Description=Starts {name}.service

[Timer]
{_systemd_schedule(job.when)}

[Install]
WantedBy=timers.target
"""
    return {f"{name}.service": service, f"{name}.timer": timer}


def _cron_schedule(when: timedelta | time) -> str | None:
    if isinstance(when, time):
        return f"{when.minute} {when.hour} * * *"
    if when == _DAY:
        return "0 0 * * *"
    if when % _HOUR == timedelta(0) and _DAY % when == timedelta(0):
        return "0 * * * *" if when == _HOUR else f"0 */{when // _HOUR} * * *"
    if when < _HOUR and _HOUR % when == timedelta(0):
        return "* * * * *" if when == _MINUTE else f"*/{when // _MINUTE} * * * *"
    return None


def _systemd_schedule(when: timedelta | time) -> str:
    if isinstance(when, time):
        return f"OnCalendar=*-*-* {when:%H:%M}:00\nPersistent=true"
    # Five minutes after the timer is started, also when that is long after the machine was.
    return f"OnActiveSec=5min\nOnUnitActiveSec={_seconds(when)}"


def _seconds(span: timedelta) -> str:
    return f"{span // timedelta(seconds=1)}s"


def _quoted(text: str) -> str:
    escaped = re.sub(r'(["\\])', r"\\\1", text).replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if not re.fullmatch(r"[\w@%+=:,./-]+", text) else escaped
