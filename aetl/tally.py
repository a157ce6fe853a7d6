"""Counts one load: bytes, records and rejects, and holds it to the number of rejects it may have."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from aetl.errors import AetlError, RejectsExceeded
from aetl.faults import ADD_THE_COLUMN, Faults, in_words, is_unknown_key
from aetl.logs import outgoing
from aetl.models import CheckedBatch, Export, LoadReport, Outcome, Reject, Status, TableCounts
from aetl.progress import Progress

_KEPT = 100
_KEPT_CHARACTERS = 2**24
"""Of a failed export so many rejects are kept, and no more of their records in all: a record may be large."""
_READ_ON = 1000
"""An export with no more rejects than this is read to its end, to say all that is wrong with it. Each takes a while to
explain, and many more would mean the same."""
_MOST_UNKNOWN = 100
"""So many unknown keys of a table are told: each record may have its own."""
_LONGEST_KEY = 80
"""Characters of one that are kept and told: it may be many megabytes long."""


class Tally:
    """The counts of one export's load from its beginning; `begin` starts over with another version of the export."""

    def __init__(self, export: Export, tables: Iterable[str], max_rejects: int | None, progress: Progress) -> None:
        self._names = tuple(tables)
        self._max_rejects = max_rejects
        self._progress = progress
        self.begin(export)

    def begin(self, export: Export) -> None:
        """Starts to count."""
        self.export = export
        self.first_rejects: list[Reject] = []
        self.faults = Faults()
        self.skipped: Sequence[str] = ()
        self._unknown: dict[str, dict[str, int | None]] = {}
        self._tables = dict.fromkeys(self._names, TableCounts())
        self._characters = 0
        self._bytes = 0
        self._rejected = 0
        self._started = time.monotonic()
        self._progress.begin(export)

    def advance(self, size: int) -> None:
        """Counts bytes as they come from the container."""
        self._bytes += size
        self._progress.advance(size, 0)

    def look_for_unknown_keys(self, batch: CheckedBatch) -> None:
        """Counts the keys of some records that the contract lets pass without a column for them."""
        for key in sorted(batch.unknown):
            counts = self._unknown.setdefault(batch.table, {})
            name = key[:_LONGEST_KEY]
            if name in counts or len(counts) < _MOST_UNKNOWN:
                counts[name] = (counts.get(name) or 0) + batch.unknown[key]

    def add(self, outcome: Outcome, rejects: Sequence[Reject]) -> None:
        """Counts what became of some records."""
        self._tables[outcome.table] = self._tables[outcome.table] + outcome.counts
        self._progress.advance(0, outcome.counts.read)
        if outcome.counts.rejected == 0:
            return
        self._rejected += outcome.counts.rejected
        found = [*rejects, *outcome.rejects]
        self.faults.add(found)
        self._keep(found)

    def judge(self, *, is_read: bool) -> None:
        """Raises RejectsExceeded where an export has more rejects than it may have.

        Before it is read to its end that is only so where there is no use in reading on.
        """
        if self._max_rejects is None or self._rejected <= self._max_rejects:
            return
        if is_read:
            raise self._exceeded("")
        if self._rejected > _READ_ON:
            raise self._exceeded(", and the export was not read to its end")

    def _exceeded(self, ending: str) -> RejectsExceeded:
        faults = self.faults.in_order()
        hint = ADD_THE_COLUMN if all(map(is_unknown_key, faults)) else None
        if self._rejected == 1:
            return RejectsExceeded(in_words(faults, self._tables), hint=hint)
        allowed = f", more than {self._max_rejects:,}" if self._max_rejects else ""
        return RejectsExceeded(
            f"{self._rejected:,} rejects{allowed}: {in_words(faults, self._tables)}{ending}", hint=hint
        )

    def _keep(self, rejects: Sequence[Reject]) -> None:
        for reject in rejects[: _KEPT - len(self.first_rejects)]:
            if self.first_rejects and self._characters + len(reject.record) > _KEPT_CHARACTERS:
                break
            self.first_rejects.append(reject)
            self._characters += len(reject.record)

    def report(self, status: Status, error: AetlError | None = None) -> LoadReport:
        """The load so far."""
        return LoadReport(
            self.export.name,
            self.export.etag,
            status,
            bytes=self._bytes,
            seconds=round(time.monotonic() - self._started, 3),
            # A failed load was rolled back: nothing of what it counted is in.
            tables=self._tables if error is None else {},
            error=None if error is None else outgoing(error.line),
            exit_code=0 if error is None else error.exit_code,
            skipped=self.skipped,
            unknown_keys={table: dict(counts) for table, counts in self._unknown.items()},
            faults=self.faults.in_order(),
        )
