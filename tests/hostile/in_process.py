"""Runs the command line as a process would, but in this one: a case takes a twentieth of the time."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from aetl.cli import aetl
from aetl.cli.process import end_with


@dataclass(frozen=True)
class Done:
    """What a run came to."""

    exit_code: Any
    stdout: str
    stderr: str


Run: TypeAlias = Callable[..., Done]


def running(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """A function that takes a command's arguments; what a process would take along with its end is put back."""
    umask = os.umask(0o022)
    terminate = signal.getsignal(signal.SIGTERM)

    def run(*arguments: str | Path) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            end_with(lambda: aetl(list(map(str, arguments)), prog_name="aetl", standalone_mode=False))
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Done(ended.value.code, said.out, said.err)

    yield run
    os.umask(umask)
    signal.signal(signal.SIGTERM, terminate)
