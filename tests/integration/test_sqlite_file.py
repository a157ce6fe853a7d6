"""A SQLite file: whose it is, what keeps aetl out of it, and how a load leaves it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from contextlib import aclosing, closing
from dataclasses import replace
from pathlib import Path

import pytest

from aetl.database import Purpose
from aetl.database.sqlite import transaction as sqlite_transaction
from aetl.errors import (
    ConfigurationError,
    DatabaseDamaged,
    DatabaseInaccessible,
    DatabaseLocked,
    DatabaseNotFound,
    LoadRunning,
    TablesDiffer,
)
from aetl.models import LoadReport
from tests.conftest import ROOT
from tests.exports import checked, in_order, listed, make_export
from tests.integration.databases import Kind, content, load_into, sqlite_kind

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


async def run_python(script: str, *arguments: str) -> tuple[int | None, str]:
    """Exit code and standard error of a second process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, *arguments, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    return process.returncode, told.decode(errors="replace")


async def use(kind: Kind, purpose: Purpose) -> None:
    async with kind.opened(purpose):
        pass


async def test_a_load_leaves_one_sound_file(kind: Kind, path: Path) -> None:
    await load_into(kind, make_export(50))
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert kind.query("PRAGMA journal_mode") == [("wal",)]
    assert kind.query("PRAGMA integrity_check") == [("ok",)]
    assert kind.query("PRAGMA foreign_key_check") == []
    assert kind.query("PRAGMA application_id") == [(int.from_bytes(b"aetl"),)]
    indexes = {name for (name,) in kind.query("SELECT name FROM sqlite_schema WHERE type = 'index'")}
    assert indexes >= {
        "events_session_id_ts",
        "events_session_id_kind_ts",
        "event_parents_parent_id",
        "_aetl_loads_blob",
    }


async def test_a_load_makes_an_index_that_a_database_of_before_lacks(kind: Kind) -> None:
    await load_into(kind, make_export(), listed(1))
    kind.query("DROP INDEX event_parents_parent_id")
    await load_into(kind, make_export(3), listed(2))
    assert kind.query("SELECT name FROM sqlite_schema WHERE name = 'event_parents_parent_id'") != []


async def test_readers_see_the_tables_as_they_were_while_a_load_runs(kind: Kind) -> None:
    await load_into(kind, make_export(3), listed(1))
    async with kind.opened() as database, database.load(listed(2)) as running:
        for batch in checked(make_export(9), kind.contract):
            await running.write(batch)
        assert await content(kind) == in_order(make_export(3))
        await running.settle()
        await running.finish(LoadReport(listed(2).name, "1", "loaded"))
    assert await content(kind) == in_order(make_export(9))


async def test_while_a_first_load_runs_there_is_no_database_yet(kind: Kind) -> None:
    async with kind.opened() as database, database.load(listed(1)) as running:
        for batch in checked(make_export(9), kind.contract):
            await running.write(batch)
        with pytest.raises(DatabaseNotFound):
            await content(kind)
        await running.settle()
        await running.finish(LoadReport(listed(1).name, "1", "loaded"))


@pytest.mark.parametrize("second", ["load", "simulate"])
@pytest.mark.parametrize("first", ["load", "simulate"])
async def test_a_second_load_is_told_that_one_is_running(
    kind: Kind, path: Path, first: Purpose, second: Purpose
) -> None:
    async with kind.opened(first):
        with pytest.raises(LoadRunning, match=path.name):
            await use(kind, second)
    await use(kind, second)
    assert not Path(f"{path}.lock").exists()


async def test_another_process_is_told_too(kind: Kind, path: Path) -> None:
    script = f"import asyncio, aetl; asyncio.run(aetl.load(aetl.Settings(container='.', database={str(path)!r})))"
    async with kind.opened():
        _, told = await run_python(script)
    assert f"LoadRunning: another load into {path} is running" in told


@pytest.mark.parametrize("purpose", ["read", "check"])
async def test_a_reader_needs_no_lock(kind: Kind, purpose: Purpose) -> None:
    await load_into(kind, make_export())
    async with kind.opened():
        await use(kind, purpose)


@pytest.mark.parametrize("purpose", PURPOSES)
async def test_a_folder_is_no_database(kind: Kind, path: Path, purpose: Purpose) -> None:
    path.mkdir()
    with pytest.raises(DatabaseInaccessible, match=path.name):
        await use(kind, purpose)
    assert files(path.parent.parent / path.parent.name / path.name) == {}


@pytest.mark.parametrize("purpose", ["load", "simulate"])
@pytest.mark.parametrize("is_file", [True, False], ids=["below a file", "in no folder"])
async def test_a_place_that_cannot_be_is_told_and_not_made(path: Path, purpose: Purpose, is_file: bool) -> None:
    if is_file:
        path.touch()
    with pytest.raises(DatabaseInaccessible, match=path.name):
        await use(sqlite_kind(path / "below.db"), purpose)
    assert path.is_file() == path.exists() == is_file


@pytest.mark.parametrize("purpose", ["read", "check"])
async def test_a_read_only_folder_is_enough_to_read(kind: Kind, path: Path, purpose: Purpose) -> None:
    await load_into(kind, make_export())
    path.parent.chmod(0o555)
    try:
        await use(kind, purpose)
    finally:
        path.parent.chmod(0o755)


async def test_a_corrupt_page_is_told(kind: Kind, path: Path) -> None:
    await load_into(kind, make_export(2000))
    data = bytearray(path.read_bytes())
    data[16 * 1024 :] = b"\x55" * (len(data) - 16 * 1024)
    path.write_bytes(data)
    with pytest.raises(DatabaseDamaged, match="is corrupt"):
        await content(kind)
    with pytest.raises(DatabaseDamaged, match="is corrupt"):
        await load_into(kind, make_export(first=5000), listed(2))


async def test_another_writer_is_waited_for_and_then_told(
    kind: Kind, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_transaction, "PATIENCE", 0.1)
    await load_into(kind, make_export())
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseLocked, match="is locked by another program"):
            await load_into(kind, make_export(first=5), listed(2))
        assert await content(kind) == in_order(make_export()), "reading goes on"
        writer.execute("ROLLBACK")
    await load_into(kind, make_export(first=5), listed(2))


@pytest.mark.parametrize("purpose", ["read", "check"])
async def test_a_database_that_is_not_there(kind: Kind, path: Path, purpose: Purpose) -> None:
    if purpose == "read":
        with pytest.raises(DatabaseNotFound):
            await use(kind, purpose)
    else:
        await use(kind, purpose)
    assert not path.exists()


async def test_an_empty_file_holds_nothing_yet(kind: Kind, path: Path) -> None:
    path.touch()
    with pytest.raises(DatabaseNotFound):
        await use(kind, "read")
    async with kind.opened("check") as database:
        assert {finding.level for finding in await database.examine()} == {"ok"}
    await load_into(kind, make_export())
    assert await content(kind) == in_order(make_export())


_KILLED = """
import asyncio, os, sys
from aetl.database import open_database
from aetl.contract import Contract
from tests.exports import checked, listed, make_export

async def main(path):
    contract = Contract.read()
    async with open_database(path, "load", contract.tables) as database, database.load(listed(2)) as load:
        await database._db.execute("PRAGMA cache_size = 10")
        for batch in checked(make_export(3000, first=9), contract):
            await load.write(batch)
        os._exit(9)

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize("purpose", ["read", "load"])
@pytest.mark.parametrize("is_first", [True, False])
async def test_what_a_killed_load_began_is_rolled_back(
    kind: Kind, path: Path, purpose: Purpose, is_first: bool
) -> None:
    if not is_first:
        await load_into(kind, make_export())
    code, _ = await run_python(_KILLED, str(path))
    assert code == 9
    assert Path(f"{path}-journal" if is_first else f"{path}-wal").exists()
    assert sum(each.stat().st_size for each in path.parent.iterdir()) > 100_000
    if purpose == "load":
        await use(kind, purpose)
    if is_first:
        with pytest.raises(DatabaseNotFound):
            await content(kind)
        await load_into(kind, make_export())
    assert await content(kind) == in_order(make_export())
    assert kind.query("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("url", ["local.db", "sqlite:///local.db", "sqlite:///{path}"])
async def test_a_database_has_a_path_or_a_url(kind: Kind, path: Path, url: str) -> None:
    await load_into(replace(kind, url=url.format(path=path)), make_export())
    assert await content(kind) == in_order(make_export())


ONLY_POSIX = ["what?mode=memory.db"] if os.name == "posix" else []


@pytest.mark.parametrize("name", ["a b.db", "50%25.db", "#1.db", "ü.db", *ONLY_POSIX])
async def test_a_path_may_hold_what_a_url_escapes(tmp_path: Path, name: str) -> None:
    kind = sqlite_kind(tmp_path / name)
    await load_into(kind, make_export())
    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert await content(kind) == in_order(make_export())


@pytest.mark.parametrize("url", [":memory:", "", "sqlite://", "mysql://host/name", "oracle://x"])
async def test_what_is_no_file_is_refused(kind: Kind, url: str) -> None:
    with pytest.raises(ConfigurationError):
        await use(replace(kind, url=url), "load")


async def test_other_columns_than_the_contracts_are_told(kind: Kind, path: Path) -> None:
    await load_into(kind, make_export())
    execute(path, "ALTER TABLE events RENAME COLUMN kind TO sort")
    with pytest.raises(TablesDiffer, match="table events: the column kind is missing"):
        await load_into(kind, make_export(first=9), listed(2))


async def test_a_dump_may_be_left_in_the_middle(kind: Kind) -> None:
    await load_into(kind, make_export(3000))
    async with kind.opened() as database:
        async with aclosing(database.dump()) as rows:
            assert (await anext(rows))[0] == "sessions"
        await database.truncate()
