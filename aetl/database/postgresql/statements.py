"""The statements of a PostgreSQL database's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from aetl.database import statements
from aetl.database.statements import refuse, text, texts

_TABLE_TEXTS = ("create", "stage", "upsert", "insert", "restage", "staged", "clear", "select", "truncate")


@dataclass(frozen=True)
class TableStatements:
    """The statements of one table; yaml/sql/postgresql.yaml says what each does."""

    name: str
    key: tuple[str, ...]
    create: str
    keys: tuple[str, ...]
    stage: str
    upsert: str
    insert: str
    restage: str
    staged: str
    clear: str
    select: str
    truncate: str
    parents: Mapping[str, str]
    """Referring column -> the statement that takes out the records whose reference means nothing."""

    @property
    def staging(self) -> str:
        """The name of the temporary table."""
        return f"_aetl_{self.name}"


Statements: TypeAlias = statements.Statements[TableStatements]


def read_table(source: str, name: str, entry: Mapping[str, Any], columns: Sequence[str]) -> TableStatements:
    """The statements of one table, checked against the contract's columns.

    Raises ConfigurationError that names file, table and statement.
    """
    place = f"tables/{name}"
    key = texts(entry, source, place, "key")
    for column in key:
        if column not in columns:
            raise refuse(source, f"{place}/key names {column!r}, which is no column of the schema file's")
    parents = entry.get("parents") or {}
    if not isinstance(parents, dict) or not parents.keys() <= set(columns):
        raise refuse(source, f"{place}/parents must be a mapping of columns to statements")
    return TableStatements(
        name,
        key=key,
        keys=texts(entry, source, place, "keys"),
        parents={column: text(parents, source, f"{place}/parents", column) for column in parents},
        **{each: text(entry, source, place, each) for each in _TABLE_TEXTS},
    )
