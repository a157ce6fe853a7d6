"""The simulation's data keeps the contract, and is the same every time."""

from __future__ import annotations

import pytest

from aetl.contract import Contract
from aetl.simulation.mock_data import mock_batches


def records(sessions: int) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for batch in mock_batches(sessions):
        assert batch.first == len(found.setdefault(batch.table, []))
        found[batch.table] += batch.records
    return found


@pytest.mark.parametrize("sessions", [1, 500, 2001])
def test_each_session_has_a_prompt_and_a_reply_to_it(sessions: int) -> None:
    data = records(sessions)
    assert [len(data[table]) for table in ("sessions", "events", "event_parents")] == [sessions, 2 * sessions, sessions]
    ids = {table: {record["id"] for record in data[table]} for table in ("sessions", "events")}
    assert len(ids["sessions"]) == sessions
    assert len(ids["events"]) == 2 * sessions
    assert {record["session_id"] for record in data["events"]} == ids["sessions"]
    role = {record["id"]: record["role"] for record in data["events"]}
    answers = {(role[pair["child_id"]], role[pair["parent_id"]]) for pair in data["event_parents"]}
    assert answers == {("Assistant", "User")}


def test_it_keeps_the_contract() -> None:
    contract = Contract.read()
    for batch in mock_batches(1200):
        checked = contract.check(batch)
        assert not checked.rejects
        assert len(checked.rows) == checked.read == len(batch.records)


def test_it_is_the_same_every_time() -> None:
    assert records(20) == records(20)
    assert records(20)["events"] == records(21)["events"][:40]


def test_no_sessions_are_no_batches() -> None:
    assert records(0) == {}
