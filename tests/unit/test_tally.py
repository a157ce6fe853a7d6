"""The tally of a load keeps the first rejects for a failure's report, whatever they are."""

from __future__ import annotations

import pytest

from aetl.errors import RejectsExceeded
from aetl.models import Outcome, Reject, TableCounts
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
    with pytest.raises(RejectsExceeded, match=r"the first t\[0\]: is wrong"):
        tally.add(Outcome("t", TableCounts(1, rejected=1)), rejects[-1:])
    assert tally.first_rejects == rejects[:kept]
