"""Where one table's records of an export lie on the server until all of the export is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import closing
from itertools import islice
from operator import itemgetter

import asyncpg

from aetl.database.closure import Closure
from aetl.database.places import Places
from aetl.database.postgresql.session import Connection, attempt, fetch
from aetl.database.postgresql.statements import Statements
from aetl.database.rejects import NO_UNICODE, reject_row
from aetl.database.statements import filled_in, quoted
from aetl.models import Reject, Row


class NotEncoded(Exception):
    """A value that is none of the column's type."""


OF_THE_ROW = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.RaiseError,
    asyncpg.ProgramLimitExceededError,  # as an id is that no index can hold
    NotEncoded,
)
"""What one record can be the fault of."""

ROWS_AT_ONCE = 2_000

Placed = tuple[int, Row]
"""A record's place in the export's array, and its values."""

_WHOLE = ("bigint", "integer", "smallint")


class Staging:
    """The temporary table of one table; or that table itself, where this load makes it, bare and of the same types.

    `count` records are there. `is_ranked` says that the temporary table holds not their places in the export but their
    ranks among those that came into the table itself, from which they were taken back.
    """

    def __init__(
        self,
        connection: Connection,
        schema: str,
        statements: Statements,
        name: str,
        columns: Sequence[str],
        *,
        is_made: bool,
    ) -> None:
        self.table = statements.tables[name]
        self.columns = columns
        self.is_made = is_made
        self.is_at_once = False
        self.is_ranked = False
        self.count = 0
        self._connection = connection
        self._target = (schema, self.table.name)
        self._staging = ("pg_temp", self.table.staging)
        self._statements = statements
        self._types: Sequence[str | None] = ()
        self._whole: Sequence[int] = ()
        self._places = Places()

    async def begin(self) -> None:
        """Makes the temporary table."""
        await self._connection.execute(self.table.stage)
        self._types, is_bare = staged = await self._look_at(self._staging)
        self._whole = [place for place, each in enumerate(self._types) if each in _WHOLE]
        self.is_at_once = self.is_made and is_bare and await self._look_at(self._target) == staged

    async def take(self, positions: Sequence[int], rows: Sequence[Row]) -> list[Reject]:
        """Copies records to the server, and gives those that PostgreSQL cannot hold."""
        rejects: list[Reject] = []
        try:
            self._look_for_fractions(rows)
            async with attempt(self._connection):
                await self._copy(positions, rows)
        except OF_THE_ROW:
            placed, rejects = self._fitted(zip(positions, rows, strict=True))
            rejects += await self.sift(placed, self._try_to_copy)
            refused = {reject.position for reject in rejects}
            placed = [each for each in placed if each[0] not in refused]
            positions, rows = [position for position, _ in placed], [row for _, row in placed]
            await self._copy(positions, rows)
        self.count += len(rows)
        if self.is_at_once:
            self._places.note(positions)
        return rejects

    def _look_for_fractions(self, rows: Sequence[Row]) -> None:
        """Raises NotEncoded where there may be one: asyncpg would cut it off without a word."""
        for place in self._whole:
            if float in map(type, map(itemgetter(place), rows)):
                raise NotEncoded

    async def _try_to_copy(self, placed: Sequence[Placed]) -> None:
        async with attempt(self._connection, is_kept=False):
            await self._copy([position for position, _ in placed], [row for _, row in placed])

    async def _copy(self, positions: Sequence[int], rows: Sequence[Row]) -> None:
        if self.is_at_once:
            await self._copy_to(self._target, rows, self.columns)
        else:
            await self.stage(positions, rows)

    async def stage(self, positions: Iterable[int], rows: Iterable[Row]) -> None:
        """Copies records into the temporary table."""
        placed = [(position, *row) for position, row in zip(positions, rows, strict=True)]
        await self._copy_to(self._staging, placed, ("position", *self.columns))

    async def _copy_to(self, table: tuple[str, str], rows: Sequence[Row], columns: Sequence[str]) -> None:
        try:
            schema, name = table
            await self._connection.copy_records_to_table(name, schema_name=schema, records=rows, columns=columns)
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:  # as asyncpg's encoders fail
            raise NotEncoded(f"a value is none of the column's type: {error}") from error

    async def take_back(self) -> None:
        """Moves the records out of the table itself into the temporary one."""
        await self._connection.execute(self.table.restage)
        await self._connection.execute(self.table.truncate)
        self.is_ranked = True

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

    def as_staged(self, record: asyncpg.Record) -> Placed:
        """A record of the temporary table, as `stage` takes it."""
        return record["position"], tuple(record[each] for each in self.columns)

    def placed(self, record: asyncpg.Record) -> Placed:
        """A record of the temporary table, with its place in the export."""
        position, row = self.as_staged(record)
        return self._places.of(position) if self.is_ranked else position, row

    def filled_in(self, statement: str, **more: str) -> str:
        """A statement of the ledger's that is about any temporary table, for this one."""
        names = {
            "table": quoted(self.table.name),
            "staging": quoted(self.table.staging),
            "key": ", ".join(map(quoted, self.table.key)),
        }
        return filled_in(self._statements.ledger[statement], **names, **more)

    async def is_alike(self) -> bool:
        """Whether table and temporary table have columns of the same types."""
        return self._types == (await self._look_at(self._target))[0]

    async def by_key(self, statement: str) -> str:
        """A statement of the ledger's about the records of the temporary table that the table has, or has not."""
        return self.filled_in(statement, alike=await self._alike(self.table.key, self.table.key))

    async def _alike(self, stored: Sequence[str], staged: Sequence[str]) -> str:
        """The condition that columns of the table's `old` record and the temporary table's `new` one are equal."""
        types = [
            dict(zip(self.columns, each, strict=True)) for each in ((await self._look_at(self._target))[0], self._types)
        ]
        return " AND ".join(
            f"old.{quoted(one)} = new.{quoted(other)}" + f"::{types[0][one]}" * (types[0][one] != types[1][other])
            for one, other in zip(stored, staged, strict=True)
        )

    async def take_out_chains(self) -> AsyncIterator[tuple[Placed, str]]:
        """Takes those out that refer, within their table, to nothing or only to such; each with the column."""
        target = dict(zip(("schema", "name"), self._target, strict=True))
        references = await fetch(self._connection, self._statements.ledger["own_references"], target)
        with closing(Closure()) as closure:
            for each in references:
                own, other = ([f"new.{quoted(column)}::text" for column in each[side]] for side in ("own", "other"))
                referring = self.filled_in(
                    "referring",
                    own=f"ARRAY[{', '.join(own)}]",
                    other=f"ARRAY[{', '.join(other)}]",
                    alike=await self._alike(each["other"], each["own"]),
                )
                async with attempt(self._connection, is_kept=False):  # which also closes the cursor
                    cursor = await self._connection.cursor(referring)
                    while some := await cursor.fetch(ROWS_AT_ONCE):
                        closure.offer((repr((each["other"], row["other"])), row["position"]) for row in some)
                        wanting = [row for row in some if row["is_lacking"] and None not in row["own"]]
                        closure.want((repr((each["other"], row["own"])), row["position"]) for row in wanting)
            await asyncio.to_thread(closure.settle)
            lost = closure.lost()
            while positions := list(islice(lost, ROWS_AT_ONCE)):
                found = await fetch(self._connection, self.filled_in("take_out"), {"positions": positions})
                for record in found:
                    columns = [column for each in references for column in each["own"] if record[column] is not None]
                    yield self.placed(record), columns[0]

    async def _look_at(self, table: tuple[str, str]) -> tuple[list[str | None], bool]:
        """The types of a table's columns, and whether nothing but those and NOT NULL says what they take."""
        rows = await fetch(
            self._connection, self._statements.ledger["describe"], dict(zip(("schema", "name"), table, strict=True))
        )
        found = {row["attname"]: row["type"] for row in rows}
        return [found.get(each) for each in self.columns], all(row["is_bare"] for row in rows)

    def _fitted(self, placed: Iterable[Placed]) -> tuple[list[Placed], list[Reject]]:
        """The records as their columns want them, and those that no column could hold."""
        fitted, rejects = [], []
        for position, row in placed:
            if fault := self._fault(row):
                rejects.append(reject_row(self.table.name, self.columns, row, position, *fault))
            else:
                values = list(row)
                for place in self._whole:
                    if isinstance(row[place], float):
                        values[place] = int(row[place])  # of integers, JSON Schema says, 1.0 is one
                fitted.append((position, tuple(values)))
        return fitted, rejects

    def _fault(self, row: Row) -> tuple[str, str] | None:
        """JSON pointer and reason, where a value cannot be kept as it is."""
        for place, (column, value) in enumerate(zip(self.columns, row, strict=True)):
            reason = _fault_of_text(value) if isinstance(value, str) else None
            if place in self._whole and isinstance(value, float) and not value.is_integer():
                reason = f"is no whole number, and the column's type is {self._types[place]}"
            if reason:
                return f"/{column}", reason
        return None


def _fault_of_text(value: str) -> str | None:
    if "\0" in value:
        return "holds U+0000, which PostgreSQL cannot keep in a text"
    try:
        value.encode()
    except UnicodeEncodeError:
        return NO_UNICODE
    return None
