"""Any sequence of exports and loads leaves on each database what README promises."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests.model.playing import play
from tests.model.sequences import Sequence, draw, smaller
from tests.postgresql import PostgreSQLServer

EVERY_DAY = 30
WHERE_CI_IS_SET = 500
SECONDS_TO_SHRINK = 60
SEEDS = "AETL_TEST_SEEDS"
"""A variable with a seed, or the first and the one after the last, to play those instead: `700-1000`."""


def seeds() -> list[Any]:
    if chosen := os.environ.get(SEEDS):
        first, _, last = chosen.partition("-")
        return [*range(int(first), int(last or int(first) + 1))]
    more = (pytest.param(seed, marks=pytest.mark.thorough) for seed in range(EVERY_DAY, WHERE_CI_IS_SET))
    return [*range(EVERY_DAY), *more]


@pytest.mark.parametrize("seed", seeds())
def test_after_any_sequence_each_database_holds_what_is_promised(seed: int, postgresql: PostgreSQLServer) -> None:
    sequence = draw(seed, kills=sys.platform != "win32" and seed % 5 == 0)
    difference = played(sequence, postgresql)
    until = time.monotonic() + SECONDS_TO_SHRINK
    candidates = smaller(sequence)
    while difference and time.monotonic() < until and (less := next(candidates, None)) is not None:
        if found := played(less, postgresql):
            sequence, difference, candidates = less, found, smaller(less)
    assert not difference, f"{SEEDS}={seed}: {difference}\n\nafter\n{sequence}"


def played(sequence: Sequence, server: PostgreSQLServer) -> str:
    """What differs from the model after these steps, or nothing."""
    logging.disable()  # what fails as it should is logged, too, and pytest would show all of it
    with tempfile.TemporaryDirectory() as folder:
        try:
            asyncio.run(play(sequence, Path(folder), server))
        except Exception as error:  # whatever aetl may raise is told with the steps that led to it
            return f"{type(error).__name__}: {error}"
        finally:
            logging.disable(logging.NOTSET)
    return ""
