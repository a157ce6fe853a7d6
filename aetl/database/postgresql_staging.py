"""Where one table's records of an export lie on the server until all of the export is there."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from aetl.database.postgresql_fit import Column, Unfit, all_fit, fit
from aetl.database.postgresql_session import Connection, attempt, fetch
from aetl.database.postgresql_statements import Statements
from aetl.database.rejects import reject_row
from aetl.models import Reject, Row


class NotEncoded(Exception):
    """A value that is none of the column's type."""


OF_THE_ROW = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.RaiseError, NotEncoded)
"""What one record can be the fault of."""

Placed = tuple[int, Row]
"""A record's place in the export's array, and its values."""


class Staging:
    """The temporary table of one table; or that table itself, where this load makes it, bare and of the same types.

    `count` records are there. `is_ranked` says that the temporary table holds not their places in the export but their
    ranks among those that came into the table itself, from which they were taken back.
    """

    def __init__(
        self, connection: Connection, statements: Statements, name: str, columns: Sequence[str], *, is_made: bool
    ) -> None:
        self.table = statements.tables[name]
        self.columns = columns
        self.is_made = is_made
        self.is_at_once = False
        self.is_ranked = False
        self.count = 0
        self._connection = connection
        self._describe = statements.ledger["columns"]
        self._described: Sequence[Column] = ()
        self._gaps = array("q")
        self._next = 0

    async def begin(self) -> None:
        """Makes the temporary table."""
        await self._connection.execute(self.table.stage)
        staged = self._described = await self._columns(self.table.staging)
        made = await self._columns(self.table.name) if self.is_made else []
        if made and all(new.type == old.type != "" for new, old in zip(made, staged, strict=True)):
            self._described, self.is_at_once = made, True

    async def take(self, placed: Sequence[Placed]) -> list[Reject]:
        """Copies records to the server, and gives those that PostgreSQL cannot hold."""
        if not placed:
            return []
        rejects: list[Reject] = []
        copy = self._copy_at_once if self.is_at_once else self.stage
        if not all_fit(self._described, [row for _, row in placed]):
            placed = self._fitted(placed, rejects)
            if placed and not all_fit(self._described, [row for _, row in placed]):
                found = await self.sift(placed, lambda some: self._try(copy, some))
                refused = {reject.position for reject in found}
                placed = [each for each in placed if each[0] not in refused]
                rejects += found
        await copy(placed)
        self.count += len(placed)
        for position, _ in placed if self.is_at_once else ():
            if position != self._next:
                self._gaps.extend(range(self._next, position))
            self._next = position + 1
        return rejects

    async def stage(self, placed: Sequence[Placed]) -> None:
        """Copies records into the temporary table."""
        rows = [(position, *row) for position, row in placed]
        await self._copy(self.table.staging, rows, ("position", *self.columns))

    async def _copy_at_once(self, placed: Sequence[Placed]) -> None:
        await self._copy(self.table.name, [row for _, row in placed], self.columns)

    async def _copy(self, table: str, rows: Sequence[Row], columns: Sequence[str]) -> None:
        if not rows:
            return
        try:
            await self._connection.copy_records_to_table(table, records=rows, columns=columns)
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:  # as asyncpg's encoders fail
            raise NotEncoded(f"a value is none of the column's type: {error}") from error

    async def take_back(self) -> None:
        """Moves the records out of the table itself into the temporary one."""
        await self._connection.execute(self.table.restage)
        await self._connection.execute(self.table.truncate)
        self.is_ranked = True

    async def _try(self, copy: Callable[[Sequence[Placed]], Awaitable[None]], placed: Sequence[Placed]) -> None:
        async with attempt(self._connection, is_kept=False):
            await copy(placed)

    async def sift(
        self, placed: Sequence[Placed], action: Callable[[Sequence[Placed]], Awaitable[object]]
    ) -> list[Reject]:
        """Tries something with all of some records; where that fails, with each half, down to the one at fault."""
        if not placed:
            return []
        try:
            await action(placed)
            return []
        except OF_THE_ROW as error:
            if len(placed) == 1:
                ((position, row),) = placed
                reason = " ".join(str(getattr(error, "message", error)).split())  # behind it: the whole row
                return [reject_row(self.table.name, self.columns, row, position, "", reason)]
        middle = len(placed) // 2
        return [*await self.sift(placed[:middle], action), *await self.sift(placed[middle:], action)]

    def placed(self, record: asyncpg.Record) -> Placed:
        """A record of the temporary table, with its place in the export."""
        position: int = record["position"]
        if self.is_ranked:
            rank, before = position, -1
            while position != before:
                before, position = position, rank + bisect_right(self._gaps, position)
        return position, tuple(record[each] for each in self.columns)

    async def _columns(self, table: str) -> list[Column]:
        """The contract's columns in a table; without types where it has more conditions than those and NOT NULL."""
        rows = await fetch(self._connection, self._describe, {"name": table})
        found = {row["name"]: Column(row["name"], row["type"] or "", row["is_required"]) for row in rows}
        return [found.get(each, Column(each, "", False)) for each in self.columns]

    def _fitted(self, placed: Sequence[Placed], rejects: list[Reject]) -> list[Placed]:
        """The records as their columns want them; those that cannot be become rejects."""
        fitted = []
        for position, row in placed:
            found = fit(self._described, row)
            if isinstance(found, Unfit):
                reject = reject_row(self.table.name, self.columns, row, position, found.pointer, found.reason)
                rejects.append(reject)
            else:
                fitted.append((position, found))
        return fitted
