"""Rejects that only a database finds: the same words on every one."""

from __future__ import annotations

import json
from functools import lru_cache

from aetl.contract.explaining import shortened
from aetl.contract.rows import Rows
from aetl.contract.tables import Table
from aetl.models import REFERS_TO_NOTHING, Reject, Row


def reject_row(table: Table, row: Row, position: int, column: str | None, reason: str, kind: str = "") -> Reject:
    """A reject of a record that had become a row already; `column` is where it is at fault, if that is known."""
    pointer = "" if column is None else _pointer_to(table, column)
    return Reject(table.name, position, pointer, reason, _record_of(table, row), kind)


def reject_orphan(table: Table, row: Row, position: int, column: str) -> Reject:
    """A reject of a record that refers, by that column, to one that does not exist."""
    value = shortened(repr(row[table.names.index(column)]))  # a reference may be many megabytes long
    return reject_row(table, row, position, column, f"{value} refers to no record", REFERS_TO_NOTHING)


def _record_of(table: Table, row: Row) -> str:
    try:
        return _records_of(table).encode([row]).decode()
    except (UnicodeEncodeError, OverflowError):  # what no database holds, and no JSON in UTF-8
        return json.dumps(dict(zip((column.key for column in table.columns), row, strict=True)))


@lru_cache(maxsize=100)
def _records_of(table: Table) -> Rows:
    return Rows(table, known=frozenset(), required=frozenset())


def _pointer_to(table: Table, column: str) -> str:
    """The JSON pointer to what a column is made of."""
    key = table.columns[table.names.index(column)].key
    return "/" + key.replace("~", "~0").replace("/", "~1")
