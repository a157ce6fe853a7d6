"""Where a server is missing that tests need, there is one error, and its reason is the last thing said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.command import environment
from tests.conftest import ROOT
from tests.postgresql import ELSEWHERE


@pytest.mark.skipif(sys.platform == "win32", reason="the tests of databases don't run there")
def test_a_missing_server_is_one_error_of_a_whole_session(tmp_path: Path) -> None:
    tests = ("-p", "no:cacheprovider", "-k", "postgresql", "tests/integration/test_database.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *tests],
        cwd=ROOT, env=environment({ELSEWHERE: str(tmp_path)}), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    *_, said, counted = done.stdout.splitlines()
    assert "PostgreSQL, which the tests need, did not start: [Errno " in said
    assert "1 error" in counted and "passed" not in counted and "failed" not in counted
