"""Rejects that only a database finds: the same words on every one."""

from __future__ import annotations

import json

from aetl.contract.tables import Table
from aetl.models import REFERS_TO_NOTHING, Reject, Row

_MOST_SHOWN = 200

NO_UNICODE = "holds half of a surrogate pair, which is no Unicode text"


def reject_row(table: Table, row: Row, position: int, column: str | None, reason: str, kind: str = "") -> Reject:
    """A reject of a record that had become a row already; `column` is where it is at fault, if that is known."""
    record = {each.key: value for each, value in zip(table.columns, row, strict=True)}
    pointer = "" if column is None else _pointer_to(table, column)
    return Reject(table.name, position, pointer, reason, json.dumps(record), kind)


def reject_orphan(table: Table, row: Row, position: int, column: str) -> Reject:
    """A reject of a record that refers, by that column, to one that does not exist."""
    value = repr(row[table.names.index(column)])
    if len(value) > _MOST_SHOWN:  # a reference may be many megabytes long
        value = f"{value[: _MOST_SHOWN // 2]} ... {value[-_MOST_SHOWN // 2 :]}"
    return reject_row(table, row, position, column, f"{value} refers to no record", REFERS_TO_NOTHING)


def _pointer_to(table: Table, column: str) -> str:
    """The JSON pointer to what a column is made of."""
    key = table.columns[table.names.index(column)].key
    return "/" + key.replace("~", "~0").replace("/", "~1")
