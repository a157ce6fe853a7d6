"""What the ledger holds, the same on every database. Times are ISO 8601 texts in UTC of one length."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from aetl.models import Export, LoadReport, Reject, TableCounts


def named_in_ledger(export: Export) -> dict[str, str]:
    """An export whose load begins now, as the ledger's statements name it."""
    return {
        "blob": export.name,
        "etag": export.etag,
        "created": _sortable(export.created),
        "started_at": _sortable(datetime.now(UTC)),
    }


def finished(load_id: int, report: LoadReport) -> dict[str, Any]:
    """A load that ends now, as the statement `finish` takes it."""
    return {
        "load_id": load_id,
        "status": report.status,
        "finished_at": _sortable(datetime.now(UTC)),
        "seconds": report.seconds,
        "bytes": report.bytes,
        "tables": json.dumps({name: asdict(counts) for name, counts in report.tables.items()}),
        "error": None if report.error is None else _storable(report.error),
    }


def rejected(load_id: int, reject: Reject) -> dict[str, Any]:
    """A reject as the statement `reject` takes it."""
    return {
        "load_id": load_id,
        "table_name": reject.table,
        "position": reject.position,
        "pointer": reject.pointer,
        "reason": reject.reason,
        "record": reject.record,
    }


def report(row: Iterable[Any]) -> LoadReport:
    """What a row of the statement `history` says."""
    load_id, blob, etag, status, finished_at, seconds, size, tables, error = row
    return LoadReport(
        blob,
        etag,
        status,
        load_id,
        size or 0,
        seconds or 0.0,
        {name: TableCounts(**counts) for name, counts in json.loads(tables or "{}").items()},
        datetime.fromisoformat(finished_at) if finished_at else None,
        error,
    )


def _storable(text: str) -> str:
    """A message may quote anything of an export's; not every database keeps U+0000, and none half a surrogate pair."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", r"\u0000")


def _sortable(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
