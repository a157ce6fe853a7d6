"""The contract's tables as a schema holds them: what is there of each, and what makes what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from aetl.contract.tables import Reference, Table
from aetl.database.postgresql.session import Connection, fetch
from aetl.sql import Statements


@dataclass(frozen=True)
class Found:
    """What is there, by the tables' names: a table that is not there is missing in `types`.

    `types` are those of the columns; `bare` the tables that take whatever has these types; `references` the foreign
    keys, each of one column, to tables of the contract.
    """

    types: Mapping[str, Mapping[str, str]]
    bare: Set[str]
    keys: Mapping[str, tuple[str, ...]]
    indexes: Mapping[str, Set[tuple[str, ...]]]
    references: Mapping[str, Sequence[Reference]]


async def look(connection: Connection, schema: str, statements: Statements) -> Found:
    """Looks at the contract's tables in a schema, and has the statements know the types of their columns."""
    parameters = {"schema": schema, "names": list(statements.tables)}
    columns = await fetch(connection, statements.ledger["columns"], parameters)
    indexes = await fetch(connection, statements.ledger["indexes"], parameters)
    references = await fetch(connection, statements.ledger["references"], parameters)
    types: dict[str, dict[str, str]] = {}
    for row in columns:
        types.setdefault(row["table"], {})[row["column"]] = row["type"]
    statements.for_types(types)
    return Found(
        types,
        {row["table"] for row in columns if row["is_bare"]},
        {row["table"]: tuple(row["columns"]) for row in indexes if row["is_key"]},
        {name: {tuple(row["columns"]) for row in indexes if row["table"] == name} for name in types},
        {
            name: [
                Reference(row["column"], row["parent"], row["target"])
                for row in references
                if row["table"] == name
                and row["column"] in statements.tables[name].names
                and row["parent"] in statements.tables
            ]
            for name in types
        },
    )


def referring(table: Table, found: Found) -> list[Reference]:
    """A table's references: the contract's, and those that only the database knows."""
    return list(dict.fromkeys((*table.references, *found.references[table.name])))


async def make_key(connection: Connection, statements: Statements, table: Table, found: Found) -> None:
    """Gives a table its key and its indexes, as far as it has none."""
    if table.name not in found.keys:
        await connection.execute(statements.of(table.name, "key"))
    for columns in table.indexes:
        if columns not in found.indexes[table.name]:
            await connection.execute(statements.index(table.name, columns))


async def make_references(connection: Connection, statements: Statements, table: Table, found: Found) -> None:
    """Gives a table the foreign keys that it lacks; the tables that they refer to have their keys."""
    for reference in table.references:
        if reference not in found.references[table.name]:
            await connection.execute(statements.reference(table.name, "reference", reference))
