"""What an export must look like: a JSON Schema of it, from which tables and columns follow.

Every property of the document is a table's array, every property of its items a column; what a database needs to know
beside that stands in keywords that begin with x-, of which json/contract.schema.json tells.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from aetl.contract import values
from aetl.contract.deriving import tables_of
from aetl.contract.judging import Judge
from aetl.contract.keywords import DRAFT_7, draft_of
from aetl.contract.reading import check_schema, read_schema
from aetl.contract.resolving import merged, written_out
from aetl.contract.rows import Rows
from aetl.models import Batch, CheckedBatch, Row


class Contract:
    """What an export must look like, read from a schema file.

    `tables` are in the schema's order. `arrays` are the properties of an export that hold their records, each with the
    name of its table, and `required` those of them that may not be missing.
    """

    def __init__(self, schema: Mapping[str, Any], source: str | None) -> None:
        """Raises ConfigurationError with the place in `source` where the schema is not one that aetl can load by.

        Without a source it is aetl's own, which the tests check: to check it takes longer than a small load.
        """
        self._schema = schema
        if source is not None:
            check_schema(schema, source, self._is_good)
        self.tables = tables_of(schema, self._is_good)
        self.arrays = {table.array: table.name for table in self.tables.values()}
        document = merged(schema, schema)
        self.required = frozenset(document.get("required", ()))
        self._judges = {name: self._judge(name, document["properties"]) for name in self.tables}

    @classmethod
    def read(cls, path: Path | None = None) -> Contract:
        """The contract in `path`, or the one that aetl ships."""
        return cls(read_schema(path), str(path) if path else None)

    @cached_property
    def hash(self) -> str:
        """A SHA-256 of the schema as hexadecimal digits: equal whatever the order of its keys and its blanks."""
        text = json.dumps(self._schema, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def check(self, batch: Batch) -> CheckedBatch:
        """Judges one batch."""
        return self._judges[batch.table].check(batch)

    def encode(self, table: str, rows: list[Row]) -> bytes:
        """The records that `rows` were made from, as JSON objects with commas between them: the reverse of `check`."""
        return self._judges[table].rows.encode(rows)

    def values(self, table: str, rows: list[Row]) -> list[Row]:
        """Rows as a database gives them with the values of an export, as they are hashed: JSON as msgspec.Raw."""
        return self._judges[table].rows.values(rows)

    def _judge(self, name: str, arrays: Mapping[str, Any]) -> Judge:
        table, schema = self.tables[name], self._schema
        items = merged(schema, merged(schema, arrays[table.array])["items"])
        properties = {key: written_out(schema, kind) for key, kind in items["properties"].items()}
        is_closed = items.get("additionalProperties", True) is False and "patternProperties" not in items
        rows = Rows(table, properties.keys(), frozenset(items.get("required", ())), is_closed)
        return Judge(rows, {**items, "properties": properties}, self._definitions, draft_of(schema) or DRAFT_7)

    @property
    def _definitions(self) -> Mapping[str, Any]:
        return {name: self._schema[name] for name in ("definitions", "$defs") if name in self._schema}

    def _is_good(self, written: Any, value: object) -> bool:
        """Whether a value keeps a schema that stands in this one."""
        validator = (draft_of(self._schema) or DRAFT_7).validator
        return validator(
            {"allOf": [written], **self._definitions}, formats=values.FORMATS, validate_formats=True
        ).is_valid(value)
