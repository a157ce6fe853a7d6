"""The tally of a load keeps the first rejects for a failure's report, whatever they are."""

from __future__ import annotations

import pytest

from aetl.errors import RejectsExceeded
from aetl.models import REFERS_TO_NOTHING, CheckedBatch, Outcome, Reject, TableCounts
from aetl.progress import LoggedProgress
from aetl.tally import Tally
from tests.exports import listed


@pytest.mark.parametrize(
    ("size", "count", "kept"), [(10, 1000, 100), (10**6, 50, 16), (20 * 10**6, 3, 1)], ids=["small", "large", "huge"]
)
def test_the_first_rejects_are_kept_and_only_so_much_of_their_records(size: int, count: int, kept: int) -> None:
    tally = Tally(listed(1), ["t"], count - 1, LoggedProgress())
    rejects = [Reject("t", position, "", "is wrong", "x" * size) for position in range(count)]
    tally.add(Outcome("t", TableCounts(count - 1, rejected=count - 1)), rejects[:-1])
    tally.judge(is_read=True)
    tally.add(Outcome("t", TableCounts(1, rejected=1)), rejects[-1:])
    like_it = rf"^{count:,} rejects, more than {count - 1:,}: t\[0\]: is wrong \(and {count - 1:,} like it\)$"
    with pytest.raises(RejectsExceeded, match=like_it):
        tally.judge(is_read=True)
    assert tally.first_rejects == rejects[:kept]


def test_an_export_with_many_rejects_is_not_read_to_its_end() -> None:
    tally = Tally(listed(1), ["t"], 0, LoggedProgress())
    rejects = [Reject("t", position, "", "is wrong", "{}") for position in range(1001)]
    tally.add(Outcome("t", TableCounts(1000, rejected=1000)), rejects[:1000])
    tally.judge(is_read=False)
    tally.add(Outcome("t", TableCounts(1, rejected=1)), rejects[1000:])
    with pytest.raises(RejectsExceeded, match="not read to its end"):
        tally.judge(is_read=False)


def test_an_export_with_many_rejects_that_show_at_its_end_was_read_to_it() -> None:
    tally = Tally(listed(1), ["t"], 0, LoggedProgress())
    orphans = [Reject("t", position, "", "refers to no record", "{}") for position in range(1001)]
    tally.add(Outcome("t", TableCounts(1001, rejected=1001), orphans), ())
    with pytest.raises(RejectsExceeded) as raised:
        tally.judge(is_read=True)
    assert str(raised.value) == "1,001 rejects: t[0]: refers to no record (and 1,000 like it)"


def test_one_of_each_kind_is_told_and_causes_before_consequences() -> None:
    tally = Tally(listed(1), ["t", "u"], 0, LoggedProgress())
    orphans = [
        Reject("u", position, "/t", f"'{position}' refers to no record", "{}", REFERS_TO_NOTHING) for position in (4, 7)
    ]
    tally.add(Outcome("u", TableCounts(9, rejected=2), orphans), ())
    types = [Reject("t", position, "/a", f"{position} is not of type 'string'", "{}", "type") for position in (1, 2, 3)]
    missing = [
        Reject("t", 5, "", "'a' is a required property", "{}"),
        Reject("t", 6, "", "'b' is a required property", "{}"),
    ]
    tally.add(Outcome("t", TableCounts(9, rejected=5)), [*types, *missing])
    with pytest.raises(RejectsExceeded) as raised:
        tally.judge(is_read=True)
    assert str(raised.value) == (
        "7 rejects: t[1]/a: 1 is not of type 'string' (and 2 like it); t[5]: 'a' is a required property; "
        "t[6]: 'b' is a required property; u[4]/t: '4' refers to no record (and 1 like it)"
    )


def test_of_a_long_unknown_key_the_beginning_is_told() -> None:
    tally = Tally(listed(1), ["t"], 0, LoggedProgress())
    tally.look_for_unknown_keys(CheckedBatch("t", 1, [()], [0], unknown={"short": 1, "x" * 10**6: 1}))
    assert tally.report("loaded").unknown_keys == {"t": {"short": 1, "x" * 80: 1}}


def test_the_records_with_an_unknown_key_are_counted_over_all_batches() -> None:
    tally = Tally(listed(1), ["t", "u"], 0, LoggedProgress())
    for table, unknown in [("t", {"a": 2, "b": 1}), ("u", {"a": 5}), ("t", {}), ("t", {"b": 3})]:
        tally.look_for_unknown_keys(CheckedBatch(table, 9, [()] * 9, range(9), unknown=unknown))
    assert tally.report("loaded").unknown_keys == {"t": {"a": 2, "b": 4}, "u": {"a": 5}}


def test_of_very_many_unknown_keys_a_hundred_are_counted_on() -> None:
    tally = Tally(listed(1), ["t"], 0, LoggedProgress())
    for _ in range(2):
        unknown = {f"{number:03}": 1 for number in range(200)}
        tally.look_for_unknown_keys(CheckedBatch("t", 200, [()] * 200, range(200), unknown=unknown))
    assert tally.report("loaded").unknown_keys == {"t": {f"{number:03}": 2 for number in range(100)}}
