"""What is lost with what refers to nothing, by numbers alone."""

from __future__ import annotations

import random
from contextlib import closing

import pytest

from aetl.database.closure import Closure


def lost_of(offers: dict[int, str], wants: dict[int, list[str]], already: set[int]) -> list[int]:
    """As simply as can be: again and again, until nothing is lost any more."""
    lost = set(already)
    while True:
        offered = {target for number, target in offers.items() if number not in lost}
        more = {number for number, targets in wants.items() if not set(targets) <= offered} - lost
        if not more:
            return sorted(lost)
        lost |= more


@pytest.mark.parametrize("seed", range(200))
def test_what_is_lost_is_what_refers_to_nothing_or_to_what_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    count = chance.randrange(1, 12)
    offers = {number: f"t{chance.randrange(count)}" for number in range(count)}
    wants = {number: [f"t{chance.randrange(count + 1)}" for _ in range(chance.randrange(3))] for number in range(count)}
    already = {number for number in range(count) if chance.random() < 0.1}
    with closing(Closure()) as closure:
        closure.offer((target, number) for number, target in offers.items())
        closure.want((target, number) for number, targets in wants.items() for target in targets)
        closure.lose(already)
        expected = lost_of(offers, wants, already)
        assert closure.settle() == len(expected)
        assert list(closure.lost()) == expected
        closure.lose([0])
        assert closure.settle() == len(again := lost_of(offers, wants, {*already, 0}))
        assert list(closure.lost()) == again


def steps_of(length: int) -> int:
    """How many thousand steps SQLite takes for a chain whose end refers to nothing, and in which each stands twice."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    with closing(Closure()) as closure:
        closure._db.set_progress_handler(count, 1_000)
        for twice in (0, length):
            closure.offer((f"t{number}", twice + number) for number in range(length))
            closure.want((f"t{number - 1}", twice + number) for number in range(length))
        assert closure.settle() == 2 * length
    return steps


def test_a_chain_takes_as_long_as_it_is() -> None:
    assert steps_of(2_000) < 3 * steps_of(1_000)
