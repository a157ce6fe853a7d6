"""Reads the SQL of a database from its YAML file, and holds it against the contract's columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from aetl.errors import ConfigurationError

_PARAMETER = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")
_TABLE_TEXTS = ("create", "upsert", "insert", "select", "truncate")
_LEDGER_TEXTS = (
    "pending", "is_older", "begin", "finish", "forget_failures", "reject", "history", "last_success", "truncate"
)  # fmt: skip


@dataclass(frozen=True)
class TableStatements:
    """The statements of one table; `upsert` and `insert` take a row by position (`?1`, `?2`, ...)."""

    name: str
    key: tuple[int, ...]
    """The places of the key's columns in a row."""
    create: str
    indexes: tuple[str, ...]
    upsert: str
    insert: str
    select: str
    truncate: str
    encoded: str | None
    following: str | None
    place: str | None
    """Takes the key's values by position."""
    parents: Mapping[int, str]
    """Place of a referring column -> the query that says whether the record that it means exists."""


@dataclass(frozen=True)
class Statements:
    """All statements of one database; those of the ledger take their parameters by name."""

    source: str
    tables: Mapping[str, TableStatements]
    ledger_create: tuple[str, ...]
    ledger: Mapping[str, str]


def read_statements(dialect: str, columns: Mapping[str, Sequence[str]], path: Path | None = None) -> Statements:
    """The statements in `path`, or those that aetl ships for `dialect`, checked against the contract's columns.

    Raises ConfigurationError that names file, table and statement.
    """
    source = str(path or f"yaml/sql/{dialect}.yaml")
    try:
        text = (path or resources.files("aetl").joinpath(f"yaml/sql/{dialect}.yaml")).read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "strerror", None) or (
            f"line {mark.line + 1} is not YAML" if mark else "not YAML in UTF-8"
        )
        raise ConfigurationError(f"the SQL file {source} cannot be read: {reason}", hint=_HINT) from error
    if not isinstance(content, dict) or not all(isinstance(content.get(part), dict) for part in ("tables", "ledger")):
        raise _refuse(source, "it must hold 'tables' and 'ledger'")
    tables, ledger = content["tables"], content["ledger"]
    for name in columns.keys() ^ tables.keys():
        missing, other = ("SQL", "schema") if name in columns else ("schema", "SQL")
        raise _refuse(source, f"the {missing} file lacks the table {name!r} of the {other} file")
    for name in _LEDGER_TEXTS:
        _text(ledger, source, "ledger", name)
    return Statements(
        source,
        # In the file's order: parents come first there, so that a table is created after those that it refers to.
        {name: _table(source, name, table, columns[name]) for name, table in tables.items()},
        _texts(ledger, source, "ledger", "create"),
        {name: ledger[name] for name in _LEDGER_TEXTS},
    )


_HINT = "Mend the file that --sql names; aetl's own yaml/sql/ has an example."


def _refuse(source: str, reason: str) -> ConfigurationError:
    return ConfigurationError(f"the SQL file {source} cannot be used: {reason}", hint=_HINT)


def _table(source: str, name: str, entry: Any, columns: Sequence[str]) -> TableStatements:
    if not isinstance(entry, dict):
        raise _refuse(source, f"tables/{name} must be a mapping")
    texts = {each: _text(entry, source, f"tables/{name}", each) for each in _TABLE_TEXTS}
    key = _texts(entry, source, f"tables/{name}", "key")
    for column in key:
        if column not in columns:
            raise _refuse(source, f"tables/{name}/key names {column!r}, which is no column of the schema file's")
    for each in ("upsert", "insert"):
        named = set(_PARAMETER.findall(texts[each]))
        if difference := named ^ set(columns):
            raise _refuse(source, f"tables/{name}/{each} and the schema file differ in {', '.join(sorted(difference))}")
        texts[each] = _PARAMETER.sub(lambda found: f"?{columns.index(found[1]) + 1}", texts[each])
    place = _optional_text(entry, source, f"tables/{name}", "place")
    if place is not None and set(_PARAMETER.findall(place)) != set(key):
        raise _refuse(source, f"tables/{name}/place must take the key's columns: {', '.join(key)}")
    return TableStatements(
        name,
        key=tuple(map(list(columns).index, key)),
        indexes=_texts(entry, source, f"tables/{name}", "indexes") if entry.get("indexes") else (),
        encoded=_optional_text(entry, source, f"tables/{name}", "encoded"),
        following=_optional_text(entry, source, f"tables/{name}", "following"),
        place=_PARAMETER.sub(lambda found: f"?{key.index(found[1]) + 1}", place) if place else None,
        parents=_parents(source, name, entry.get("parents") or {}, columns),
        **texts,
    )


def _parents(source: str, name: str, entry: Any, columns: Sequence[str]) -> dict[int, str]:
    place = f"tables/{name}/parents"
    if not isinstance(entry, dict) or not entry.keys() <= set(columns):
        raise _refuse(source, f"{place} must be a mapping of columns to queries")
    texts = {column: _text(entry, source, place, column) for column in entry}
    return {columns.index(column): _PARAMETER.sub("?1", text) for column, text in texts.items()}


def _text(entry: Mapping[str, Any], source: str, place: str, name: str) -> str:
    if not isinstance(entry.get(name), str):
        raise _refuse(source, f"{place}/{name} must be a text")
    return str(entry[name])


def _optional_text(entry: Mapping[str, Any], source: str, place: str, name: str) -> str | None:
    return _text(entry, source, place, name) if entry.get(name) else None


def _texts(entry: Mapping[str, Any], source: str, place: str, name: str) -> tuple[str, ...]:
    texts = entry.get(name)
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise _refuse(source, f"{place}/{name} must be a list of texts")
    return tuple(texts)
