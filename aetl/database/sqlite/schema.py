"""The tables of a SQLite file as the database itself knows them, and what makes them the contract's."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any

import aiosqlite

from aetl.contract.tables import ColumnType, Table
from aetl.database.changes import Differences, FoundColumn, FoundTable
from aetl.errors import TablesDiffer
from aetl.sql import Statements
from aetl.sql.statements import row_number

_TEXTS: frozenset[ColumnType] = frozenset({"text", "date-time", "date", "json"})
_NUMBERS: frozenset[ColumnType] = frozenset({"integer", "number", "boolean"})
_HOLDS: Mapping[str, Collection[ColumnType]] = {
    "TEXT": _TEXTS,
    "NUMERIC": _NUMBERS | {"date-time", "date"},  # what looks like no number stays a text
    "INTEGER": _NUMBERS,
    "REAL": frozenset({"number"}),  # it rounds whole numbers beyond 2**53
    "BLOB": _TEXTS | _NUMBERS,  # or no type at all: every value stays what it is
}
"""Affinity -> what comes back from such a column as it was (https://www.sqlite.org/datatype3.html, 3)."""


@dataclass(frozen=True)
class ForeignKey:
    """What the columns of a table refer to."""

    columns: tuple[str, ...]
    parent: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class SQLiteTable(FoundTable):
    """`has_rowid` says whether its rowid can be named as the statements do; `triggers` are others', by their names."""

    has_rowid: bool = True
    triggers: Sequence[str] = ()
    foreign_keys: Sequence[ForeignKey] = ()


async def find_tables(connection: aiosqlite.Connection, statements: Statements) -> dict[str, SQLiteTable]:
    """Those of the contract's tables that are there."""
    names = {folded(name): name for name in statements.tables}

    async def rows_of(query: str) -> Mapping[str, list[Any]]:
        """What a query says of each of the tables, whose name stands first in its rows."""
        rows = await connection.execute_fetchall(statements.ledger[query], {"names": json.dumps(list(names))})
        return {names[folded(name)]: list(each) for name, each in groupby(rows, key=itemgetter(0))}

    columns = await rows_of("columns")
    if not columns:
        return {}
    indexes, foreign_keys = await rows_of("indexes"), await rows_of("foreign_keys")
    schema = await connection.execute_fetchall(statements.ledger["schema"])
    found = {}
    for name, each in columns.items():
        table = statements.tables[name]
        there = {folded(column) for _, _, column, *_ in each}
        is_empty = False
        if any(column.is_mandatory and folded(column.name) not in there for column in table.columns):
            ((is_empty,),) = await connection.execute_fetchall(statements.of(name, "is_empty"))
        own = [row for row in schema if row[0] in ("index", "trigger") and folded(row[2]) == folded(name)]
        found[name] = replace(
            _found(table, names, each, indexes.get(name, []), foreign_keys.get(name, []), bool(is_empty)),
            more=[sql for *_, sql in own if sql is not None],
            triggers=[trigger for kind, trigger, *_ in own if kind == "trigger"],
        )
    return {name: replace(each, dangling=_dangling(each, found)) for name, each in found.items()}


def _dangling(table: SQLiteTable, found: Mapping[str, SQLiteTable]) -> str:
    """What one of a table's foreign keys refers to though it is no key: SQLite then refuses every record."""
    for each in table.foreign_keys:
        keys = found[each.parent].keys if each.parent in found else ()
        if keys and frozenset(map(folded, each.targets)) not in [frozenset(map(folded, key)) for key in keys]:
            return f"{each.parent} ({', '.join(each.targets)})"
    return ""


def _found(
    table: Table,
    names: Mapping[str, str],
    columns: Sequence[Any],
    indexes: Sequence[Any],
    foreign_keys: Sequence[Any],
    is_empty: bool,
) -> SQLiteTable:
    spelled = {folded(name): name for name in table.names}

    def own(column: str) -> str:
        return spelled.get(folded(column), column)

    keys, created, has_key_index = set(), {}, False
    for (index, is_unique, origin, is_partial), each in groupby(indexes, key=itemgetter(1, 2, 3, 4)):
        parts = [column for *_, column in each]
        has_key_index |= origin == "pk"
        if None in parts or is_partial:  # of an expression, or for some records
            continue
        if is_unique:
            keys.add(frozenset(map(own, parts)))
        if origin == "c":
            created[index] = tuple(map(own, parts))
    key = tuple(own(name) for place, name in sorted((row[6], row[2]) for row in columns) if place)
    is_numbered = bool(key) and not has_key_index  # the key is the rowid, which SQLite gives where nobody does
    taken = {folded(row[2]) for row in columns}
    return SQLiteTable(
        columns={
            own(name): FoundColumn(
                kind,
                _HOLDS[affinity(kind)],
                bool(is_mandatory),
                default is not None or (is_numbered and place > 0),
                default or "",
            )
            for _, _, name, kind, is_mandatory, default, place, hidden in columns
            if not hidden or folded(name) in spelled  # a computed one is nobody's business
        },
        primary_key=key,
        keys=keys | ({frozenset(key)} if is_numbered else set()),
        indexes=created,
        is_empty=is_empty,
        has_rowid=not columns[0][1] and row_number(table) not in (None, *taken),
        foreign_keys=[
            ForeignKey(tuple(own(row[2]) for row in parts), names.get(folded(parts[0][3]), parts[0][3]), targets)
            for parts in (list(each) for _, each in groupby(foreign_keys, key=itemgetter(1)))
            if None not in (targets := tuple(row[4] for row in parts))
        ],
    )


async def apply(connection: aiosqlite.Connection, statements: Statements, differences: Differences) -> list[str]:
    """Changes the tables, inside a transaction; what was done, as sentences."""
    for change in differences.changes:
        statement = change.statement(statements)
        try:
            await connection.execute(statement)
            if change.is_table:
                for index in statements.indexes(change.table):
                    await connection.execute(index)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_ERROR:
                raise
            raise TablesDiffer(
                f"table {change.table}: {change.missing}, and cannot be added: {error}",
                hint=f"Change the contract, or make it with what this lacks: {statement}",
            ) from error
    return [change.done for change in differences.changes]


def affinity(kind: str) -> str:
    """What a column of a declared type makes of a value (https://www.sqlite.org/datatype3.html, 3.1)."""
    kind = kind.upper()
    if "INT" in kind:
        return "INTEGER"
    if any(each in kind for each in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if not kind or "BLOB" in kind:
        return "BLOB"
    return "REAL" if any(each in kind for each in ("REAL", "FLOA", "DOUB")) else "NUMERIC"


def folded(name: str) -> str:
    """A name as SQLite compares it: of letters only those of ASCII are alike in either case."""
    return name.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")
