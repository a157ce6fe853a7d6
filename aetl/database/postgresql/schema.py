"""The tables of a PostgreSQL schema as the database itself knows them, and what makes them the contract's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aetl.contract.tables import ColumnType, Reference, Table
from aetl.database.changes import Change, Differences, FoundColumn, FoundTable
from aetl.database.postgresql.session import Connection, fetch
from aetl.sql import Statements

_WHOLE: frozenset[ColumnType] = frozenset({"integer"})
_EXACT: frozenset[ColumnType] = frozenset({"integer", "number"})
_NEAR: frozenset[ColumnType] = frozenset({"number"})
_TEXT: frozenset[ColumnType] = frozenset({"text", "date-time", "date", "json"})
_MOMENT: frozenset[ColumnType] = frozenset({"text", "date-time"})
_JSON: frozenset[ColumnType] = frozenset({"text", "json"})
_OTHER: frozenset[ColumnType] = frozenset({"text"})
_HOLDS: Mapping[str, Collection[ColumnType]] = {
    "smallint": _WHOLE,
    "integer": _WHOLE,
    "bigint": _WHOLE,
    "numeric": _EXACT,
    "double precision": _NEAR,  # it rounds whole numbers beyond 2**53
    "real": _NEAR,
    "boolean": frozenset({"boolean"}),
    "text": _TEXT,
    "character varying": _TEXT,
    "character": _TEXT,
    "timestamp with time zone": _MOMENT,
    "timestamp without time zone": _MOMENT,
    "date": frozenset({"text", "date"}),
    "json": _JSON,
    "jsonb": _JSON,
}
"""A type by its name -> what it holds; any other, such as uuid or an enum, holds the texts that are its values."""


@dataclass(frozen=True)
class PostgreSQLTable(FoundTable):
    """`is_bare` says that nothing but the types of its columns decides what it takes.

    `references` are its foreign keys of one column to tables of the contract.
    """

    is_bare: bool = False
    references: Sequence[Reference] = ()


async def find_tables(connection: Connection, schema: str, statements: Statements) -> dict[str, PostgreSQLTable]:
    """Those of the contract's tables that are there; the statements follow the types of their columns from now on."""
    parameters = {"schema": schema, "names": list(statements.tables)}
    columns = await fetch(connection, statements.ledger["columns"], parameters)
    indexes = await fetch(connection, statements.ledger["indexes"], parameters)
    references = await fetch(connection, statements.ledger["references"], parameters)
    found = {}
    for name in dict.fromkeys(row["table"] for row in columns):
        own = [[row for row in rows if row["table"] == name] for rows in (columns, indexes, references)]
        found[name] = await _found(connection, statements, statements.tables[name], *own)
    types = {name: {column: each.type for column, each in table.columns.items()} for name, table in found.items()}
    statements.follow_types(types)
    return found


async def _found(
    connection: Connection,
    statements: Statements,
    table: Table,
    columns: Sequence[Any],
    indexes: Sequence[Any],
    references: Sequence[Any],
) -> PostgreSQLTable:
    there = {row["column"] for row in columns}
    is_empty = False
    if any(column.is_mandatory and column.name not in there for column in table.columns):
        is_empty = await connection.fetchval(statements.of(table.name, "is_empty"))
    return PostgreSQLTable(
        columns={
            row["column"]: FoundColumn(
                row["type"], _HOLDS.get(row["base"], _OTHER), row["is_mandatory"], row["has_default"]
            )
            for row in columns
        },
        primary_key=next((row["columns"] for row in indexes if row["is_primary"]), ()),
        keys=[frozenset(row["columns"]) for row in indexes if row["is_key"]],
        indexes={row["name"]: row["columns"] for row in indexes if not row["is_primary"]},
        is_empty=is_empty,
        key_name=next((row["name"] for row in indexes if row["is_primary"]), ""),
        is_bare=all(row["is_bare"] for row in columns),
        references=[
            Reference(row["column"], row["parent"], row["target"])
            for row in references
            if row["column"] in table.names and row["parent"] in statements.tables
        ],
    )


def lacking_references(
    statements: Statements, changes: Sequence[Change], found: Mapping[str, PostgreSQLTable]
) -> dict[str, list[Reference]]:
    """The foreign keys that what a load adds still lacks: they are made when all that they refer to have their keys."""
    lacking: dict[str, list[Reference]] = {}
    for change in changes:
        for reference in statements.tables[change.table].references:
            is_added = change.is_table or (change.column is not None and change.column.name == reference.column)
            if is_added and reference not in found[change.table].references:
                lacking.setdefault(change.table, []).append(reference)
    return lacking


async def apply(connection: Connection, statements: Statements, differences: Differences) -> None:
    """Changes the tables, inside a transaction; new ones are bare."""
    for change in differences.changes:
        await connection.execute(change.statement(statements))


async def make_key(connection: Connection, statements: Statements, table: Table, found: PostgreSQLTable) -> None:
    """Gives a table that was bare its key and its indexes, as far as it has none."""
    if frozenset(table.key) not in found.keys:
        await connection.execute(statements.of(table.name, "key"))
    for columns in table.indexes:
        if columns not in [tuple(each) for each in found.indexes.values()]:
            await connection.execute(statements.index(table.name, columns))


async def make_references(
    connection: Connection, statements: Statements, name: str, references: Sequence[Reference]
) -> None:
    """Gives a table foreign keys; the tables that they refer to have their keys."""
    for reference in references:
        await connection.execute(statements.reference(name, "reference", reference))
