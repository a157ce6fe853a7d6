"""Tables of somebody else's: a tree of nodes and measurements of them, with constraints and every type of column."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

COLUMNS: dict[str, dict[str, Any]] = {
    "nodes": {"id": {"type": "integer"}, "above": {"type": ["integer", "null"]}, "label": {"type": "string"}},
    "values": {
        "node": {"type": "integer"},
        "name": {"type": "string"},
        "amount": {"type": ["number", "null"]},
        "good": {"type": ["boolean", "null"]},
    },
}
KEYS = {"nodes": ["id"], "values": ["node", "name"]}
REFERENCES = {("nodes", "above"): "nodes", ("values", "node"): "nodes.id"}
CREATE = {
    "sqlite": {
        "nodes": """CREATE TABLE nodes (
            id INTEGER NOT NULL PRIMARY KEY,
            above INTEGER REFERENCES nodes (id),
            label TEXT NOT NULL CHECK (label <> 'bad')
        )""",
        "values": """CREATE TABLE "values" (
            node INTEGER NOT NULL REFERENCES nodes (id),
            name TEXT NOT NULL,
            amount REAL CHECK (amount IS NOT NULL) CHECK (amount >= 0),
            good INTEGER,
            PRIMARY KEY (node, name)
        )""",
    },
    "postgresql": {
        "nodes": """CREATE TABLE nodes (
            id bigint NOT NULL, above bigint, label text NOT NULL CONSTRAINT label_is_good CHECK (label <> 'bad')
        )""",
        "values": """CREATE TABLE "values" (
            node bigint NOT NULL,
            name text NOT NULL,
            amount double precision
                CONSTRAINT amount_is_there CHECK (amount IS NOT NULL) CONSTRAINT amount_is_positive CHECK (amount >= 0),
            good boolean
        )""",
    },
}
"""What the contract does not say: constraints, and that an amount is never missing."""


def node(number: float, above: int | None = None, label: str = "a") -> dict[str, Any]:
    return {"id": number, "above": above, "label": label}


def value(of: int, name: str = "x", amount: float | None = 1.5, good: bool | None = True) -> dict[str, Any]:
    return {"node": of, "name": name, "amount": amount, "good": good}


def write_schema(folder: Path, **columns: dict[str, Any]) -> Path:
    """The contract; `columns` replace some of the table nodes."""
    path = folder / "own.json"
    tables = {}
    for name, own in COLUMNS.items():
        properties = {column: dict(kind) for column, kind in own.items()} | (columns if name == "nodes" else {})
        for (table, column), target in REFERENCES.items():
            if table == name:
                properties[column]["x-references"] = target
        tables[name] = {
            "type": "array",
            "x-key": KEYS[name],
            "x-indexes": [["above"]] if name == "nodes" else [],
            "items": {
                "type": "object",
                "required": list(properties),
                "additionalProperties": False,
                "properties": properties,
            },
        }
    path.write_text(json.dumps({"type": "object", "required": list(COLUMNS), "properties": tables}))
    return path


def write_sql(
    folder: Path,
    dialect: str = "sqlite",
    replaced: Mapping[str, str] = MappingProxyType({}),
    create: str | None = None,
    **operations: Any,
) -> Path:
    """The SQL file; `replaced` are parts of the tables' definitions and what stands for them, `operations` others.

    `create` makes the table nodes instead.
    """
    path = folder / "own.yaml"
    tables = dict(CREATE[dialect])
    for old, new in replaced.items():
        assert any(old in create for create in tables.values())
        tables = {name: create.replace(old, new) for name, create in tables.items()}
    if create is not None:
        tables["nodes"] = create
    content = {"tables": {name: {"create": create} for name, create in tables.items()}, "operations": operations}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path
