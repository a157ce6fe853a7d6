"""Looks at what a command left behind: a wrong result is a failure, however quick it was."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from tools.benchmark.exports import Content
from tools.benchmark.measure import Failed

KEYS = {"sessions": b'"started_at":', "events": b'"session_id":', "event_parents": b'"child_id":'}
"""What stands once in every record of a table, and nowhere else in an export."""


def check_rows(database: Path, *contents: Content) -> None:
    """The tables hold as many rows as these contents together."""
    with closing(sqlite3.connect(database)) as connection:
        found = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in KEYS}
    _compare("the database holds", found, {table: sum(each.rows[table] for each in contents) for table in KEYS})


def check_last_load(database: Path, content: Content, *, outcome: str) -> None:
    """The ledger's last load read this content, and all of it was `loaded` or `unchanged`."""
    with closing(sqlite3.connect(database)) as connection:
        status, tables = connection.execute(
            "SELECT status, tables FROM _aetl_loads ORDER BY load_id DESC LIMIT 1"
        ).fetchone()
    if status != "loaded":
        raise Failed(f"the last load is {status}")
    counts = json.loads(tables)
    for what in ("read", outcome):
        _compare(f"of the last load's records were {what}", {each: counts[each][what] for each in KEYS}, content.rows)


def check_export(path: Path, content: Content) -> None:
    """A file of JSON holds as many records as this content."""
    found = dict.fromkeys(KEYS, 0)
    with path.open("rb") as file:
        before = b""
        while block := file.read(2**20):
            text = before + block
            for table, key in KEYS.items():
                found[table] += text.count(key) - before.count(key)
            before = text[-len(max(KEYS.values(), key=len)) :]
    _compare(f"{path.name} holds", found, content.rows)


def check_said(output: Path, words: str) -> None:
    """A command said these words."""
    if words not in output.read_text(encoding="utf-8"):
        raise Failed(f"it did not say {words!r}")


def _compare(what: str, found: Mapping[str, int], expected: Mapping[str, int]) -> None:
    if found != expected:
        raise Failed(f"{what} {dict(found)} where {dict(expected)} are due")
