"""Makes up a chatbot's sessions, events and parents."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from aetl.models import Batch

FIRST_SESSION = datetime(2025, 1, 1, tzinfo=UTC)
BETWEEN_SESSIONS = timedelta(minutes=10)
_THINKING = timedelta(seconds=2)
_SESSIONS_AT_ONCE = 1_000
_NAMESPACE = uuid.UUID("7e0ce2a6-6f0c-5c86-9f0e-0d6f8f6a6d55")


def mock_batches(sessions: int) -> Iterator[Batch]:
    """So many sessions ten minutes apart, each with a user's prompt and the assistant's reply to it, table by table."""
    for table, record_of in (("sessions", _session), ("events", _events), ("event_parents", _parent)):
        first = 0
        for start in range(0, sessions, _SESSIONS_AT_ONCE):
            numbers = range(start, min(start + _SESSIONS_AT_ONCE, sessions))
            records = [record for number in numbers for record in record_of(number)]
            yield Batch(table, first, records)
            first += len(records)


def _session(number: int) -> Iterator[dict[str, object]]:
    meta = json.dumps({"source": "simulation", "number": number})
    yield {"id": _id("session", number), "started_at": _time(number).isoformat(), "meta": meta}


def _events(number: int) -> Iterator[dict[str, object]]:
    turns = (
        ("user_prompt", "User", f"What is the answer to question {number}?"),
        ("assistant_out", "Assistant", f"The answer to question {number} is {number * 42}."),
    )
    for turn, (kind, role, text) in enumerate(turns):
        yield {
            "id": _id(kind, number),
            "ts": (_time(number) + turn * _THINKING).isoformat(),
            "session_id": _id("session", number),
            "round": 1,
            "kind": kind,
            "role": role,
            "content": json.dumps({"text": text}),
            "raw_text": text,
            "meta": None,
        }


def _parent(number: int) -> Iterator[dict[str, object]]:
    yield {"child_id": _id("assistant_out", number), "parent_id": _id("user_prompt", number)}


def _time(number: int) -> datetime:
    return FIRST_SESSION + number * BETWEEN_SESSIONS


def _id(kind: str, number: int) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{kind} {number}"))
