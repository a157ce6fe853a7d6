"""What `aetl check` finds out: everything that would go wrong tonight, and nothing where all is well."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aetl import preflight
from aetl.config import Settings
from aetl.errors import ContainerAccessDenied
from aetl.models import Finding
from aetl.pipeline import load
from aetl.simulation.night import simulate
from tests.azurite import AzureContainer
from tests.exports import make_export, write
from tests.integration.custom import node, value, write_schema, write_sql

MONTH = timedelta(days=30)


async def findings(settings: Settings) -> list[Finding]:
    return await preflight.check(settings)


async def bad(settings: Settings) -> list[tuple[str, str, str]]:
    """Level, subject and message of all that is not ok; each says what to do."""
    found = [finding for finding in await findings(settings) if finding.level != "ok"]
    assert all(finding.advice for finding in found if finding.level == "failure")
    return [(finding.level, finding.subject, finding.message) for finding in found]


@pytest.mark.parametrize("loads", [0, 1])
async def test_where_all_is_well_everything_is_ok(azure_container: AzureContainer, loads: int, tmp_path: Path) -> None:
    settings = Settings(container=azure_container.url_with_sas("rl", MONTH))
    if loads:
        write(tmp_path / "exports", 0, make_export())
        await load(Settings(container="exports"))
    before = {each.name for each in tmp_path.iterdir()}
    found = await findings(settings)
    assert {finding.level for finding in found} == {"ok"}
    assert {finding.subject for finding in found} >= {
        "contract", "configuration", "SAS", "container", "clock", "SQL", "database", "disk"
    }  # fmt: skip
    assert {each.name for each in tmp_path.iterdir()} == before


async def test_a_folder_and_a_simulation_are_fine() -> None:
    await simulate(Settings(), sessions=1)
    assert await bad(Settings(container="container")) == []


@pytest.mark.parametrize(("permissions", "is_enough"), [("rl", False), ("rlc", False), ("rlw", True)])
async def test_whether_a_sas_is_enough_to_export_is_told_as_it_is(
    azure_container: AzureContainer, permissions: str, is_enough: bool
) -> None:
    settings = Settings(container=azure_container.url_with_sas(permissions, MONTH), retries=0)
    told = [finding.message for finding in await findings(settings) if "aetl export" in finding.message]
    assert bool(told) is not is_enough
    if is_enough:
        await simulate(settings, sessions=1)
    else:
        with pytest.raises(ContainerAccessDenied):
            await simulate(settings, sessions=1)


@pytest.mark.parametrize(
    ("permissions", "expiry", "expected"),
    [
        ("rl", timedelta(days=6), [("warning", "SAS", "it expires at")]),
        ("rl", timedelta(days=8), []),
        ("rlw", MONTH, []),
        ("rlcw", MONTH, []),
        ("rldwc", MONTH, [("warning", "SAS", "it permits more than aetl needs: d")]),
        (
            "r",
            MONTH,
            [("failure", "SAS", "it does not permit to list"), ("failure", "container", "does not permit to list")],
        ),
        ("l", MONTH, [("failure", "SAS", "it does not permit to read")]),
        ("rl", -timedelta(minutes=5), [("failure", "SAS", "it expired at"), ("failure", "container", "expired at")]),
    ],
)
async def test_a_sas_is_told_what_it_lacks_and_what_it_does_not_need(
    azure_container: AzureContainer, permissions: str, expiry: timedelta, expected: list[tuple[str, str, str]]
) -> None:
    sas = azure_container.sas(permissions, expiry, start=-timedelta(hours=1))
    found = await bad(Settings(container=azure_container.url, sas=sas, retries=0))
    assert [each[:2] for each in found] == [each[:2] for each in expected]
    for (_, _, message), (_, _, part) in zip(found, expected, strict=True):
        assert part in message
    assert sas.rpartition("sig=")[2] not in str(found)


async def test_a_sas_that_is_not_valid_yet_is_told(azure_container: AzureContainer) -> None:
    sas = azure_container.sas("rl", MONTH, start=timedelta(hours=1))
    found = await bad(Settings(container=azure_container.url, sas=sas, retries=0))
    assert [each[1] for each in found] == ["SAS", "container"]
    assert "only valid from" in found[0][2]


async def test_a_sas_without_its_signature_is_told(azure_container: AzureContainer) -> None:
    sas = azure_container.sas("rl", MONTH).partition("&sig=")[0]
    found = await bad(Settings(container=azure_container.url, sas=sas, retries=0))
    assert ("failure", "SAS", "it has no signature (sig=)") in found


async def test_a_connection_string_is_enough(azure_container: AzureContainer) -> None:
    settings = Settings(container=azure_container.url, connection_string=azure_container.azurite.connection_string)
    assert await bad(settings) == []


async def test_a_connection_string_of_another_account_is_told(azure_container: AzureContainer) -> None:
    settings = Settings(
        container="https://account.blob.core.windows.net/exports",
        connection_string=azure_container.azurite.connection_string,
    )
    assert [each[:2] for each in await bad(settings)] == [("failure", "container")]


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (None, "no container is set"),
        ("missing", "the folder missing does not exist"),
        ("http://127.0.0.1:9/account/exports?sp=rl&se=2099-01-01&sig=c2lnbmF0dXJl", "refused the connection"),
        ("http://127.0.0.1:9/account/exports", "neither a SAS nor a connection string"),
    ],
)
async def test_a_container_that_cannot_be_read_is_told_and_the_rest_goes_on(
    container: str | None, message: str
) -> None:
    found = await findings(Settings(container=container, retries=0))
    (failure,) = [finding for finding in found if finding.level == "failure"]
    assert message in failure.message and failure.advice
    assert "c2lnbmF0dXJl" not in str(found)
    assert found[-1].subject == "disk"


def corrupt(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: 16 * 1024] + b"\x55" * (len(data) - 16 * 1024))


def text(path: Path) -> None:
    path.write_bytes(b"Dear diary, " * 100)


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE notes (text)")


def other_columns(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("ALTER TABLE events RENAME COLUMN kind TO sort")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (corrupt, "is corrupt"),
        (text, "is not a SQLite database"),
        (foreign, "was not made by aetl"),
        (other_columns, "table events: the column kind is missing"),
    ],
)
async def test_a_database_that_no_load_could_use_is_told_and_left_as_it_was(
    tmp_path: Path, harm: Callable[[Path], None], message: str
) -> None:
    write(tmp_path / "exports", 0, make_export(2000))
    settings = Settings(container="exports")
    await load(settings)
    harm(tmp_path / "local.db")
    before = (tmp_path / "local.db").read_bytes()
    (level, subject, said), *_ = await bad(settings)
    assert (level, subject) == ("failure", "tables" if harm is other_columns else "database")
    assert message in said
    assert (tmp_path / "local.db").read_bytes() == before


async def test_a_missing_folder_of_the_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "exports").mkdir()
    found = await bad(Settings(container="exports", database="missing/local.db"))
    assert [each[:2] for each in found] == [("failure", "database")]
    assert not (tmp_path / "missing").exists()


async def test_a_schema_file_that_cannot_be_used_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text("{}")
    assert [each[:2] for each in await bad(Settings(schema=path))] == [("failure", "contract")]


@pytest.mark.parametrize(
    ("changes", "subject", "message"),
    [
        ({"create": "CREATE TABEL nodes (id)"}, "SQL", 'near "TABEL": syntax error'),
        ({"select": "SELECT {columns}, name1 FROM {table}"}, "SQL", "no such column: name1"),
        ({"select": "SELECT {columns} FROM {table} WHERE true <> ';--'"}, "SQL", "unrecognized token"),
        ({"select": "SELECT {key} FROM {table}"}, "SQL", "select must give of nodes the contract's columns"),
        ({"truncate": "DELETE FROM node"}, "SQL", "no such table: node"),
        ({"truncate": "DELETE FROM {node}"}, "SQL", "operations/truncate: nothing is known by {node}"),
        ({"upsert": 3}, "database", "operations/upsert must be a text"),
    ],
)
async def test_a_broken_sql_file_is_told(tmp_path: Path, changes: dict[str, Any], subject: str, message: str) -> None:
    (tmp_path / "exports").mkdir()
    settings = Settings(container="exports", schema=write_schema(tmp_path), sql=write_sql(tmp_path, **changes))
    ((level, about, said),) = await bad(settings)
    assert (level, about) == ("failure", subject)
    assert message in said


async def test_a_column_may_be_named_more_than_once(tmp_path: Path) -> None:
    again = (
        "INSERT INTO {table} SELECT {columns|, |?{number}} WHERE ?1 <> '?' AND ?1 > 0 ON CONFLICT ({key}) DO NOTHING"
    )
    settings = Settings(
        container="exports", schema=write_schema(tmp_path), sql=write_sql(tmp_path, upsert=again, insert=again)
    )
    write(tmp_path / "exports", 0, {"nodes": [node(1)], "values": [value(1)]})
    assert await bad(settings) == []
    (report,) = await load(settings)
    assert report.status == "loaded"
    assert await bad(settings) == []


async def test_a_table_that_is_new_in_the_schema_is_fine(tmp_path: Path) -> None:
    write(tmp_path / "exports", 0, {"nodes": [node(1)], "values": [value(1)]})
    settings = Settings(container="exports", schema=write_schema(tmp_path), sql=write_sql(tmp_path))
    await load(settings)
    with closing(sqlite3.connect("local.db")) as connection, connection:
        connection.execute('DROP TABLE "values"')
    assert await bad(settings) == []
    assert "table values: the next load adds it" in json.dumps(
        [finding.message for finding in await findings(settings)]
    )


async def test_an_identity_that_is_not_installed_is_not_called_fine() -> None:
    """The environment of the tests has no aetl[identity]."""
    settings = Settings(container="https://account.blob.core.windows.net/exports", sas_variable="MY_SAS")
    found = [each for each in await findings(settings) if each.subject in ("configuration", "container")]
    assert [(each.level, each.subject) for each in found] == [("failure", "container")]
    assert "MY_SAS" in found[0].advice and "pip install '.[identity]'" in found[0].advice
