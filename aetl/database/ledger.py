"""The ledger, the same on every database: which exports are in, when, by which contract, how many rows, or why not.

Times are ISO 8601 texts in UTC of one length.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any, Protocol

from aetl.logs import escape
from aetl.models import Export, LoadReport, Reject, TableCounts
from aetl.sql import Statements

_AT_ONCE = 100


class Session(Protocol):
    """What the ledger needs of a connection; every error is one of errors.DatabaseError."""

    async def fetch(self, statement: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        """The rows of a statement that takes its parameters by name (`:name`)."""

    async def fetch_many(self, statement: str, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Executes a statement once for each of the parameters."""


class Ledger:
    """The ledger of a database that has one, maybe as an older version of aetl made it."""

    def __init__(self, session: Session, statements: Statements) -> None:
        self._session = session
        self._sql = statements

    async def create(self) -> None:
        """Makes it, inside a transaction."""
        for statement in self._sql.ledger_create:
            await self._session.fetch(statement)
        await self.migrate(1)

    async def migrate(self, version: int) -> None:
        """Makes one of today's version out of it, inside a transaction."""
        for each in range(version + 1, self._sql.version + 1):
            for statement in self._sql.migrations[each]:
                await self._session.fetch(statement)

    async def pending(self, exports: Sequence[Export]) -> list[Export]:
        """Those of some exports that are not loaded yet, by name and ETag."""
        names = json.dumps([[export.name, export.etag] for export in exports])
        return [
            exports[place] for (place,) in await self._session.fetch(self._sql.ledger["pending"], {"exports": names})
        ]

    async def history(self, most: int) -> list[LoadReport]:
        """The last loads, newest first."""
        return [report(row) for row in await self._session.fetch(self._sql.ledger["history"], {"most": most})]

    async def failures(self, most: int) -> list[LoadReport]:
        """The exports whose last load failed, newest first."""
        return [report(row) for row in await self._session.fetch(self._sql.ledger["failures"], {"most": most})]

    async def last_success(self) -> datetime | None:
        """When the last load was finished, in UTC, of which not every record was rejected."""
        before = 2**63 - 1
        while rows := await self._session.fetch(self._sql.ledger["successes"], {"before": before, "most": _AT_ONCE}):
            for load in map(report, rows):
                if not load.is_all_rejected:
                    return load.finished_at
                before = load.load_id or 0
        return None

    async def begin(self, export: Export, contract: str | None) -> tuple[int, bool]:
        """Notes that a load begins: its id, and whether a newer export is loaded already."""
        named = named_in_ledger(export)
        ((is_older,),) = await self._session.fetch(self._sql.ledger["is_older"], _only(named, "created", "blob"))
        await self._session.fetch(self._sql.ledger["forget_failures"], _only(named, "blob", "etag"))
        ((load_id,),) = await self._session.fetch(self._sql.ledger["begin"], {**named, "contract": contract})
        return load_id, bool(is_older)

    async def finish(self, load_id: int, report: LoadReport) -> None:
        """Notes how a load ended."""
        await self._session.fetch(self._sql.ledger["finish"], finished(load_id, report))

    async def keep_rejects(self, load_id: int, rejects: Sequence[Reject]) -> None:
        """Keeps rejects beside it."""
        if rejects:
            rows = [rejected(load_id, reject) for reject in rejects]
            await self._session.fetch_many(self._sql.ledger["reject"], rows)

    async def truncate(self) -> None:
        """Forgets everything, for the simulation."""
        await self._session.fetch(self._sql.ledger["truncate"])


class NoLedger:
    """What a ledger says of a database that holds nothing yet."""

    async def pending(self, exports: Sequence[Export]) -> list[Export]:
        return list(exports)

    async def history(self, most: int) -> list[LoadReport]:
        return []

    async def failures(self, most: int) -> list[LoadReport]:
        return []

    async def last_success(self) -> datetime | None:
        return None


def _only(named: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: named[name] for name in names}


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
        "changes": json.dumps([_storable(each) for each in report.changes]) if report.changes else None,
    }


def _tables(report: LoadReport) -> dict[str, dict[str, Any]]:
    """What became of each table of the export: counts, keys that were left out, or that all of it was skipped."""
    tables: dict[str, dict[str, Any]] = {_storable(name): {"skipped": True} for name in report.skipped}
    for name, counts in report.tables.items():
        tables.setdefault(name, {}).update(asdict(counts))  # a key that was skipped may have the name of a table
    for name, keys in report.unknown_keys.items():
        tables.setdefault(name, {})["unknown_keys"] = {_storable(key): count for key, count in keys.items()}
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
    """What a row of the ledger says; an older version's has fewer columns at its end."""
    load_id, blob, etag, _, status, _, finished_at, seconds, size, text, error, *more = row
    contract, changes, *_ = more or (None, None)
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
        unknown_keys={
            name: _counted(entry["unknown_keys"]) for name, entry in tables.items() if "unknown_keys" in entry
        },
        contract=contract,
        changes=tuple(json.loads(changes) if changes else ()),
    )


def _counted(keys: Mapping[str, int] | Sequence[str]) -> Mapping[str, int | None]:
    """Keys with the number of records that held each; an older aetl wrote down only the keys."""
    return keys if isinstance(keys, Mapping) else dict.fromkeys(keys)


def _storable(text: str) -> str:
    """What may hold anything of an export's: not every database keeps U+0000, and none half a surrogate pair."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", r"\u0000")


def _sortable(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
