"""What a database needs to know follows from the contract alone."""

from __future__ import annotations

import pytest

from aetl.contract import Contract
from aetl.contract.tables import Column, Reference, Table, in_order


def test_the_shipped_contract_names_its_tables_keys_references_and_indexes() -> None:
    contract = Contract.read()
    assert list(contract.tables) == ["sessions", "events", "event_parents"]
    assert contract.arrays == {name: name for name in contract.tables}
    sessions, events, parents = contract.tables.values()
    assert sessions == Table(
        "sessions",
        "sessions",
        (
            Column("id", "id", "text", is_mandatory=True, admits_null=False),
            Column("started_at", "started_at", "date-time", is_mandatory=True, admits_null=False),
            Column("meta", "meta", "text", is_mandatory=False, admits_null=True),
        ),
        ("id",),
    )
    assert (events.key, events.references) == (("id",), (Reference("session_id", "sessions", "id"),))
    assert events.indexes == (("session_id", "ts"), ("session_id", "kind", "ts"))
    assert {each.name: each.type for each in events.columns if each.type != "text"} == {
        "ts": "date-time",
        "round": "integer",
    }
    assert parents.key == parents.names == ("child_id", "parent_id")
    assert parents.references == (Reference("child_id", "events", "id"), Reference("parent_id", "events", "id"))
    assert parents.indexes == (("parent_id",),)


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        ({"a": "", "b": "", "c": ""}, "abc"),
        ({"a": "b", "b": "c", "c": ""}, "cba"),
        ({"a": "a", "b": "", "c": "b"}, "abc"),
        ({"a": "bc", "b": "", "c": ""}, "bca"),
        ({"a": "b", "b": "a", "c": ""}, "abc"),
        ({"c": "a", "a": "b", "b": "a"}, "abc"),
        ({"b": "a", "a": "bd", "c": "b", "d": ""}, "dbac"),
        ({"a": "x"}, "a"),
    ],
)
def test_parents_come_before_children_and_rings_as_they_stand(references: dict[str, str], expected: str) -> None:
    tables = [
        Table(name, name, (), (), tuple(Reference("x", parent, "id") for parent in parents))
        for name, parents in references.items()
    ]
    assert "".join(table.name for table in in_order(tables)) == expected
