"""The whole job as one simulated night."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from aetl.config import Settings
from aetl.errors import ConfigurationError, DatabaseNotOurs
from aetl.models import TableCounts
from aetl.pipeline import status
from aetl.simulation.night import simulate
from tests.azurite import AzureContainer
from tests.integration.custom import write_schema, write_sql
from tests.integration.databases import Kind, content, sqlite_kind

COUNTS = {"sessions": TableCounts(500, 500), "events": TableCounts(1000, 1000), "event_parents": TableCounts(500, 500)}


async def test_a_night_with_nothing_set(tmp_path: Path) -> None:
    steps: list[str] = []
    (report,) = await simulate(Settings(), tell=steps.append)
    assert (report.status, report.tables) == ("loaded", COUNTS)
    assert [step[:2] for step in steps] == ["1.", "2.", "3.", "4.", "5.", "6."]
    assert {each.name for each in tmp_path.iterdir()} == {"container", "local.db"}
    assert [each.name for each in (tmp_path / "container").iterdir()] == [report.blob]
    found = await content(sqlite_kind(tmp_path / "local.db"))
    written = json.loads((tmp_path / "container" / report.blob).read_bytes())
    assert {table: len(records) for table, records in found.items()} == {
        table: counts.read for table, counts in COUNTS.items()
    }
    assert sorted(map(str, found["events"])) == sorted(map(str, written["events"]))


async def test_the_next_night_begins_anew(kind: Kind) -> None:
    (first,) = await simulate(Settings(database=kind.url), sessions=7)
    (second,) = await simulate(Settings(database=kind.url), sessions=3)
    assert second.blob > first.blob
    assert second.tables["events"] == TableCounts(6, 6)
    assert len((await content(kind.simulated))["sessions"]) == 3
    assert len((await status(Settings(database=kind.simulated.url))).loads) == 1


async def test_a_night_with_azure(azure_container: AzureContainer, kind: Kind, tmp_path: Path) -> None:
    (report,) = await simulate(Settings(container=azure_container.url_with_sas("rlw"), database=kind.url), sessions=20)
    assert azure_container.names() == [report.blob]
    assert report.tables["events"] == TableCounts(40, 40)
    assert not (tmp_path / "container").exists()


async def test_a_database_of_somebody_elses_stays_and_nothing_is_written(tmp_path: Path) -> None:
    with closing(sqlite3.connect("local.db")) as connection, connection:
        connection.execute("CREATE TABLE notes (text)")
    before = (tmp_path / "local.db").read_bytes()
    with pytest.raises(DatabaseNotOurs):
        await simulate(Settings())
    assert (tmp_path / "local.db").read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["local.db"]


async def test_other_tables_cannot_be_simulated(tmp_path: Path) -> None:
    settings = Settings(schema=write_schema(tmp_path), sql=write_sql(tmp_path))
    with pytest.raises(ConfigurationError, match="only knows the tables"):
        await simulate(settings)
    assert not (tmp_path / "local.db").exists()
