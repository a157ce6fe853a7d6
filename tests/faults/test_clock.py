"""Clocks are wrong: the order of exports, and that of loads, is well defined all the same."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from aetl.config import Settings
from aetl.database import ledger
from aetl.models import LoadReport
from aetl.pipeline import load, status
from tests.acceptance.command import query
from tests.exports import blob_name, make_export, write

SETTINGS = Settings(container="exports")
EXPORTS = Path("exports")


async def loaded() -> list[str]:
    return [report.blob for report in await load(SETTINGS)]


async def test_of_equal_creation_times_the_name_decides() -> None:
    nights = [3, 1, 2]
    for night in nights:
        write(EXPORTS, night, make_export(2, meta=f"night {night}"), created_on=0)
    assert await loaded() == [blob_name(night) for night in sorted(nights)]
    assert query("SELECT DISTINCT meta FROM sessions") == [("night 3",)]


async def test_of_equal_creation_times_the_order_of_arrival_does_not_matter() -> None:
    for night in (2, 1, 3):
        write(EXPORTS, night, make_export(2, meta=f"night {night}"), created_on=0)
        assert await loaded() == [blob_name(night)]
    assert query("SELECT DISTINCT meta FROM sessions") == [("night 3",)]


async def test_one_from_the_future_is_loaded_and_is_the_newest_until_then() -> None:
    name = write(EXPORTS, 1, make_export(2, meta="future"))
    future = (datetime.now(UTC) + timedelta(days=365)).timestamp()
    os.utime(EXPORTS / name, (future, future))
    assert await loaded() == [name]

    later = write(EXPORTS, 2, make_export(3, meta="later"))
    assert await loaded() == [later]

    assert query("SELECT id, meta FROM sessions ORDER BY id") == [("s0", "future"), ("s1", "future"), ("s2", "later")]
    assert [report.blob for report in await load(SETTINGS, latest=True)] == []


def set_back(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """This machine's clock, as far as the ledger looks at it."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Clock:
            return cls.fromtimestamp(datetime.now(UTC).timestamp() - by.total_seconds(), tz)

    monkeypatch.setattr(ledger, "datetime", Clock)


async def test_a_clock_that_is_set_back_changes_neither_what_is_loaded_nor_in_which_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(EXPORTS, 1, make_export(2, meta="first"))
    assert await loaded() == [blob_name(1)]
    set_back(monkeypatch, timedelta(days=30))
    write(EXPORTS, 2, make_export(2, meta="second"))
    assert await loaded() == [blob_name(2)]
    assert await loaded() == []

    state = await status(SETTINGS)
    assert [report.blob for report in state.loads] == [blob_name(2), blob_name(1)]
    assert finished(state.loads[0]) < finished(state.loads[1])
    assert state.last_success == finished(state.loads[0]), "the last one, whatever its clock said"
    assert query("SELECT DISTINCT meta FROM sessions") == [("second",)]


def finished(report: LoadReport) -> datetime:
    assert report.finished_at is not None
    return report.finished_at
