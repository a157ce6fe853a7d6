"""`aetl --help` answers at once: it imports nothing that only the work needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ["aiohttp", "aiosqlite", "asyncio", "azure", "filelock", "jsonschema", "jsonschema_rs", "msgspec", "rich",
         "sqlite3", "subprocess", "yaml"]  # fmt: skip
SCRIPT = """
import runpy, sys
sys.argv = ["aetl", *{arguments}]
try:
    runpy.run_module("aetl", run_name="__main__")
except SystemExit as end:
    assert not end.code
print(*sorted(name for name in {heavy} if name in sys.modules), sep=",", file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["load", "--help"], ["schedule", "--help"], ["--version"]], ids=str)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    script = SCRIPT.format(arguments=arguments, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.strip() == ""


def test_a_folder_as_container_needs_no_azure() -> None:
    script = SCRIPT.format(arguments=["run", "--quiet"], heavy=["azure", "aiohttp"])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.strip() == ""
