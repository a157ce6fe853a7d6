"""What follows in a table is recognised in pieces of any size, and nothing else is."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiosqlite
import pytest

from aetl.database.sqlite.following import Following
from aetl.models import Row

ARRAYS = """
    SELECT CAST(group_concat(json_array(a, b)) AS BLOB), max(rowid) FROM t WHERE rowid > :after AND rowid <= (
      SELECT max(rowid) FROM (SELECT rowid FROM t WHERE rowid > :after ORDER BY rowid LIMIT :most)
    )
"""


@pytest.fixture
async def connection() -> AsyncIterator[aiosqlite.Connection]:
    async with aiosqlite.connect(":memory:") as connection:
        await connection.execute("CREATE TABLE t (a TEXT, b INTEGER)")
        yield connection


async def following(connection: aiosqlite.Connection, rows: Sequence[Row], after: int = 0) -> Following:
    await connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
    return Following(connection, ARRAYS, after)


@pytest.mark.parametrize("sizes", [[1] * 40, [7] * 900, [5000], [1, 2000, 3, 1000, 1]], ids=lambda each: str(each[:5]))
async def test_rows_are_recognised_in_pieces_of_any_size(connection: aiosqlite.Connection, sizes: list[int]) -> None:
    rows = [(f"text {number}" * (number % 50), number) for number in range(sum(sizes))]
    found = await following(connection, rows)
    for size in sizes:
        assert await found.goes_on_with(rows[:size])
        rows = rows[size:]
    assert not await found.goes_on_with([("one more", 1)])


async def test_it_begins_behind_a_place_and_goes_over_gaps(connection: aiosqlite.Connection) -> None:
    rows = [(str(number), number) for number in range(3000)]
    await following(connection, rows)
    await connection.execute("DELETE FROM t WHERE b BETWEEN 10 AND 2500")
    found = Following(connection, ARRAYS, 5)
    assert await found.goes_on_with(rows[5:10] + rows[2501:])


@pytest.mark.parametrize(
    ("stored", "given"),
    [
        (("x", 1), ("y", 1)),
        (("x", 1), ("x", 2)),
        (("x", None), ("x", 0)),
        (("", 1), (None, 1)),
        (("null", 1), (None, 1)),
        (("1", 1), (1, 1)),
        (("x", 1), ("x", True)),
        (('x",1],["x', 1), ("x", 1)),
        (("x", 1), ('x",1],["x', 1)),
        (("x", 1), ("\ud800", 1)),
    ],
    ids=ascii,
)
async def test_any_difference_is_one(connection: aiosqlite.Connection, stored: Row, given: Row) -> None:
    found = await following(connection, [("first", 1), stored, ("last", 1)])
    assert await found.goes_on_with([("first", 1)])
    assert not await found.goes_on_with([given])


async def test_fewer_rows_than_asked_for_are_no_repetition(connection: aiosqlite.Connection) -> None:
    found = await following(connection, [("a", 1), ("b", 2)])
    assert not await found.goes_on_with([("a", 1), ("b", 2), ("c", 3)])


async def test_every_character_is_written_alike(connection: aiosqlite.Connection) -> None:
    """Or else exports that hold it would be looked up record by record."""
    characters = [chr(code) for code in (*range(0xD800), *range(0xE000, 0x11000)) if code]
    rows: list[tuple[Any, ...]] = [("".join(characters[start : start + 100]), start) for start in range(0, 60_000, 100)]
    assert await (await following(connection, rows)).goes_on_with(rows)


async def test_records_too_long_for_one_text_are_left_to_be_looked_up(connection: aiosqlite.Connection) -> None:
    rows = [("x" * 50_000, number) for number in range(5)]
    found = await following(connection, rows)
    limit = connection._conn.setlimit
    await connection._execute(limit, sqlite3.SQLITE_LIMIT_LENGTH, 100_000)  # type: ignore[no-untyped-call] # not ours
    assert not await found.goes_on_with(rows)


async def test_closed_it_leaves_nothing_behind(connection: aiosqlite.Connection) -> None:
    rows = [(str(number), number) for number in range(3000)]
    found = await following(connection, rows)
    assert await found.goes_on_with(rows[:90])
    found.close()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_fails_ahead_is_told_once(
    connection: aiosqlite.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    def is_there(after: int) -> bool:
        if after:
            raise OSError
        return True

    await connection.create_function("is_there", 1, is_there)
    rows = [(str(number), number) for number in range(3000)]
    await following(connection, rows)
    statement = f"SELECT * FROM ({ARRAYS}) WHERE is_there(:after)"
    found = Following(connection, statement, 0)
    assert await found.goes_on_with(rows[:90])
    assert found._reading is not None
    await asyncio.wait([found._reading])
    found.close()
    del found
    gc.collect()
    assert caplog.records == []
    with pytest.raises(sqlite3.OperationalError):
        await Following(connection, statement, 90).goes_on_with(rows[90:200])
