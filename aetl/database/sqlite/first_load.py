"""The load that makes a SQLite database: keys and indexes come after the rows, sorted, as a whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import aiosqlite

from aetl.database.places import Places
from aetl.database.sqlite.errors import sqlite_errors
from aetl.database.sqlite.file import set_cache
from aetl.database.sqlite.load import SQLiteLoad
from aetl.database.sqlite.schema import Keyed, adopt, try_out
from aetl.database.sqlite.statements import Statements
from aetl.models import CheckedBatch, LoadReport, Outcome, TableCounts

_SMALL_CACHE = 8 * 2**10
"""KiB. What is only appended to or read in order needs no more, and the sorter that builds an index takes as much
memory again."""


class FirstLoad:
    """Fills bare tables, and makes keys and references certain once every record is in.

    Kept up row by row, a key's index costs a look at a page of its own for each record, and each reference one more:
    a quarter of a load, and more than half where the indexes do not fit into the cache any more. Where a record stands
    twice or refers to nothing, all records are taken out and go the `ordinary` way, which counts, names and sorts out;
    such a load takes two and a half times as long.
    """

    def __init__(
        self, connection: aiosqlite.Connection, path: Path, statements: Statements, ordinary: SQLiteLoad, cache: int
    ) -> None:
        self._connection = connection
        self._path = path
        self._statements = statements
        self._ordinary = ordinary
        self._cache = cache
        self._keyed: Mapping[str, Keyed] = {}
        self._places = {name: Places() for name in statements.tables}
        self._is_settled = False

    @property
    def load_id(self) -> int:
        return self._ordinary.load_id

    @property
    def changes(self) -> list[str]:
        return self._ordinary.changes

    @property
    def is_finished(self) -> bool:
        return self._ordinary.is_finished

    async def begin(self) -> None:
        """Makes the tables, inside the load's transaction."""
        with sqlite_errors(self._path):
            self._keyed = await try_out(self._statements)
            if self._keyed:
                await set_cache(self._connection, _SMALL_CACHE)
            for name, table in self._statements.tables.items():
                await self._connection.execute(self._keyed[name].bare.create if self._keyed else table.create)

    async def write(self, batch: CheckedBatch) -> Outcome:
        if not self._keyed:
            return await self._ordinary.write(batch)
        with sqlite_errors(self._path):
            rejects = await self._ordinary.append(self._keyed[batch.table].bare, batch)
        refused = {reject.position for reject in rejects}
        self._places[batch.table].note(
            [each for each in batch.positions if each not in refused] if refused else batch.positions
        )
        return Outcome(batch.table, TableCounts(batch.read, rejected=len(batch.rejects) + len(rejects)), rejects)

    async def settle(self) -> list[Outcome]:
        with sqlite_errors(self._path):
            is_whole = bool(self._keyed) and await self._is_whole()
            if is_whole:
                await adopt(self._connection, self._statements, self._keyed)
            elif self._keyed:
                await self._go_the_ordinary_way()
        outcomes = await self._ordinary.settle()
        with sqlite_errors(self._path):
            if not is_whole:
                await set_cache(self._connection, _SMALL_CACHE)
                await self._make_indexes()
            await set_cache(self._connection, self._cache)
        self._is_settled = True
        if is_whole:
            outcomes += [Outcome(name, TableCounts(0, sum(each.counts))) for name, each in self._places.items()]
        return outcomes

    async def finish(self, report: LoadReport) -> None:
        assert self._is_settled, "a load must be settled before it is finished"
        await self._ordinary.finish(report)

    def close(self) -> None:
        """Gives the temporary files back."""
        self._ordinary.close()

    async def _is_whole(self) -> bool:
        """Makes keys and indexes; whether each record stands there once and refers to others that do.

        The indexes come first, as a reference that one of them begins with need not be sorted again.
        """
        bare = [each.bare for each in self._keyed.values()]
        try:
            for each in bare:
                await self._connection.execute(each.key)
            await self._make_indexes()
        except sqlite3.IntegrityError:
            return False
        for query in (query for each in bare for query in each.orphans):
            if await self._connection.execute_fetchall(query):
                return False
        return True

    async def _go_the_ordinary_way(self) -> None:
        await set_cache(self._connection, self._cache)
        for name, table in self._statements.tables.items():
            bare, places = self._keyed[name].bare, self._places[name]
            rank = 0
            for count in places.counts:
                parameters = {"place": rank, "most": count}  # SQLite numbers appended rows from 1
                rows = [tuple(row) for row in await self._connection.execute_fetchall(bare.rows, parameters)]
                self._ordinary.wait(name, rows, [places.of(each) for each in range(rank, rank + count)])
                rank += count
            await self._connection.execute(bare.drop)
            await self._connection.execute(table.create)

    async def _make_indexes(self) -> None:
        for table in self._statements.tables.values():
            for index in table.indexes:
                await self._connection.execute(index)
