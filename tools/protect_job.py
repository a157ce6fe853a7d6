"""Makes or takes over the job's folder for install.bat, before anything is put into it.

    python tools/protect_job.py [--look]

What lies in the folder that AETL_HOME names runs as SYSTEM and holds conversations, and in C:\\ every user may make
folders. So one that belongs to somebody else, or holds what does, is refused; so is a Python that others may change.
Any other is given to Administrators and SYSTEM alone, with all that it holds. With --look nothing is changed, for
uninstall.bat, which must run nothing that somebody else put there. Needs the standard library only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from aetl.scheduling.rights import of_content, of_folder, of_python

# By their security identifiers: their names differ from one language of Windows to the next.
ADMINISTRATORS = "*S-1-5-32-544"
SYSTEM = "*S-1-5-18"
OURS = {"env", "global.log", "local.db", "container"}


class Refused(Exception):
    """The job must not go there."""


def main(arguments: list[str]) -> int:
    home = Path(os.environ["AETL_HOME"])
    caller = "uninstall.bat" if "--look" in arguments else "install.bat"
    try:
        if "--look" in arguments:
            look(home)
        else:
            look_at_python(Path(sys.base_prefix))
            make(home)
            give(home)
    except Refused as error:
        print(f"{caller}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{caller}: the rights of {home}, or of this Python, cannot be read: {error}", file=sys.stderr)
        return 1
    return 0


def look(home: Path) -> None:
    if (reason := of_folder(home) or of_content(home)) is not None:
        raise Refused(f"{reason}, so nothing in it is run or removed. Look what it is, and remove it.")


def look_at_python(folder: Path) -> None:
    if (reason := of_python(folder)) is not None:
        raise Refused(
            f"{reason}, and SYSTEM must not run that. Install Python for all users, below Program Files,"
            " and run install.bat again."
        )


def make(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f'the folder "{home}" cannot be made or entered: {error.strerror}.') from error
    if home == home.parent:
        raise Refused(f'"{home}" is a whole drive; name a folder in AETL_HOME.')
    there = {path.name.lower() for path in home.iterdir()}
    if there and not there & OURS:
        raise Refused(f'"{home}" holds nothing of aetl\'s, but other things; name a folder of its own in AETL_HOME.')
    if (reason := of_folder(home)) is not None:
        raise Refused(f"{reason}: remove or rename it, or name another folder in AETL_HOME; nothing was put into it.")


def give(home: Path) -> None:
    """To Administrators and SYSTEM alone: first the folder itself, so that nobody adds to what is then looked at."""
    icacls(home, str(home), "/setowner", ADMINISTRATORS, "/Q")
    icacls(home, str(home), "/reset", "/Q")  # what was granted to anybody by name
    icacls(home, str(home), "/inheritance:r", "/grant:r", f"{ADMINISTRATORS}:(OI)(CI)F", f"{SYSTEM}:(OI)(CI)F", "/Q")
    if (reason := of_content(home)) is not None:
        raise Refused(f"{reason}: look what it is, remove it, and run install.bat again; nothing was put in.")
    if any(home.iterdir()):
        everything = str(home / "*")
        icacls(home, everything, "/setowner", ADMINISTRATORS, "/T", "/L", "/Q")
        icacls(home, everything, "/reset", "/T", "/L", "/Q")


def icacls(home: Path, *arguments: str) -> None:
    program = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "icacls.exe")
    done = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise Refused(f'the rights to "{home}" cannot be given to Administrators and SYSTEM alone.')


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    sys.exit(main(sys.argv[1:]))
