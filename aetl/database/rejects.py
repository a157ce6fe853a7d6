"""Rejects that only a database finds: the same words on every one."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aetl.models import REFERS_TO_NOTHING, Reject, Row

_MOST_SHOWN = 200

NO_UNICODE = "holds half of a surrogate pair, which is no Unicode text"


def reject_row(
    table: str, columns: Sequence[str], row: Row, position: int, pointer: str, reason: str, kind: str = ""
) -> Reject:
    """A reject of a record that had become a row already."""
    return Reject(table, position, pointer, reason, json.dumps(dict(zip(columns, row, strict=True))), kind)


def reject_orphan(table: str, columns: Sequence[str], row: Row, position: int, column: str) -> Reject:
    """A reject of a record that refers, by that column, to one that does not exist."""
    value = repr(row[columns.index(column)])
    if len(value) > _MOST_SHOWN:  # a reference may be many megabytes long
        value = f"{value[: _MOST_SHOWN // 2]} ... {value[-_MOST_SHOWN // 2 :]}"
    return reject_row(table, columns, row, position, f"/{column}", f"{value} refers to no record", REFERS_TO_NOTHING)


def pointer_to(error: UnicodeEncodeError, columns: Sequence[str], row: Row) -> str:
    """Where in a record the text lies that could not be encoded."""
    return f"/{columns[row.index(error.object)]}" if error.object in row else ""
