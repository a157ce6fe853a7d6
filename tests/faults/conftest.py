from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.command import content, succeed
from tests.azurite import Azurite
from tests.exports import encode, make_export, write


@dataclass(frozen=True)
class Night:
    """An export whose load takes a second, and what one clean load of it leaves."""

    folder: Path
    name: str
    database: Path
    content: dict[str, str]
    seconds: float
    """From the start of the process to its end."""

    @property
    def path(self) -> Path:
        return self.folder / self.name


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    place = tmp_path_factory.mktemp("night")
    name = write(place / "exports", 1, encode(make_export(15_000, events=4), indent=None))
    database, log = place / "clean.db", place / "clean.log"
    began = time.monotonic()
    succeed("load", "--container", place / "exports", "--database", database, "--log-file", log)
    return Night(place / "exports", name, database, content(database), time.monotonic() - began)


@pytest.fixture(scope="session")
def night_url(night: Night, azurite: Azurite) -> Iterator[str]:
    """An Azure container that holds the export of the night, with a SAS."""
    with azurite.new_container() as container:
        container.upload(night.name, night.path.read_bytes())
        yield container.url_with_sas("rl")


@pytest.fixture(params=["first load", "second load"])
def before(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A database as it was before the load: not there yet, or with an earlier one, of which the load changes much."""
    database = tmp_path / "before" / "before.db"
    database.parent.mkdir()
    if request.param == "second load":
        write(Path("earlier"), 0, make_export(1_000, events=4, meta="before"))
        succeed("load", "--container", "earlier", "--database", database, "--log-file", "earlier.log")
    return database
