"""Runs Windows programs under wine, in the rig that build_rig.py makes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RIG = ROOT / ".wine-rig"
PREFIX = RIG / "prefix"
WHEELS = RIG / "wheels"
STAMP = RIG / "built.json"
SYSTEM32 = PREFIX / "drive_c/windows/system32"
PYTHON = r"C:\Python311\python.exe"
SECONDS = 120
STAY = "import ctypes, time; ctypes.windll.user32.GetDesktopWindow(); time.sleep(86_400)"


@dataclass(frozen=True)
class Done:
    """What a program said, and its exit code as Linux sees it: modulo 256."""

    code: int
    out: bytes = field(repr=False)
    err: bytes = field(repr=False)

    @property
    def stdout(self) -> str:
        return _text(self.out)

    @property
    def stderr(self) -> str:
        return _text(self.err)

    @property
    def all(self) -> str:
        return f"exit code {self.code}\n{self.stdout}{self.stderr}"


class Started(subprocess.Popen[bytes]):
    """A program in a process group of its own, all of it killed where the block that waits for it ends in an error."""

    def __exit__(self, *exception: Any) -> None:
        if exception[0] is not None and self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        super().__exit__(*exception)


def run(
    *command: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
    typed: bytes | None = None,
) -> Done:
    """Runs a program to its end; one that takes longer is killed with all it started, and TimeoutExpired raised.

    `typed` is what it reads from stdin, which is empty else.
    """
    with start(*command, cwd=cwd, env=env, stdin=subprocess.DEVNULL if typed is None else subprocess.PIPE) as process:
        out, err = process.communicate(typed, timeout=seconds)
    return Done(process.returncode, out, err)


def start(
    *command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, stdin: int = subprocess.DEVNULL
) -> Started:
    """Starts a program in a process group of its own. Its streams are pipes: with a file Python would not start."""
    return Started(
        ["wine", *command],
        cwd=cwd,
        env=environment(env),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a Windows program gets: nothing of Linux's but what wine needs, and pip kept to the rig's wheels."""
    return {
        "PATH": os.defpath,
        "LC_ALL": "C.UTF-8",
        "WINEPREFIX": str(PREFIX),
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree=;mshtml=",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": windows_path(WHEELS),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        **(more or {}),
    }


def windows_path(path: Path) -> str:
    """How Windows names a file of Linux."""
    with contextlib.suppress(ValueError):
        return str(PureWindowsPath("C:/", path.relative_to(PREFIX / "drive_c")))
    return str(PureWindowsPath("Z:/", path.relative_to("/")))


def linux_path(path: str) -> Path:
    """Where a file of Windows lies."""
    windows = PureWindowsPath(path)
    root = {"c:": PREFIX / "drive_c", "z:": Path("/")}[windows.drive.lower()]
    return root.joinpath(*windows.parts[1:])


@contextlib.contextmanager
def server() -> Iterator[None]:
    """Keeps wine's server, its services and its desktop running meanwhile.

    What of these stopped with the last program starts again with the next one, holds its pipes and never lets go.
    """
    _silently("wineserver", "-p")
    _silently("wine", "cmd", "/c", "exit")
    nothing = subprocess.DEVNULL
    with subprocess.Popen(
        ("wine", PYTHON, "-c", STAY), env=environment(), stdin=nothing, stdout=nothing, stderr=nothing
    ):
        try:
            yield
        finally:
            _silently("wineserver", "-k")


def is_built() -> bool:
    return STAMP.exists()


def _silently(*command: str) -> None:
    subprocess.run(
        command,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=SECONDS,
    )


def _text(output: bytes) -> str:
    try:
        text = output.decode("utf-8")
    except UnicodeDecodeError:
        text = output.decode("cp1252", "replace")  # what a pipe's other end gets unless told otherwise
    return text.replace("\r\n", "\n")
