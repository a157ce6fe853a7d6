"""One export on its way into a PostgreSQL database."""

from __future__ import annotations

import asyncio
import pickle
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import IO, Any

import asyncpg

from aetl.database.ledger import finished, rejected
from aetl.database.postgresql_errors import ERRORS, postgresql_errors
from aetl.database.postgresql_session import Connection, execute_many, fetch
from aetl.database.postgresql_statements import Statements, TableStatements, Versions
from aetl.database.rejects import NO_UNICODE, pointer_to, reject_orphan, reject_row
from aetl.errors import ConfigurationError
from aetl.models import CheckedBatch, LoadReport, Outcome, Reject, Row, TableCounts

_ROWS_AT_ONCE = 2_000
_OF_THE_ROW = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.RaiseError, UnicodeEncodeError)
"""What one record can be the fault of."""

_Placed = tuple[int, Row]
"""A record's place in the export's array, and its values."""


class PostgreSQLLoad:
    """Writes batches inside a transaction that its owner begins and ends.

    Records wait in temporary tables on the server until every one is there, so an export's arrays may stand in any
    order, and a table is brought in by one statement. Into a table that this load made they go at once, and its keys
    are made after them; only where that fails, as a record stands there twice or refers to nothing, do they go back
    into the temporary table and the ordinary way.

    `is_older` says that a newer export is loaded already: its records stay as they are.
    """

    def __init__(
        self,
        connection: Connection,
        name: str,
        statements: Statements,
        columns: Mapping[str, Sequence[str]],
        load_id: int,
        *,
        is_older: bool,
        made: frozenset[str],
    ) -> None:
        self.load_id = load_id
        self.is_finished = False
        self._connection = connection
        self._name = name
        self._statements = statements
        self._columns = columns
        self._is_older = is_older
        self._made = made
        self._at_once: set[str] = set()
        self._ranked: set[str] = set()
        self._refused: list[Outcome] = []
        self._copying: asyncio.Task[None] | None = None
        self._staged = dict.fromkeys(statements.tables, 0)
        self._types: dict[str, Mapping[str, str]] = {}
        self._gaps: dict[str, array[int]] = {name: array("q") for name in statements.tables}
        self._next = dict.fromkeys(statements.tables, 0)

    async def begin(self) -> None:
        """Makes the temporary tables."""
        for name, table in self._statements.tables.items():
            await self._connection.execute(table.stage)
            self._types[name] = await self._columns_of(table.staging)
            if name in self._made:
                types = await self._columns_of(name)
                if all(types.get(column) == self._types[name].get(column) for column in self._columns[name]):
                    self._at_once.add(name)

    async def write(self, batch: CheckedBatch) -> Outcome:
        with postgresql_errors(self._name):
            await self._copied()
            await self.keep_rejects(batch.rejects)
        # The server takes them in while the next batch is cut and checked.
        self._copying = asyncio.create_task(self._copy(batch))
        return Outcome(batch.table, TableCounts(batch.read, rejected=len(batch.rejects)))

    async def settle(self) -> list[Outcome]:
        with postgresql_errors(self._name):
            await self._copied()
            return self._refused + [await self._bring_in(table) for table in self._statements.tables.values()]

    async def end(self) -> None:
        """Breaks off what a load that failed was still doing, so that it can be rolled back."""
        if self._copying is not None:
            self._copying.cancel()
            with suppress(asyncio.CancelledError, *ERRORS):
                await self._copied()

    async def _copied(self) -> None:
        """Waits until the last batch is on the server."""
        copying, self._copying = self._copying, None
        if copying is not None:
            await copying

    async def finish(self, report: LoadReport) -> None:
        with postgresql_errors(self._name):
            await fetch(self._connection, self._statements.ledger["finish"], finished(self.load_id, report))
        self.is_finished = True

    async def keep_rejects(self, rejects: Sequence[Reject]) -> None:
        """Keeps rejects beside the ledger."""
        if rejects:
            rows = [_without_nul(rejected(self.load_id, reject)) for reject in rejects]
            await execute_many(self._connection, self._statements.ledger["reject"], rows)

    async def _columns_of(self, table: str) -> dict[str, str]:
        rows = await fetch(self._connection, self._statements.ledger["columns"], {"name": table})
        return {row["attname"]: row["type"] for row in rows}

    async def _copy(self, batch: CheckedBatch) -> None:
        """Copies records to where they go first; what PostgreSQL cannot hold is refused."""
        name, placed = batch.table, list(zip(batch.positions, batch.rows, strict=True))
        if name not in self._at_once:
            rejects = await self._sift(name, placed, lambda some: self._stage(name, some))
        else:
            rejects = await self._sift(
                name, placed, lambda some: self._copy_records(name, self._columns[name], [row for _, row in some])
            )
            refused = {reject.position for reject in rejects}
            for position, _ in placed:
                if position not in refused:
                    if position != self._next[name]:
                        self._gaps[name].extend(range(self._next[name], position))
                    self._next[name] = position + 1
        self._staged[name] += len(placed) - len(rejects)
        if rejects:
            await self.keep_rejects(rejects)
            self._refused.append(Outcome(name, TableCounts(rejected=len(rejects)), rejects))

    async def _stage(self, name: str, placed: Sequence[_Placed]) -> None:
        columns = ("position", *self._columns[name])
        await self._copy_records(
            self._statements.tables[name].staging, columns, [(position, *row) for position, row in placed]
        )

    async def _copy_records(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        await self._connection.copy_records_to_table(table, records=rows, columns=columns)

    async def _sift(
        self, name: str, placed: Sequence[_Placed], action: Callable[[Sequence[_Placed]], Awaitable[object]]
    ) -> list[Reject]:
        """Does something with all of some records; where that fails, with each half, down to the one at fault."""
        if not placed:
            return []
        try:
            async with self._connection.transaction():
                await action(placed)
            return []
        except _OF_THE_ROW as error:
            fitted = [(position, self._fit(name, row)) for position, row in placed]
            if any(new is not old for (_, new), (_, old) in zip(fitted, placed, strict=True)):
                return await self._sift(name, fitted, action)
            if len(placed) == 1:
                ((position, row),) = placed
                return [reject_row(name, self._columns[name], row, position, *self._fault(name, row, error))]
        middle = len(placed) // 2
        return [
            *await self._sift(name, placed[:middle], action),
            *await self._sift(name, placed[middle:], action),
        ]

    def _fit(self, name: str, row: Row) -> Row:
        """The same values as the columns want them: of integers, JSON Schema says, 1.0 is one."""
        types = [self._types[name].get(column) for column in self._columns[name]]
        if not any(kind == "bigint" and isinstance(value, float) for kind, value in zip(types, row, strict=True)):
            return row
        return tuple(
            int(value) if kind == "bigint" and isinstance(value, float) else value
            for kind, value in zip(types, row, strict=True)
        )

    def _fault(self, name: str, row: Row, error: Exception) -> tuple[str, str]:
        """JSON pointer and reason."""
        if isinstance(error, UnicodeEncodeError):
            return pointer_to(error, self._columns[name], row), NO_UNICODE
        for column, value in zip(self._columns[name], row, strict=True):
            if isinstance(value, str) and "\0" in value:
                return f"/{column}", "holds U+0000, which PostgreSQL cannot keep in a text"
        return "", " ".join(str(getattr(error, "message", error)).split())  # behind it: the whole row

    async def _bring_in(self, table: TableStatements) -> Outcome:
        name = table.name
        if name in self._made:
            if name in self._at_once:
                try:
                    async with self._connection.transaction():
                        await self._make_keys(table)
                    return Outcome(name, TableCounts(0, self._staged[name]))
                except asyncpg.IntegrityConstraintViolationError:
                    await self._connection.execute(table.restage)
                    await self._connection.execute(table.truncate)
                    self._ranked.add(name)
            await self._make_keys(table)
        loaded, rejects = await self._merge(table)
        await self.keep_rejects(rejects)
        unchanged = self._staged[name] - len(rejects) - loaded
        return Outcome(name, TableCounts(0, loaded, unchanged, len(rejects)), rejects)

    async def _make_keys(self, table: TableStatements) -> None:
        for statement in table.keys:
            await self._connection.execute(statement)

    async def _merge(self, table: TableStatements) -> tuple[int, list[Reject]]:
        """Brings in what is in the temporary table: the number of records new or changed, and the rejects."""
        rejects: list[Reject] = []
        is_sifted = False
        while True:
            try:
                async with self._connection.transaction():
                    return await self._bring(table), rejects
            except asyncpg.ForeignKeyViolationError:
                if not (found := await self._take_out_orphans(table)):
                    raise
            except _OF_THE_ROW:
                if is_sifted:  # each record by itself could be brought in, but not all of them together
                    raise
                found, is_sifted = await self._take_out_faulty(table), True
            rejects += found

    async def _bring(self, table: TableStatements) -> int:
        if self._is_older:
            return await self._changed_by(table.insert)
        try:
            async with self._connection.transaction():
                return await self._changed_by(table.upsert)
        except asyncpg.CardinalityViolationError as error:
            if table.versions is None:
                raise ConfigurationError(
                    f"the SQL file {self._statements.source} lacks tables/{table.name}/versions, which an export"
                    " needs that holds a record more than once",
                    hint="Mend the file that --sql names; aetl's own yaml/sql/ has an example.",
                ) from error
            return await self._bring_versions(table, table.versions)

    async def _changed_by(self, statement: str) -> int:
        return int((await self._connection.execute(statement)).rpartition(" ")[2])

    async def _bring_versions(self, table: TableStatements, versions: Versions) -> int:
        """Every version counts that differs from the one before it, and the last one stays."""
        async with self._undone():
            await self._connection.execute(versions.keep_first)
            first = await self._changed_by(table.upsert)
        later: int = await self._connection.fetchval(versions.changed)
        await self._connection.execute(versions.keep_last)
        await self._changed_by(table.upsert)
        return first + later

    async def _take_out_orphans(self, table: TableStatements) -> list[Reject]:
        rejects = []
        for column, statement in table.parents.items():
            for record in await self._connection.fetch(statement):
                position, row = self._placed(table.name, record)
                rejects.append(reject_orphan(table.name, self._columns[table.name], row, position, column))
        return rejects

    async def _take_out_faulty(self, table: TableStatements) -> list[Reject]:
        """Takes out of the temporary table what a custom table's own types and constraints refuse."""

        async def probe(some: Sequence[_Placed]) -> None:
            async with self._undone():
                await self._connection.execute(table.clear)
                await self._stage(table.name, some)
                with suppress(asyncpg.ForeignKeyViolationError):  # what it refers to may be among the others
                    await self._bring(table)

        rejects: list[Reject] = []
        with tempfile.TemporaryFile(prefix="aetl-") as spool:
            async with self._undone():
                cursor = await self._connection.cursor(table.staged)
                while records := await cursor.fetch(_ROWS_AT_ONCE):
                    pickle.dump([self._placed(table.name, record) for record in records], spool)
            await self._connection.execute(table.clear)
            self._ranked.discard(table.name)
            for placed in _unpickled(spool):
                rejects += await self._sift(table.name, placed, probe)
            refused = {reject.position for reject in rejects}
            for placed in _unpickled(spool):
                await self._stage(table.name, [each for each in placed if each[0] not in refused])
        return rejects

    @asynccontextmanager
    async def _undone(self) -> AsyncIterator[None]:
        """What is done inside leaves no trace."""
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            yield
        finally:
            await transaction.rollback()

    def _placed(self, name: str, record: asyncpg.Record) -> _Placed:
        """A record of the temporary table, with its place in the export."""
        position: int = record["position"]
        if name in self._ranked:  # there it is the rank among those that came into the table
            rank, before = position, -1
            while position != before:
                before, position = position, rank + bisect_right(self._gaps[name], position)
        return position, tuple(record[each] for each in self._columns[name])


def _without_nul(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A pointer may hold any key of the export's, and PostgreSQL no U+0000."""
    return {
        name: value.replace("\0", r"\u0000") if isinstance(value, str) else value for name, value in parameters.items()
    }


def _unpickled(spool: IO[bytes]) -> Iterator[list[_Placed]]:
    spool.seek(0)
    while True:
        try:
            yield pickle.load(spool)  # only what this process itself wrote into a file without a name
        except EOFError:
            return
