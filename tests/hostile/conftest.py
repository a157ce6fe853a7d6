from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from aetl import Settings, load
from tests.exports import make_export, write
from tests.hostile.in_process import Run, running


@pytest.fixture(scope="session")
def loaded_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that holds one good export."""
    folder = tmp_path_factory.mktemp("before")
    write(folder / "exports", 0, make_export(2, first=90))
    asyncio.run(load(Settings(container=str(folder / "exports"), database=str(folder / "local.db"))))
    return folder / "local.db"


@pytest.fixture
def database_before(loaded_before: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(loaded_before, tmp_path / "local.db"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    yield from running(capsys)
