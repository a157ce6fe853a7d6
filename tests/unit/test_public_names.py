"""The package's own face: its names, and what importing it does."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import aetl
from tests.exports import make_export, write


def test_the_names_can_be_listed_and_are_there() -> None:
    assert set(aetl.__all__) <= set(dir(aetl))
    for name in aetl.__all__:
        assert getattr(aetl, name).__doc__
    with pytest.raises(AttributeError, match="no_such_name"):
        aetl.no_such_name  # type: ignore[attr-defined]  # noqa: B018 - that it fails is the test


def test_what_takes_time_is_awaited() -> None:
    for name in ("load", "export", "digest", "status", "check", "simulate"):
        assert inspect.iscoroutinefunction(getattr(aetl, name))


async def test_check_and_status_say_how_things_stand(tmp_path: Path) -> None:
    write(tmp_path / "exports", 0, make_export(2))
    settings = aetl.Settings(container=str(tmp_path / "exports"), database=str(tmp_path / "chat.db"))
    assert {finding.level for finding in await aetl.check(settings)} <= {"ok", "warning"}
    assert not (tmp_path / "chat.db").exists()
    before = await aetl.status(settings)
    assert before.waiting is not None
    await aetl.load(settings)
    after = await aetl.status(settings)
    assert (len(before.waiting), before.loads, before.last_success) == (1, [], None)
    assert (after.waiting, len(after.loads)) == ([], 1)
    missing = aetl.Settings(container=str(tmp_path / "missing"), database=str(tmp_path / "chat.db"))
    assert [finding.subject for finding in await aetl.check(missing) if finding.level == "failure"] == ["container"]


def test_a_program_without_a_log_sees_no_warning_of_aetls_own() -> None:
    code = "import logging, aetl; logging.getLogger('aetl.pipeline').warning('not seen')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout + done.stderr == ""
