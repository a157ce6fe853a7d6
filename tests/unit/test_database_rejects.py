"""A record that only the database refuses is kept as the export had it, whatever the columns make of it."""

from __future__ import annotations

import json

from aetl.contract import Contract
from aetl.database.rejects import reject_orphan, reject_row
from aetl.models import Batch

SCHEMA = {
    "type": "object",
    "properties": {
        "things": {
            "type": "array",
            "x-key": ["id"],
            "x-rest": "rest",
            "items": {
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": {"type": "integer", "x-column": "thing_id"},
                    "a/b~c": {"type": ["integer", "null"], "x-references": "things"},
                    "at": {"type": "integer", "format": "date-time", "x-epoch": "ms"},
                    "tags": {"type": "array"},
                    "good": {"type": "boolean"},
                    "size": {"type": "number"},
                },
            },
        }
    },
}
RECORD = {"id": 1, "a/b~c": 2, "at": 1_700_000_000_123, "tags": [1, {"x": "ü"}], "good": True, "size": 0.1, "new": [2]}


def test_an_orphan_is_kept_as_the_record_that_it_was() -> None:
    contract = Contract(SCHEMA, None)
    (row,) = contract.check(Batch("things", 5, [RECORD])).rows
    reject = reject_orphan(contract.tables["things"], row, 5, "a/b~c")
    assert json.loads(reject.record) == RECORD
    assert (reject.pointer, reject.reason) == ("/a~1b~0c", "2 refers to no record")


def test_what_could_not_be_encoded_is_kept_all_the_same() -> None:
    table = Contract(SCHEMA, None).tables["things"]
    row = (1, None, None, None, None, None, '{"x": "\ud800"}')
    assert "\\ud800" in reject_row(table, row, 0, None, "why").record
