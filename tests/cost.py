"""What aetl takes in a process of its own, or something to compare it with: memory, and time of the processor."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

LOAD = """
import asyncio, sys, aetl
(report,) = asyncio.run(aetl.load(aetl.Settings(container=sys.argv[1], database=sys.argv[2])))
assert report.status == "loaded", report.error
"""
DIGEST = """
import asyncio, sys, aetl
assert asyncio.run(aetl.digest(aetl.Settings(database=sys.argv[1]))).rows
"""
# ru_maxrss begins with what the parent process took: so where the kernel tells this process's own, that is taken.
_TELL = """
import os, re, resource, time
if os.path.exists("/proc/self/status"):
    print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(time.process_time())
"""


@dataclass(frozen=True)
class Cost:
    """The most bytes that a process took, and the seconds that it computed."""

    memory: int
    seconds: float


def cost(script: str, *arguments: Path | str) -> Cost:
    """What a script costs."""
    done = subprocess.run(
        [sys.executable, "-c", script + _TELL, *arguments], capture_output=True, text=True, check=True
    )
    memory, seconds = done.stdout.split()
    return Cost(int(memory) * (1 if sys.platform == "darwin" else 1024), float(seconds))


def peak(script: str, *arguments: Path | str) -> int:
    """The most bytes that a process took for it."""
    return cost(script, *arguments).memory
