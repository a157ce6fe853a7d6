"""Empties the job's folder, which is the current one, for uninstall.bat: all but env, whose Python runs this.

    python tools/clear_job.py [--purge | --simulation]

A database that is not the simulation's is kept, and said so, unless --purge is given. With --simulation nothing goes
but the simulation's database local.db, for install.bat. Needs the standard library only.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

SIMULATION = int.from_bytes(b"aets")
"""The application id in the header of the simulation's database, as aetl/database/sqlite/database.py writes it."""
MAGIC = b"SQLite format 3\0"
# What a killed program left beside a database belongs to it: there may be a commit in it.
BESIDE = ("", "-wal", "-shm", "-journal")


def main(arguments: list[str]) -> int:
    here = Path.cwd()
    if "--simulation" in arguments:
        return remove_simulation(here / "local.db")
    databases = [] if "--purge" in arguments else [path for path in sorted(here.iterdir()) if is_to_keep(path)]
    for path in databases:
        print(f"Keeping the database {path.name}: it is not the simulation's.")
    kept = {path.name + ending for path in databases for ending in BESIDE} | {"env"}
    try:
        for path in here.iterdir():
            if path.name in kept:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as error:
        print(f"{error.filename} cannot be removed: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def remove_simulation(database: Path) -> int:
    """Removes a database with what lies beside it, if it is surely the simulation's."""
    if not database.is_file() or is_to_keep(database):
        return 0
    with database.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return 0
    try:
        for ending in reversed(BESIDE):  # the database last: a log without it could be taken for the next one's
            database.with_name(database.name + ending).unlink(missing_ok=True)
    except OSError as error:
        print(f"{error.filename} cannot be removed: {error.strerror}", file=sys.stderr)
        return 1
    print("The simulation's database local.db is removed: real exports begin with an empty one.")
    return 0


def is_to_keep(path: Path) -> bool:
    """Whether it is a database, and not surely the simulation's."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return False
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as connection:
            ((application_id,),) = connection.execute("PRAGMA application_id")
    except sqlite3.Error:
        return True
    return bool(application_id != SIMULATION)


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    sys.exit(main(sys.argv[1:]))
