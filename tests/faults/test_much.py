"""Much of everything: many exports, long ones, large records. The memory has a bound, whatever comes."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from aetl.config import Settings
from aetl.container import open_container
from tests.acceptance.command import is_sound, query, succeed
from tests.cost import peak
from tests.exports import FIRST_NIGHT, Record, blob_name, empty_export, make_export, write
from tests.integration.test_memory import MB

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows counts memory otherwise")

EXPORTS = Path("exports")
SQLITES_OWN = 200 * MB
"""What a load of the largest export may take: interpreter, Azure's client, SQLite's cache, some batches."""
_LOAD = """
import asyncio, sys, aetl
reports = asyncio.run(aetl.load(aetl.Settings(container=sys.argv[1])))
assert all(report.status == "loaded" for report in reports), reports[0].error
"""
_WAITING = """
import asyncio, sys, aetl
reports = asyncio.run(aetl.load(aetl.Settings(container=sys.argv[1]), dry_run=True))
assert len(reports) == int(sys.argv[2]), len(reports)
"""


def write_array(table: str, records: Iterable[str], **others: list[Record]) -> Path:
    """Lays down an export with one long array, without having that in memory."""
    EXPORTS.mkdir()
    path = EXPORTS / blob_name(0)
    with path.open("w") as file:
        rest = {name: content for name, content in (empty_export() | others).items() if name != table}
        file.write(f'{json.dumps(rest)[:-1]}, "{table}": [')
        for number, record in enumerate(records):
            file.write(("," if number else "") + record)
        file.write("]}")
    return path


@pytest.mark.parametrize("count", [20_000, pytest.param(250_000, marks=pytest.mark.thorough)])
def test_sessions_without_events(count: int) -> None:
    session = '{"id": "s%d", "started_at": "2025-03-01T02:00:00+00:00", "meta": null}'
    write_array("sessions", (session % number for number in range(count)))
    assert peak(_LOAD, EXPORTS) < SQLITES_OWN
    assert query("SELECT count(*) FROM sessions") == [(count,)]


@pytest.mark.parametrize("size", [5, pytest.param(50, marks=pytest.mark.thorough)])
def test_a_record_of_many_megabytes(size: int) -> None:
    text = "words and words " * (size * MB // 16)
    write_array("sessions", [json.dumps({"id": "s0", "started_at": "2025-03-01T02:00:00Z", "meta": text})])
    # Of a record several copies are there at once: as bytes, in the buffer, as text, as SQLite's value.
    assert peak(_LOAD, EXPORTS) < SQLITES_OWN + 8 * size * MB
    assert query("SELECT length(meta) FROM sessions") == [(len(text),)]


@pytest.mark.thorough
def test_an_export_of_two_gigabytes() -> None:
    text = "What is said here is as long as what people write. " * 18
    document = make_export(1, events=1_000)
    templates = [
        json.dumps(each | {"id": f"%d {each['id']}", "content": text, "raw_text": text}) for each in document["events"]
    ]
    events = (template % part for part in range(1_000) for template in templates)

    path = write_array("events", events, sessions=document["sessions"])
    assert path.stat().st_size > 2_000 * MB
    assert peak(_LOAD, EXPORTS) < SQLITES_OWN
    assert query("SELECT count(*), count(DISTINCT id) FROM events") == [(1_000_000, 1_000_000)]


@pytest.mark.parametrize("count", [50, pytest.param(1_000, marks=pytest.mark.thorough)])
def test_many_small_exports_in_one_run(count: int) -> None:
    for number in range(count):
        write(EXPORTS, number, make_export(2, first=number))
    assert peak(_LOAD, EXPORTS) < SQLITES_OWN
    assert query("SELECT status, count(*) FROM _aetl_loads GROUP BY 1") == [("loaded", count)]
    assert query("SELECT count(*) FROM sessions") == [(count + 1,)]
    assert is_sound()
    assert succeed("load", "--container", EXPORTS) == "Nothing new.\n"


@pytest.mark.parametrize("count", [2_000, pytest.param(105_000, marks=pytest.mark.thorough)])
async def test_many_exports_half_of_them_in_the_ledger(count: int) -> None:
    first = EXPORTS / write(EXPORTS, 0, empty_export())
    content = first.read_bytes()
    succeed("load", "--container", EXPORTS)
    for number in range(1, count):
        path = EXPORTS / f"backup_{FIRST_NIGHT + timedelta(minutes=5 * number):%Y%m%dT%H%M%S}.json"
        path.write_bytes(content)
        created = (FIRST_NIGHT + timedelta(minutes=5 * number)).timestamp()
        os.utime(path, (created, created))
    async with open_container(Settings(container=str(EXPORTS))) as container:
        listed = sorted([each async for page in container.pages() for each in page], key=lambda each: each.name)
    known = [(each.name, each.etag, each.created.isoformat(timespec="microseconds")) for each in listed[1 : count // 2]]
    with closing(sqlite3.connect("local.db")) as connection, connection:
        connection.executemany(
            "INSERT INTO _aetl_loads (blob, etag, created, status, started_at, tables)"
            " VALUES (?1, ?2, ?3, 'loaded', ?3, '{}')",
            known,
        )

    assert peak(_WAITING, EXPORTS, Path(str(count - count // 2))) < SQLITES_OWN
    (load,) = json.loads(succeed("load", "--container", EXPORTS, "--latest", "--json"))["loads"]
    assert load["blob"] == listed[-1].name
