from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import aetl
from tests.exports import make_export, write
from tests.integration.conftest import kind as kind


@pytest.fixture
def container() -> Path:
    """The folder ./container with one export, which is loaded into local.db."""
    write(Path("container"), 0, make_export(2))
    asyncio.run(aetl.load(aetl.Settings(container="container")))
    return Path("container")
