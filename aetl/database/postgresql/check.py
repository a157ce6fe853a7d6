"""Finds out what would go wrong with a PostgreSQL database tonight."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aetl.database.postgresql.errors import ERRORS, as_aetl_error
from aetl.database.postgresql.schema import tables_there
from aetl.database.postgresql.session import Connection, fetch
from aetl.database.postgresql.statements import Statements
from aetl.database.postgresql.triggers import guards
from aetl.database.statements import LEDGER
from aetl.errors import DatabaseInaccessible
from aetl.models import Finding

OLDEST = 15
"""The oldest version that the tests run with."""
_RIGHTS = "Give this role the rights that docs/postgresql.md lists."


async def examine(
    connection: Connection, name: str, schema: str, statements: Statements, *, is_new: bool
) -> AsyncIterator[Finding]:
    """The findings on the server, this role's rights and the statements. What is tried is rolled back."""
    version = connection.get_settings().server_version.partition(" ")[0]
    if connection.get_server_version().major < OLDEST:
        yield Finding(
            "warning",
            "database",
            f"the server of {name} is PostgreSQL {version}, older than aetl is tested with",
            f"Use {OLDEST} or newer.",
        )
    else:
        yield Finding("ok", "database", f"{name} can be reached, schema {schema}: PostgreSQL {version}, UTF-8")
    there = await tables_there(connection, schema, statements)
    names = [] if is_new else [*there, *LEDGER]
    for row in await fetch(connection, statements.ledger["lacking"], {"schema": schema, "names": names}):
        yield Finding("failure", "database", f"this role lacks {row['privilege']} on {row['names']}", _RIGHTS)
    for guard in await guards(connection, schema, statements):
        if guard.comes_first:
            advice = "A load fails where records are not there afterwards, and warns where they have other values."
            yield Finding("warning", "database", f"{guard} may change or drop what a load writes", advice)
    transaction = connection.transaction()
    await transaction.start()
    try:
        for statement in statements.ledger_create if is_new else ():
            await connection.execute(statement)
        for table in statements.tables.values():
            for statement in (table.create, *table.keys) if table.name not in there else ():
                await connection.execute(statement)
            await connection.execute(table.stage)
        for table in statements.tables.values():
            for statement in (table.upsert, table.insert, table.restage, table.staged, table.clear, table.select):
                await connection.prepare(statement)
            for statement in table.parents.values():
                await connection.prepare(statement)
    except ERRORS as error:
        found = as_aetl_error(error, name)
        subject = "database" if isinstance(found, DatabaseInaccessible) else "SQL"
        yield Finding("failure", subject, f"{statements.source}: {found}", found.hint)
    else:
        yield Finding("ok", "SQL", f"{statements.source} and {name} agree")
        if missing := ", ".join(table for table in statements.tables if table not in there):
            yield Finding("ok", "database", f"{name} has no {missing} yet; the next load creates what is missing")
    finally:
        await transaction.rollback()
