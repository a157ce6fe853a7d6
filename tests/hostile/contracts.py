"""Contracts of a test's own: one table, and the SQL for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml


def write_contract(
    folder: Path, table: str, columns: Sequence[str], kinds: Mapping[str, Any] | None = None, **more: Any
) -> None:
    """own.json and own.yaml for a table whose key is its first column; of text, unless `kinds` tells otherwise."""
    (folder / "own.json").write_text(json.dumps(schema_of(table, columns, kinds, **more)))
    (folder / "own.yaml").write_text(yaml.safe_dump(sql_of(table, columns), sort_keys=False))


def schema_of(
    table: str, columns: Sequence[str], kinds: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    properties = {name: (kinds or {}).get(name, {"type": "string"}) for name in columns}
    items = {"type": "object", "required": list(columns), "additionalProperties": False, "properties": properties}
    return {
        "type": "object",
        "required": [table],
        "properties": {table: {"type": "array", "x-key": [columns[0]], "items": items | more}},
    }


def sql_of(table: str, columns: Sequence[str]) -> dict[str, Any]:
    shipped = yaml.safe_load(resources.files("aetl").joinpath("yaml/sql/sqlite.yaml").read_text("utf-8"))
    names, parameters = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    insert = f"INSERT INTO {table} ({names}) VALUES ({parameters}) ON CONFLICT ({columns[0]})"
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns)
    entry = {
        "key": [columns[0]],
        "create": f"CREATE TABLE IF NOT EXISTS {table} ({names}, PRIMARY KEY ({columns[0]}))",
        "upsert": f"{insert} DO UPDATE SET {changes}",
        "insert": f"{insert} DO NOTHING",
        "select": f"SELECT {names} FROM {table}",
        "truncate": f"DELETE FROM {table}",
    }
    return {"tables": {table: entry}, "ledger": shipped["ledger"]}
