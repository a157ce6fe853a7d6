"""Runs a command and measures it: its time and the peak of its own memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

SPAWN = Path(__file__).with_name("spawn.py")


class Failed(Exception):
    """A command ended with an error, or with a wrong result: its time means nothing."""


@dataclass(frozen=True)
class Command:
    """A program with its arguments, in the folder where it runs, with the variables that it needs beside the usual."""

    arguments: list[str]
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """What a command took: seconds, and bytes of memory at its peak; and what it wrote to standard output."""

    wall: float
    user: float
    system: float
    peak: int
    output: Path


def measure(command: Command, notes: Path) -> Measured:
    """Runs a command to its end; raises Failed for any exit code but 0. `notes` is a folder for what it says."""
    result, output, errors = notes / "result.json", notes / "stdout", notes / "stderr"
    # What the preparation wrote would otherwise go to the disk while, and at the expense of what, is measured. The
    # cache of the file system stays: every input was just written or read, so that each run finds it in memory.
    os.sync()
    with output.open("wb") as stdout, errors.open("wb") as stderr:
        subprocess.run(
            [sys.executable, "-I", "-S", SPAWN, result, *command.arguments],
            check=True,
            cwd=command.folder,
            env={**clean_environment(), **command.variables},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
    found = msgspec.json.decode(result.read_bytes())
    if code := found.pop("exit_code"):
        said = errors.read_text(errors="replace").strip().splitlines()[-1:] or ["nothing on stderr"]
        raise Failed(f"exit code {code}: {said[0]}")
    return Measured(**found, output=output)


def clean_environment() -> dict[str, str]:
    """The environment without what would tell aetl, Azure's client or Python something else than the benchmark does."""
    ours = ("CHAT_DB_", "AZURE_", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
