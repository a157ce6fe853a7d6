"""`aetl check`: finds out what would go wrong tonight."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import files, run_aetl, succeed
from tests.azurite import AzureContainer
from tests.exports import make_export, write

EXPORTS = Path("exports")


def findings(exit_code: int, *args: str | Path, env: dict[str, str] | None = None) -> list[dict[str, Any]]:
    done = run_aetl("check", "--json", *args, env=env)
    assert (done.returncode, done.stderr) == (exit_code, "")
    found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    return found


def of(level: str, found: list[dict[str, Any]]) -> set[str]:
    return {finding["subject"] for finding in found if finding["level"] == level}


@pytest.fixture
def folder() -> Path:
    write(EXPORTS, 0, make_export())
    return EXPORTS


def test_a_line_per_finding_and_0_where_all_is_well(folder: Path) -> None:
    succeed("load", "--container", folder)
    lines = succeed("check", "--container", folder).splitlines()
    assert lines and all(line.startswith("ok  ") for line in lines)
    assert succeed("check", "--container", folder, "--quiet") == ""
    assert files() == {"exports", "global.log", "local.db"}


def test_it_creates_nothing() -> None:
    assert "configuration" in of("failure", findings(1))
    assert files() == {"global.log"}


def test_a_failure_stands_in_a_line_with_what_to_do() -> None:
    done = run_aetl("check", "--quiet")
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert line.startswith("FAILURE") and "CHAT_DB_CONTAINER_URL" in line


def test_a_good_sas_is_ok(azure_container: AzureContainer) -> None:
    found = findings(0, env={"CHAT_DB_CONTAINER_URL": azure_container.url_with_sas("rl", timedelta(days=30))})
    assert of("ok", found) >= {"SAS", "container", "clock", "database", "contract", "SQL", "disk"}
    assert of("warning", found) == set()


@pytest.mark.parametrize(("permissions", "days", "level", "text"), [
    ("rl", 3, "warning", "expires at"),
    ("rl", -1, "failure", "expired at"),
    ("r", 30, "failure", "list"),
    ("rlwd", 30, "warning", "more than aetl needs: d"),
])  # fmt: skip
def test_a_doubtful_sas_is_told(
    azure_container: AzureContainer, permissions: str, days: int, level: str, text: str
) -> None:
    url = azure_container.url_with_sas(permissions, timedelta(days=days), start=timedelta(days=-10))
    found = findings(int(level == "failure"), env={"CHAT_DB_CONTAINER_URL": url})
    assert any(each["level"] == level and text in each["message"] and each["advice"] for each in found)


def test_a_connection_string_is_ok(azure_container: AzureContainer) -> None:
    environment = {
        "CHAT_DB_CONTAINER_URL": azure_container.url,
        "AZURE_STORAGE_CONNECTION_STRING": azure_container.azurite.connection_string,
    }
    assert of("failure", findings(0, env=environment)) == set()


def test_a_foreign_database_is_a_failure_and_stays_as_it_is(folder: Path) -> None:
    with closing(sqlite3.connect("local.db")) as connection:
        connection.execute("CREATE TABLE invoices (number INTEGER)")
    before = Path("local.db").read_bytes()
    assert of("failure", findings(1, "--container", folder)) == {"database"}
    assert Path("local.db").read_bytes() == before


def test_a_corrupt_database_is_a_failure(folder: Path) -> None:
    succeed("load", "--container", folder)
    whole = Path("local.db").read_bytes()
    Path("local.db").write_bytes(whole[:16384] + b"\xff" * (len(whole) - 16384))
    assert of("failure", findings(1, "--container", folder)) == {"database"}


def test_files_that_disagree_are_a_failure(folder: Path) -> None:
    schema = json.dumps({"type": "object", "properties": {"notes": {"type": "array", "items": {
        "type": "object", "properties": {"id": {"type": "string"}}}}}})  # fmt: skip
    Path("notes.json").write_text(schema)
    assert of("failure", findings(1, "--container", folder, "--schema", "notes.json"))


def test_a_missing_container_is_a_failure() -> None:
    assert "container" in of("failure", findings(1, "--container", "nowhere"))


def test_a_missing_folder_of_the_database_is_one_failure(folder: Path) -> None:
    found = findings(1, "--container", folder, "--database", "missing/local.db")
    assert [each["subject"] for each in found if each["level"] == "failure"] == ["database"]
    assert not Path("missing").exists()
