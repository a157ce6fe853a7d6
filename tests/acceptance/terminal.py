"""A terminal of so many columns, without a screen: what a program writes there, as far as it stays."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import termios
from pathlib import Path

from tests.acceptance.command import AETL, environment

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(columns: int, *args: str | Path) -> tuple[int, str]:
    """A run's exit code and all that it wrote to a terminal, escapes and all."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    env = {name: value for name, value in environment({"TERM": "xterm-256color"}).items() if name != "COLUMNS"}
    with subprocess.Popen([*AETL, *args], stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        written = b""
        while part := _read(ours):
            written += part
    os.close(ours)
    return process.returncode, written.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux: the other end is closed
        return b""


def lines_left(written: str) -> list[str]:
    """The lines that are on the screen in the end: a bar goes up over its own line and erases it."""
    shown: list[str] = [""]
    for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z]|\n|\r)", written):
        if part == "\n":
            shown.append("")
        elif part == "\x1b[1A":
            shown.pop()
        elif part in ("\r", "\x1b[2K"):
            shown[-1] = "" if part == "\x1b[2K" else shown[-1]
        elif not _ESCAPE.fullmatch(part):
            shown[-1] += part
    return [line.rstrip() for line in shown]
