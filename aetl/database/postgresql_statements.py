"""The statements of a PostgreSQL database's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from aetl.database import statements
from aetl.database.statements import refuse, text, texts

_TABLE_TEXTS = ("create", "stage", "upsert", "insert", "restage", "staged", "clear", "select", "truncate")


@dataclass(frozen=True)
class Versions:
    """What an export needs that holds a record more than once."""

    changed: str
    keep_first: str
    keep_last: str


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
    versions: Versions | None
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
    versions, parents = entry.get("versions"), entry.get("parents") or {}
    if versions is not None and not isinstance(versions, dict):
        raise refuse(source, f"{place}/versions must be a mapping")
    if not isinstance(parents, dict) or not parents.keys() <= set(columns):
        raise refuse(source, f"{place}/parents must be a mapping of columns to statements")
    return TableStatements(
        name,
        key=key,
        keys=texts(entry, source, place, "keys"),
        versions=_versions(source, place, versions) if versions else None,
        parents={column: text(parents, source, f"{place}/parents", column) for column in parents},
        **{each: text(entry, source, place, each) for each in _TABLE_TEXTS},
    )


def _versions(source: str, place: str, entry: Mapping[str, Any]) -> Versions:
    return Versions(
        *(text(entry, source, f"{place}/versions", each) for each in ("changed", "keep_first", "keep_last"))
    )
