"""One export on its way into a PostgreSQL database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress

from aetl.contract.tables import Reference, in_groups
from aetl.database import BeginAgain
from aetl.database.ledger import Ledger
from aetl.database.postgresql.errors import ERRORS, postgresql_errors
from aetl.database.postgresql.merging import Merging
from aetl.database.postgresql.schema import PostgreSQLTable, make_key, make_references
from aetl.database.postgresql.session import Connection
from aetl.database.postgresql.staging import OF_THE_ROW, Staging
from aetl.database.postgresql.triggers import Guard, look_for_lost
from aetl.models import CheckedBatch, LoadReport, Outcome, Reject, TableCounts
from aetl.sql import Statements

_BATCHES_AT_ONCE = 8
"""As many batches go to the server as one: a quarter quicker than each by itself."""
_FEW = 25
"""A batch of fewer records, cut from a quarter of a MiB, is one of large ones, and waits for no other."""


class PostgreSQLLoad:
    """Writes batches inside a transaction that its owner begins and ends.

    Records wait in temporary tables on the server until every one is there, so an export's arrays may stand in any
    order, and a table is brought in by one statement. Where `is_straight`, they go at once into a table that this load
    made, and its keys are made after them; if a record stands there twice then, or refers to nothing, settle raises
    BeginAgain.

    `is_older` says that a newer export is loaded already: its records stay as they are.
    """

    def __init__(
        self,
        connection: Connection,
        name: str,
        schema: str,
        statements: Statements,
        ledger: Ledger,
        load_id: int,
        found: Mapping[str, PostgreSQLTable],
        *,
        changes: Sequence[str],
        made: Set[str],
        lacking: Mapping[str, Sequence[Reference]],
        guards: Sequence[Guard],
        is_older: bool,
        is_straight: bool,
    ) -> None:
        self.load_id = load_id
        self.changes = changes
        self.is_finished = False
        self._connection = connection
        self._name = name
        self._statements = statements
        self._ledger = ledger
        self._found = found
        self._made = made
        self._lacking = lacking
        self._guards = guards
        self._is_older = is_older
        references = {
            name: list(dict.fromkeys((*table.references, *found[name].references)))
            for name, table in statements.tables.items()
        }
        self._groups = in_groups({name: {each.table for each in own} for name, own in references.items()})
        self._staging = {
            table: Staging(
                connection,
                schema,
                statements,
                statements.tables[table],
                references[table],
                is_at_once=is_straight and all(map(self._takes_all, group)),
            )
            for group in self._groups
            for table in group
        }
        self._refused: list[Outcome] = []
        self._waiting: list[CheckedBatch] = []
        self._copying: asyncio.Task[None] | None = None

    def _takes_all(self, name: str) -> bool:
        """Whether this load made a table, which takes whatever its temporary table would."""
        columns, staged = self._found[name].columns, self._statements.dialect.more["staged"]
        is_alike = all(
            each.name in columns and columns[each.name].type == staged[each.type]
            for each in self._statements.tables[name].columns
        )
        return name in self._made and self._found[name].is_bare and is_alike

    def _lacks_foreign_key(self, staging: Staging) -> bool:
        """Whether the database itself would take a record that refers to nothing."""
        name = staging.table.name
        return not {*self._found[name].references, *self._lacking.get(name, ())}.issuperset(staging.references)

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
            try:
                for name in self._made:
                    table = self._statements.tables[name]
                    await make_key(self._connection, self._statements, table, self._found[name])
                brought = [outcome for group in self._groups for outcome in await self._bring_in(group)]
            except OF_THE_ROW as error:
                if not any(staging.is_at_once for staging in self._staging.values()):
                    raise
                raise BeginAgain(str(error)) from error
            if self._guards:
                await self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what a trigger puts off comes now
                for staging in self._staging.values():
                    await self._look_for_lost(staging)
            return self._refused + brought

    async def _bring_in(self, group: Sequence[str]) -> list[Outcome]:
        for name in group:
            await make_references(self._connection, self._statements, name, self._lacking.get(name, ()))
        some = [self._staging[name] for name in group]
        outcomes = [Outcome(each.table.name, TableCounts(0, each.count)) for each in some]
        if not some[0].is_at_once:
            outcomes = await Merging(
                self._connection,
                some,
                is_older=self._is_older,
                is_careful=any(self._lacks_foreign_key(each) for each in some),
                look_for_lost=self._look_for_lost,
            ).run()
            for outcome in outcomes:
                await self._ledger.keep_rejects(self.load_id, outcome.rejects)
        return outcomes

    async def end(self) -> None:
        """Breaks off what a load that failed was still doing, so that it can be rolled back."""
        if self._copying is not None:
            self._copying.cancel()
            with suppress(asyncio.CancelledError, *ERRORS):
                await self._copied()

    async def finish(self, report: LoadReport) -> None:
        await self._ledger.finish(self.load_id, report)
        self.is_finished = True

    async def keep_rejects(self, rejects: Sequence[Reject]) -> None:
        """Keeps rejects beside the ledger."""
        await self._ledger.keep_rejects(self.load_id, rejects)

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

    async def _copy(self, batches: Sequence[CheckedBatch]) -> None:
        """Copies the records of one table to where they go first; what PostgreSQL cannot hold is refused."""
        for batch in batches:
            await self.keep_rejects(batch.rejects)
        positions = [position for batch in batches for position in batch.positions]
        rows = [row for batch in batches for row in batch.rows]
        if rows and (rejects := await self._staging[batches[0].table].take(positions, rows)):
            await self.keep_rejects(rejects)
            self._refused.append(Outcome(batches[0].table, TableCounts(rejected=len(rejects)), rejects))

    async def _look_for_lost(self, staging: Staging) -> None:
        if self._guards and not staging.is_at_once:
            await look_for_lost(self._connection, staging, self._guards, self._name, is_older=self._is_older)
