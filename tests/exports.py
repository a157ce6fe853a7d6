"""Builds exports as a chatbot would write them, and places to lay them down."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aetl.contract import Contract
from aetl.models import Batch, CheckedBatch, Export

Record = dict[str, Any]
Document = Mapping[str, Sequence[Any]]

FIRST_NIGHT = datetime(2025, 3, 1, 2, 0, tzinfo=UTC)
TABLES = ("sessions", "events", "event_parents")


def session(number: int, **changes: Any) -> Record:
    """A session; of one number there is but one, whatever is changed in it."""
    return {"id": f"s{number}", "started_at": _time(number), "meta": None, **changes}


def event(number: int, of: int, **changes: Any) -> Record:
    """An event of the session `of`."""
    return {
        "id": f"e{number}",
        "ts": _time(number),
        "session_id": f"s{of}",
        "round": number,
        "kind": "user_prompt",
        "role": "User",
        "content": json.dumps({"text": f"text {number}"}),
        "raw_text": f"text {number}",
        "meta": None,
        **changes,
    }


def parent(child: int, of: int) -> Record:
    """That the event `child` answers the event `of`."""
    return {"child_id": f"e{child}", "parent_id": f"e{of}"}


def make_export(
    sessions: int = 2, *, events: int = 2, first: int = 0, meta: str | None = None
) -> dict[str, list[Record]]:
    """So many sessions with so many events each, each answering the one before; `meta` goes into all sessions."""
    numbers = range(first, first + sessions)
    return {
        "sessions": [session(number, meta=meta) for number in numbers],
        "events": [event(number * events + turn, number) for number in numbers for turn in range(events)],
        "event_parents": [
            parent(number * events + turn, number * events + turn - 1)
            for number in numbers
            for turn in range(1, events)
        ],
    }


def empty_export() -> dict[str, list[Record]]:
    return {table: [] for table in TABLES}


def encode(document: Any, *, compress: bool = False, indent: int | None = 2) -> bytes:
    """A document's bytes, indented as the reference writes them."""
    text = json.dumps(document, indent=indent).encode()
    return gzip.compress(text, 1) if compress else text


def blob_name(night: int, suffix: str = "") -> str:
    return f"backup_{FIRST_NIGHT + timedelta(days=night):%Y%m%dT%H%M%S}.json{suffix}"


def write(folder: Path, night: int, document: Any, *, suffix: str = "", created_on: int | None = None) -> str:
    """Lays an export down in a folder, which may be missing, as of the night `created_on`, and gives its name."""
    folder.mkdir(exist_ok=True)
    name = blob_name(night, suffix)
    data = document if isinstance(document, bytes) else encode(document, compress=suffix == ".gz")
    (folder / name).write_bytes(data)
    created = (FIRST_NIGHT + timedelta(days=night if created_on is None else created_on)).timestamp()
    os.utime(folder / name, (created, created))
    return name


def listed(night: int, etag: str = "1") -> Export:
    """An export as a container would list it."""
    return Export(blob_name(night), etag, 0, FIRST_NIGHT + timedelta(days=night))


def checked(document: Document, contract: Contract, at_once: int = 1000) -> Iterator[CheckedBatch]:
    """The document's checked batches in its own order of tables."""
    for table, records in document.items():
        for first in range(0, len(records), at_once):
            yield contract.check(Batch(table, first, records[first : first + at_once]))


def in_order(document: Document) -> dict[str, list[Any]]:
    """The same records in an order of their own, to compare."""
    return {
        table: sorted(records, key=lambda record: json.dumps(record, sort_keys=True))
        for table, records in document.items()
    }


def _time(number: int) -> str:
    return (FIRST_NIGHT + timedelta(seconds=number)).isoformat()
