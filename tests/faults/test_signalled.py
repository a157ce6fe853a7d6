"""A load that is told to end says so in one line, whatever it is doing, and leaves the tables as they were.

tests/acceptance/test_interruption.py tells it once, while it reads; here it is told again and again, at every stage.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.command import content, files, one_line, start, succeed, wait_until
from tests.faults.conftest import Night
from tests.faults.databases import content_of_sound, lay_down

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as Unix knows them")

SECONDS_TO_END = 6
"""2 on a machine that has nothing else to do."""
ENDINGS = [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
STAGES = ("pipeline.load: started", "load_one {}: done")
RARE_STAGES = ("load_one {}: started", "check: done", "read {}: done")


def send(number: signal.Signals, process: subprocess.Popen[str]) -> None:
    """Sends a signal again and again until the process has ended, as impatient people do."""
    deadline = time.monotonic() + SECONDS_TO_END
    while process.poll() is None and time.monotonic() < deadline:
        process.send_signal(number)
        time.sleep(0.001)


@pytest.mark.parametrize(("number", "exit_code", "word"), ENDINGS, ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("stage", [*STAGES, *(pytest.param(each, marks=pytest.mark.thorough) for each in RARE_STAGES)])
def test_told_to_end_at_any_stage_it_says_so_in_one_line(
    stage: str, number: signal.Signals, exit_code: int, word: str, before: Path, night: Night
) -> None:
    lay_down(before)
    earlier, log = content_of_sound(), Path("global.log")
    line = stage.format(night.name)

    with start("load", "--container", night.folder) as load:
        wait_until(lambda: log.exists() and line in log.read_text("utf-8"))
        sent = time.monotonic()
        send(number, load)
        stdout, stderr = load.communicate(timeout=60)

    assert time.monotonic() - sent < SECONDS_TO_END
    assert "local.db.lock" not in files()
    left = content_of_sound()
    if load.returncode == 0:  # it was over when the signal came
        assert left == night.content and stderr == ""
        return
    assert (load.returncode, word in one_line(stderr)) == (exit_code, True)
    assert left in (earlier, night.content)
    assert night.name not in stdout or left == night.content
    succeed("load", "--container", night.folder)
    assert content() == night.content
