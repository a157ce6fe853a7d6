"""The statements of one database for the tables of one contract, made of a dialect's templates when they are needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from aetl.contract.tables import Column, Reference, Table, in_order
from aetl.errors import ConfigurationError
from aetl.sql.dialect import Dialect, refuse
from aetl.sql.filling import Item, Names, NotFilled, fill

LEDGER = ("_aetl_loads", "_aetl_rejects")
"""aetl's own tables."""


class Statements:
    """The templates, filled with a table's names, types and references, each by the dialect's rules.

    `tables` are the contract's, parents before children. `schema` is that of all tables, where the database has such.
    """

    def __init__(self, dialect: Dialect, tables: Mapping[str, Table], schema: str | None = None) -> None:
        """Raises ConfigurationError where a name is none that this database could keep."""
        self.dialect = dialect
        self.tables = {table.name: table for table in in_order(tables.values())}
        self._types: Mapping[str, Mapping[str, str]] = {}
        self._filled: dict[tuple[str, str], str] = {}
        self._compared = _compared(self.tables)
        for table in self.tables.values():
            self._check_names(table)
        self._schema = {} if schema is None else {"schema": self._schema_name(schema)}
        prefix = f"{self._schema['schema']}." if schema is not None else ""
        names: Names = {
            **self._schema,
            "ledger": prefix + dialect.quoted(LEDGER[0]),
            "rejects": prefix + dialect.quoted(LEDGER[1]),
            "identity": dialect.more["identity"],
            "text": dialect.more.get("collated", dialect.more["types"]["text"]),
            "integer": dialect.more["types"]["integer"],
            "number": dialect.more["types"]["number"],
            "version": str(self.version),
        }
        self.ledger = {
            name: self._fill(f"ledger/{name}", text, names)
            for name, text in dialect.ledger.items()
            if schema is not None or "{schema}" not in text
        }
        self.ledger_create = tuple(self._fill("ledger/create", text, names) for text in dialect.ledger_create)
        self.migrations = {
            version: tuple(self._fill("ledger/migrate", text, names) for text in texts)
            for version, texts in dialect.migrations.items()
        }
        """Version of the ledger -> what makes one of it from the version before."""

    @property
    def version(self) -> int:
        """The ledger's version."""
        return max(self.dialect.migrations)

    @property
    def source(self) -> str:
        """The file that somebody may have to mend."""
        return self.dialect.source

    def in_schema(self, schema: str) -> Statements:
        """The same in a schema."""
        return Statements(self.dialect, self.tables, schema)

    def follow_types(self, types: Mapping[str, Mapping[str, str]]) -> None:
        """From now on the columns of tables have, in the database, the types that are given here by their names."""
        self._types = types
        self._filled.clear()

    def of(self, table: str, operation: str) -> str:
        """The statement of a table's that stands in the dialect under this name."""
        if (table, operation) not in self._filled:
            self._filled[table, operation] = self.with_names(table, operation)
        return self._filled[table, operation]

    def with_names(self, table: str, operation: str, /, **more: str | Sequence[Item]) -> str:
        """The same with further names that the caller knows."""
        names = self.names(self.tables[table]) | more
        create = self.dialect.creates.get(table) if operation == "create" else None
        place = f"operations/{operation}" if create is None else f"tables/{table}/create"
        return self._fill(place, create or self.dialect.operations[operation], names)

    def plain(self, operation: str, **names: str | Sequence[Item]) -> str:
        """A statement about a table that need not be one of the contract's: all names are the caller's."""
        return self._fill(f"operations/{operation}", self.dialect.operations[operation], {**self._schema, **names})

    def index(self, table: str, columns: Sequence[str]) -> str:
        """The statement that makes an index of some columns."""
        items: list[Item] = [{"column": self.dialect.quoted(column)} for column in columns]
        return self.with_names(table, "index", index=self.dialect.quoted(self.name_of(table, *columns)), indexed=items)

    def indexes(self, table: str) -> list[str]:
        """The statements that make the indexes of a table's that its contract lists."""
        return [self.index(table, columns) for columns in self.tables[table].indexes]

    def references(self, table: str, operation: str) -> list[str]:
        """A statement for each reference of a table's, in the contract's order."""
        return [self.reference(table, operation, each) for each in self.tables[table].references]

    def reference(self, table: str, operation: str, reference: Reference) -> str:
        """A table's statement about one reference, which need not be the contract's."""
        return self.with_names(table, operation, **self._reference(self.tables[table], reference))

    def added(self, table: str, column: Column) -> str:
        """The statement that adds a column to a table that is there."""
        item = dict(self._column(self.tables[table], column, 0), reference="")
        for reference in self.tables[table].references:
            if reference.column == column.name and "{reference}" in self.dialect.operations["add_column"]:
                item["reference"] = self.plain("reference", **self._reference(self.tables[table], reference))
        return self.with_names(table, "add_column", added=[item])

    def name_of(self, *parts: str) -> str:
        """A name for what a contract does not name, such as an index: its parts together, or fewer and a hash."""
        name = "_".join(parts)
        longest = self.dialect.more.get("longest_name", 120)
        same = [
            *self.tables,
            *("_".join((table.name, *each)) for table in self.tables.values() for each in table.indexes),
        ]
        if len(name.encode()) <= longest and [each.casefold() for each in same].count(name.casefold()) <= 1:
            return name
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]
        return name.encode()[: longest - 9].decode(errors="ignore") + "_" + digest

    def names(self, table: Table) -> dict[str, str | Sequence[Item]]:
        """What a template may name of a table."""
        columns = [self._column(table, column, number) for number, column in enumerate(table.columns, 1)]
        by_name = dict(zip(table.names, columns, strict=True))
        return {
            **self._schema,
            "table": self.dialect.quoted(table.name),
            "staging": self.dialect.quoted(self.name_of("_aetl", table.name)),
            "rowid": row_number(table) or "rowid",
            "columns": columns,
            "key": [
                {**by_name[name], "place": by_name[name]["number"], "number": str(number)}
                for number, name in enumerate(table.key, 1)
            ],
            "others": [by_name[name] for name in table.names if name not in table.key],
            "references": self._references(table),
        }

    def _references(self, table: Table) -> list[dict[str, str]]:
        return [self._reference(table, each) for each in table.references]

    def _reference(self, table: Table, reference: Reference) -> dict[str, str]:
        number = table.names.index(reference.column)
        return {
            **self._column(table, table.columns[number], number + 1),
            "parent": self.dialect.quoted(reference.table),
            "target": self.dialect.quoted(reference.target),
        }

    def _column(self, table: Table, column: Column, number: int) -> dict[str, str]:
        more, quoted = self.dialect.more, self.dialect.quoted(column.name)
        kind = self.dialect.types[column.type]
        if "collated" in more and kind == "text" and (table.name, column.name) in self._compared:
            kind = more["collated"]
        has_default = column.is_mandatory and column.default is not None
        item = {
            "column": quoted,
            "number": str(number),
            "type": kind,
            "not_null": " NOT NULL" if column.is_mandatory else "",
            # Only where there must be a value: else what an export left out would come back from it.
            "default": f" DEFAULT {_literal(column.default)}" if has_default else "",
            "text": _literal(column.key),
        }
        item["as_json"] = quoted
        if column.type == "json" and "as_json" in self.dialect.operations:
            item["as_json"] = self._fill("operations/as_json", self.dialect.operations["as_json"], item)
        if "staged" in more:
            item |= self._as_there(column, quoted, self._types.get(table.name))
        return item

    def _as_there(self, column: Column, quoted: str, there: Mapping[str, str] | None) -> dict[str, str]:
        """How a column is written, read and compared by the type that it has in the database, where it is there."""
        more = self.dialect.more
        staged: str = more["staged"][column.type]
        found = staged if there is None else there.get(column.name)
        read = quoted if found == staged else f"{quoted}::{staged}"
        if found is None:
            read = f"NULL::{staged}"
        elif found in more["read"] and found != staged:
            read = self._fill(f"read/{found}", more["read"][found], {"column": quoted})
        return {
            "staged": staged,
            "new": f"new.{quoted}" + f"::{more['written'].get(found, found)}" * (found not in (staged, None)),
            "read": read,
            "alike": more["compared"].get(found, ""),
            "by_bytes": more["by_bytes"].get(staged, ""),
        }

    def _fill(self, place: str, template: str, names: Names) -> str:
        try:
            return fill(template, names)
        except NotFilled as error:
            raise refuse(self.dialect.source, f"{place}: {error}") from error

    def _check_names(self, table: Table) -> None:
        more = self.dialect.more
        for name, place in ((table.name, "x-table"), *((column.name, "x-column") for column in table.columns)):
            reason = ""
            if len(name.encode()) > more.get("longest_name", len(name.encode())):
                reason = f"is longer than {more['longest_name']} bytes"
            elif name.casefold() in more.get("reserved", ()) and place == "x-column":
                reason = "is the name of a column that the database itself keeps in every table"
            elif place == "x-table" and (prefix := _prefix_of(name, more.get("reserved_prefixes", ()))):
                reason = f"begins with {prefix!r}, as the database's own tables do"
            if reason:
                where = f"the table {table.name!r}" + f", column {name!r}," * (place == "x-column")
                raise ConfigurationError(
                    f"the contract cannot be used with this database: {where} {reason}",
                    hint=f"Give it another name with {place} in the schema file.",
                )

    def _schema_name(self, schema: str) -> str:
        name = self.dialect.quoted(schema)
        if ":" in schema:  # what follows it would be taken for a parameter's name
            name = "U&" + name.replace("\\", r"\\").replace(":", r"\003A")
        return name


def _prefix_of(name: str, prefixes: Sequence[str]) -> str | None:
    return next((each for each in prefixes if name.casefold().startswith(each)), None)


def row_number(table: Table) -> str | None:
    """The name by which SQLite gives a row's number, where the table has columns of its own by the usual ones.

    https://www.sqlite.org/lang_createtable.html#rowid
    """
    taken = {name.lower() for name in table.names}
    return next((each for each in ("rowid", "_rowid_", "oid") if each not in taken), None)


def _compared(tables: Mapping[str, Table]) -> set[tuple[str, str]]:
    """The columns in keys, references and indexes."""
    found = {(table.name, column) for table in tables.values() for column in table.key}
    for table in tables.values():
        found |= {(table.name, column) for columns in table.indexes for column in columns}
        found |= {(table.name, each.column) for each in table.references}
    return found


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return json.dumps(value)
