"""A SQLite file of somebody else's is refused, and stays as it was byte for byte."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from aetl.database import Purpose
from aetl.errors import (
    AetlError,
    DatabaseDamaged,
    DatabaseNotOurs,
)
from aetl.models import LoadReport
from tests.exports import listed, make_export
from tests.integration.databases import Kind, load_into, sqlite_kind

PURPOSES: tuple[Purpose, ...] = ("read", "check", "load", "simulate")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "local.db"


@pytest.fixture
def kind(path: Path) -> Kind:
    return sqlite_kind(path)


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def files(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


async def use(kind: Kind, purpose: Purpose) -> None:
    async with kind.opened(purpose):
        pass


async def load_simulation(kind: Kind) -> None:
    async with kind.opened("simulate") as database, database.load(listed(1)) as running:
        await running.settle()
        await running.finish(LoadReport("mock", "mock", "loaded"))


def foreign(path: Path) -> None:
    execute(path, "CREATE TABLE notes (text)", "INSERT INTO notes VALUES ('mine')")


def foreign_in_wal_mode(path: Path) -> None:
    execute(path, "PRAGMA journal_mode = WAL")
    foreign(path)


def no_database(path: Path) -> None:
    path.write_bytes(b"Dear diary, " * 1000)


def short_text(path: Path) -> None:
    path.write_text("x")


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize(
    ("make", "error"),
    [
        (foreign, DatabaseNotOurs),
        (foreign_in_wal_mode, DatabaseNotOurs),
        (no_database, DatabaseDamaged),
        (short_text, DatabaseDamaged),
    ],
)
async def test_what_is_somebody_elses_is_refused_and_left_as_it_was(
    kind: Kind, path: Path, make: Callable[[Path], None], error: type[AetlError], purpose: Purpose
) -> None:
    make(path)
    before = files(path.parent)
    with pytest.raises(error, match=path.name):
        await use(kind, purpose)
    assert files(path.parent) == before


@pytest.mark.parametrize("purpose", ["read", "check", "load"])
async def test_a_newer_ledger_is_refused(kind: Kind, path: Path, purpose: Purpose) -> None:
    await load_into(kind, make_export())
    execute(path, "PRAGMA user_version = 99")
    before = files(path.parent)
    with pytest.raises(DatabaseNotOurs, match="version 99") as caught:
        await use(kind, purpose)
    assert caught.value.hint == "Upgrade aetl."
    assert files(path.parent) == before


async def test_a_simulation_removes_its_own_database(kind: Kind) -> None:
    await load_simulation(kind)
    (made,) = kind.query("SELECT count(*) FROM _aetl_loads")
    await load_simulation(kind)
    assert made == (1,) and kind.query("SELECT count(*) FROM _aetl_loads") == [(1,)]
    assert kind.query("PRAGMA application_id") == [(int.from_bytes(b"aets"),)]


async def test_a_simulation_takes_an_empty_file(kind: Kind, path: Path) -> None:
    path.touch()
    await load_simulation(kind)


async def add_a_real_load(kind: Kind, path: Path) -> None:
    await load_into(kind, make_export())


async def add_a_table_to_a_simulation(kind: Kind, path: Path) -> None:
    await load_simulation(kind)
    execute(path, "CREATE TABLE notes (text)")


async def add_a_view_to_a_simulation(kind: Kind, path: Path) -> None:
    await load_simulation(kind)
    execute(path, "CREATE VIEW notes AS SELECT * FROM events")


@pytest.mark.parametrize(
    "make",
    [
        add_a_real_load,
        add_a_table_to_a_simulation,
        add_a_view_to_a_simulation,
    ],
)
async def test_a_simulation_leaves_every_other_database_as_it_was(
    kind: Kind, path: Path, make: Callable[[Kind, Path], object]
) -> None:
    made = make(kind, path)
    assert hasattr(made, "__await__")
    await made
    before = files(path.parent)
    with pytest.raises(DatabaseNotOurs, match="holds more than a simulation"):
        await use(kind, "simulate")
    assert files(path.parent) == before
