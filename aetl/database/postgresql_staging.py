"""Where one table's records of an export lie on the server until all of the export is there."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence

import asyncpg

from aetl.database.postgresql_session import Connection, fetch
from aetl.database.postgresql_statements import Statements
from aetl.database.rejects import NO_UNICODE, pointer_to, reject_row
from aetl.models import Reject, Row

OF_THE_ROW = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.RaiseError, UnicodeEncodeError)
"""What one record can be the fault of."""

Placed = tuple[int, Row]
"""A record's place in the export's array, and its values."""


class Staging:
    """The temporary table of one table; or that table itself, where this load makes it and the types are the same.

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
        self._types_of = statements.ledger["columns"]
        self._types: Sequence[str | None] = ()
        self._gaps = array("q")
        self._next = 0

    async def begin(self) -> None:
        """Makes the temporary table."""
        await self._connection.execute(self.table.stage)
        staged, made = await self._columns(self.table.staging), await self._columns(self.table.name)
        self._types = [staged.get(column) for column in self.columns]
        self.is_at_once = self.is_made and [made.get(column) for column in self.columns] == self._types

    async def take(self, placed: Sequence[Placed]) -> list[Reject]:
        """Copies records to the server, and gives those that PostgreSQL cannot hold."""
        rejects = await self.sift(placed, self._copy_at_once if self.is_at_once else self.stage)
        self.count += len(placed) - len(rejects)
        refused = {reject.position for reject in rejects}
        for position, _ in placed if self.is_at_once else ():
            if position not in refused:
                if position != self._next:
                    self._gaps.extend(range(self._next, position))
                self._next = position + 1
        return rejects

    async def stage(self, placed: Sequence[Placed]) -> None:
        """Copies records into the temporary table."""
        rows = [(position, *row) for position, row in placed]
        await self._connection.copy_records_to_table(
            self.table.staging, records=rows, columns=("position", *self.columns)
        )

    async def _copy_at_once(self, placed: Sequence[Placed]) -> None:
        rows = [row for _, row in placed]
        await self._connection.copy_records_to_table(self.table.name, records=rows, columns=self.columns)

    async def take_back(self) -> None:
        """Moves the records out of the table itself into the temporary one."""
        await self._connection.execute(self.table.restage)
        await self._connection.execute(self.table.truncate)
        self.is_ranked = True

    async def sift(
        self, placed: Sequence[Placed], action: Callable[[Sequence[Placed]], Awaitable[object]]
    ) -> list[Reject]:
        """Does something with all of some records; where that fails, with each half, down to the one at fault."""
        if not placed:
            return []
        try:
            async with self._connection.transaction():
                await action(placed)
            return []
        except OF_THE_ROW as error:
            fitted = [(position, self._fit(row)) for position, row in placed]
            if any(new is not old for (_, new), (_, old) in zip(fitted, placed, strict=True)):
                return await self.sift(fitted, action)
            if len(placed) == 1:
                ((position, row),) = placed
                return [reject_row(self.table.name, self.columns, row, position, *self._fault(row, error))]
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

    async def _columns(self, table: str) -> Mapping[str, str]:
        rows = await fetch(self._connection, self._types_of, {"name": table})
        return {row["attname"]: row["type"] for row in rows}

    def _fit(self, row: Row) -> Row:
        """The same values as the columns want them: of integers, JSON Schema says, 1.0 is one."""
        pairs = list(zip(self._types, row, strict=True))
        if not any(kind == "bigint" and isinstance(value, float) for kind, value in pairs):
            return row
        return tuple(int(value) if kind == "bigint" and isinstance(value, float) else value for kind, value in pairs)

    def _fault(self, row: Row, error: Exception) -> tuple[str, str]:
        """JSON pointer and reason."""
        if isinstance(error, UnicodeEncodeError):
            return pointer_to(error, self.columns, row), NO_UNICODE
        for column, value in zip(self.columns, row, strict=True):
            if isinstance(value, str) and "\0" in value:
                return f"/{column}", "holds U+0000, which PostgreSQL cannot keep in a text"
        return "", " ".join(str(getattr(error, "message", error)).split())  # behind it: the whole row
