"""Tells in 64 characters what a table holds: a SHA-256 that equal records have on every database.

A table is hashed as lines of JSON in UTF-8, each with a newline at its end: first the array of its columns' names, then
of each record the array of its values, as an export shows them. The records stand in the order of their keys. A line
holds no spaces between values, and escapes in a text only what JSON asks for: quote, backslash and all below U+0020
(the shortest way: \\n, not \\u000a). It is what json.dumps(values, ensure_ascii=False, separators=(",", ":")) gives.

A number is written by its value, and which of its own kinds a database chooses is its business; an object or array
stands there as it is: canonical.py says how.

A database is hashed as lines, too: for each of its tables, in the order of their names, name, rows and SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import chain

import msgspec

from aetl.canonical import number
from aetl.models import DatabaseDigest, Row, TableDigest

_lines = msgspec.json.Encoder().encode_lines


class TableHash:
    """Hashes one table in pieces of any size, so that memory does not grow with it."""

    __slots__ = ("_rows", "_sha256")

    def __init__(self, columns: Sequence[str]) -> None:
        self._sha256 = hashlib.sha256(_lines([columns]))
        self._rows = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Takes the next records; the order of their keys is the caller's business."""
        self._rows += len(rows)
        self._sha256.update(canonical(rows))

    def digest(self) -> TableDigest:
        """What was added so far comes to."""
        return TableDigest(self._rows, self._sha256.hexdigest())


def canonical(rows: Sequence[Row]) -> bytes:
    """The lines that are hashed: equal for equal values, and for no others. JSON comes as msgspec.Raw."""
    if float in set(map(type, chain.from_iterable(rows))):
        rows = [tuple([number(value) if type(value) is float else value for value in row]) for row in rows]
    return _lines(rows)


def digest_of_all(tables: Mapping[str, TableDigest]) -> DatabaseDigest:
    """The digest of a database with these tables, in whatever order a contract names them."""
    lines = [(name, tables[name].rows, tables[name].sha256) for name in sorted(tables)]
    rows = sum(table.rows for table in tables.values())
    return DatabaseDigest(rows, hashlib.sha256(_lines(lines)).hexdigest(), tables)
