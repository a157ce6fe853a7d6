"""Whatever ends loads in between, and wherever: in the end all is as if they had run once, in order."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import aetl
from tests import exports
from tests.acceptance.command import is_sound, query
from tests.exports import TABLES, encode, make_export, session, write
from tests.hostile.interruption import run_interrupted

# What a cancelled task was about to open, such as an export, Python closes by itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

NUMBERS = st.lists(st.integers(0, 3), max_size=4, unique=True)


@pytest.fixture(autouse=True)
def _no_log() -> Iterator[None]:
    """A kept log record's traceback would keep a cursor, and so the database's lock, in this process."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Exports of the same few records again and again, which refer only to what they hold; or of nothing sensible."""
    sessions, texts = draw(NUMBERS), st.sampled_from(["old", "new", None])
    events = draw(NUMBERS) if sessions else []
    pairs = draw(st.lists(st.tuples(*[st.sampled_from(events)] * 2), max_size=3)) if events else []
    document = {
        "sessions": [session(number, meta=draw(texts)) for number in sessions],
        "events": [exports.event(number, draw(st.sampled_from(sessions)), raw_text=draw(texts)) for number in events],
        "event_parents": [exports.parent(*pair) for pair in pairs],
    }
    data = encode({table: document[table] for table in draw(st.permutations(TABLES))})
    return data if draw(st.integers(0, 5)) else data[: draw(st.integers(0, len(data) - 2))]


# When each export arrives, and where the load then ends: at which await, of how many there are some hundred, and how.
WAYS = ("a cancellation", "an exception")
INTERRUPTIONS = st.tuples(st.integers(1, 90), st.sampled_from(WAYS))
NIGHTS = st.lists(st.tuples(documents(), st.lists(INTERRUPTIONS, max_size=2)), min_size=1, max_size=3)


def state(database: Path, ways: Iterable[str]) -> dict[str, list[Any]]:
    """What is in, and how each load ended.

    Where an export failed and came later, not how many of its records were new; and where it broke right behind the
    commit, not that failure: it is in, which is what counts for `aetl status`, too.
    """
    counts, where = ", tables", ""
    if "an exception" in ways:
        counts = ""
        is_in = "SELECT blob, etag FROM _aetl_loads WHERE status = 'loaded'"
        where = f"WHERE status = 'loaded' OR (blob, etag) NOT IN ({is_in})"
    tables = {table: sorted(query(f"SELECT * FROM {table}", database), key=repr) for table in TABLES}
    return tables | {
        "ledger": query(f"SELECT blob, etag, status, error{counts} FROM _aetl_loads {where} ORDER BY blob", database),
        "rejects": query("SELECT table_name, position, reason FROM _aetl_rejects ORDER BY 1, 2", database),
    }


@settings(
    max_examples=settings().max_examples // 8,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(nights=NIGHTS)
def test_any_interruptions_come_to_one_load_in_order(nights: list[tuple[bytes, list[Any]]]) -> None:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        often = aetl.Settings(container=str(folder / "exports"), database=str(folder / "often.db"))
        once = aetl.Settings(container=str(folder / "exports"), database=str(folder / "once.db"))
        for night, (data, interruptions) in enumerate(nights):
            write(folder / "exports", night, data)
            for interruption in interruptions:
                was_interrupted = run_interrupted(aetl.load(often), *interruption)
                event(f"interrupted: {was_interrupted}")
                assert "loading" not in statuses(Path(often.database))
        asyncio.run(aetl.load(often))
        asyncio.run(aetl.load(once))
        ways = [how for _, interruptions in nights for _, how in interruptions]
        assert state(Path(often.database), ways) == state(Path(once.database), ways)
        assert {path.name for path in folder.iterdir()} == {"exports", "often.db", "once.db"}


@pytest.mark.parametrize(
    ("part", "how"),
    [*((0, how) for how in WAYS)]
    + [pytest.param(part, WAYS[part % 2], marks=pytest.mark.thorough) for part in range(1, 16)],
)
def test_a_load_may_be_interrupted_at_every_await(part: int, how: str, tmp_path: Path) -> None:
    """At every sixteenth, rather, in each of the sixteen parts; beyond the first, one of the two ways at each."""
    for night in range(2):
        write(tmp_path / "exports", night, encode(dict(reversed(make_export(2, first=night, meta=str(night)).items()))))
    once = aetl.Settings(container="exports", database="once.db")
    asyncio.run(aetl.load(once))
    wanted = state(Path("once.db"), [how])
    after, was_interrupted = part, True
    while was_interrupted:
        after += 16
        database = Path(f"{after}.db")
        often = aetl.Settings(container="exports", database=str(database))
        was_interrupted = run_interrupted(aetl.load(often), after, how)
        assert "loading" not in statuses(database)
        asyncio.run(aetl.load(often))
        assert state(database, [how]) == wanted, after
        assert not list(tmp_path.glob("*.lock")) and not list(tmp_path.glob("*-journal"))
    assert after > 100, "there are more awaits in a load"


def statuses(database: Path) -> list[str]:
    """The outcomes so far; none of a database that is not there yet, or holds nothing."""
    if not database.exists() or not query("SELECT 1 FROM sqlite_schema WHERE name = '_aetl_loads'", database):
        return []
    assert is_sound(database)
    return [status for (status,) in query("SELECT status FROM _aetl_loads", database)]
