"""Plays what is drawn by a seed against a model, and makes what fails as small as it still fails."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

_Drawn = TypeVar("_Drawn")
_SECONDS_TO_SHRINK = 60
SEEDS = "AETL_TEST_SEEDS"
"""A variable with a seed, or the first and the one after the last, to play those instead: `700-1000`."""


def seeds(every_day: int, where_ci_is_set: int) -> list[Any]:
    """The first so many seeds every day, and more of them where CI is set."""
    if chosen := os.environ.get(SEEDS):
        first, _, last = chosen.partition("-")
        return [*range(int(first), int(last or int(first) + 1))]
    more = (pytest.param(seed, marks=pytest.mark.thorough) for seed in range(every_day, where_ci_is_set))
    return [*range(every_day), *more]


def is_to_be_killed(seed: int) -> bool:
    """Whether loads by this seed are killed."""
    return sys.platform != "win32" and seed % 5 == 0


def fails_by(
    drawn: _Drawn,
    smaller: Callable[[_Drawn], Iterator[_Drawn]],
    play: Callable[[_Drawn, Path], Coroutine[Any, Any, None]],
) -> tuple[str, _Drawn]:
    """What differs from the model, or nothing, and what was played; where it differs, the least that was found to."""
    difference = _played(drawn, play)
    until = time.monotonic() + _SECONDS_TO_SHRINK
    candidates = smaller(drawn)
    while difference and time.monotonic() < until and (less := next(candidates, None)) is not None:
        if found := _played(less, play):
            drawn, difference, candidates = less, found, smaller(less)
    return difference, drawn


def _played(drawn: _Drawn, play: Callable[[_Drawn, Path], Coroutine[Any, Any, None]]) -> str:
    logging.disable()  # what fails as it should is logged, too, and pytest would show all of it
    with tempfile.TemporaryDirectory() as folder:
        try:
            asyncio.run(play(drawn, Path(folder)))
        except Exception as error:  # whatever aetl may raise is told with what led to it
            return f"{type(error).__name__}: {error}"
        finally:
            logging.disable(logging.NOTSET)
    return ""
