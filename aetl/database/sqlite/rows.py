"""Writes rows into a SQLite database, each by itself: what one of them is the fault of becomes its reject."""

from __future__ import annotations

import operator
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiosqlite

from aetl.canonical import NO_UNICODE
from aetl.database.rejects import reject_orphan, reject_row
from aetl.database.spool import Spool
from aetl.database.sqlite.file import pragma_of
from aetl.database.sqlite.references import Reference
from aetl.database.sqlite.schema import affinity
from aetl.errors import DatabaseRefused
from aetl.models import Reject, Row
from aetl.sql import Statements

NOT_BOUND = (OverflowError, UnicodeEncodeError)
"""How Python tells of a value that SQLite cannot be given."""
_OF_THE_ROW = (sqlite3.IntegrityError, sqlite3.DataError, *NOT_BOUND)
"""What one row can be the fault of; a DataError is of a value that is longer than SQLite takes."""

Placed = tuple[Sequence[Row], Sequence[int]]
"""Rows, and where their records stand in the export's array."""


@dataclass(frozen=True, slots=True)
class Written:
    """What writing some rows came to: how many are in, how many of them new or changed, the first orphan's place."""

    accepted: int
    loaded: int
    rejects: Sequence[Reject]
    orphan: int | None


class Rows:
    """The statements of a database, for rows of its tables."""

    def __init__(
        self, connection: aiosqlite.Connection, statements: Statements, triggers: Mapping[str, Sequence[str]]
    ) -> None:
        """`triggers` are others' of each table that has some: what these write is no record of an export."""
        self.connection = connection
        self.statements = statements
        self._reals: dict[str, frozenset[str]] = {}
        self._triggers = triggers

    def insert(self, name: str) -> str:
        """The statement that brings a row in, and leaves one alone that is there."""
        return self.statements.of(name, "insert")

    def upsert(self, name: str) -> str:
        """The statement that brings a row in, and changes one that is there where it differs."""
        return self.statements.of(name, "insert" if self.statements.tables[name].is_all_key else "upsert")

    async def execute(self, statement: str, name: str, rows: Sequence[Row], positions: Sequence[int]) -> Written:
        """Executes a statement for each row, until one refers to nothing.

        Raises DatabaseRefused where the table's triggers do not keep a row.
        """
        run = self._count_all if name not in self._triggers else self._count_own
        start = loaded = 0
        orphan: int | None = None
        rejects: list[Reject] = []
        refused: set[int] = set()
        while start < len(rows) and orphan is None:
            changed, done, error = await run(statement, rows[start:] if start else rows)
            loaded += changed
            start += done
            if error is not None:
                if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
                    orphan = start
                else:
                    rejects.append(self.reject(name, rows[start], positions[start], error))
                    refused.add(start)
                start += 1
        if name in self._triggers:
            await self._look_for_lost(name, [row for at, row in enumerate(rows[:orphan]) if at not in refused])
        return Written((len(rows) if orphan is None else orphan) - len(rejects), loaded, rejects, orphan)

    async def _count_all(self, statement: str, rows: Sequence[Row]) -> tuple[int, int, Exception | None]:
        """Executes a statement for rows up to one at fault: how many it changed, how many are done, and the fault."""
        left = iter(rows)
        before = self.connection.total_changes
        error = None
        try:
            await self.connection.executemany(statement, left)
        except (sqlite3.Error, *NOT_BOUND) as raised:
            error = self._fault_of(raised)
        # executemany takes a row only to execute it
        done = len(rows) - operator.length_hint(left) - (error is not None)
        return self.connection.total_changes - before, done, error

    async def _count_own(self, statement: str, rows: Sequence[Row]) -> tuple[int, int, Exception | None]:
        """The same without what triggers change; only where no row is at fault does Python tell the number."""
        await self.connection.execute("SAVEPOINT aetl_own")
        left = iter(rows)
        error = None
        try:
            changed, done = (await self.connection.executemany(statement, left)).rowcount, len(rows)
        except (sqlite3.Error, *NOT_BOUND) as raised:
            error = self._fault_of(raised)
            done = len(rows) - operator.length_hint(left) - 1
            await self.connection.execute("ROLLBACK TO aetl_own")
            changed = (await self.connection.executemany(statement, rows[:done])).rowcount if done else 0
        await self.connection.execute("RELEASE aetl_own")
        return changed, done, error

    def _fault_of(self, raised: Exception) -> Exception:
        error = fault_of(raised)
        if not self.connection.in_transaction:
            raise DatabaseRefused(
                f"the database ended the transaction by itself: {error}",
                hint="Change the trigger or constraint that does so (ROLLBACK) to one that refuses a row (ABORT).",
            ) from raised
        return error

    async def _look_for_lost(self, name: str, rows: Sequence[Row]) -> None:
        if lost := len(rows) - len(await self.known(name, enumerate(rows))):
            by = ", ".join(f"trigger {each} on {name}" for each in self._triggers[name])
            raise DatabaseRefused(
                f"the database did not keep {lost} records of the table {name} that were written there: {by}",
                hint="Drop what removes them, and load again.",
            )

    async def known(self, name: str, rows: Iterable[tuple[int, Row]]) -> set[int]:
        """The numbers of those rows whose keys are stored."""
        table = self.statements.tables[name]
        places = list(map(table.names.index, table.key))
        return await self._note("stored", name, table.key, ((each, *[row[at] for at in places]) for each, row in rows))

    async def lacking(self, reference: Reference, rows: Iterable[tuple[int, Row]]) -> set[int]:
        """The numbers of those rows whose reference means no record that is stored."""
        values = ((each, reference.value(row)) for each, row in rows)
        wanted = ((each, *value) for each, value in values if value is not None)
        return await self._note("lacking", reference.parent, reference.columns, wanted)

    async def reals(self, table: str) -> frozenset[str]:
        """The columns that keep every number as a float (https://www.sqlite.org/datatype3.html, 3.1).

        To look for a number there is to look for its float: SQLite itself compares 2**53 + 1 with 2.0**53 exactly.
        """
        if table not in self._reals:
            columns = await pragma_of(self.connection, "table_info", table)
            self._reals[table] = frozenset(name for _, name, kind, *_ in columns if affinity(kind) == "REAL")
        return self._reals[table]

    async def _note(
        self, statement: str, table: str, columns: Sequence[str], parameters: Iterable[tuple[Any, ...]]
    ) -> set[int]:
        ledger, quoted, reals = self.statements.ledger, self.statements.dialect.quoted, await self.reals(table)
        alike = [
            {
                "equal": self.statements.plain(
                    "equal_real" if column in reals else "equal", column=quoted(column), number=str(number)
                )
            }
            for number, column in enumerate(columns, 2)
        ]
        await self.connection.execute(ledger["note"])
        noting = self.statements.plain(statement, table=quoted(table), alike=alike)
        await self.connection.executemany(noting, parameters)
        numbers = {number for (number,) in await self.connection.execute_fetchall(ledger["noted"])}
        await self.connection.execute(ledger["forget"])
        return numbers

    def fault(self, name: str, row: Row, position: int) -> Reject | None:
        """The reject of a row that SQLite could not even be given."""
        try:
            for value in row:
                if isinstance(value, str):
                    value.encode()
                elif isinstance(value, int):
                    value.to_bytes(8, signed=True)
        except (OverflowError, UnicodeEncodeError) as error:
            return self.reject(name, row, position, error)
        return None

    async def orphan(self, name: str, row: Row, position: int) -> Reject:
        """The reject of a row that refers to nothing."""
        table = self.statements.tables[name]
        queries = self.statements.references(name, "exists")
        for reference, query in zip(table.references, queries, strict=True):
            value = row[table.names.index(reference.column)]
            if value is not None:
                ((exists,),) = await self.connection.execute_fetchall(query, (value,))
                if not exists:
                    return reject_orphan(table, row, position, reference.column)
        return reject_row(table, row, position, None, "refers to a record that does not exist")

    def reject(self, name: str, row: Row, position: int, error: Exception) -> Reject:
        """The reject of a row that SQLite refuses."""
        table = self.statements.tables[name]
        at = row.index(error.object) if isinstance(error, UnicodeEncodeError) and error.object in row else None
        return reject_row(table, row, position, None if at is None else table.names[at], _reason(error))


def fault_of(raised: Exception) -> Exception:
    """What a row is at fault in; raises again what no row can be the fault of.

    Python's sqlite3 may raise the connection's last error anew where a value cannot be bound, and that in its context.
    """
    error = raised.__context__ if isinstance(raised.__context__, NOT_BOUND) else raised
    if not isinstance(error, _OF_THE_ROW):
        raise raised
    return error


class Waiting:
    """Rows of each table that wait until all others are in, in the order in which they came, in temporary files."""

    def __init__(self) -> None:
        self._spools: dict[str, Spool] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._spools

    def __bool__(self) -> bool:
        return bool(self._spools)

    def add(self, name: str, rows: Sequence[Row], positions: Sequence[int]) -> None:
        """Keeps some more rows."""
        if name not in self._spools:
            self._spools[name] = Spool()
        self._spools[name].add((rows, positions))

    def of(self, name: str) -> Iterator[Placed]:
        """The rows that wait, as often as one likes."""
        yield from self._spools.get(name, ())

    def forget(self, name: str) -> None:
        """Gives a table's file back."""
        if name in self._spools:
            self._spools.pop(name).close()

    def close(self) -> None:
        """Gives all files back."""
        for name in list(self._spools):
            self.forget(name)


def _reason(error: Exception) -> str:
    """Why SQLite cannot hold a row that keeps the contract."""
    if isinstance(error, OverflowError):
        return "a number without a fraction is beyond 64 bits"
    if isinstance(error, UnicodeEncodeError):
        return NO_UNICODE
    return str(error)
