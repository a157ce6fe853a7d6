"""A rank leads back to the place in the export, whatever was refused between."""

from __future__ import annotations

import pytest

from aetl.database.places import Places


@pytest.mark.parametrize(
    "batches",
    [
        [],
        [range(5)],
        [range(3), [], range(3, 8)],
        [[0, 2], [3, 4, 9]],
        [[4], [5], [6, 8]],
        [range(1, 1000, 2), range(1000, 1003), range(2000, 2300, 7)],
    ],
    ids=str,
)
def test_a_rank_tells_the_place(batches: list[list[int] | range]) -> None:
    places = Places()
    for batch in batches:
        places.note(batch)
    expected = [position for batch in batches for position in batch]
    assert list(places.counts) == [len(batch) for batch in batches if batch]
    assert [places.of(rank) for rank in range(len(expected))] == expected
