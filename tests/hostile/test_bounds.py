"""However an export is made, a load's memory stays below a bound, and its time grows no faster than the export."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.acceptance.command import one_line, query
from tests.cost import Cost, cost
from tests.exports import event, parent, session, write
from tests.hostile.cases import GOOD, arrays_of, document_of, text, with_record, with_records
from tests.hostile.contracts import schema_of
from tests.hostile.in_process import Run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows counts memory otherwise")

MB = 10**6
HOSTILE_LOAD = """
import asyncio, sys, aetl
settings = aetl.Settings(container=sys.argv[1], database="grown.db")
(report,) = asyncio.run(aetl.load(settings, max_rejects=None))
assert sys.argv[2] in (report.error or report.status), report.error and report.error[:1000]
"""
WHOLE = document_of(arrays_of(GOOD))
Grow: TypeAlias = Callable[[int], bytes]


def of_text(size: int, piece: bytes = b"x") -> bytes:
    record = text(session(7, meta="@@")).replace(b"@@", piece * (size // len(piece)))
    return document_of(with_record("sessions", record))


def of_key(size: int) -> bytes:
    return b'{"%b": 1, %b' % (b"k" * size, WHOLE[1:])


def of_record_key(size: int) -> bytes:
    return document_of(with_record("sessions", b'{"%b": 1}' % (b"k" * size)))


def of_reference(size: int) -> bytes:
    record = text(event(7, 0, session_id="@@")).replace(b"@@", b"x" * size)
    return document_of(with_record("events", record))


def of_nesting(size: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    depth = size // (len(opening) + len(closing))
    return document_of(with_record("sessions", opening * depth + closing * depth))


def of_unknown_keys(size: int) -> bytes:
    members = b", ".join(b'"k%d": [{}]' % number for number in range(size // 16))
    return b"{%b, %b" % (members, WHOLE[1:])


def of_keys_too_many(size: int) -> bytes:
    return document_of(with_record("sessions", text(session(7) | {f"k{number}": 1 for number in range(size // 12)})))


def of_empty_records(size: int) -> bytes:
    return document_of(arrays_of(GOOD) | {"event_parents": b",".join([b"{}"] * (size // 3))})


def of_empty_arrays(size: int) -> bytes:
    return document_of(arrays_of(GOOD) | {"event_parents": b",".join([b"[]"] * (size // 3))})


def of_orphans(size: int) -> bytes:
    return document_of(arrays_of(with_records(events=[event(number, 99) for number in range(10, size // 200)])))


def of_edges_first(size: int) -> bytes:
    """Edges and events come before what they refer to, the last ones first."""
    numbers = range(10, size // 300)
    document = with_records(
        sessions=[session(number) for number in numbers],
        events=[event(number, number) for number in reversed(numbers)],
        event_parents=[parent(number, number - 1) for number in reversed(numbers[1:])],
    )
    return document_of(dict(reversed(arrays_of(document).items())))


def of_one_id(size: int) -> bytes:
    return document_of(arrays_of(with_records(sessions=[session(7, meta=str(n)) for n in range(size // 80)])))


def of_bad_good_bad(size: int) -> bytes:
    """Every second record is rejected, so that none of the quick ways is ever taken."""
    sessions = [session(number, meta=None if number % 2 else "\ud800") for number in range(10, size // 80)]
    return document_of(arrays_of(with_records(sessions=sessions)))


@dataclass(frozen=True)
class Growing:
    """An export of any size, how large it is made, how its load ends, and the MB that its load may take then."""

    grow: Grow
    size: int
    ends: str
    memory: int = 200


GROWING = {
    "a text": Growing(of_text, 50 * MB, "loaded", 400),
    "a text of ends of records": Growing(partial(of_text, piece=b"},{"), 50 * MB, "loaded", 400),
    "a text of escapes": Growing(partial(of_text, piece=rb"\\\""), 50 * MB, "loaded", 400),
    "a text of half surrogate pairs": Growing(partial(of_text, piece=rb"\ud800"), 50 * MB, "loaded", 500),
    "a text that never ends": Growing(lambda size: WHOLE[:-3] + b', "' + b"x" * size, 50 * MB, "ends in the middle"),
    "a reference": Growing(of_reference, 50 * MB, "loaded", 900),
    "an unknown key": Growing(of_key, 50 * MB, "loaded", 400),
    "a record's key": Growing(of_record_key, 50 * MB, "loaded", 500),
    "many unknown keys": Growing(of_unknown_keys, 3 * MB, "loaded", 100),
    "many keys in a record": Growing(of_keys_too_many, 4 * MB, "loaded"),
    "white space": Growing(lambda size: WHOLE[:1] + b" " * size + WHOLE[1:], 50 * MB, "loaded", 100),
    "digits": Growing(lambda size: document_of(with_record("sessions", b"1" * size)), 50 * MB, "Exceeds the", 400),
    "digits behind a point": Growing(
        lambda size: document_of(with_record("sessions", b"1." + b"1" * size)), 50 * MB, "loaded"
    ),
    "nested arrays": Growing(of_nesting, 2 * MB, "nested too deeply"),
    "nested objects": Growing(partial(of_nesting, opening=b'{"":', closing=b"}"), 2 * MB, "nested too deeply"),
    "brackets that never close": Growing(lambda size: WHOLE[:-3] + b"," + b"[" * size, 8 * MB, "ends in the middle"),
    "empty records": Growing(of_empty_records, MB // 4, "loaded"),
    "empty arrays": Growing(of_empty_arrays, MB // 4, "loaded"),
    "events without their session": Growing(of_orphans, 2 * MB, "loaded"),
    "children before their parents": Growing(of_edges_first, 20 * MB, "loaded"),
    "one id again and again": Growing(of_one_id, 20 * MB, "loaded"),
    "every second record wrong": Growing(of_bad_good_bad, 2 * MB, "loaded"),
}
EVERY_DAY = ("a text of ends of records", "many unknown keys")


def load_of(data: bytes, ends: str, suffix: str = "") -> Cost:
    write(Path("exports"), 1, data, suffix=suffix)
    try:
        return cost(HOSTILE_LOAD, "exports", ends)
    finally:
        Path("grown.db").unlink()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in EVERY_DAY else [pytest.mark.thorough]) for name in GROWING]
)
def test_time_grows_with_the_export_and_memory_stays_below_its_bound(name: str) -> None:
    growing = GROWING[name]
    nothing, part, whole = (
        load_of(growing.grow(size), ends)
        for size, ends in ((300, ""), (growing.size // 4, growing.ends), (growing.size, growing.ends))
    )
    assert whole.memory < growing.memory * MB, f"{whole.memory / MB:.0f} MB"
    # Four times as much takes four times as long, and sixteen times where it is quadratic; less than a tenth of a
    # second says nothing.
    took = max(part.seconds - nothing.seconds, 0.1), whole.seconds - nothing.seconds
    assert took[1] < 9 * took[0], took


def bomb(size: int, begin: bytes, piece: bytes, end: bytes) -> bytes:
    """So many bytes, of which the most are one piece again and again; made in members, as it is quicker."""
    member = gzip.compress(piece * (100 * MB // len(piece)))
    return gzip.compress(begin) + member * (size // (100 * MB)) + gzip.compress(end)


BOMBS = {
    "white space": (WHOLE[:1], b" ", WHOLE[1:], "loaded"),
    "zeros": (b"", b"\0", b"", "byte 0: the export must be in UTF-8"),
    "an unknown text": (b'{"deep": "', b"x", b'"}', 'the key "deep" (byte 9): it is larger than 134217728 bytes'),
    "garbage": (WHOLE, b"x", b"", f"byte {len(WHOLE)}: something follows the document's end"),
}


@pytest.mark.parametrize("name", ["white space", "zeros", "an unknown text", "garbage"])
def test_a_small_bomb_ends_as_the_contract_decides(name: str) -> None:
    begin, piece, end, ends = BOMBS[name]
    assert load_of(bomb(200 * MB, begin, piece, end), ends, ".gz").memory < 400 * MB


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["white space", "an unknown text"])
def test_a_bomb_of_3_gb_takes_no_more_memory_than_a_small_one(name: str) -> None:
    begin, piece, end, ends = BOMBS[name]
    data = bomb(3_000 * MB, begin, piece, end)
    assert len(data) < 4 * MB
    assert load_of(data, ends, ".gz").memory < 400 * MB


@pytest.mark.parametrize("columns", [2000, 2001])
def test_a_table_may_have_as_many_columns_as_the_database_allows(columns: int, run: Run) -> None:
    names = [f"c{number}" for number in range(columns)]
    Path("own.json").write_text(json.dumps(schema_of("wide", names)))
    records = [dict.fromkeys(names, f"'); {number}") for number in range(50)]
    write(Path("exports"), 1, {"wide": [*records, records[0] | {"one": "too many"}]})
    done = run("load", "--container", "exports", "--schema", "own.json", "--max-rejects", "all")
    if columns > 2000:
        assert done.exit_code == 5
        assert "too many columns on wide" in one_line(done.stderr)
    else:
        assert done.exit_code == 3
        assert "1 of 51 records were rejected: wide[50]: unknown key 'one'" in one_line(done.stderr)
        assert query("SELECT c0, c1999 FROM wide") == [tuple([f"'); {number}"] * 2) for number in range(50)]
        write(Path("exports"), 2, {"wide": [record | {"c1999": "changed"} for record in records]})
        assert run("load", "--container", "exports", "--schema", "own.json").exit_code == 0
        assert query("SELECT c0, c1999 FROM wide") == [(f"'); {number}", "changed") for number in range(50)]
