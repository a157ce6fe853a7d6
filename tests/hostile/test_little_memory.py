"""A large record where there is little memory: it is read, or MemoryError is raised; the process lives on."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
from aetl.contract import Contract
from aetl.records import Records

contract = Contract.read()
small = b'{"sessions": [{"id": "a", "started_at": "2025-03-01T02:00:00Z", "meta": "%b"}]}'
list(map(contract.check, Records(contract.arrays, required=()).feed(small % b"x")))
records = Records(contract.arrays, required=())
document = small % (b"x" * 50 * 2**20)
assert not list(records.feed(document[:-3]))
with open("/proc/self/statm") as file:
    size = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + int(sys.argv[1]) * 2**20,) * 2)
try:
    rows = [row for batch in records.feed(document[-3:]) for row in contract.check(batch).rows]
    print(len(rows))
except MemoryError:
    print("MemoryError")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds a process's memory")
@pytest.mark.parametrize(("more", "ends"), [(10, "MemoryError"), (30, "MemoryError"), (60, "MemoryError"), (300, "1")])
def test_a_large_record_never_ends_the_process(more: int, ends: str) -> None:
    """`more` MiB than what is in use, for a record of 50."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(more)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ends), done.stderr
