"""Finds out what would go wrong with a PostgreSQL database tonight."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aetl.database.postgresql.dump import check_columns
from aetl.database.postgresql.errors import ERRORS, as_aetl_error
from aetl.database.postgresql.session import Connection, fetch
from aetl.database.postgresql.tables import look, make_key, make_references
from aetl.database.postgresql.triggers import guards
from aetl.errors import ConfigurationError, DatabaseInaccessible
from aetl.models import Finding
from aetl.sql import LEDGER, Statements

OLDEST = 15
"""The oldest version that the tests run with."""
_RIGHTS = "Give this role the rights that docs/postgresql.md lists."
_OPERATIONS = ("upsert", "insert", "staged", "repeated", "versions", "first", "known", "lost", "altered")


async def examine(
    connection: Connection, name: str, schema: str, statements: Statements, *, version: int
) -> AsyncIterator[Finding]:
    """The findings on the server, this role's rights and the statements. What is tried is rolled back.

    `version` is that of the ledger, 0 without one.
    """
    yield _server(connection, name, schema)
    there = (await look(connection, schema, statements)).types.keys()
    names = [*there, *LEDGER] if version else []
    for row in await fetch(connection, statements.ledger["lacking"], {"schema": schema, "names": names}):
        yield Finding("failure", "database", f"this role lacks {row['privilege']} on {row['names']}", _RIGHTS)
    if 0 < version < statements.version:
        parameters = {"schema": schema, "names": LEDGER[:1]}
        if await fetch(connection, statements.ledger["not_owned"], parameters):
            message = f"this role does not own {LEDGER[0]}, to which the next load adds columns"
            yield Finding("failure", "database", message, "Have its owner load once, or make this role its owner.")
        else:
            yield Finding("ok", "database", f"the next load brings the ledger to version {statements.version}")
    for guard in await guards(connection, schema, statements):
        if guard.comes_first:
            advice = "A load fails where records are not there afterwards, and warns where they have other values."
            yield Finding("warning", "database", f"{guard} may change or drop what a load writes", advice)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await _try_out(connection, schema, statements, version=version)
    except ConfigurationError as error:
        yield Finding("failure", "SQL", str(error), error.hint)
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


def _server(connection: Connection, name: str, schema: str) -> Finding:
    version = connection.get_settings().server_version.partition(" ")[0]
    if connection.get_server_version().major < OLDEST:
        message = f"the server of {name} is PostgreSQL {version}, older than aetl is tested with"
        return Finding("warning", "database", message, f"Use {OLDEST} or newer.")
    return Finding("ok", "database", f"{name} can be reached, schema {schema}: PostgreSQL {version}, UTF-8")


async def _try_out(connection: Connection, schema: str, statements: Statements, *, version: int) -> None:
    """Makes what is missing, and has the server understand every statement of a load."""
    for statement in statements.ledger_create if not version else ():
        await connection.execute(statement)
    there = (await look(connection, schema, statements)).types.keys()
    made = [table for name, table in statements.tables.items() if name not in there]
    for table in made:
        await connection.execute(statements.of(table.name, "create"))
    found = await look(connection, schema, statements)
    for make in (make_key, make_references):
        for table in made:
            await make(connection, statements, table, found)
    for table in statements.tables.values():
        await connection.execute(statements.of(table.name, "stage"))
        for operation in _OPERATIONS if len(table.key) < len(table.columns) else ("upsert_keys", *_OPERATIONS[1:-1]):
            await connection.prepare(statements.of(table.name, operation))
        for statement in statements.references(table.name, "orphans"):
            await connection.prepare(statement)
        select = statements.of(table.name, "select")
        check_columns(statements, table, await connection.prepare(select))
        await connection.prepare(statements.with_names(table.name, "by_key", select=select))
