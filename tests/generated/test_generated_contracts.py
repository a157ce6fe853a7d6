"""By any contract, what its exports hold is in each database, and comes out of it as it was."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from aetl.contract import Contract
from tests.generated.playing import Example, draw, play, smaller
from tests.postgresql import PostgreSQLServer

EVERY_DAY = 12
WHERE_CI_IS_SET = 50
SECONDS_TO_SHRINK = 60
SEEDS = "AETL_TEST_SEEDS"
"""A variable with a seed, or the first and the one after the last, to play those instead: `700-1000`."""


def seeds() -> list[Any]:
    if chosen := os.environ.get(SEEDS):
        first, _, last = chosen.partition("-")
        return [*range(int(first), int(last or int(first) + 1))]
    more = (pytest.param(seed, marks=pytest.mark.thorough) for seed in range(EVERY_DAY, WHERE_CI_IS_SET))
    return [*range(EVERY_DAY), *more]


@pytest.fixture(autouse=True)
def _read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A contract is read once for all loads by it: to check it takes longer than these."""
    monkeypatch.setattr(Contract, "read", cache(Contract.read))


@pytest.mark.parametrize("seed", seeds())
def test_by_any_contract_each_database_holds_what_its_exports_do(seed: int, postgresql: PostgreSQLServer) -> None:
    example = draw(seed, kills=sys.platform != "win32" and seed % 5 == 0)
    difference = played(example, postgresql)
    until = time.monotonic() + SECONDS_TO_SHRINK
    candidates = smaller(example)
    while difference and time.monotonic() < until and (less := next(candidates, None)) is not None:
        if found := played(less, postgresql):
            example, difference, candidates = less, found, smaller(less)
    assert not difference, f"{SEEDS}={seed}: {difference}\n\nof\n{example}"


def played(example: Example, server: PostgreSQLServer) -> str:
    """What differs from the model, or nothing."""
    logging.disable()  # what fails as it should is logged, too, and pytest would show all of it
    with tempfile.TemporaryDirectory() as folder:
        try:
            asyncio.run(play(example, Path(folder), server))
        except Exception as error:  # whatever aetl may raise is told with what led to it
            return f"{type(error).__name__}: {error}"
        finally:
            logging.disable(logging.NOTSET)
    return ""
