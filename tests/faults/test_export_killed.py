"""Nobody ever sees half an export: neither of one that is killed, nor of one that is told to end."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from aetl.container import is_export
from tests.acceptance.command import one_line, start, succeed, tell_to_end, wait_until
from tests.azurite import AzureContainer
from tests.exports import encode, make_export, write
from tests.faults.conftest import Night

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills as Unix knows them")

SERIES = 2
KILLS = 4
SECONDS_TO_END = 6
"""2 on a machine that has nothing else to do."""


@dataclass(frozen=True)
class Place:
    """A container, and what anybody sees in it."""

    url: str
    names: Callable[[], list[str]]
    read: Callable[[str], bytes]

    def exports(self) -> set[str]:
        return set(filter(is_export, self.names()))

    def digest(self, name: str) -> str:
        return hashlib.sha256(self.read(name)).hexdigest()


@pytest.fixture(params=["folder", pytest.param("azure", marks=pytest.mark.thorough)])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A container that holds one small export already; every command means it."""
    folder = tmp_path / "container"
    name = write(folder, 0, make_export())
    if request.param == "folder":
        found = Place(
            str(folder),
            lambda: sorted(each.name for each in folder.iterdir()),
            lambda name: (folder / name).read_bytes(),
        )
    else:
        azure: AzureContainer = request.getfixturevalue("azure_container")
        azure.upload(name, encode(make_export()))
        found = Place(azure.url_with_sas("rwl"), azure.names, lambda name: azure.client.download_blob(name).readall())
    monkeypatch.setenv("CHAT_DB_CONTAINER_URL", found.url)
    return found


@pytest.fixture(scope="session")
def whole(night: Night, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The hash of a whole export of the night's database."""
    place = tmp_path_factory.mktemp("whole")
    succeed("export", "--container", place, "--database", night.database, "--log-file", night.database.with_name("log"))
    (clean,) = place.iterdir()
    return hashlib.sha256(clean.read_bytes()).hexdigest()


def latest() -> str:
    """What a load would choose as the newest export."""
    (load,) = json.loads(succeed("load", "--latest", "--dry-run", "--json", "--database", "none.db"))["loads"]
    return str(load["blob"])


@pytest.mark.parametrize(
    "series", [0, *(pytest.param(number, marks=pytest.mark.thorough) for number in range(1, SERIES))]
)
def test_killed_anywhere_an_export_is_whole_or_not_there(place: Place, night: Night, whole: str, series: int) -> None:
    shutil.copy(night.database, "local.db")
    chance = random.Random(series)
    began = time.monotonic()
    succeed("export")
    life = time.monotonic() - began
    known = place.exports()

    for part in range(KILLS):
        with start("export") as process:
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=(part + chance.random()) / KILLS * life)
            process.kill()
            process.communicate()
        found = place.exports()
        assert found >= known
        assert {place.digest(name) for name in found - known} <= {whole}
        known = found

    newest = json.loads(succeed("export", "--json"))["blob"]
    assert latest() == newest
    assert place.digest(newest) == whole


@pytest.mark.parametrize(
    ("number", "exit_code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_told_to_end_an_export_leaves_nothing(
    place: Place, night: Night, number: signal.Signals, exit_code: int, word: str
) -> None:
    shutil.copy(night.database, "local.db")
    before, log = place.names(), Path("global.log")
    with start("export") as process:
        wait_until(lambda: log.exists() and "document: started" in log.read_text("utf-8"))
        stdout, stderr, seconds = tell_to_end(process, number)
    assert seconds < SECONDS_TO_END
    assert process.returncode == exit_code
    assert word in one_line(stderr)
    assert stdout == ""
    assert place.names() == before
