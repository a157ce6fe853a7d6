"""Brings in records whose references can only be looked at all together: in rings, and of older exports."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from typing import Any

from aetl.database.closure import Closure
from aetl.database.sqlite.file import pragma_of
from aetl.database.sqlite.references import Reference
from aetl.database.sqlite.rows import Rows, Waiting, Written
from aetl.models import Reject, Row

_FEW = 16
"""So many rows may search the tables that refer to theirs without an index."""


async def bring_ring(
    rows: Rows, waiting: Waiting, group: Sequence[str], references: Sequence[Reference], *, is_older: bool
) -> Mapping[str, Written]:
    """Brings in what waits in some tables that refer to one another, or in one table; all others are in.

    Of an older export a record whose key is stored stays out, and is looked at all the same.
    """
    with closing(Closure()) as closure:
        ring = _Ring(rows, waiting, group, references, closure, is_older=is_older)
        await ring.look()
        return await ring.bring()


class _Ring:
    """The rows that wait in some tables, by the numbers that they have in all of these together."""

    def __init__(
        self,
        rows: Rows,
        waiting: Waiting,
        group: Sequence[str],
        references: Sequence[Reference],
        closure: Closure,
        *,
        is_older: bool,
    ) -> None:
        self._rows = rows
        self._waiting = waiting
        self._group = group
        self._closure = closure
        self._is_older = is_older
        self._within = [each for each in references if each.child in group and each.parent in group]
        self._beyond = [each for each in references if each.child in group and each.parent not in group]
        self._upon = [each for each in references if each.parent in group]
        self._is_known = bytearray()
        self._refused: dict[int, Reject] = {}

    async def look(self) -> None:
        """Finds out what the rows offer and want, which are known, and which SQLite could not even be given."""
        for first, name, rows, positions in self._batches():
            self._is_known.extend(bytes(len(rows)))
            numbered: list[tuple[int, Row]] = []
            for number, row, position in zip(range(first, first + len(rows)), rows, positions, strict=True):
                if (fault := self._rows.fault(name, row, position)) is None:
                    numbered.append((number, row))
                else:
                    self._refused[number] = fault
            if self._is_older:
                for number in await self._rows.known(name, numbered):
                    self._is_known[number] = True
            await self._note(name, numbered)
        self._closure.lose(self._refused)

    async def _note(self, name: str, numbered: Sequence[tuple[int, Row]]) -> None:
        columns = self._rows.statements.tables[name].names
        for each in self._beyond:
            if each.child == name:
                self._closure.lose(await self._rows.lacking(each, numbered))
        for each in self._within:
            if each.child == name and (lacking := await self._rows.lacking(each, numbered)):
                reals = await self._rows.reals(each.parent)
                wants = [
                    (_target(each, reals, value), number)
                    for number, row in numbered
                    if number in lacking and (value := each.value(row)) is not None
                ]
                self._closure.want(wants)
        for each in {(each.parent, each.columns): each for each in self._within}.values():
            if each.parent == name:
                places = [columns.index(column) for column in each.columns]
                reals = await self._rows.reals(name)
                self._closure.offer(
                    (_target(each, reals, tuple(row[place] for place in places)), number) for number, row in numbered
                )

    async def bring(self) -> Mapping[str, Written]:
        """Brings the rows in that are not lost.

        Where they refer to one another, all are tried first: what the database refuses for itself, nobody can refer to.
        """
        connection = self._rows.connection
        lost = len(self._refused) if self._within else await asyncio.to_thread(self._closure.settle)
        skipped: Iterator[int] = iter(sorted(self._refused)) if self._within else self._closure.lost()
        async with self._references_deferred():
            while True:
                await connection.execute("SAVEPOINT aetl")
                accepted, loaded, refused = await self._write(skipped)
                self._refused |= refused
                self._closure.lose(refused)
                before, lost = lost, await asyncio.to_thread(self._closure.settle)
                if before != lost:
                    await connection.execute("ROLLBACK TO aetl")
                await connection.execute("RELEASE aetl")
                if before == lost:
                    break
                skipped = self._closure.lost()
        rejects = await self._rejects()
        return {name: Written(accepted[name], loaded[name], rejects[name], None) for name in self._group}

    async def _write(self, skipped: Iterator[int]) -> tuple[Counter[str], Counter[str], dict[int, Reject]]:
        """Writes all rows but some: how many are in, how many are new or changed, and what the database refuses."""
        accepted: Counter[str] = Counter()
        loaded: Counter[str] = Counter()
        refused: dict[int, Reject] = {}
        following = next(skipped, None)
        for first, name, rows, positions in self._batches():
            new: list[int] = []
            known: list[int] = []
            for place in range(len(rows)):
                if first + place == following:
                    following = next(skipped, None)
                else:
                    (known if self._is_known[first + place] else new).append(place)
            # One that is known is left alone, but not before the database has looked whether it could hold it.
            for statement, places in ((self._rows.insert(name), known), (self._rows.upsert(name), new)):
                if places:
                    at = [positions[place] for place in places]
                    written = await self._rows.execute(statement, name, [rows[place] for place in places], at)
                    assert written.orphan is None, "references are deferred"
                    numbers = dict(zip(at, places, strict=True))
                    refused |= {first + numbers[reject.position]: reject for reject in written.rejects}
                    accepted[name] += written.accepted
                    loaded[name] += written.loaded
        return accepted, loaded, refused

    async def _rejects(self) -> Mapping[str, Sequence[Reject]]:
        rejects: dict[str, list[Reject]] = {name: [] for name in self._group}
        lost = self._closure.lost()
        following = next(lost, None)
        for first, name, rows, positions in self._batches():
            while following is not None and following < first + len(rows):
                place = following - first
                found = self._refused.get(following) or await self._reason(name, rows[place], positions[place])
                rejects[name].append(found)
                following = next(lost, None)
        return rejects

    async def _reason(self, name: str, row: Row, position: int) -> Reject:
        """Why a row is lost; where it was never tried, the database may refuse it for itself as well."""
        if self._within or not all(each.is_enforced for each in self._beyond):
            return await self._rows.orphan(name, row, position)
        written = await self._rows.execute(self._rows.insert(name), name, [row], [position])
        return written.rejects[0] if written.rejects else await self._rows.orphan(name, row, position)

    def _batches(self) -> Iterator[tuple[int, str, Sequence[Row], Sequence[int]]]:
        first = 0
        for name in self._group:
            for rows, positions in self._waiting.of(name):
                yield first, name, rows, positions
                first += len(rows)

    @asynccontextmanager
    async def _references_deferred(self) -> AsyncIterator[None]:
        """Has SQLite look at references at the commit.

        While one is outstanding it searches, for each row, the tables that refer to its own.
        """
        connection, statements = self._rows.connection, self._rows.statements
        quoted = statements.dialect.quoted
        await connection.execute("PRAGMA defer_foreign_keys = ON")
        made: list[str] = []
        for each in self._upon if self._within and len(self._is_known) > _FEW else ():
            columns = [statements.tables[each.child].names[place] for place in each.places]
            if not await self._has_index(each.child, columns):
                made.append(quoted(f"_aetl_reference_{len(made)}"))
                indexed = [{"column": quoted(column)} for column in columns]
                await connection.execute(
                    statements.plain("make_index", index=made[-1], table=quoted(each.child), indexed=indexed)
                )
        yield
        for name in made:
            await connection.execute(statements.plain("drop_index", index=name))
        await connection.execute("PRAGMA defer_foreign_keys = OFF")

    async def _has_index(self, table: str, columns: Sequence[str]) -> bool:
        for _, name, *_ in await pragma_of(self._rows.connection, "index_list", table):
            within = [column for _, _, column in await pragma_of(self._rows.connection, "index_info", name)]
            if set(within[: len(columns)]) == set(columns):
                return True
        return False


def _target(reference: Reference, reals: Collection[str], value: Sequence[Any]) -> str:
    """What a reference means, as text; equal for values that SQLite takes for equal where they are looked for."""
    alike = [
        _alike(float(each) if column in reals and isinstance(each, int) else each)
        for column, each in zip(reference.columns, value, strict=True)
    ]
    return repr((reference.parent, reference.columns, alike))


def _alike(value: Any) -> Any:
    return int(value) if isinstance(value, float | bool) and value == int(value) else value
