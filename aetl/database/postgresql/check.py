"""Finds out what would go wrong with a PostgreSQL database tonight."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from aetl.config import Changes
from aetl.database.changes import Differences, check_made, compare
from aetl.database.postgresql.dump import check_columns
from aetl.database.postgresql.errors import ERRORS, as_aetl_error
from aetl.database.postgresql.schema import (
    PostgreSQLTable,
    apply,
    find_tables,
    lacking_references,
    make_key,
    make_references,
)
from aetl.database.postgresql.session import Connection, fetch
from aetl.database.postgresql.triggers import guards
from aetl.errors import ConfigurationError, DatabaseInaccessible
from aetl.models import Finding
from aetl.sql import LEDGER, Statements

OLDEST = 15
"""The oldest version that the tests run with."""
_RIGHTS = "Give this role the rights that docs/postgresql.md lists."
_OPERATIONS = ("upsert", "insert", "staged", "repeated", "versions", "first", "known", "lost", "altered")


async def examine(
    connection: Connection, name: str, schema: str, statements: Statements, changes: Changes, *, version: int
) -> AsyncIterator[Finding]:
    """The findings on the server, this role's rights and the statements. What is tried is rolled back.

    `version` is that of the ledger, 0 without one.
    """
    yield _server(connection, name, schema)
    found = await find_tables(connection, schema, statements)
    differences = compare(statements, found)
    names = [*found, *LEDGER] if version else []
    for row in await fetch(connection, statements.ledger["lacking"], {"schema": schema, "names": names}):
        yield Finding("failure", "database", f"this role lacks {row['privilege']} on {row['names']}", _RIGHTS)
    altered = {change.table for change in differences.changes} & found.keys() if changes == "apply" else set()
    if 0 < version < statements.version:
        altered.add(LEDGER[0])
    parameters = {"schema": schema, "names": list(altered)}
    for (table,) in await fetch(connection, statements.ledger["not_owned"], parameters):
        message = f"this role does not own the table {table}, and so cannot add to it what the next load needs"
        yield Finding("failure", "database", message, "Have its owner load once, or make this role its owner.")
    for guard in await guards(connection, schema, statements):
        if guard.comes_first:
            advice = "A load fails where records are not there afterwards, and warns where they have other values."
            yield Finding("warning", "database", f"{guard} may change or drop what a load writes", advice)
    for finding in differences.findings(statements, changes):
        yield finding
    transaction = connection.transaction()
    await transaction.start()
    try:
        await _try_out(connection, schema, statements, found, version=version)
    except ConfigurationError as error:
        yield Finding("failure", "SQL", str(error), error.hint)
    except ERRORS as error:
        raised = as_aetl_error(error, name)
        subject = "database" if isinstance(raised, DatabaseInaccessible) else "SQL"
        yield Finding("failure", subject, f"{statements.source}: {raised}", raised.hint)
    else:
        yield Finding("ok", "SQL", f"{statements.source} and {name} agree")
    finally:
        await transaction.rollback()


def _server(connection: Connection, name: str, schema: str) -> Finding:
    version = connection.get_settings().server_version.partition(" ")[0]
    if connection.get_server_version().major < OLDEST:
        message = f"the server of {name} is PostgreSQL {version}, older than aetl is tested with"
        return Finding("warning", "database", message, f"Use {OLDEST} or newer.")
    return Finding("ok", "database", f"{name} can be reached, schema {schema}: PostgreSQL {version}, UTF-8")


async def _try_out(
    connection: Connection, schema: str, statements: Statements, there: Mapping[str, PostgreSQLTable], *, version: int
) -> None:
    """Makes what is missing, and has the server understand every statement of a load.

    Tables to which a load adds something are left as they are: whoever reads them need not wait for this.
    """
    for statement in statements.ledger_create if not version else ():
        await connection.execute(statement)
    differences = compare(statements, there)
    made = [change for change in differences.changes if change.is_table]
    await apply(connection, statements, Differences(made, (), ()))
    found = await find_tables(connection, schema, statements)
    check_made(statements, found, [change.table for change in made])
    for change in made:
        await make_key(connection, statements, statements.tables[change.table], found[change.table])
    for name, references in lacking_references(statements, made, found).items():
        await make_references(connection, statements, name, references)
    others = {each.table for each in differences.changes} | {each.table for each in differences.refusals}
    others -= {each.table for each in made}
    for table in (table for name, table in statements.tables.items() if name not in others):
        await connection.execute(statements.of(table.name, "stage"))
        for operation in ("upsert_keys", *_OPERATIONS[1:-1]) if table.is_all_key else _OPERATIONS:
            await connection.prepare(statements.of(table.name, operation))
        for statement in statements.references(table.name, "orphans"):
            await connection.prepare(statement)
        select = statements.of(table.name, "select")
        check_columns(statements, table, await connection.prepare(select))
        await connection.prepare(statements.with_names(table.name, "by_key", select=select))
