"""Where one table's records of an export lie on the server until all of the export is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

import asyncpg

from aetl.canonical import NO_UNICODE
from aetl.contract.tables import Reference, Table
from aetl.database.postgresql.session import Connection, attempt
from aetl.database.rejects import reject_row
from aetl.models import Reject, Row
from aetl.sql import Statements

OF_THE_ROW = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.RaiseError,
    asyncpg.ProgramLimitExceededError,  # as an id is that no index can hold
    UnicodeEncodeError,
)
"""What one record can be the fault of."""

ROWS_AT_ONCE = 2_000

Numbered = tuple[int, Row]
"""A record's position in the export's array, and its values."""


class Staging:
    """The temporary table of one table; or that table itself, where it is filled at once.

    `count` records are there; `references` are those of the table.
    """

    def __init__(
        self,
        connection: Connection,
        schema: str,
        statements: Statements,
        table: Table,
        references: Sequence[Reference],
        *,
        is_at_once: bool,
    ) -> None:
        self.table = table
        self.references = references
        self.is_at_once = is_at_once
        self.count = 0
        self._connection = connection
        self._statements = statements
        self._target = (schema, table.name) if is_at_once else ("pg_temp", statements.name_of("_aetl", table.name))
        self._columns = table.names if is_at_once else ("_aetl_position", *table.names)

    async def begin(self) -> None:
        """Makes the temporary table, also where this load needs none: the next one will, and so its right is known."""
        await self.execute("stage")

    def statement(self, operation: str) -> str:
        """A statement about the table or its temporary one."""
        if operation == "upsert" and self.table.is_all_key:
            operation = "upsert_keys"
        return self._statements.of(self.table.name, operation)

    def about(self, reference: Reference, operation: str) -> str:
        """A statement about one of the references."""
        return self._statements.reference(self.table.name, operation, reference)

    def with_names(self, operation: str, **names: str) -> str:
        """A statement about the temporary table with further names in it."""
        return self._statements.with_names(self.table.name, operation, **names)

    async def execute(self, operation: str) -> int:
        """Executes a statement; how many records it changed."""
        last = (await self._connection.execute(self.statement(operation))).rpartition(" ")[2]
        return int(last) if last.isdigit() else 0

    async def take(self, positions: Sequence[int], rows: Sequence[Row]) -> list[Reject]:
        """Copies records to the server, and gives those that PostgreSQL cannot hold."""
        rejects: list[Reject] = []
        some: Sequence[Numbered] = list(zip(positions, rows, strict=True))
        try:
            async with attempt(self._connection):
                await self.copy(some)
        except OF_THE_ROW:
            rejects = [reject for each in some if (reject := self._no_text(*each)) is not None]
            some = _without(some, rejects)
            rejects += await self.sift(some, self._try_to_copy)
            some = _without(some, rejects)
            await self.copy(some)
        self.count += len(some)
        return rejects

    async def _try_to_copy(self, some: Sequence[Numbered]) -> None:
        async with attempt(self._connection, is_kept=False):
            await self.copy(some)

    async def copy(self, some: Iterable[Numbered]) -> None:
        """Copies records to where they go first."""
        records = [row for _, row in some] if self.is_at_once else [(position, *row) for position, row in some]
        schema, name = self._target
        await self._connection.copy_records_to_table(name, schema_name=schema, records=records, columns=self._columns)

    async def sift(
        self, some: Sequence[Numbered], action: Callable[[Sequence[Numbered]], Awaitable[object]]
    ) -> list[Reject]:
        """Tries something with all of some records; where that fails, with each half, down to the one at fault."""
        if not some:
            return []
        try:
            await action(some)
            return []
        except OF_THE_ROW as error:
            if len(some) == 1:
                ((position, row),) = some
                reason = " ".join(str(getattr(error, "message", error)).split())  # behind it: the whole row
                return [reject_row(self.table, row, position, None, reason)]
        middle = len(some) // 2
        return [*await self.sift(some[:middle], action), *await self.sift(some[middle:], action)]

    def numbered(self, record: asyncpg.Record) -> Numbered:
        """A record of the temporary table, as `copy` takes it."""
        return record["_aetl_position"], tuple(record[name] for name in self.table.names)

    def _no_text(self, position: int, row: Row) -> Reject | None:
        for column, value in zip(self.table.names, row, strict=True):
            if isinstance(value, str) and (reason := _fault_of_text(value)):
                return reject_row(self.table, row, position, column, reason)
        return None


def _fault_of_text(value: str) -> str | None:
    if "\0" in value:
        return "holds U+0000, which PostgreSQL cannot keep in a text"
    try:
        value.encode()
    except UnicodeEncodeError:
        return NO_UNICODE
    return None


def _without(some: Sequence[Numbered], rejects: Iterable[Reject]) -> list[Numbered]:
    refused = {reject.position for reject in rejects}
    return [each for each in some if each[0] not in refused]
