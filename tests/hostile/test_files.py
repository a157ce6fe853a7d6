"""Whatever aetl creates, on its way or to stay, other users may not read."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.command import AETL, wait_until
from tests.exports import encode, make_export, write

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has other rights; install.bat sets them")


def seen_while_running(*arguments: str) -> dict[str, int]:
    """The files and folders that a command made, also for a moment, and the rights that others and the group have."""
    seen: dict[str, int] = {}
    own = {str(path) for path in Path().rglob("*")}

    def look() -> bool:
        has_ended = process.poll() is not None
        for folder, folders, files in os.walk("."):
            for name in (*folders, *files):
                path = Path(folder, name)
                try:
                    seen[str(path)] = seen.get(str(path), 0) | stat.S_IMODE(path.lstat().st_mode) & 0o077
                except FileNotFoundError:
                    continue
        return has_ended

    before = os.umask(0)
    try:
        process = subprocess.Popen([*AETL, *arguments], env={**os.environ, "TMPDIR": "temporary"})
    finally:
        os.umask(before)
    with process:
        wait_until(look)
    assert process.returncode == 0
    return {path: rights for path, rights in seen.items() if path not in own}


def test_what_the_commands_create_is_their_users_own() -> None:
    Path("temporary").mkdir()
    for night in range(2):
        document = make_export(4000, events=3, first=night * 4000)
        write(Path("exports"), night, encode(dict(reversed(document.items()))), created_on=night)
    first = seen_while_running("load", "--container", "exports", "--blob", "backup_20250301T020000.json")
    second = seen_while_running("load", "--container", "exports", "--log-file", "logs.log")
    exported = seen_while_running("export", "--container", "new/folder", "--gzip")
    simulated = seen_while_running("run", "--database", "night.db", "--sessions", "5")
    for seen in (first, second, exported, simulated):
        assert {path: rights for path, rights in seen.items() if rights} == {}
    assert {"local.db", "local.db.lock", "local.db-journal", "global.log"} <= first.keys()
    assert any(path.startswith("global.log.run-") for path in first)
    assert {"local.db-wal", "logs.log"} <= second.keys()
    assert {"new", "new/folder"} <= exported.keys()
    assert any(re.fullmatch(r"new/folder/backup_.*\.json\.gz\.partial", path) for path in exported)
    assert any(re.fullmatch(r"new/folder/backup_.*\.json\.gz", path) for path in exported)
    assert {"container", "night.db"} <= simulated.keys()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the files that a process has open")
def test_what_waits_for_its_parents_lies_in_a_file_without_a_name() -> None:
    Path("temporary").mkdir()
    write(Path("exports"), 0, encode(dict(reversed(make_export(4000, events=3).items()))))
    seen = seen_while_running("load", "--container", "exports")
    assert not [path for path in seen if path.startswith("temporary/aetl-")]
