from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import aetl


@pytest.fixture
def container() -> Path:
    """The folder ./container with one export, as a simulated night leaves it."""
    asyncio.run(aetl.simulate(aetl.Settings(), sessions=2))
    return Path("container")
