"""Contracts of a test's own: one table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def write_contract(
    folder: Path, table: str, columns: Sequence[str], kinds: Mapping[str, Any] | None = None, **more: Any
) -> None:
    """own.json for a table whose key is its first column; of text, unless `kinds` tells otherwise."""
    (folder / "own.json").write_text(json.dumps(schema_of(table, columns, kinds, **more)))


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
