"""What the ledger keeps of a load is what it tells of it later, also where an older aetl wrote it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aetl.database.ledger import finished, report
from aetl.models import LoadReport, TableCounts
from aetl.telling import warnings


def read(tables: str) -> LoadReport:
    return report((7, "a.json", "1", "", "loaded", "", None, 0.5, 9, tables, None))


def test_counts_of_unknown_keys_come_back() -> None:
    written = LoadReport(
        "a.json",
        "1",
        "loaded",
        tables={"t": TableCounts(3, 3), "u": TableCounts()},
        skipped=("u", "other"),
        unknown_keys={"t": {"a": 2, "b\0": 1}},
    )
    back = read(finished(7, written)["tables"])
    assert (back.tables, back.skipped) == (written.tables, ("u", "other"))
    assert back.unknown_keys == {"t": {"a": 2, r"b\u0000": 1}}


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (["a"], "the key 'a' was left out"),
        (["b", "a"], "the keys 'b', 'a' were left out"),
        ({"a": 1}, "the key 'a' (in 1 record) was left out"),
        ({"a": 1, "b": 2000}, "the keys 'b' (in 2,000 records), 'a' (in 1 record) were left out"),
        (list("abcdefg"), "the keys 'a', 'b', 'c', 'd', 'e', and 2 more were left out"),
    ],
)
def test_unknown_keys_are_told_in_one_line_a_table_the_most_frequent_first(keys: Any, told: str) -> None:
    counts = {"read": 3, "loaded": 3, "unchanged": 0, "rejected": 0}
    back = read(json.dumps({"t": {**counts, "unknown_keys": keys}}))
    assert warnings(back) == [f"t: {told}: the contract has no such column, and no x-rest"]
    assert list(back.unknown_keys["t"]) == list(keys)
