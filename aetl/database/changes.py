"""What the tables of a database are other in than the contract's: what a load changes, and what it must not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aetl.config import Changes
from aetl.contract.tables import Column, ColumnType, Table
from aetl.errors import TablesDiffer
from aetl.models import Finding
from aetl.sql import Statements
from aetl.sql.dialect import refuse


@dataclass(frozen=True, slots=True)
class FoundColumn:
    """A column that is there: its `type` as the database calls it, and which of the contract's types it `holds`.

    `has_default` says that it needs no value of anybody's, also as it is computed; `default` is the SQL of it, where
    that has to be known.
    """

    type: str
    holds: Collection[ColumnType]
    is_mandatory: bool
    has_default: bool
    default: str = ""


@dataclass(frozen=True)
class FoundTable:
    """A table that is there, with the contract's names where they mean the same; `keys` tell one record from another.

    `primary_key` is the one of them that is shown to people, `key_name` what it is called where that has to be known.
    `indexes` are the others, each by its name. `more` is the SQL that made what would go with it, its indexes and
    triggers, where that has to be known; `dangling` is what a foreign key of its names though it is no key.
    """

    columns: Mapping[str, FoundColumn]
    primary_key: Sequence[str]
    keys: Collection[frozenset[str]]
    indexes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_empty: bool = False
    key_name: str = ""
    more: Sequence[str] = ()
    dangling: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that a load adds: a column, an index, or where it is neither, a table."""

    table: str
    column: Column | None = None
    index: tuple[str, ...] = ()

    @property
    def is_table(self) -> bool:
        return self.column is None and not self.index

    @property
    def done(self) -> str:
        """What is said of it afterwards."""
        return f"table {self.table}: added{self._what}"

    @property
    def due(self) -> str:
        """What is said of it before."""
        return f"table {self.table}: the next load adds{self._what or ' it'}"

    @property
    def missing(self) -> str:
        """What is said of it where nothing may be changed."""
        return f"{self._what.lstrip() or 'it'} is missing"

    @property
    def _what(self) -> str:
        if self.column is not None:
            return f" the column {self.column.name}"
        return f" an index of {', '.join(self.index)}" if self.index else ""

    def statement(self, statements: Statements) -> str:
        """What makes it, or what begins to make a table."""
        if self.column is not None:
            return statements.added(self.table, self.column)
        return statements.index(self.table, self.index) if self.index else statements.of(self.table, "create")

    def whole(self, statements: Statements) -> str:
        """All that makes it, for an administrator."""
        texts = [self.statement(statements)]
        makes_keys_apart = "mend_key" in statements.dialect.operations
        if self.is_table and makes_keys_apart:
            texts.append(statements.of(self.table, "key"))
        if self.is_table:
            texts += statements.indexes(self.table)
        for reference in statements.tables[self.table].references if makes_keys_apart else ():
            if self.is_table or (self.column is not None and self.column.name == reference.column):
                texts.append(statements.reference(self.table, "reference", reference))
        return "; ".join(map(_line, texts))


@dataclass(frozen=True, slots=True)
class Refusal:
    """What stands in the way, and the SQL by which somebody who knows the records could mend it."""

    table: str
    reason: str
    sql: str

    @property
    def advice(self) -> str:
        """What to do about it."""
        return "Change the contract, or " + (f"have an administrator run: {self.sql};" if self.sql else "the table.")

    def __str__(self) -> str:
        return f"table {self.table}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Differences:
    """All that is other; `remarks` say what stays though the contract has no use for it."""

    changes: Sequence[Change]
    refusals: Sequence[Refusal]
    remarks: Sequence[str]

    def findings(self, statements: Statements, changes: Changes) -> Iterator[Finding]:
        """What `aetl check` tells of it."""
        for each in self._in_the_way(statements, may_change=changes == "apply"):
            yield Finding("failure", "tables", f"{each}: `aetl load` would stop", each.advice)
        if changes == "apply":
            for change in self.changes:
                yield Finding("ok", "tables", change.due)
        for remark in self.remarks:
            yield Finding("ok", "tables", remark)

    def refuse(self, statements: Statements, *, may_change: bool) -> None:
        """Raises TablesDiffer where something stands in the way, or something is to be changed and nothing may be."""
        if found := self._in_the_way(statements, may_change=may_change):
            more = f" ({len(found) - 1} more: `aetl check` tells all)" if len(found) > 1 else ""
            raise TablesDiffer(f"the tables are others than the contract's: {found[0]}{more}", hint=found[0].advice)

    def _in_the_way(self, statements: Statements, *, may_change: bool) -> list[Refusal]:
        found = list(self.refusals)
        if not may_change:
            found += [Refusal(each.table, each.missing, each.whole(statements)) for each in self.changes]
        return found


def compare(statements: Statements, found: Mapping[str, FoundTable]) -> Differences:
    """Compares the contract's tables with those that are there by their names, parents before children."""
    changes: list[Change] = []
    refusals: list[Refusal] = []
    remarks: list[str] = []
    for table in statements.tables.values():
        if table.name not in found:
            changes.append(Change(table.name))
            continue
        there = found[table.name]
        for column in table.columns:
            if column.name in there.columns:
                refusals += _unfit(statements, table, column, there)
            elif column.is_mandatory and not there.is_empty and (column.default is None or _refers(table, column)):
                refusals.append(_lacking(statements, table, column))
            else:
                changes.append(Change(table.name, column))
        refusals += _unfit_key(statements, table, there)
        refusals += _dangling(statements, table, there)
        refusals += _unknown_and_mandatory(statements, table, there)
        changes += [Change(table.name, index=each) for each in _missing_indexes(table, there)]
        remarks += _remarks(table, there)
    return Differences(changes, refusals, remarks)


def check_made(statements: Statements, found: Mapping[str, FoundTable], names: Iterable[str]) -> None:
    """Raises ConfigurationError where some tables, just made, are none that a load could use: by SQL of one's own."""
    for table in map(statements.tables.__getitem__, names):
        if table.name not in found:
            raise refuse(statements.source, f"its `create` of the table {table.name} does not make it")
        for column in table.columns:
            if column.name not in found[table.name].columns:
                raise refuse(statements.source, f"table {table.name}: the column {column.name} is missing")
            for each in _unfit(statements, table, column, found[table.name]):
                raise refuse(statements.source, f"{each}, which it does not hold")


def _unfit(statements: Statements, table: Table, column: Column, there: FoundTable) -> Iterator[Refusal]:
    if table.name in statements.dialect.creates:
        return  # whoever says how it is made knows what it holds
    found = there.columns[column.name]
    if column.type not in found.holds:
        kind = found.type or "no type"
        reason = f"the column {column.name} is {kind}, and by the contract {column.type}"
        yield Refusal(table.name, reason, _mending(statements, table, there, "type", column))
    elif found.is_mandatory and not column.is_mandatory:
        reason = f"the column {column.name} is NOT NULL, and by the contract it may be missing or null"
        yield Refusal(table.name, reason, _mending(statements, table, there, "null", column))


def _refers(table: Table, column: Column) -> bool:
    return column.name in [reference.column for reference in table.references]


def _lacking(statements: Statements, table: Table, column: Column) -> Refusal:
    """What keeps a column out that no record has a value for; one that refers has none by default, which all would."""
    why = "nor has it a default" if column.default is None else "and it refers to others, for which no default is used"
    return Refusal(
        table.name,
        f"the column {column.name} is missing, and by the contract no record may be without it, {why}",
        statements.added(table.name, replace(column, is_mandatory=False)),
    )


def _unfit_key(statements: Statements, table: Table, there: FoundTable) -> Iterator[Refusal]:
    if frozenset(table.key) not in there.keys and set(table.key) <= there.columns.keys():
        found = f"its key is {', '.join(there.primary_key)}" if there.primary_key else "it has no key"
        reason = f"{found}, and by the contract it is {', '.join(table.key)}"
        yield Refusal(table.name, reason, _mending(statements, table, there, "key"))


def _dangling(statements: Statements, table: Table, there: FoundTable) -> Iterator[Refusal]:
    if there.dangling:
        reason = f"a foreign key of it refers to {there.dangling}, which is no key"
        yield Refusal(table.name, reason, _mending(statements, table, there, "reference"))


def _unknown_and_mandatory(statements: Statements, table: Table, there: FoundTable) -> Iterator[Refusal]:
    for name, found in there.columns.items():
        if name not in table.names and found.is_mandatory and not found.has_default:
            reason = f"the column {name} is NOT NULL without a default, and the contract does not know it"
            column = Column(name, name, "text", is_mandatory=False, admits_null=True)
            yield Refusal(table.name, reason, _mending(statements, table, there, "null", column))


def _mending(statements: Statements, table: Table, there: FoundTable, kind: str, column: Column | None = None) -> str:
    """The SQL that mends a kind of difference: the dialect's statement for just that kind, or one for all."""
    if table.name in statements.dialect.creates:
        return ""  # only who wrote that can tell
    quoted = statements.dialect.quoted
    operation = f"mend_{kind}" if f"mend_{kind}" in statements.dialect.operations else "mend"
    columns = statements.names(replace(table, columns=tuple(_as_filled(each, table, there) for each in table.columns)))
    more: dict[str, str | Sequence[Mapping[str, str]]] = {
        "made": _line(
            statements.with_names(table.name, "create", table=quoted("_aetl_new"), columns=columns["columns"])
        ),
        "key_name": quoted(there.key_name),
        "kept": [{"column": quoted(name)} for name in there.columns],
        "unknown": [
            {"column": quoted(name), "found": found.type + f" DEFAULT ({found.default})" * bool(found.default)}
            for name, found in there.columns.items()
            if name not in table.names
        ],
        "more": [{"sql": _line(text)} for text in there.more],
    }
    if column is not None:
        through = statements.dialect.more.get("through", {}).get(there.columns[column.name].type, {})
        more |= {
            "column": quoted(column.name),
            "type": statements.dialect.types[column.type],
            "through": through.get(column.type, ""),
        }
    return statements.with_names(table.name, operation, **more)


def _as_filled(column: Column, table: Table, there: FoundTable) -> Column:
    """A column as a copy of the table must have it to take the rows that are there."""
    has_values = there.columns[column.name].is_mandatory if column.name in there.columns else column.default is not None
    return replace(column, is_mandatory=column.is_mandatory and (has_values or column.name in table.key))


def _line(sql: str) -> str:
    """A statement in one line, where no comment needs its end."""
    return sql if "--" in sql else re.sub(r"\s*\n\s*", " ", sql.strip())


def _missing_indexes(table: Table, there: FoundTable) -> Iterator[tuple[str, ...]]:
    """Those of the contract's that no index of the same columns in the same order is for; a key has one of its own."""
    found = {tuple(columns) for columns in (*there.indexes.values(), there.primary_key)}
    for columns in table.indexes:
        if columns not in found:
            found.add(columns)
            yield columns


def _remarks(table: Table, there: FoundTable) -> Iterator[str]:
    for name, found in there.columns.items():
        if name not in table.names:
            new = "its default" if found.has_default else "NULL"
            yield f"table {table.name}: the column {name} is none of the contract's; it stays, {new} in new records"
    for name, columns in there.indexes.items():
        if tuple(columns) not in (*table.indexes, table.key):
            yield f"table {table.name}: the index {name} is none of the contract's; it stays"
