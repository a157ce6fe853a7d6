"""One export on its way into a SQLite database."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiosqlite

from aetl.contract.tables import in_groups
from aetl.database.ledger import Ledger
from aetl.database.sqlite.errors import sqlite_errors
from aetl.database.sqlite.exact import may_be_read_ahead
from aetl.database.sqlite.following import Following
from aetl.database.sqlite.references import references_of
from aetl.database.sqlite.ring import bring_ring
from aetl.database.sqlite.rows import NOT_BOUND, Rows, Waiting, Written, fault_of
from aetl.database.sqlite.schema import SQLiteTable
from aetl.models import CheckedBatch, LoadReport, Outcome, Reject, Row, TableCounts
from aetl.sql import Statements

_MOST_MISSES = 3


class SQLiteLoad:
    """Writes batches inside a transaction that its owner begins and ends.

    Foreign keys are enforced row by row. A batch with a record that refers to one not seen yet waits, with all that
    follow it in its table, in a temporary file until every other record is in: so an export's arrays may stand in any
    order. Then the tables come one after the other, those first that others refer to; what refers to nothing by then
    is a reject. (SQLite's own deferred keys would do the same, but as soon as one violation is outstanding every new
    parent row searches the child table, which may have no index on the referring column: quadratic in the size.)

    `is_older` says that a newer export is loaded already: records whose key is stored stay as they are, so all that
    is not just what is stored waits, as by then nobody could tell them from those that this export brought.
    """

    def __init__(
        self,
        connection: aiosqlite.Connection,
        path: Path,
        statements: Statements,
        ledger: Ledger,
        found: Mapping[str, SQLiteTable],
        load_id: int,
        *,
        is_older: bool,
        changes: Sequence[str],
    ) -> None:
        self.load_id = load_id
        self.changes = changes
        self.is_finished = False
        self._connection = connection
        self._path = path
        self._statements = statements
        self._ledger = ledger
        triggers = {name: table.triggers for name, table in found.items() if table.triggers}
        self._rows = Rows(connection, statements, triggers)
        self._is_older = is_older
        self._waiting = Waiting()
        self._known: set[str] = set()
        self._following: dict[str, Following] = {}
        self._misses: dict[str, int] = {}
        self._accepted: Counter[str] = Counter()
        self._loaded: Counter[str] = Counter()
        self._repeating = {name for name in statements.tables if may_be_read_ahead(statements, name, found[name])}
        self._references = references_of(statements, found)
        self._unenforced = {each.child for each in self._references if not each.is_enforced}

    async def write(self, batch: CheckedBatch) -> Outcome:
        with sqlite_errors(self._path):
            return await self._write(batch)

    async def settle(self) -> list[Outcome]:
        with sqlite_errors(self._path):
            return await self._settle()

    async def _write(self, batch: CheckedBatch) -> Outcome:
        await self.keep_rejects(batch.rejects)
        rejects: Sequence[Reject] = ()
        if self._is_older and await self._is_repeated(batch.table, batch.rows):
            self._accepted[batch.table] += len(batch.rows)
        elif self._is_older or batch.table in self._waiting or batch.table in self._unenforced:
            self.wait(batch.table, batch.rows, batch.positions)
            if self._is_older:
                await self._find_place(batch.table, batch.rows)
        else:
            written = await self._insert(batch.table, batch.rows, batch.positions)
            if written.orphan is not None:
                self.wait(batch.table, batch.rows[written.orphan :], batch.positions[written.orphan :])
            rejects = written.rejects
        return Outcome(batch.table, TableCounts(batch.read, rejected=len(batch.rejects) + len(rejects)), rejects)

    async def _settle(self) -> list[Outcome]:
        outcomes: list[Outcome] = []
        if self._waiting:
            references = self._references
            refers_to = {
                name: {each.parent for each in references if each.child == name} for name in self._statements.tables
            }
            for group in in_groups(refers_to):
                is_ring = len(group) > 1 or group[0] in refers_to[group[0]] or group[0] in self._unenforced
                if not any(name in self._waiting for name in group):
                    continue
                if self._is_older or is_ring:
                    brought = await bring_ring(self._rows, self._waiting, group, references, is_older=self._is_older)
                    for name, written in brought.items():
                        await self._took(name, written, outcomes)
                else:
                    await self._bring_waiting(group[0], outcomes)
                for name in group:
                    self._waiting.forget(name)
        self.close()
        for name in self._accepted:
            loaded = self._loaded[name]
            outcomes.append(Outcome(name, TableCounts(0, loaded, self._accepted[name] - loaded)))
        return outcomes

    async def _bring_waiting(self, name: str, outcomes: list[Outcome]) -> None:
        """Brings in what waits in a table, when all that it refers to is in."""
        for rows, positions in self._waiting.of(name):
            start = 0
            while start < len(rows):
                written = await self._insert(name, rows[start:], positions[start:])
                rejects = list(written.rejects)
                if written.orphan is not None:
                    orphan = start + written.orphan
                    rejects.append(await self._rows.orphan(name, rows[orphan], positions[orphan]))
                    await self.keep_rejects(rejects[-1:])
                    start = orphan + 1
                else:
                    start = len(rows)
                if rejects:
                    outcomes.append(Outcome(name, TableCounts(rejected=len(rejects)), rejects))

    async def _took(self, name: str, written: Written, outcomes: list[Outcome]) -> None:
        self._accepted[name] += written.accepted
        self._loaded[name] += written.loaded
        await self.keep_rejects(written.rejects)
        outcomes.append(Outcome(name, TableCounts(rejected=len(written.rejects)), written.rejects))

    async def finish(self, report: LoadReport) -> None:
        await self._ledger.finish(self.load_id, report)
        self.is_finished = True

    async def keep_rejects(self, rejects: Sequence[Reject]) -> None:
        """Keeps rejects beside the ledger."""
        await self._ledger.keep_rejects(self.load_id, rejects)

    def wait(self, name: str, rows: Sequence[Row], positions: Sequence[int]) -> None:
        """Keeps records of one table until every other one is in."""
        self._waiting.add(name, rows, positions)

    def close(self) -> None:
        """Gives the temporary files back, and what is still being read up."""
        for following in self._following.values():
            following.close()
        self._following.clear()
        self._waiting.close()

    async def _insert(self, name: str, rows: Sequence[Row], positions: Sequence[int]) -> Written:
        """Writes rows until one refers to nothing."""
        if await self._is_repeated(name, rows):
            self._accepted[name] += len(rows)
            return Written(len(rows), 0, (), None)
        written = await self._bring_in(name, rows, positions)
        self._accepted[name] += written.accepted
        self._loaded[name] += written.loaded
        await self.keep_rejects(written.rejects)
        await self._find_place(name, rows)
        return written

    async def _bring_in(self, name: str, rows: Sequence[Row], positions: Sequence[int]) -> Written:
        """Inserts rows, or updates them.

        Inserting with DO NOTHING takes SQLite half the time of DO UPDATE, even where no row is known; so that is tried
        first, and the rows are brought up to date after it only in a batch, and the batches after it, with known ones.
        """
        if name in self._known:
            written = await self._rows.execute(self._rows.upsert(name), name, rows, positions)
            if written.loaded == len(rows):
                self._known.remove(name)
            return written
        inserted = await self._rows.execute(self._rows.insert(name), name, rows, positions)
        if inserted.loaded == inserted.accepted:
            return inserted
        self._known.add(name)
        refused = {reject.position for reject in inserted.rejects}
        places = [place for place, at in enumerate(positions[: inserted.orphan]) if at not in refused]
        updated = await self._rows.execute(
            self._rows.upsert(name), name, [rows[place] for place in places], [positions[place] for place in places]
        )
        orphan = inserted.orphan if updated.orphan is None else places[updated.orphan]
        # What is refused behind an orphan waits with it, and is refused again.
        rejects = [each for each in inserted.rejects if orphan is None or each.position < positions[orphan]]
        return Written(updated.accepted, inserted.loaded + updated.loaded, [*rejects, *updated.rejects], orphan)

    async def _is_repeated(self, name: str, rows: Sequence[Row]) -> bool:
        """Whether just these rows follow in the table, as they do where an export repeats the one before.

        After a few batches in a row for which it was in vain, it is not tried any more.
        """
        if not rows or not self._may_follow(name):
            return False
        if name not in self._following:
            self._follow(name, 0)
        if await self._following[name].goes_on_with(rows):
            self._misses[name] = 0
            return True
        self._following.pop(name).close()
        self._misses[name] = self._misses.get(name, 0) + 1
        return False

    def _may_follow(self, name: str) -> bool:
        return name in self._repeating and self._misses.get(name, 0) <= _MOST_MISSES

    def _follow(self, name: str, after: int) -> None:
        self._following[name] = Following(self._connection, self._statements.of(name, "arrays"), after)

    async def _find_place(self, name: str, rows: Sequence[Row]) -> None:
        table = self._statements.tables[name]
        if rows and self._may_follow(name):
            key = [rows[-1][table.names.index(column)] for column in table.key]
            try:
                for (rowid,) in await self._connection.execute_fetchall(self._statements.of(name, "rowid"), key):
                    self._follow(name, rowid)
            except (sqlite3.Error, *NOT_BOUND) as raised:
                fault_of(raised)  # a key that was rejected
