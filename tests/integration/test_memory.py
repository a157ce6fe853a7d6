"""The memory that a load takes does not grow with the export, nor that of a digest with the database."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cost import DIGEST, LOAD, peak
from tests.exports import encode, make_export, write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows counts memory otherwise")

MB = 10**6
_WHOLE = """
import json, pathlib, sys
json.loads(next(pathlib.Path(sys.argv[1]).iterdir()).read_bytes())
"""


@pytest.fixture(params=["in order", "children first"])
def order(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "children first")


def lay_down(folder: Path, sessions: int, is_reversed: bool) -> int:
    document = make_export(sessions, events=10)
    for each in document["events"]:
        each["content"] = each["raw_text"] = "What is said here is as long as what people write. " * 2
    data = encode(dict(reversed(document.items())) if is_reversed else document, indent=None)
    write(folder, 0, data)
    return len(data)


def test_twice_the_export_takes_the_same_memory(tmp_path: Path, order: bool) -> None:
    sizes, peaks = [], []
    for sessions in (15_000, 30_000):
        folder = tmp_path / f"exports {sessions}"
        sizes.append(lay_down(folder, sessions, order))
        peaks.append(peak(LOAD, folder, tmp_path / f"{sessions}.db"))
    assert sizes[0] > 50 * MB and sizes[1] > 1.9 * sizes[0]
    told = f"{peaks[0] / MB:.0f} MB for {sizes[0] / MB:.0f} MB, {peaks[1] / MB:.0f} MB for {sizes[1] / MB:.0f} MB"
    print(told)
    assert max(peaks) < 200 * MB, told
    assert peaks[1] < 1.15 * peaks[0], told
    assert peak(_WHOLE, tmp_path / "exports 30000") > 2 * peaks[1], told


def test_the_digest_of_twice_the_rows_takes_the_same_memory(tmp_path: Path) -> None:
    sizes, peaks = [], []
    for sessions in (7_000, 14_000):
        folder, database = tmp_path / f"exports {sessions}", tmp_path / f"{sessions}.db"
        lay_down(folder, sessions, is_reversed=False)
        peak(LOAD, folder, database)
        sizes.append(database.stat().st_size)
        peaks.append(peak(DIGEST, database))
    told = f"{peaks[0] / MB:.0f} MB for {sizes[0] / MB:.0f} MB, {peaks[1] / MB:.0f} MB for {sizes[1] / MB:.0f} MB"
    print(told)
    assert sizes[0] > 25 * MB and sizes[1] > 1.9 * sizes[0], told
    assert max(peaks) < 100 * MB, told
    assert peaks[1] < 1.1 * peaks[0], told
