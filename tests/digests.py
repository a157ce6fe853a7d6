"""What a digest must be, computed as docs/commands.md tells it: with json and hashlib, and nothing of aetl."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.exports import Document

COLUMNS = {
    "sessions": ("id", "started_at", "meta"),
    "events": ("id", "ts", "session_id", "round", "kind", "role", "content", "raw_text", "meta"),
    "event_parents": ("child_id", "parent_id"),
}
KEYS = {"sessions": ("id",), "events": ("id",), "event_parents": ("child_id", "parent_id")}


def expected(
    document: Document,
    columns: Mapping[str, Sequence[str]] = COLUMNS,
    keys: Mapping[str, Sequence[str]] = KEYS,
) -> dict[str, Any]:
    """What `aetl digest --json` must give of a database that holds these records."""
    tables = {}
    for name, records in document.items():
        ordered = sorted(records, key=lambda record: [_place(record[column]) for column in keys[name]])
        lines = [columns[name], *([record[column] for column in columns[name]] for record in ordered)]
        tables[name] = {"rows": len(records), "sha256": sha256(lines)}
    total = [[name, each["rows"], each["sha256"]] for name, each in sorted(tables.items())]
    return {"rows": sum(map(len, document.values())), "sha256": sha256(total), "tables": tables}


def sha256(lines: Iterable[Sequence[Any]]) -> str:
    """The hash of some lines of JSON."""
    return hashlib.sha256(as_lines(lines)).hexdigest()


def as_lines(rows: Iterable[Sequence[Any]]) -> bytes:
    return b"".join(
        json.dumps([_plain(value) for value in row], ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        for row in rows
    )


def _plain(value: Any) -> Any:
    is_whole = isinstance(value, float) and value.is_integer() and -(2**63) <= value < 2**63
    return int(value) if is_whole else value


def _place(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value
