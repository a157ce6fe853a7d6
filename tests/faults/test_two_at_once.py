"""Two at once: nothing twice, nothing lost; who comes second is told so at once, and who only reads never waits."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.command import (
    content,
    fail,
    is_loading,
    is_sound,
    one_line,
    query,
    start,
    succeed,
    wait_until,
)
from tests.exports import make_export, write
from tests.faults.conftest import Night
from tests.faults.databases import content_of_sound

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the times are those of Unix")

thorough = partial(pytest.param, marks=pytest.mark.thorough)
TOGETHER = 10


def test_of_ten_started_together_one_loads_and_the_others_say_75(night: Night) -> None:
    loads = [
        start("load", "--container", night.folder, "--log-file", f"{number}.log", "--json")
        for number in range(TOGETHER)
    ]
    ends = []
    for load in loads:
        with load:
            stdout, stderr = load.communicate(timeout=60)
            ends.append((load.returncode, stdout, stderr))

    refused = [stderr for code, _, stderr in ends if code == 75]
    assert all("another load" in one_line(stderr) for stderr in refused)
    assert {code for code, _, _ in ends} <= {0, 75}
    # Who starts when the first has ended finds nothing new.
    loaded = [report["blob"] for code, stdout, _ in ends if code == 0 for report in json.loads(stdout)["loads"]]
    assert loaded == [night.name]
    assert content() == night.content
    assert is_sound()
    assert query("SELECT blob, status FROM _aetl_loads") == [(night.name, "loaded")]
    assert not Path("local.db.lock").exists()


@pytest.mark.parametrize("second", ["run", thorough("load")])
@pytest.mark.parametrize("first", ["load", thorough("run")])
def test_the_second_is_refused_quickly_and_the_first_goes_on(first: str, second: str, night: Night) -> None:
    write(Path("earlier"), 0, make_export())
    options = ("--container", night.folder) if first == "load" else ("--container", "mock", "--sessions", "5000")
    log = Path("global.log")
    with start(first, *options) as running:
        wait_until(lambda: log.exists() and ("cut: started" if first == "load" else "night.fill") in log.read_text())
        container = "earlier" if second == "load" else "mock"
        assert "another load" in fail(75, second, "--container", container, "--log-file", "second.log")
        assert running.poll() is None, "it was refused only when the first was over"
        running.communicate(timeout=60)
    assert running.returncode == 0
    if first == "load":
        assert content() == night.content
    assert is_sound()


def test_an_export_during_a_load_sees_a_whole_state_and_does_not_wait(night: Night) -> None:
    write(Path("earlier"), 0, make_export(500, meta="before"))
    succeed("load", "--container", "earlier")
    earlier = content_of_sound()

    with start("load", "--container", night.folder) as load:
        wait_until(lambda: Path("global.log").read_text("utf-8").count("cut: started") == 1)
        name = json.loads(succeed("export", "--container", "seen", "--log-file", "export.log", "--json"))["blob"]
        load.communicate(timeout=60)
    assert load.returncode == 0
    assert content() == night.content

    succeed("load", "--container", "seen", "--blob", name, "--database", "seen.db", "--log-file", "export.log")
    assert content("seen.db") in (earlier, night.content)


@pytest.mark.parametrize("command", ["status", "digest", thorough("load --dry-run"), thorough("check")])
def test_who_only_reads_is_not_held_up_by_a_load(command: str, night: Night) -> None:
    write(Path("earlier"), 0, make_export(500, meta="before"))
    succeed("load", "--container", "earlier")
    with start("load", "--container", night.folder) as load:
        wait_until(lambda: Path("global.log").read_text("utf-8").count("cut: started") == 1)
        succeed(*command.split(), "--container", night.folder, "--log-file", "second.log")
        assert query("SELECT count(*) FROM sessions")[0][0] in (500, 15_000)
        load.communicate(timeout=60)
    assert load.returncode == 0
    assert content() == night.content


def test_during_the_first_load_a_reader_finds_no_database_yet(night: Night) -> None:
    with start("load", "--container", night.folder) as load:
        wait_until(is_loading)
        said = succeed("status", "--container", night.folder, "--log-file", "second.log")
        load.communicate(timeout=60)
    assert load.returncode == 0
    assert "No success yet" in said or "Last success" in said
