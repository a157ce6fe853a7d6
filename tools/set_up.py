"""Makes .venv in the repository root ready: aetl, editable, with the extras that are asked for.

    python tools/set_up.py [EXTRA ...]

The scripts beside it call it with whichever Python they found, so it needs the standard library only. A stamp in .venv
says what stands there; while it holds, nothing is installed and nothing is asked of the network.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "aetl-set-up.json"


def main(extras: list[str]) -> int:
    stamp = read_stamp()
    pyproject = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    # Neither a virtual environment nor an editable install survives being moved.
    usable = VENV_PYTHON.exists() and stamp.get("root", str(ROOT)) == str(ROOT)
    installed = set(stamp.get("extras", ())) if usable else set()
    if usable and stamp.get("pyproject") == pyproject and installed.issuperset(extras):
        return 0

    if sys.version_info < (3, 11):  # noqa: UP036 - any Python may run this script
        return fail(f"aetl needs Python 3.11 or newer, and {sys.executable} is {sys.version.split()[0]}.")
    if not (usable and stamp):
        say(f"Setting up {VENV} with Python {sys.version.split()[0]} ...")
        if reason := make_venv(clear=not usable):
            return fail(reason)
    write_stamp(extras=sorted(installed))
    wanted = sorted(installed.union(extras))
    brackets = f"[{','.join(wanted)}]" if wanted else ""
    say(f"Installing aetl{brackets} ...")
    pip = [
        str(VENV_PYTHON),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-warn-script-location",
    ]
    if subprocess.run([*pip, "--editable", f"{ROOT}{brackets}"], check=False).returncode:
        return fail("aetl could not be installed; pip says above why. Is a Python package index within reach?")
    write_stamp(extras=wanted, pyproject=pyproject)
    return 0


def make_venv(*, clear: bool) -> str | None:
    """Why it could not be made, or None."""
    try:
        import ensurepip
        import venv
    except ImportError:
        package = f"python3.{sys.version_info[1]}-venv"
        return f"{sys.executable} comes without venv and ensurepip. On Debian and Ubuntu: sudo apt install {package}"
    del ensurepip
    try:
        venv.create(VENV, clear=clear, with_pip=True, symlinks=os.name != "nt")
    except (OSError, subprocess.CalledProcessError) as error:
        return f"{VENV} could not be made: {error}"
    return None


def read_stamp() -> dict[str, Any]:
    try:
        stamp: dict[str, Any] = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp


def write_stamp(**found: object) -> None:
    STAMP.write_text(json.dumps({"root": str(ROOT), **found}), encoding="utf-8")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def fail(line: str) -> int:
    say(line)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
