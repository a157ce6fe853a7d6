"""A load that is killed leaves the tables as they were or complete, and the next one completes them."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.command import content, files, is_sound, query, start, succeed, wait_until
from tests.faults.conftest import Night
from tests.faults.databases import content_of_sound, lay_down

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills as Unix knows them")

SERIES = 5
KILLS = 5
"""Of each series, and there are two sorts of database: fifty in all."""
series = pytest.mark.parametrize(
    "series", [0, *(pytest.param(number, marks=pytest.mark.thorough) for number in range(1, SERIES))]
)


def moments(series: int, seed: str) -> list[float]:
    """When the kills of a series come, as shares of a load's life: together they kill in each twenty-fifth of it."""
    chance = random.Random(f"{series} {seed}")
    found = [(part * SERIES + series + chance.random()) / (KILLS * SERIES) for part in range(KILLS)]
    chance.shuffle(found)
    return found


def is_killed_after(seconds: float, *arguments: str) -> bool:
    """Whether aetl was still running, and so was killed, after so long."""
    with start(*arguments) as process:
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=seconds)
        process.kill()
        process.communicate()
    return process.returncode == -signal.SIGKILL


def complete(night: Night) -> None:
    """One more load, and all is as after a single clean one."""
    succeed("load")
    assert content() == night.content
    assert is_sound()
    assert query(f"SELECT status, count(*) FROM _aetl_loads WHERE blob = '{night.name}' GROUP BY 1") == [("loaded", 1)]
    assert not files() & {"local.db.lock", "local.db-journal", "local.db-wal", "local.db-shm"}


@series
def test_killed_anywhere_a_load_leaves_the_tables_as_before_or_complete(
    series: int,
    before: Path,
    night: Night,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_azure = series % 2 == 1
    monkeypatch.setenv("CHAT_DB_CONTAINER_URL", request.getfixturevalue("night_url") if is_azure else str(night.folder))
    lay_down(before)
    earlier = content_of_sound()

    for share in moments(series, str(before.exists())):
        seconds = share * night.seconds
        while not is_killed_after(seconds, "load"):  # it was quicker than the one that was measured
            lay_down(before)
            seconds *= 0.8
        left = content_of_sound()
        assert left in (earlier, night.content)
        if left == night.content:
            complete(night)
            lay_down(before)

    complete(night)


RARE_STAGES = ("select: started", "load_one {}: started", "cut: started", "read {}: done", "check: done", "load: done")


@pytest.mark.parametrize(
    "stage", ["load_one {}: done", *(pytest.param(each, marks=pytest.mark.thorough) for each in RARE_STAGES)]
)
def test_killed_between_two_stages_it_does_no_less(
    stage: str, before: Path, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAT_DB_CONTAINER_URL", str(night.folder))
    lay_down(before)
    earlier, log = content_of_sound(), Path("global.log")

    with start("load") as load:
        wait_until(lambda: log.exists() and stage.format(night.name) in log.read_text("utf-8"))
        load.kill()
        load.communicate()

    assert content_of_sound() in ([night.content] if "load" in stage and "done" in stage else [earlier, night.content])
    complete(night)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.thorough)])
def test_a_simulation_that_was_killed_can_run_again(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(3):
        is_killed_after(chance.uniform(0.1, 1), "run", "--sessions", "3000")
    succeed("run", "--sessions", "10")
    assert query("SELECT count(*) FROM sessions") == [(10,)]
