"""What aetl promises, as a model of some lines: which records are in after which exports, and what became of each.

Written from README's chapter on reliability alone, so that it can tell where aetl does something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

Kind = Literal["contract", "reference"]
Document = Mapping[str, Sequence[Any]]
Version = tuple[str, int]
"""An export's name, and when it was created: no two versions under one name were created at the same time."""

NUMBER = re.compile("<(-?[0-9.]+(?:[eE][-+]?[0-9]+)?)>")
"""How a document holds a number whose spelling matters: `<1e0>`."""
KEPT_OF_A_FAILURE = 100


@dataclass(frozen=True)
class Table:
    """Columns with their types, those of the key, and which table's key a column refers to."""

    columns: Mapping[str, str]
    key: tuple[str, ...]
    references: Mapping[str, str] = field(default_factory=dict)

    def row_of(self, record: Any, dialect: str) -> tuple[Any, ...]:
        """A record as the row that it becomes; raises Unfit."""
        if not isinstance(record, dict) or record.keys() != self.columns.keys():
            raise Unfit
        return tuple(_value(record[column], kind, dialect) for column, kind in self.columns.items())

    def key_of(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        names = list(self.columns)
        return tuple(row[names.index(each)] for each in self.key)

    def references_of(self, row: tuple[Any, ...]) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Which keys of which tables a row refers to."""
        for value, column in zip(row, self.columns, strict=True):
            if column in self.references and value is not None:
                yield self.references[column], (value,)


CHAT = {
    "sessions": Table({"id": "text", "started_at": "time", "meta": "text?"}, ("id",)),
    "events": Table(
        {
            "id": "text", "ts": "time", "session_id": "text", "round": "whole?", "kind": "text", "role": "text",
            "content": "text", "raw_text": "text?", "meta": "text?",
        },
        ("id",),
        {"session_id": "sessions"},
    ),
    "event_parents": Table(
        {"child_id": "text", "parent_id": "text"},
        ("child_id", "parent_id"),
        {"child_id": "events", "parent_id": "events"},
    ),
}  # fmt: skip
"""The contract that comes with aetl."""
TREE = {
    "nodes": Table({"id": "whole", "above": "whole?", "label": "label"}, ("id",), {"above": "nodes"}),
    "values": Table(
        {"node": "whole", "name": "text", "amount": "amount", "good": "flag?"}, ("node", "name"), {"node": "nodes"}
    ),
}
"""That of tests/integration/custom.py, with the constraints of its tables."""


class Unfit(Exception):
    """A value that the contract or the database does not take."""


@dataclass(frozen=True)
class Loading:
    """What became of one export."""

    version: Version
    counts: Mapping[str, tuple[int, int, int, int]]
    """Of each table that had any: read, loaded, unchanged, rejected."""
    rejects: Mapping[tuple[str, int], Kind]
    is_loaded: bool


@dataclass(frozen=True)
class State:
    """What one database holds: rows by their keys, and the ledger, in which the order is that of the loads."""

    dialect: str
    tables: Mapping[str, Table]
    rows: Mapping[str, Mapping[tuple[Any, ...], tuple[Any, ...]]]
    loads: tuple[Loading, ...] = ()

    @property
    def loaded(self) -> set[Version]:
        return {each.version for each in self.loads if each.is_loaded}

    def load(self, version: Version, document: Document | None, most: int | None) -> State:
        """What one export leads to: `document` is None where it is not one at all, `most` None for any rejects."""
        if document is None:
            return self._after(Loading(version, {}, {}, False), self.rows)
        rejects: dict[tuple[str, int], Kind] = {}
        fit: dict[tuple[str, int], tuple[Any, ...]] = {}
        for name, records in document.items():
            for position, record in enumerate(records):
                try:
                    fit[name, position] = self.tables[name].row_of(record, self.dialect)
                except Unfit:
                    rejects[name, position] = "contract"
        while lost := self._referring_to_nothing(fit):
            for each in lost:
                del fit[each]
                rejects[each] = "reference"

        is_older = any((created, name) > (version[1], version[0]) for name, created in self.loaded)
        rows = {name: dict(of) for name, of in self.rows.items()}
        changed = dict.fromkeys(document, 0)
        for name, position in sorted(fit):
            row = fit[name, position]
            key = self.tables[name].key_of(row)
            if not (is_older and key in self.rows[name]) and rows[name].get(key) != row:
                rows[name][key] = row
                changed[name] += 1
        counts = {}
        for name, records in document.items():
            rejected = sum(table == name for table, _ in rejects)
            counts[name] = (len(records), changed[name], len(records) - changed[name] - rejected, rejected)
        is_loaded = most is None or len(rejects) <= most
        counts = {name: each for name, each in counts.items() if any(each)}
        return self._after(Loading(version, counts, rejects, is_loaded), rows if is_loaded else self.rows)

    def _referring_to_nothing(self, fit: Mapping[tuple[str, int], tuple[Any, ...]]) -> list[tuple[str, int]]:
        present = {name: set(of) for name, of in self.rows.items()}
        for (name, _), row in fit.items():
            present[name].add(self.tables[name].key_of(row))
        return [
            (name, position)
            for (name, position), row in fit.items()
            if any(key not in present[target] for target, key in self.tables[name].references_of(row))
        ]

    def _after(self, loading: Loading, rows: Mapping[str, Mapping[tuple[Any, ...], tuple[Any, ...]]]) -> State:
        return State(self.dialect, self.tables, rows, (*self.loads, loading))

    def document(self) -> dict[str, list[dict[str, Any]]]:
        """All rows as records."""
        return {
            name: [dict(zip(table.columns, row, strict=True)) for row in self.rows[name].values()]
            for name, table in self.tables.items()
        }


def empty(dialect: str, tables: Mapping[str, Table]) -> State:
    return State(dialect, tables, {name: {} for name in tables})


def _value(value: Any, kind: str, dialect: str) -> Any:
    if value is None and kind.endswith("?"):
        return None
    match kind.removesuffix("?"), value:
        case "flag", bool():
            return value
        case "whole" | "amount", str() if found := NUMBER.fullmatch(value):
            return _number(Decimal(found[1]), kind)
        case "whole" | "amount", int() | float() if not isinstance(value, bool):
            return _number(Decimal(value), kind)
        case "text" | "time" | "label", str():
            is_half = any("\ud800" <= character <= "\udfff" for character in value)
            if is_half or (dialect == "postgresql" and "\0" in value) or (kind == "label" and value == "bad"):
                raise Unfit
            if kind == "time":
                _time(value)
            return value
    raise Unfit


def _number(number: Decimal, kind: str) -> int | float:
    if kind == "amount":
        if number < 0:
            raise Unfit
        return float(number)
    if number != int(number) or not -(2**63) <= number < 2**63:
        raise Unfit
    return int(number)


def _time(text: str) -> None:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise Unfit from None
    if "T" not in text:
        raise Unfit
