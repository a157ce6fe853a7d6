"""Brings in what waits in temporary tables, whatever of it is there already, refers to nothing or is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing, suppress
from itertools import groupby, islice
from operator import itemgetter

import asyncpg

from aetl.contract.tables import Reference
from aetl.database.closure import Closure
from aetl.database.postgresql.session import Connection, attempt
from aetl.database.postgresql.staging import OF_THE_ROW, ROWS_AT_ONCE, Numbered, Staging
from aetl.database.rejects import reject_orphan
from aetl.database.spool import Spool
from aetl.models import Outcome, Reject, TableCounts


class _Repeated(Exception):
    """An export holds a record more than once."""


class Merging:
    """The records of one table, or of several that refer to one another in a ring; what else they refer to is in.

    `is_older` says that a newer export is loaded already: what is there stays as it is. `is_careful` that the database
    itself does not tell of each record that refers to nothing. `look_for_lost` says whether what was written is there.
    """

    def __init__(
        self,
        connection: Connection,
        group: Sequence[Staging],
        *,
        is_older: bool,
        is_careful: bool,
        look_for_lost: Callable[[Staging], Awaitable[None]],
    ) -> None:
        self._connection = connection
        self._group = group
        self._is_older = is_older
        # Of an older export an insert looks at new records only; and a ring's records come table by table.
        self._is_careful = is_careful or is_older or len(group) > 1
        self._look_for_lost = look_for_lost
        self._rejects: dict[str, list[Reject]] = {staging.table.name: [] for staging in group}

    async def run(self) -> list[Outcome]:
        """Brings all in, and gives what became of them.

        Usually each record stands there once and refers to others that are there, and one statement does it. Where that
        fails, references are looked after first, and of a record that stands there more than once each version comes by
        itself.
        """
        is_sifted, is_by_version, are_apart = False, False, False
        while True:
            try:
                if self._is_careful:
                    await self._take_out_orphans()
                async with attempt(self._connection):
                    return await self._bring(is_by_version=is_by_version)
            except asyncpg.ForeignKeyViolationError:
                if self._is_careful:
                    raise
                self._is_careful = True
            except (asyncpg.CardinalityViolationError, _Repeated):
                if is_by_version:
                    raise
                is_by_version = self._is_careful = True
            except OF_THE_ROW:
                if are_apart:
                    raise
                if is_sifted and not self._is_careful:
                    self._is_careful = True  # so that none is missed by what comes next
                    continue
                # Where each record by itself could be brought in, but not all of them together, the later ones go.
                for staging in self._group:
                    self._refuse(staging, await self._take_out_faulty(staging, are_together=is_sifted))
                is_sifted, are_apart = True, is_sifted

    def _refuse(self, staging: Staging, rejects: Sequence[Reject]) -> None:
        self._rejects[staging.table.name] += rejects

    async def _bring(self, *, is_by_version: bool) -> list[Outcome]:
        if len(self._group) > 1:
            await self._connection.execute("SET CONSTRAINTS ALL DEFERRED")
        outcomes = []
        for staging in self._group:
            rejects = self._rejects[staging.table.name]
            count = staging.count - len(rejects)
            loaded = await (self._bring_versions(staging) if is_by_version else self._bring_all(staging, count))
            counts = TableCounts(0, loaded, count - loaded, len(rejects))
            outcomes.append(Outcome(staging.table.name, counts, rejects))
        if len(self._group) > 1:
            await self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return outcomes

    async def _bring_all(self, staging: Staging, count: int) -> int:
        """Brings all of so many records in at once; raises _Repeated where one stands there more than once."""
        changed = await staging.execute("insert" if self._is_older else "upsert")
        # What is all new holds no record twice; and of what is all known it does not matter.
        if 0 < changed < count and await self._connection.fetchval(staging.statement("repeated")):
            raise _Repeated
        return changed

    async def _bring_versions(self, staging: Staging) -> int:
        """The first version of each record, then the second of each that has one: the database sees what differs."""
        if self._is_older:
            await staging.execute("known")
        with Spool() as spool:
            async with attempt(self._connection, is_kept=False):
                cursor = await self._connection.cursor(staging.statement("versions"))
                while records := await cursor.fetch(ROWS_AT_ONCE):
                    for version, some in groupby(records, key=itemgetter("_aetl_version")):
                        spool.add((version, [staging.numbered(record) for record in some]))
            await staging.execute("first")
            changed = await staging.execute("upsert")
            await self._look_for_lost(staging)
            for _, pieces in groupby(spool, key=itemgetter(0)):
                await staging.execute("clear")
                for _, some in pieces:
                    await staging.copy(some)
                changed += await staging.execute("upsert")
                await self._look_for_lost(staging)
        return changed

    async def _take_out_orphans(self) -> None:
        """What refers to nothing, then what refers to that, and so on."""
        within = {staging.table.name for staging in self._group}
        async with attempt(self._connection):
            found = []
            for staging in self._group:
                for reference in staging.references:
                    if reference.table not in within:
                        records = await self._connection.fetch(staging.about(reference, "orphans"))
                        found.append((staging, [(staging.numbered(each), reference.column) for each in records]))
            found += await self._take_out_chains()
            rejects = [(staging, await self._reasons(staging, orphans)) for staging, orphans in found]
        for staging, refused in rejects:
            self._refuse(staging, refused)

    async def _take_out_chains(self) -> list[tuple[Staging, list[tuple[Numbered, str]]]]:
        """Those that refer, within the group, to nothing or only to such; each with the column."""
        by_name = {staging.table.name: staging for staging in self._group}
        within = [(each, own) for each in self._group for own in each.references if own.table in by_name]
        if not await self._is_any_lost(within, by_name):
            return []
        found = []
        with closing(Closure()) as closure:
            numbers = {staging.table.name: number for number, staging in enumerate(self._group)}
            for name in {reference.table for _, reference in within}:
                async with attempt(self._connection, is_kept=False):
                    cursor = await self._connection.cursor(by_name[name].statement("offered"))
                    while records := await cursor.fetch(ROWS_AT_ONCE):
                        closure.offer(
                            (f"{numbers[name]} {value}", position * len(numbers) + numbers[name])
                            for value, position in records
                        )
            for staging, reference in within:
                own, other = numbers[staging.table.name], numbers[reference.table]
                async with attempt(self._connection, is_kept=False):
                    cursor = await self._connection.cursor(staging.about(reference, "wanted"))
                    while records := await cursor.fetch(ROWS_AT_ONCE):
                        closure.want((f"{other} {value}", position * len(numbers) + own) for value, position in records)
            await asyncio.to_thread(closure.settle)
            lost = closure.lost()
            while some := list(islice(lost, ROWS_AT_ONCE)):
                for number, staging in enumerate(self._group):
                    positions = [each // len(numbers) for each in some if each % len(numbers) == number]
                    records = await self._connection.fetch(staging.statement("take_out"), positions)
                    columns = [each.column for each in staging.references if each.table in by_name]
                    orphans = [(staging.numbered(each), _first_of(each, columns)) for each in records]
                    found.append((staging, orphans))
        return found

    async def _is_any_lost(self, within: Sequence[tuple[Staging, Reference]], by_name: dict[str, Staging]) -> bool:
        """Whether anything is wanted that is neither stored nor waits: where not, all references are fine."""
        for staging, reference in within:
            statement = staging.with_names(
                "is_lost",
                wanted=staging.about(reference, "wanted"),
                offered=by_name[reference.table].statement("offered"),
            )
            if await self._connection.fetchval(statement):
                return True
        return False

    async def _reasons(self, staging: Staging, orphans: Sequence[tuple[Numbered, str]]) -> list[Reject]:
        """Why some are out that refer to nothing: it may be that the database refuses them for themselves as well."""

        async def try_alone(some: Sequence[Numbered]) -> None:
            async with attempt(self._connection, is_kept=False):
                await staging.execute("clear")
                await staging.copy(some)
                with suppress(asyncpg.ForeignKeyViolationError):
                    await staging.execute("insert")

        rejects = []
        for start in range(0, len(orphans), ROWS_AT_ONCE):
            some = orphans[start : start + ROWS_AT_ONCE]
            sifted = await staging.sift([numbered for numbered, _ in some], try_alone)
            faults = {reject.position: reject for reject in sifted}
            for (position, row), column in some:
                rejects.append(faults.get(position) or reject_orphan(staging.table, row, position, column))
        return rejects

    async def _take_out_faulty(self, staging: Staging, *, are_together: bool) -> list[Reject]:
        """Takes out of the temporary table what a table's own types and constraints refuse.

        Each record is tried by itself, or with all before it that were good.
        """

        async def try_on_top(some: Sequence[Numbered]) -> None:
            await staging.execute("clear")
            try:
                async with attempt(self._connection):
                    await staging.copy(some)
                    await self._bring_versions(staging)
            except asyncpg.ForeignKeyViolationError:
                if len(some) > 1:
                    raise
                # What it refers to comes later in the same table, or was refused; then it is found next.

        left_behind = 0

        async def try_to_bring(some: Sequence[Numbered]) -> None:
            nonlocal left_behind
            if left_behind > ROWS_AT_ONCE:  # what is undone lies there still, and is read past each time
                await staging.execute("clear")
                left_behind = 0
            left_behind += len(some)
            async with attempt(self._connection, is_kept=False):
                await staging.copy(some)
                with suppress(asyncpg.ForeignKeyViolationError):  # what it refers to may be among the others
                    async with attempt(self._connection, is_kept=False):
                        await staging.execute("insert")  # looks at each version, also where it is known
                if not self._is_older:
                    with suppress(asyncpg.ForeignKeyViolationError):
                        await self._bring_versions(staging)

        rejects: list[Reject] = []
        with Spool() as spool:
            async with attempt(self._connection, is_kept=False):
                cursor = await self._connection.cursor(staging.statement("staged"))
                while records := await cursor.fetch(ROWS_AT_ONCE):
                    spool.add([staging.numbered(record) for record in records])
            await staging.execute("clear")
            async with attempt(self._connection, is_kept=not are_together):
                for some in spool:
                    rejects += await staging.sift(some, try_on_top if are_together else try_to_bring)
            refused = {reject.position for reject in rejects}
            for some in spool:
                if kept := [each for each in some if each[0] not in refused]:
                    await staging.copy(kept)
        return rejects


def _first_of(record: asyncpg.Record, columns: Sequence[str]) -> str:
    """The first of some columns in which a record has a value."""
    return next(each for each in columns if record[each] is not None)
