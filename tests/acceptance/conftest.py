from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.command import content, succeed
from tests.exports import encode, make_export, write


@pytest.fixture(scope="session")
def big_exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one export of some 60 MB: its load takes long enough for an interruption to come in between."""
    folder = tmp_path_factory.mktemp("big")
    write(folder, 1, encode(make_export(50_000, events=4), indent=None))
    return folder


@pytest.fixture(scope="session")
def big_content(big_exports: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one clean load of it leaves."""
    database = tmp_path_factory.mktemp("clean") / "clean.db"
    succeed("load", "--container", big_exports, "--database", database, "--log-file", database.with_suffix(".log"))
    return content(database)
