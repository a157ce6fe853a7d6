"""Triggers and rules that others put on a table, and what became of the records that a load brought there."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aetl.database.postgresql.session import Connection, fetch
from aetl.database.postgresql.staging import Staging
from aetl.errors import DatabaseNotOurs, DatabaseRefused
from aetl.sql import LEDGER, Statements

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Guard:
    """A trigger or rule; `comes_first` says that it may put something else in a row's place, or nothing."""

    table: str
    kind: str
    name: str
    comes_first: bool

    def __str__(self) -> str:
        return f"the {self.kind} {self.name} on the table {self.table}"


async def guards(connection: Connection, schema: str, statements: Statements) -> Sequence[Guard]:
    """Those on the contract's tables and on the ledger's."""
    parameters = {"schema": schema, "names": [*statements.tables, *LEDGER]}
    return [Guard(*row) for row in await fetch(connection, statements.ledger["guards"], parameters)]


def refuse_on_ledger(found: Iterable[Guard], name: str) -> None:
    """Raises DatabaseNotOurs where a row of the ledger's may not stay as it was written."""
    for guard in found:
        if guard.table in LEDGER and guard.comes_first:
            raise DatabaseNotOurs(
                f"{guard} in the database {name} may change what aetl notes there",
                hint="Drop or disable it; one AFTER each row, or each statement, is fine.",
            )


async def look_for_lost(
    connection: Connection, staging: Staging, found: Sequence[Guard], name: str, *, is_older: bool
) -> None:
    """Raises DatabaseRefused where records of the temporary table are not in the table itself.

    One that is there with other values is warned of; of an older export it may be.
    """
    table = staging.table
    if lost := await connection.fetchval(staging.statement("lost")):
        by = ", ".join(f"{guard.kind} {guard.name} on {guard.table}" for guard in found)
        raise DatabaseRefused(
            f"the database {name} did not keep {lost} records of the table {table.name} that were written there: {by}",
            hint="Drop or disable what removes them, and load again.",
        )
    if is_older or table.is_all_key:
        return
    if altered := await connection.fetchval(staging.statement("altered")):
        _LOG.warning(
            "%s records of %s are there with other values than the export's: see its triggers", altered, table.name
        )
