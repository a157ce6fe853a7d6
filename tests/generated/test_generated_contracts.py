"""By any contract, what its exports hold is in each database, and comes out of it as it was."""

from __future__ import annotations

from functools import cache

import pytest

from aetl.contract import Contract
from tests.drawn import SEEDS, fails_by, is_to_be_killed, seeds
from tests.generated.playing import draw, play, smaller
from tests.postgresql import PostgreSQLServer

EVERY_DAY = 12
WHERE_CI_IS_SET = 50


@pytest.fixture(autouse=True)
def _read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A contract is read once for all loads by it: to check it takes longer than these."""
    monkeypatch.setattr(Contract, "read", cache(Contract.read))


@pytest.mark.parametrize("seed", seeds(EVERY_DAY, WHERE_CI_IS_SET))
def test_by_any_contract_each_database_holds_what_its_exports_do(seed: int, postgresql: PostgreSQLServer) -> None:
    difference, example = fails_by(
        draw(seed, kills=is_to_be_killed(seed)), smaller, lambda each, folder: play(each, folder, postgresql)
    )
    assert not difference, f"{SEEDS}={seed}: {difference}\n\nof\n{example}"
