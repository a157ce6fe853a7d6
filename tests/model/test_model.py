"""Any sequence of exports and loads leaves on each database what README promises."""

from __future__ import annotations

import pytest

from tests.drawn import SEEDS, fails_by, is_to_be_killed, seeds
from tests.model.playing import play
from tests.model.sequences import draw, smaller
from tests.postgresql import PostgreSQLServer

EVERY_DAY = 30
WHERE_CI_IS_SET = 500


@pytest.mark.parametrize("seed", seeds(EVERY_DAY, WHERE_CI_IS_SET))
def test_after_any_sequence_each_database_holds_what_is_promised(seed: int, postgresql: PostgreSQLServer) -> None:
    difference, sequence = fails_by(
        draw(seed, kills=is_to_be_killed(seed)), smaller, lambda each, folder: play(each, folder, postgresql)
    )
    assert not difference, f"{SEEDS}={seed}: {difference}\n\nafter\n{sequence}"
