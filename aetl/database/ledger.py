"""What the ledger holds, the same on every database. Times are ISO 8601 texts in UTC of one length."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from aetl.logs import escape
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
        "tables": json.dumps(_tables(report)),
        "error": None if report.error is None else _storable(report.error),
    }


def _tables(report: LoadReport) -> dict[str, dict[str, Any]]:
    """What became of each table of the export: counts, keys that were left out, or that all of it was skipped."""
    tables: dict[str, dict[str, Any]] = {_storable(name): {"skipped": True} for name in report.skipped}
    tables |= {name: asdict(counts) for name, counts in report.tables.items()}
    for name, keys in report.unknown_keys.items():
        tables.setdefault(name, {})["unknown_keys"] = [_storable(key) for key in keys]
    return tables


def rejected(load_id: int, reject: Reject) -> dict[str, Any]:
    """A reject as the statement `reject` takes it."""
    return {
        "load_id": load_id,
        "table_name": reject.table,
        "position": reject.position,
        # The record itself is kept as it is; these are shown on terminals.
        "pointer": escape(reject.pointer),
        "reason": escape(reject.reason),
        "record": reject.record,
    }


def report(row: Iterable[Any]) -> LoadReport:
    """What a row of the statement `history` says."""
    load_id, blob, etag, status, finished_at, seconds, size, text, error = row
    tables = json.loads(text or "{}")
    return LoadReport(
        blob,
        etag,
        status,
        load_id,
        size or 0,
        seconds or 0.0,
        {
            name: TableCounts(**{each.name: entry[each.name] for each in fields(TableCounts)})
            for name, entry in tables.items()
            if "read" in entry
        },
        datetime.fromisoformat(finished_at) if finished_at else None,
        error,
        skipped=tuple(name for name, entry in tables.items() if "skipped" in entry),
        unknown_keys={name: tuple(entry["unknown_keys"]) for name, entry in tables.items() if "unknown_keys" in entry},
    )


def _storable(text: str) -> str:
    """What may hold anything of an export's: not every database keeps U+0000, and none half a surrogate pair."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", r"\u0000")


def _sortable(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
