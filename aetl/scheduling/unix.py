"""What to write for cron and for systemd, where there is no Task Scheduler."""

from __future__ import annotations

import re
import shlex
from datetime import time, timedelta

from aetl.scheduling import HUNG_AFTER, TASK, Job

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def crontab_line(job: Job) -> str | None:
    """A line for `crontab -e`; None where cron has no such interval."""
    schedule = _cron_schedule(job.when)
    if schedule is None:
        return None
    command = f"cd {shlex.quote(str(job.working_dir))} && {shlex.join([str(job.program), *job.arguments])}"
    return f"{schedule} {command.replace('%', chr(92) + '%')}"  # cron takes a bare % for the end of the line


def systemd_units(job: Job) -> dict[str, str]:
    """A service and its timer: file names and contents."""
    command = " ".join(map(_quoted, (str(job.program), *job.arguments)))
    folder = str(job.working_dir).replace("%", "%%")
    service = f"""\
[Unit]
Description=aetl: brings a chatbot's exports into the database
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory={folder}
ExecStart={command}
TimeoutStartSec={_seconds(HUNG_AFTER)}
"""
    timer = f"""\
[Unit]
Description=Starts aetl

[Timer]
{_systemd_schedule(job.when)}

[Install]
WantedBy=timers.target
"""
    return {f"{TASK}.service": service, f"{TASK}.timer": timer}


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
