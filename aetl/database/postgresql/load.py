"""One export on its way into a PostgreSQL database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from typing import Any

import asyncpg

from aetl.database.ledger import finished, rejected
from aetl.database.postgresql.errors import ERRORS, postgresql_errors
from aetl.database.postgresql.session import Connection, attempt, execute_many, fetch
from aetl.database.postgresql.staging import OF_THE_ROW, ROWS_AT_ONCE, Placed, Staging
from aetl.database.postgresql.statements import Statements, TableStatements
from aetl.database.postgresql.triggers import Guard, look_for_lost
from aetl.database.rejects import reject_orphan
from aetl.database.spool import Spool
from aetl.models import CheckedBatch, LoadReport, Outcome, Reject, TableCounts

_BATCHES_AT_ONCE = 8
"""As many batches go to the server as one: a quarter quicker than each by itself."""
_FEW = 25
"""A batch of fewer records, cut from a quarter of a MiB, is one of large ones, and waits for no other."""


class _Repeated(Exception):
    """An export holds a record more than once."""


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
        schema: str,
        statements: Statements,
        columns: Mapping[str, Sequence[str]],
        load_id: int,
        *,
        is_older: bool,
        made: frozenset[str],
        guards: Sequence[Guard],
    ) -> None:
        self.load_id = load_id
        self.changes: list[str] = []
        self.is_finished = False
        self._connection = connection
        self._name = name
        self._statements = statements
        self._is_older = is_older
        self._guards = guards
        self._staging = {
            table: Staging(connection, schema, statements, table, columns[table], is_made=table in made)
            for table in statements.tables
        }
        self._refused: list[Outcome] = []
        self._waiting: list[CheckedBatch] = []
        self._copying: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Makes the temporary tables."""
        for staging in self._staging.values():
            await staging.begin()

    async def write(self, batch: CheckedBatch) -> Outcome:
        with postgresql_errors(self._name):
            if self._waiting and self._waiting[0].table != batch.table:
                await self._send()
            self._waiting.append(batch)
            if len(self._waiting) == _BATCHES_AT_ONCE or batch.read < _FEW:
                await self._send()
        return Outcome(batch.table, TableCounts(batch.read, rejected=len(batch.rejects)))

    async def settle(self) -> list[Outcome]:
        with postgresql_errors(self._name):
            await self._send()
            await self._copied()
            brought = [await self._bring_in(staging) for staging in self._staging.values()]
            if self._guards:
                await self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what a trigger puts off comes now
                for staging in self._staging.values():
                    await self._look_for_lost(staging)
            return self._refused + brought

    async def end(self) -> None:
        """Breaks off what a load that failed was still doing, so that it can be rolled back."""
        if self._copying is not None:
            self._copying.cancel()
            with suppress(asyncio.CancelledError, *ERRORS):
                await self._copied()

    async def _send(self) -> None:
        """Has the server take in the batches that wait, while the next ones are cut and checked."""
        await self._copied()
        batches, self._waiting = self._waiting, []
        self._copying = asyncio.create_task(self._copy(batches))
        await asyncio.sleep(0)  # begin it before the next batch is cut

    async def _copied(self) -> None:
        """Waits until what was sent last is on the server."""
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

    async def _copy(self, batches: Sequence[CheckedBatch]) -> None:
        """Copies the records of one table to where they go first; what PostgreSQL cannot hold is refused."""
        for batch in batches:
            await self.keep_rejects(batch.rejects)
        positions = [position for batch in batches for position in batch.positions]
        rows = [row for batch in batches for row in batch.rows]
        if rows and (rejects := await self._staging[batches[0].table].take(positions, rows)):
            await self.keep_rejects(rejects)
            self._refused.append(Outcome(batches[0].table, TableCounts(rejected=len(rejects)), rejects))

    async def _bring_in(self, staging: Staging) -> Outcome:
        name = staging.table.name
        if staging.is_made:
            if staging.is_at_once:
                try:
                    async with attempt(self._connection):
                        await self._make_keys(staging.table)
                    return Outcome(name, TableCounts(0, staging.count))
                except OF_THE_ROW:
                    await staging.take_back()
            await self._make_keys(staging.table)
        loaded, rejects = await self._merge(staging)
        await self.keep_rejects(rejects)
        unchanged = staging.count - len(rejects) - loaded
        return Outcome(name, TableCounts(0, loaded, unchanged, len(rejects)), rejects)

    async def _make_keys(self, table: TableStatements) -> None:
        for statement in table.keys:
            await self._connection.execute(statement)

    async def _merge(self, staging: Staging) -> tuple[int, list[Reject]]:
        """Brings in what is in the temporary table: the number of records new or changed, and the rejects.

        Usually each record stands there once and refers to others that are there, and one statement does it. Where that
        fails, or would hide something (of an older export only what is new would be looked at), references are
        looked after first, and of a record that stands there more than once each version comes by itself.
        """
        rejects: list[Reject] = []
        is_sifted, is_by_version, are_references_sure, are_apart = False, False, False, False
        while True:
            if self._is_older or is_by_version or are_references_sure:
                rejects += await self._take_out_orphans(staging)
            try:
                async with attempt(self._connection):
                    if is_by_version:
                        return await self._bring_versions(staging), rejects
                    return await self._bring(staging, staging.count - len(rejects)), rejects
            except asyncpg.ForeignKeyViolationError:
                if self._is_older or is_by_version or are_references_sure:
                    raise
                are_references_sure = True
            except (asyncpg.CardinalityViolationError, _Repeated):
                if is_by_version:
                    raise
                is_by_version = True
            except OF_THE_ROW:
                if are_apart:
                    raise
                if is_sifted and not (self._is_older or is_by_version or are_references_sure):
                    are_references_sure = True  # so that none is missed by what comes next
                    continue
                # Where each record by itself could be brought in, but not all of them together, the later ones go.
                rejects += await self._take_out_faulty(staging, are_together=is_sifted)
                is_sifted, are_apart = True, is_sifted

    async def _bring(self, staging: Staging, count: int) -> int:
        """Brings all of so many records in at once; raises _Repeated where one stands there more than once."""
        changed = await self._changed_by(staging.table.insert if self._is_older else staging.table.upsert)
        # What is all new holds no record twice; and of what is all known it does not matter.
        if 0 < changed < count and await self._connection.fetchval(staging.filled_in("repeated")):
            raise _Repeated
        return changed

    async def _changed_by(self, statement: str) -> int:
        return int((await self._connection.execute(statement)).rpartition(" ")[2])

    async def _bring_versions(self, staging: Staging) -> int:
        """The first version of each record, then the second of each that has one: the database sees what differs."""
        if self._is_older:
            await self._connection.execute(await staging.by_key("known"))
        with Spool() as spool:
            async with attempt(self._connection, is_kept=False):
                cursor = await self._connection.cursor(staging.filled_in("versions"))
                while records := await cursor.fetch(ROWS_AT_ONCE):
                    for version, some in groupby(records, key=itemgetter("_aetl_version")):
                        spool.add((version, [staging.as_staged(record) for record in some]))
            await self._connection.execute(staging.filled_in("first"))
            changed = await self._changed_by(staging.table.upsert)
            await self._look_for_lost(staging)
            for _, pieces in groupby(spool, key=itemgetter(0)):
                await self._connection.execute(staging.table.clear)
                for _, placed in pieces:
                    await staging.stage(*zip(*placed, strict=True))
                changed += await self._changed_by(staging.table.upsert)
                await self._look_for_lost(staging)
        return changed

    async def _look_for_lost(self, staging: Staging) -> None:
        if self._guards:
            await look_for_lost(self._connection, staging, self._guards, self._name, is_older=self._is_older)

    async def _take_out_orphans(self, staging: Staging) -> list[Reject]:
        """What refers to nothing, then what refers to that, and so on."""
        rejects: list[Reject] = []
        is_found = True
        while is_found:
            is_found = False
            for column, statement in staging.table.parents.items():
                records = await self._connection.fetch(statement)
                is_found |= bool(records)
                rejects += await self._reasons(staging, [(staging.placed(record), column) for record in records])
            if is_found:
                # Statement by statement that would be one more for each record of a chain.
                rejects += await self._reasons(staging, [each async for each in staging.take_out_chains()])
        return rejects

    async def _reasons(self, staging: Staging, orphans: Sequence[tuple[Placed, str]]) -> list[Reject]:
        """Why some are out that refer to nothing: it may be that the database refuses them for themselves as well."""

        async def try_alone(some: Sequence[Placed]) -> None:
            async with attempt(self._connection, is_kept=False):
                await self._connection.execute(staging.table.clear)
                await staging.stage(*zip(*some, strict=True))
                with suppress(asyncpg.ForeignKeyViolationError):
                    await self._connection.execute(staging.table.insert)

        rejects = []
        for start in range(0, len(orphans), ROWS_AT_ONCE):
            some = orphans[start : start + ROWS_AT_ONCE]
            sifted = await staging.sift([placed for placed, _ in some], try_alone)
            faults = {reject.position: reject for reject in sifted}
            for (position, row), column in some:
                orphan = faults.get(position) or reject_orphan(
                    staging.table.name, staging.columns, row, position, column
                )
                rejects.append(orphan)
        return rejects

    async def _take_out_faulty(self, staging: Staging, *, are_together: bool) -> list[Reject]:
        """Takes out of the temporary table what a custom table's own types and constraints refuse.

        Each record is tried by itself, or with all before it that were good.
        """
        table = staging.table

        async def try_on_top(some: Sequence[Placed]) -> None:
            await self._connection.execute(table.clear)
            try:
                async with attempt(self._connection):
                    await staging.stage(*zip(*some, strict=True))
                    await self._bring_versions(staging)
            except asyncpg.ForeignKeyViolationError:
                if len(some) > 1:
                    raise
                # What it refers to comes later in the same table, or was refused; then it is found next.

        left_behind = 0

        async def try_to_bring(some: Sequence[Placed]) -> None:
            nonlocal left_behind
            if left_behind > ROWS_AT_ONCE:  # what is undone lies there still, and is read past each time
                await self._connection.execute(table.clear)
                left_behind = 0
            left_behind += len(some)
            async with attempt(self._connection, is_kept=False):
                await staging.stage(*zip(*some, strict=True))
                with suppress(asyncpg.ForeignKeyViolationError):  # what it refers to may be among the others
                    async with attempt(self._connection, is_kept=False):
                        await self._connection.execute(table.insert)  # looks at each version, also where it is known
                if not self._is_older:
                    with suppress(asyncpg.ForeignKeyViolationError):
                        await self._bring_versions(staging)

        rejects: list[Reject] = []
        with Spool() as spool:
            async with attempt(self._connection, is_kept=False):
                cursor = await self._connection.cursor(table.staged)
                while records := await cursor.fetch(ROWS_AT_ONCE):
                    spool.add([staging.placed(record) for record in records])
            await self._connection.execute(table.clear)
            staging.is_ranked = False
            async with attempt(self._connection, is_kept=not are_together):
                for placed in spool:
                    rejects += await staging.sift(placed, try_on_top if are_together else try_to_bring)
            refused = {reject.position for reject in rejects}
            for placed in spool:
                if kept := [each for each in placed if each[0] not in refused]:
                    await staging.stage(*zip(*kept, strict=True))
        return rejects


def _without_nul(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A pointer may hold any key of the export's, and PostgreSQL no U+0000."""
    return {
        name: value.replace("\0", r"\u0000") if isinstance(value, str) else value for name, value in parameters.items()
    }
