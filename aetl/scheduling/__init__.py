"""Starts aetl by the clock: Task Scheduler on Windows; elsewhere, what to write for cron or systemd."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from pathlib import PurePath

from aetl.errors import ConfigurationError

TASK = "aetl"
HUNG_AFTER = timedelta(hours=12)
"""A run that takes longer is ended, or none would ever start after it. A load that is ended is rolled back."""

_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be started when: every so often, or daily at a time of the local clock."""

    program: PurePath
    arguments: tuple[str, ...]
    working_dir: PurePath
    when: timedelta | time

    def __post_init__(self) -> None:
        if isinstance(self.when, timedelta) and not _SHORTEST <= self.when <= _LONGEST:
            raise ConfigurationError("a job can start every 1m to 31d", hint="Give another --every.")
        for text in (str(self.program), *self.arguments, str(self.working_dir)):
            if not text.isprintable():
                raise ConfigurationError(
                    f"{text!r} holds a control character", hint="No scheduler takes one in a path or an option."
                )
