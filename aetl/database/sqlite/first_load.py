"""The load that makes a SQLite database: keys and indexes come after the rows, sorted, as a whole."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import aiosqlite

from aetl.database import BeginAgain
from aetl.database.ledger import Ledger
from aetl.database.sqlite.bare import Keyed, adopt
from aetl.database.sqlite.errors import sqlite_errors
from aetl.database.sqlite.file import set_cache
from aetl.database.sqlite.rows import NOT_BOUND, Rows, fault_of
from aetl.models import CheckedBatch, LoadReport, Outcome, Reject, TableCounts
from aetl.sql import Statements

_SMALL_CACHE = 8 * 2**10
"""KiB. What is only appended to or read in order needs no more, and the sorter that builds an index takes as much
memory again."""
_MOST_PARAMETERS = 300
"""Of one statement; some builds of SQLite take no more than 999 (https://www.sqlite.org/limits.html, 9)."""


class FirstLoad:
    """Fills bare tables, and makes keys and references certain once every record is in.

    Kept up row by row, a key's index costs a look at a page of its own for each record, and each reference one more:
    a quarter of a load, and more than half where the indexes do not fit into the cache any more. Where a record stands
    twice or refers to nothing, the load begins again the ordinary way, which counts, names and sorts out.
    """

    def __init__(
        self,
        connection: aiosqlite.Connection,
        path: Path,
        statements: Statements,
        ledger: Ledger,
        keyed: Mapping[str, Keyed],
        load_id: int,
    ) -> None:
        self.load_id = load_id
        self.is_finished = False
        self.changes: list[str] = []
        self._connection = connection
        self._path = path
        self._statements = statements
        self._ledger = ledger
        self._keyed = keyed
        self._rows = Rows(connection, statements, {})
        self._loaded: Counter[str] = Counter(dict.fromkeys(statements.tables, 0))
        self._many = {name: max(1, _MOST_PARAMETERS // len(table.columns)) for name, table in statements.tables.items()}
        self._append_many = {name: append_of(statements, name, many) for name, many in self._many.items()}
        self._append_one = {name: append_of(statements, name, 1) for name in statements.tables}

    async def begin(self) -> None:
        """Makes the tables, inside the load's transaction."""
        with sqlite_errors(self._path):
            await set_cache(self._connection, _SMALL_CACHE)
            for name in self._statements.tables:
                await self._connection.execute(self._statements.of(name, "bare"))

    async def write(self, batch: CheckedBatch) -> Outcome:
        """Appends a batch.

        Many rows go in one statement, which takes SQLite and Python a fifth less than one for each. Where a row is
        refused, what is left of the batch goes row by row.
        """
        await self._ledger.keep_rejects(self.load_id, batch.rejects)
        with sqlite_errors(self._path):
            rejects = await self._append(batch)
        await self._ledger.keep_rejects(self.load_id, rejects)
        self._loaded[batch.table] += len(batch.rows) - len(rejects)
        return Outcome(batch.table, TableCounts(batch.read, rejected=len(batch.rejects) + len(rejects)), rejects)

    async def _append(self, batch: CheckedBatch) -> Sequence[Reject]:
        rows, many, before = batch.rows, self._many[batch.table], self._connection.total_changes
        parts = range(0, len(rows) - len(rows) % many, many)
        try:
            await self._connection.executemany(
                self._append_many[batch.table], (list(chain.from_iterable(rows[at : at + many])) for at in parts)
            )
        except (sqlite3.Error, *NOT_BOUND) as raised:
            fault_of(raised)
        done = self._connection.total_changes - before
        written = await self._rows.execute(
            self._append_one[batch.table], batch.table, rows[done:], batch.positions[done:]
        )
        return written.rejects

    async def settle(self) -> list[Outcome]:
        with sqlite_errors(self._path):
            await self._make_certain()
            await adopt(self._connection, self._statements, self._keyed)
        return [Outcome(name, TableCounts(0, loaded)) for name, loaded in self._loaded.items()]

    async def finish(self, report: LoadReport) -> None:
        await self._ledger.finish(self.load_id, report)
        self.is_finished = True

    def close(self) -> None:
        """Has nothing to give back."""

    async def _make_certain(self) -> None:
        """Makes keys and indexes; raises BeginAgain where a record stands there twice, or refers to nothing.

        The indexes come first, as a reference that one of them begins with need not be sorted again.
        """
        try:
            for keyed in self._keyed.values():
                await self._connection.execute(keyed.make)
            for name in self._statements.tables:
                for index in self._statements.indexes(name):
                    await self._connection.execute(index)
        except sqlite3.IntegrityError as error:
            raise BeginAgain(str(error)) from error
        for name in self._statements.tables:
            for query in self._statements.references(name, "orphan"):
                if await self._connection.execute_fetchall(query):
                    raise BeginAgain(f"a record of the table {name} refers to nothing")


def append_of(statements: Statements, table: str, many: int) -> str:
    """The statement that appends so many rows at once, which it takes one behind the other."""
    width = len(statements.tables[table].columns)
    rows = [
        {"values": ", ".join(f"?{first + number}" for number in range(1, width + 1))}
        for first in range(0, many * width, width)
    ]
    return statements.with_names(table, "append", rows=rows)
