"""One export on its way into a SQLite database."""

from __future__ import annotations

import operator
import pickle
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

import aiosqlite

from aetl.database.ledger import finished, rejected
from aetl.database.rejects import NO_UNICODE, pointer_to, reject_orphan, reject_row
from aetl.database.sqlite_errors import sqlite_errors
from aetl.database.sqlite_following import Following
from aetl.database.sqlite_statements import Bare, Statements
from aetl.models import CheckedBatch, LoadReport, Outcome, Reject, Row, TableCounts

_MOST_MISSES = 3


@dataclass(frozen=True, slots=True)
class _Written:
    """What writing some rows came to: how many are in, how many of them new or changed, the first orphan's place."""

    accepted: int
    loaded: int
    rejects: Sequence[Reject]
    orphan: int | None


class SQLiteLoad:
    """Writes batches inside a transaction that its owner begins and ends.

    Foreign keys are enforced row by row. A batch with a record that refers to one not seen yet waits, with all that
    follow it in its table, in a temporary file until every other record is in: so an export's arrays may stand in any
    order. (SQLite's own deferred keys would do the same, but as soon as one violation is outstanding every new parent
    row searches the child table, which has no index on the referring column here: quadratic in the export's size.)

    `is_older` says that a newer export is loaded already: its records stay as they are.
    """

    def __init__(
        self,
        connection: aiosqlite.Connection,
        path: Path,
        statements: Statements,
        columns: Mapping[str, Sequence[str]],
        load_id: int,
        *,
        is_older: bool,
    ) -> None:
        self.load_id = load_id
        self.is_finished = False
        self._connection = connection
        self._path = path
        self._statements = statements
        self._columns = columns
        self._is_older = is_older
        self._waiting: dict[str, IO[bytes]] = {}
        self._known: set[str] = set()
        self._following: dict[str, Following] = {}
        self._misses: dict[str, int] = {}

    async def write(self, batch: CheckedBatch) -> Outcome:
        with sqlite_errors(self._path):
            return await self._write(batch)

    async def settle(self) -> list[Outcome]:
        with sqlite_errors(self._path):
            return await self._settle()

    async def _write(self, batch: CheckedBatch) -> Outcome:
        await self.keep_rejects(batch.rejects)
        if batch.table in self._waiting:
            self.wait(batch.table, batch.rows, batch.positions)
            return Outcome(batch.table, TableCounts(batch.read, rejected=len(batch.rejects)))
        written = await self._insert(batch.table, batch.rows, batch.positions)
        if written.orphan is not None:
            self.wait(batch.table, batch.rows[written.orphan :], batch.positions[written.orphan :])
        rejected = len(batch.rejects) + len(written.rejects)
        counts = TableCounts(batch.read, written.loaded, written.accepted - written.loaded, rejected)
        return Outcome(batch.table, counts, written.rejects)

    async def _settle(self) -> list[Outcome]:
        outcomes: list[Outcome] = []
        progress = True
        while self._waiting and progress:
            progress = False
            for name in [name for name in self._statements.tables if name in self._waiting]:
                for outcome in await self._retry(name):
                    outcomes.append(outcome)
                    progress = True
        for name, waiting in self._waiting.items():
            for rows, positions in _unpickled(waiting):
                rejects = [
                    await self._orphan(name, row, position) for row, position in zip(rows, positions, strict=True)
                ]
                await self.keep_rejects(rejects)
                outcomes.append(Outcome(name, TableCounts(rejected=len(rejects)), rejects))
        self.close()
        return outcomes

    async def finish(self, report: LoadReport) -> None:
        with sqlite_errors(self._path):
            await self._connection.execute(self._statements.ledger["finish"], finished(self.load_id, report))
        self.is_finished = True

    async def keep_rejects(self, rejects: Sequence[Reject]) -> None:
        """Keeps rejects beside the ledger."""
        if rejects:
            rows = [rejected(self.load_id, reject) for reject in rejects]
            await self._connection.executemany(self._statements.ledger["reject"], rows)

    async def append(self, bare: Bare, batch: CheckedBatch) -> Sequence[Reject]:
        """Writes a batch into a table that refers to nothing, and gives what is refused.

        Many rows go in one statement, which takes SQLite and Python a fifth less than one for each. Where a row is
        refused, what is left of the batch goes row by row.
        """
        await self.keep_rejects(batch.rejects)
        rows, before = batch.rows, self._connection.total_changes
        parts = range(0, len(rows) - len(rows) % bare.many, bare.many)
        with suppress(sqlite3.IntegrityError, OverflowError, UnicodeEncodeError):
            await self._connection.executemany(
                bare.insert_many, (list(chain.from_iterable(rows[at : at + bare.many])) for at in parts)
            )
        done = self._connection.total_changes - before
        written = await self._execute(bare.insert, batch.table, rows[done:], batch.positions[done:])
        await self.keep_rejects(written.rejects)
        return written.rejects

    def wait(self, name: str, rows: Sequence[Row], positions: Sequence[int]) -> None:
        """Keeps records of one table until every other one is in."""
        if name not in self._waiting:
            self._waiting[name] = tempfile.TemporaryFile(prefix="aetl-")  # noqa: SIM115 - closed by close()
        pickle.dump((rows, positions), self._waiting[name], pickle.HIGHEST_PROTOCOL)

    def close(self) -> None:
        """Gives the temporary files back, and what is still being read up."""
        for following in self._following.values():
            following.close()
        while self._waiting:
            self._waiting.popitem()[1].close()

    async def _insert(self, name: str, rows: Sequence[Row], positions: Sequence[int]) -> _Written:
        """Writes rows until one refers to nothing."""
        if await self._is_repeated(name, rows):
            return _Written(len(rows), 0, (), None)
        written = await self._bring_in(name, rows, positions)
        await self.keep_rejects(written.rejects)
        await self._find_place(name, rows)
        return written

    async def _bring_in(self, name: str, rows: Sequence[Row], positions: Sequence[int]) -> _Written:
        """Inserts rows, or updates them.

        Inserting with DO NOTHING takes SQLite half the time of DO UPDATE, even where no row is known; so that is tried
        first, and the rows are brought up to date after it only in a batch, and the batches after it, with known ones.
        """
        table = self._statements.tables[name]
        if name in self._known:
            written = await self._execute(table.upsert, name, rows, positions)
            if written.loaded == len(rows):
                self._known.remove(name)
            return written
        inserted = await self._execute(table.insert, name, rows, positions)
        if self._is_older or inserted.loaded == inserted.accepted:
            return inserted
        self._known.add(name)
        refused = {reject.position for reject in inserted.rejects}
        places = [place for place, at in enumerate(positions[: inserted.orphan]) if at not in refused]
        updated = await self._execute(
            table.upsert, name, [rows[place] for place in places], [positions[place] for place in places]
        )
        orphan = inserted.orphan if updated.orphan is None else places[updated.orphan]
        # What is refused behind an orphan waits with it, and is refused again.
        rejects = [each for each in inserted.rejects if orphan is None or each.position < positions[orphan]]
        return _Written(updated.accepted, inserted.loaded + updated.loaded, [*rejects, *updated.rejects], orphan)

    async def _is_repeated(self, name: str, rows: Sequence[Row]) -> bool:
        """Whether just these rows follow in the table, as they do where an export repeats the one before.

        After a few batches in a row for which it was in vain, it is not tried any more.
        """
        repeated = self._statements.tables[name].repeated
        if repeated is None or self._misses.get(name, 0) > _MOST_MISSES or not rows:
            return False
        if name not in self._following:
            self._following[name] = Following(self._connection, repeated, 0)
        if await self._following[name].goes_on_with(rows):
            self._misses[name] = 0
            return True
        self._following.pop(name).close()
        self._misses[name] = self._misses.get(name, 0) + 1
        return False

    async def _find_place(self, name: str, rows: Sequence[Row]) -> None:
        table = self._statements.tables[name]
        if table.place and table.repeated and rows and self._misses.get(name, 0) <= _MOST_MISSES:
            key = [rows[-1][place] for place in table.key]
            with suppress(OverflowError, UnicodeEncodeError):  # a key that was rejected
                for (place,) in await self._connection.execute_fetchall(table.place, key):
                    self._following[name] = Following(self._connection, table.repeated, place)

    async def _execute(self, statement: str, name: str, rows: Sequence[Row], positions: Sequence[int]) -> _Written:
        start = loaded = 0
        orphan: int | None = None
        rejects: list[Reject] = []
        while start < len(rows) and orphan is None:
            left = iter(rows[start:] if start else rows)
            before = self._connection.total_changes
            try:
                await self._connection.executemany(statement, left)
                start = len(rows)
            except (sqlite3.IntegrityError, OverflowError, UnicodeEncodeError) as error:
                failed = len(rows) - operator.length_hint(left) - 1  # executemany takes a row only to execute it
                if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
                    orphan = failed
                else:
                    pointer = self._pointer(name, rows[failed], error)
                    rejects.append(self._reject(name, rows[failed], positions[failed], pointer, _reason(error)))
                start = failed + 1
            loaded += self._connection.total_changes - before
        return _Written((len(rows) if orphan is None else orphan) - len(rejects), loaded, rejects, orphan)

    async def _retry(self, name: str) -> list[Outcome]:
        """Writes once more what waits in one table; what still refers to nothing goes on waiting."""
        outcomes = []
        with self._waiting.pop(name) as waiting:
            for rows, positions in _unpickled(waiting):
                start = 0
                while start < len(rows):
                    written = await self._insert(name, rows[start:], positions[start:])
                    if written.accepted or written.rejects:
                        unchanged = written.accepted - written.loaded
                        counts = TableCounts(0, written.loaded, unchanged, len(written.rejects))
                        outcomes.append(Outcome(name, counts, written.rejects))
                    if written.orphan is None:
                        break
                    start += written.orphan
                    self.wait(name, rows[start : start + 1], positions[start : start + 1])
                    start += 1
        return outcomes

    async def _orphan(self, name: str, row: Row, position: int) -> Reject:
        for place, query in self._statements.tables[name].parents.items():
            ((exists,),) = await self._connection.execute_fetchall(query, (row[place],))
            if not exists:
                return reject_orphan(name, self._columns[name], row, position, self._columns[name][place])
        return self._reject(name, row, position, "", "refers to a record that does not exist")

    def _pointer(self, name: str, row: Row, error: Exception) -> str:
        """Where in a record that lies which could not be written, if the error tells."""
        return pointer_to(error, self._columns[name], row) if isinstance(error, UnicodeEncodeError) else ""

    def _reject(self, name: str, row: Row, position: int, pointer: str, reason: str) -> Reject:
        return reject_row(name, self._columns[name], row, position, pointer, reason)


def _reason(error: Exception) -> str:
    """Why SQLite cannot hold a row that keeps the contract."""
    if isinstance(error, OverflowError):
        return "a number without a fraction is beyond 64 bits"
    if isinstance(error, UnicodeEncodeError):
        return NO_UNICODE
    return str(error)


def _unpickled(waiting: IO[bytes]) -> Iterator[tuple[Sequence[Row], Sequence[int]]]:
    waiting.seek(0)
    while True:
        try:
            yield pickle.load(waiting)  # only what this process itself wrote into a file without a name
        except EOFError:
            return
