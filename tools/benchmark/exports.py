"""Makes up exports of any size: the same seed gives the same bytes, and none is ever held in memory."""

from __future__ import annotations

import json
import os
import random
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

Record = dict[str, Any]

FULL = 30_000
"""Sessions of an export of the usual size, which is of so many bytes:"""
FULL_BYTES = 228_000_000
TOLERANCE = 0.02
EVENTS_PER_SESSION = 10
RECORDS_AT_ONCE = 1_000
FIRST_SESSION = datetime(2025, 1, 1, tzinfo=UTC)
BETWEEN_SESSIONS = timedelta(minutes=10)
THINKING = timedelta(seconds=7)
WORDS = [
    *("alpha", "beta", "gamma", "delta", "},{", "]}", "[{", '"quoted"', "back\\slash", "new\nline", "tab\t"),
    *("ünïcödé", "漢字", "\N{GRINNING FACE}", "reservation", "restaurant", "people", "morning"),
    *("table", "please", "thanks"),
]
"""What texts are made of: much that a scanner could take for the end of a record."""
WORDS_PER_TEXT = range(4, 53)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Content:
    """What an export holds: so many sessions, ten events in each, every event but the first answering the one before.

    Contents of different seeds have no record in common.
    """

    sessions: int
    seed: int = 1

    @property
    def rows(self) -> dict[str, int]:
        """The number of records in each table."""
        return {
            "sessions": self.sessions,
            "events": self.sessions * EVENTS_PER_SESSION,
            "event_parents": self.sessions * (EVENTS_PER_SESSION - 1),
        }

    @property
    def all_rows(self) -> int:
        return sum(self.rows.values())

    def times(self, factor: float, seed: int | None = None) -> Content:
        return Content(max(1, round(self.sessions * factor)), self.seed if seed is None else seed)

    def tables(self) -> dict[str, Iterator[Record]]:
        """The records of each table. Ids are drawn anew for each, from the same seed, rather than kept."""
        return {"sessions": self._sessions(), "events": self._events(), "event_parents": self._event_parents()}

    def _sessions(self) -> Iterator[Record]:
        for number, session in enumerate(islice(self._ids("sessions"), self.sessions)):
            meta = None if number % 3 else json.dumps({"channel": "web", "number": number})
            yield {"id": session, "started_at": _time(number), "meta": meta}

    def _events(self) -> Iterator[Record]:
        events = self._ids("events")
        chance = random.Random(f"{self.seed} texts")
        for number, session in enumerate(islice(self._ids("sessions"), self.sessions)):
            for turn in range(EVENTS_PER_SESSION):
                kind, role = ("assistant_out", "Assistant") if turn % 2 else ("user_prompt", "User")
                text = " ".join(chance.choices(WORDS, k=chance.choice(WORDS_PER_TEXT)))
                yield {
                    "id": next(events),
                    "ts": _time(number, turn, chance.randrange(1_000_000)),
                    "session_id": session,
                    "round": turn // 2,
                    "kind": kind,
                    "role": role,
                    "content": json.dumps({"text": text}, ensure_ascii=False),
                    "raw_text": text,
                    "meta": None,
                }

    def _event_parents(self) -> Iterator[Record]:
        events = islice(self._ids("events"), self.sessions * EVENTS_PER_SESSION)
        before = ""
        for turn, event in enumerate(events):
            if turn % EVENTS_PER_SESSION:
                yield {"child_id": event, "parent_id": before}
            before = event

    def _ids(self, of: str) -> Iterator[str]:
        chance = random.Random(f"{self.seed} {of}")
        while True:
            yield str(uuid.UUID(int=chance.getrandbits(128), version=4))


def write(content: Content, path: Path) -> None:
    """Writes an export as aetl itself would, unless it is there already; its time is a fixed one of the past."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.writelines(document(content))
    expected = FULL_BYTES * content.sessions / FULL
    if content.sessions >= 1_000 and abs(partial.stat().st_size / expected - 1) > TOLERANCE:
        raise AssertionError(f"{partial} has {partial.stat().st_size:,} bytes where {expected:,.0f} are due")
    os.utime(partial, (FIRST_SESSION.timestamp(),) * 2)
    partial.rename(path)


def document(content: Content) -> Iterator[bytes]:
    """The bytes of an export: compact, one array after the other."""
    for number, (table, records) in enumerate(content.tables().items()):
        yield (b"],\n" if number else b"{") + _encode(table) + b":["
        for part, some in enumerate(_some(records)):
            yield b"," * bool(part) + _encode(some)[1:-1]
    yield b"]}\n"


def _some(records: Iterable[Record]) -> Iterator[list[Record]]:
    iterator = iter(records)
    while some := list(islice(iterator, RECORDS_AT_ONCE)):
        yield some


def _time(session: int, turn: int = 0, microsecond: int = 0) -> str:
    """A time as the chatbot writes it: without an offset, and UTC."""
    moment = FIRST_SESSION + session * BETWEEN_SESSIONS + turn * THINKING
    return moment.replace(microsecond=microsecond, tzinfo=None).isoformat(timespec="microseconds")
