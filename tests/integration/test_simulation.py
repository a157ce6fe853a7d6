"""The whole job as one simulated night."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from aetl.cli.bar import RememberingProgress
from aetl.config import Settings
from aetl.errors import ConfigurationError, DatabaseNotOurs
from aetl.models import Export, TableCounts
from aetl.pipeline import digest, export, load, status
from aetl.preflight import check
from aetl.progress import LoggedProgress
from aetl.simulation.night import simulate
from tests.azurite import AzureContainer
from tests.exports import encode, make_export
from tests.integration.containers import NAME, Place, azure_place, folder_place
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


@pytest.fixture(params=["folder", "azure"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return folder_place(tmp_path / "exports")
    return azure_place(request.getfixturevalue("azure_container"))


REAL = json.dumps(make_export(3)).encode()


async def test_where_real_exports_lie_nothing_is_written_or_removed_unless_told(place: Place, tmp_path: Path) -> None:
    await simulate(place.settings, sessions=2)
    database = (tmp_path / "local.db").read_bytes()
    place.put(NAME, REAL)
    names = place.names()
    with pytest.raises(ConfigurationError, match=f"no simulation wrote, such as {NAME}") as caught:
        await simulate(place.settings, sessions=3)
    assert "--into-real-container" in caught.value.hint
    assert (place.names(), (tmp_path / "local.db").read_bytes()) == (names, database)

    (report,) = await simulate(place.settings, sessions=4, into_real_container=True)
    assert (report.status, report.tables["sessions"]) == ("loaded", TableCounts(4, 4))
    assert report.blob.endswith(".simulated.json"), "the real one is newer only by its name"
    assert len(place.names()) == len(names) + 1


async def test_a_real_load_takes_what_is_real_and_tells_what_it_passes_over(place: Place, tmp_path: Path) -> None:
    await simulate(place.settings, sessions=2)
    place.put(NAME, REAL)
    remembered = RememberingProgress(LoggedProgress())
    real = replace(place.settings, database=str(tmp_path / "real.db"))
    (report,) = await load(real, progress=remembered)
    assert (report.blob, remembered.passed_over) == (NAME, 1)
    (simulated,) = set(place.names()) - {NAME}
    assert remembered.example == simulated
    with pytest.raises(ConfigurationError, match="is a simulated export"):
        await load(real, blob=simulated)


async def test_a_blob_stays_simulated_under_another_name(azure_container: AzureContainer, tmp_path: Path) -> None:
    place = azure_place(azure_container)
    await simulate(place.settings, sessions=2)
    (written,) = azure_container.names()
    blob = azure_container.client.get_blob_client(written)
    azure_container.upload(NAME, blob.download_blob().readall(), metadata=blob.get_blob_properties().metadata)
    azure_container.client.delete_blob(written)
    await simulate(place.settings, sessions=2)
    real = replace(place.settings, database=str(tmp_path / "real.db"))
    assert await load(real) == []
    with pytest.raises(ConfigurationError, match="is a simulated export"):
        await load(real, blob=NAME)


@pytest.mark.parametrize("is_simulation", [False, True])
async def test_one_that_is_replaced_by_one_of_the_other_sort_is_not_loaded(
    is_simulation: bool, azure_container: AzureContainer, tmp_path: Path
) -> None:
    settings = replace(azure_place(azure_container).settings, database=str(tmp_path / "local.db"))
    if is_simulation:
        await simulate(settings, sessions=1)
    marks = {True: {"aetl_simulated": "true"}, False: {}}
    azure_container.upload(NAME, encode(make_export(1)), metadata=marks[is_simulation])

    class Replacing(LoggedProgress):
        def begin(self, export: Export) -> None:
            super().begin(export)
            azure_container.upload(NAME, encode(make_export(2)), metadata=marks[not is_simulation])

    (report,) = await load(settings, progress=Replacing())
    assert (report.status, report.exit_code) == ("failed", 4)
    assert "was replaced by" in str(report.error)
    assert (await digest(settings)).tables["sessions"].rows == int(is_simulation)


async def test_a_simulations_database_takes_simulated_exports_alone(kind: Kind, tmp_path: Path) -> None:
    place = folder_place(tmp_path / "exports")
    await simulate(replace(place.settings, database=kind.url), sessions=2)
    simulated = replace(place.settings, database=kind.simulated.url)
    assert (await export(simulated)).endswith(".simulated.json")
    (again,) = await load(simulated)
    assert again.tables["events"] == TableCounts(4, 0, 4)
    before = await content(kind.simulated)
    place.put(NAME, REAL)
    for options in ({}, {"dry_run": True}, {"blob": NAME}):
        with pytest.raises(DatabaseNotOurs, match=f"holds a simulation.*{NAME}"):
            await load(simulated, **options)
    found = await check(simulated)
    (failure,) = (each.message for each in found if each.level == "failure")
    assert failure.startswith(
        f"it holds a simulation, and {place.settings.container} holds real exports, such as {NAME}"
    )
    assert await content(kind.simulated) == before
    assert [each.name for each in (await status(simulated)).waiting or ()] == []
