"""Tables of somebody else's: a tree of nodes and measurements of them, with constraints and every type of column."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
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
POSTGRESQL_CREATE = {
    "nodes": "CREATE TABLE nodes (id bigint NOT NULL, above bigint, label text NOT NULL)",
    "values": """CREATE TABLE "values" (
        node bigint NOT NULL, name text NOT NULL, amount double precision NOT NULL, good boolean
    )""",
}
POSTGRESQL_KEYS = {
    "nodes": [
        "ALTER TABLE nodes ADD PRIMARY KEY (id)",
        "ALTER TABLE nodes ADD FOREIGN KEY (above) REFERENCES nodes (id)",
        "ALTER TABLE nodes ADD CONSTRAINT label_is_good CHECK (label <> 'bad')",
    ],
    "values": [
        'ALTER TABLE "values" ADD PRIMARY KEY (node, name)',
        'ALTER TABLE "values" ADD FOREIGN KEY (node) REFERENCES nodes (id)',
        'ALTER TABLE "values" ADD CONSTRAINT amount_is_positive CHECK (amount >= 0)',
    ],
}
POSTGRESQL_STAGE = {
    "nodes": "CREATE TEMPORARY TABLE _aetl_nodes (position bigint, id bigint, above bigint, label text) ON COMMIT DROP",
    "values": """CREATE TEMPORARY TABLE _aetl_values (
        position bigint, node bigint, name text, amount double precision, good boolean
    ) ON COMMIT DROP""",
}
KEYS = {"nodes": ["id"], "values": ["node", "name"]}
CREATE = {
    "nodes": """CREATE TABLE IF NOT EXISTS nodes (
        id INTEGER NOT NULL PRIMARY KEY,
        above INTEGER REFERENCES nodes (id),
        label TEXT NOT NULL CHECK (label <> 'bad')
    )""",
    "values": """CREATE TABLE IF NOT EXISTS "values" (
        node INTEGER NOT NULL REFERENCES nodes (id),
        name TEXT NOT NULL,
        amount REAL NOT NULL CHECK (amount >= 0),
        good INTEGER,
        PRIMARY KEY (node, name)
    )""",
}
PARENTS = {
    "nodes": {"above": "SELECT :above IS NULL OR EXISTS (SELECT 1 FROM nodes WHERE id = :above)"},
    "values": {"node": "SELECT EXISTS (SELECT 1 FROM nodes WHERE id = :node)"},
}


def node(number: float, above: int | None = None, label: str = "a") -> dict[str, Any]:
    return {"id": number, "above": above, "label": label}


def value(of: int, name: str = "x", amount: float | None = 1.5, good: bool | None = True) -> dict[str, Any]:
    return {"node": of, "name": name, "amount": amount, "good": good}


def write_schema(folder: Path) -> Path:
    path = folder / "own.json"
    tables = {
        name: {
            "type": "array",
            "items": {
                "type": "object",
                "required": list(columns),
                "additionalProperties": False,
                "properties": columns,
            },
        }
        for name, columns in COLUMNS.items()
    }
    path.write_text(json.dumps({"type": "object", "required": list(COLUMNS), "properties": tables}))
    return path


def write_sql(folder: Path, dialect: str = "sqlite", **changes: Any) -> Path:
    """The SQL file; `changes` replace what stands in the entry of the table nodes."""
    shipped = yaml.safe_load(resources.files("aetl").joinpath(f"yaml/sql/{dialect}.yaml").read_text("utf-8"))
    tables = {name: {"sqlite": _table, "postgresql": _postgresql_table}[dialect](name) for name in COLUMNS}
    tables["nodes"] |= changes
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump({"tables": tables, "ledger": shipped["ledger"]}, sort_keys=False))
    return path


def _table(name: str) -> dict[str, Any]:
    columns, key = list(COLUMNS[name]), ", ".join(KEYS[name])
    rest = [column for column in columns if column not in KEYS[name]]
    changes = ", ".join(f"{each} = excluded.{each}" for each in rest)
    differs = " OR ".join(f"{each} IS NOT excluded.{each}" for each in rest)
    insert = f'INSERT INTO "{name}" ({", ".join(columns)}) VALUES ({", ".join(f":{column}" for column in columns)})'
    return {
        "key": KEYS[name],
        "create": CREATE[name],
        "indexes": ["CREATE INDEX IF NOT EXISTS nodes_above ON nodes (above)"] if name == "nodes" else [],
        "upsert": f"{insert} ON CONFLICT ({key}) DO UPDATE SET {changes} WHERE {differs}",
        "insert": f"{insert} ON CONFLICT ({key}) DO NOTHING",
        "select": f'SELECT {", ".join(columns)} FROM "{name}"',
        "truncate": f'DELETE FROM "{name}"',
        "parents": PARENTS[name],
    }


def _postgresql_table(name: str) -> dict[str, Any]:
    columns, key = list(COLUMNS[name]), ", ".join(KEYS[name])
    rest = [column for column in columns if column not in KEYS[name]]
    both, staging = ", ".join(columns), f"_aetl_{name}"

    def row(of: str) -> str:
        return f"({', '.join(f'{of}.{column}' for column in rest)})"

    insert = f'INSERT INTO "{name}" AS old ({both}) SELECT {both} FROM {staging} ORDER BY position'
    changes = ", ".join(f"{each} = excluded.{each}" for each in rest)
    column, target = ("above", "nodes") if name == "nodes" else ("node", "nodes")
    return {
        "key": KEYS[name],
        "create": POSTGRESQL_CREATE[name],
        "keys": POSTGRESQL_KEYS[name],
        "stage": POSTGRESQL_STAGE[name],
        "upsert": f"""{insert} ON CONFLICT ({key}) DO UPDATE SET {changes}
            WHERE {row("old")} IS DISTINCT FROM {row("excluded")}""",
        "insert": f"{insert} ON CONFLICT ({key}) DO NOTHING",
        "restage": f"""INSERT INTO {staging} (position, {both})
            SELECT row_number() OVER (ORDER BY ctid) - 1, {both} FROM "{name}" """,
        "staged": f"SELECT * FROM {staging} ORDER BY position",
        "clear": f"TRUNCATE {staging}",
        "parents": {
            column: f"DELETE FROM {staging} AS new WHERE {column} IS NOT NULL AND NOT EXISTS"
            f" (SELECT 1 FROM {target} WHERE id = new.{column})"
            + f" AND NOT EXISTS (SELECT 1 FROM {staging} WHERE id = new.{column})" * (name == target)
            + " RETURNING *"
        },
        "select": f'SELECT {both} FROM "{name}"',
        "truncate": f'TRUNCATE "{name}" CASCADE',
    }
