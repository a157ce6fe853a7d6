"""`aetl run`: the whole job for somebody who has nothing but Python."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import sysconfig
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.command import SECONDS, content, counts, fail, files, one_line, query, run_aetl, succeed
from tests.azurite import AzureContainer
from tests.exports import make_export, write

SCRIPT = Path(sysconfig.get_path("scripts"), "aetl.exe" if os.name == "nt" else "aetl")
WAYS = ([str(SCRIPT)], [str(SCRIPT), "run"], [sys.executable, "-m", "aetl"], [sys.executable, "-m", "aetl", "run"])


@pytest.mark.parametrize("command", WAYS, ids=["aetl", "aetl run", "python -m aetl", "python -m aetl run"])
def test_in_an_empty_folder_the_whole_job_runs(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)

    assert (done.returncode, done.stderr) == (0, "")
    first, *steps = done.stdout.splitlines()[:7]
    assert first == "CHAT_DB_CONTAINER_URL is not set: using the folder ./container as the container"
    assert [step[:3] for step in steps] == ["1. ", "2. ", "3. ", "4. ", "5. ", "6. "]
    assert counts() == (500, 1000, 500)
    assert files() == {"local.db", "global.log", "container"}
    (export,) = Path("container").iterdir()
    assert done.stdout.count(export.name) >= 3  # written, taken, loaded


def test_the_newest_export_is_the_one_that_is_loaded() -> None:
    succeed("run", "--sessions", "3")

    (name,) = (path.name for path in Path("container").iterdir())
    assert query("SELECT blob, status FROM _aetl_loads") == [(name, "loaded")]


def test_running_again_replaces_the_database() -> None:
    succeed("run", "--sessions", "7")
    assert counts() == (7, 14, 7)

    succeed("run", "--sessions", "5")

    assert counts() == (5, 10, 5)
    assert len(list(Path("container").iterdir())) == 2
    assert files() == {"local.db", "global.log", "container"}


def test_two_runs_give_the_same_tables() -> None:
    succeed("run", "--sessions", "20")
    first = content()
    succeed("run", "--sessions", "20")
    assert content() == first


def make_foreign_database(journal: str) -> None:
    with closing(sqlite3.connect("local.db")) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute("CREATE TABLE invoices (number INTEGER)")
        connection.execute("INSERT INTO invoices VALUES (1)")
        connection.commit()


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_a_foreign_database_is_refused_and_left_byte_for_byte(journal: str) -> None:
    make_foreign_database(journal)
    before = Path("local.db").read_bytes()

    line = fail(5, "run")

    assert "local.db" in line and "--database" in line
    assert Path("local.db").read_bytes() == before
    assert files() == {"local.db", "global.log"}


def test_a_file_that_is_no_database_is_refused_and_left_byte_for_byte() -> None:
    Path("local.db").write_text("Dear diary, " * 1000)
    fail(5, "run")
    assert Path("local.db").read_text() == "Dear diary, " * 1000


def test_a_database_with_a_real_load_is_refused_and_left_byte_for_byte() -> None:
    write(Path("exports"), 0, make_export())
    succeed("load", "--container", "exports")
    before = Path("local.db").read_bytes()

    fail(5, "run")

    assert Path("local.db").read_bytes() == before


def test_a_simulations_database_takes_no_real_export_and_stays_the_simulations() -> None:
    succeed("run", "--sessions", "2")
    name = write(Path("exports"), 0, make_export())
    before = content()
    for options in ([], ["--dry-run"], ["--latest"], ["--blob", name], ["--json"]):
        done = run_aetl("load", "--container", "exports", *options)
        assert done.returncode == 5, done.stdout
        line = one_line(done.stderr)
        assert "local.db holds a simulation" in line and name in line and "--database" in line
    assert "FAILURE  database: it holds a simulation" in run_aetl("check", "--container", "exports").stdout
    assert content() == before
    succeed("run", "--sessions", "3")
    succeed("load", "--container", "container")
    assert counts() == (3, 6, 3)
    assert "it holds a simulation" in succeed("check", "--container", "container")


def test_simulated_exports_are_passed_over_and_that_is_told() -> None:
    succeed("run", "--sessions", "2", "--database", "night.db")
    (name,) = (path.name for path in Path("container").iterdir())
    load = ("load", "--container", "container", "--database", "real.db")
    told = f"Passed over 1 simulated export, such as {name}: `aetl run` made it up.\n"
    assert succeed(*load).endswith(f"Nothing new.\n{told}")
    assert succeed(*load, "--quiet") == ""
    assert json.loads(succeed(*load, "--json")) == {"loads": [], "passed_over": 1, "other_blobs": None}
    assert succeed(*load, "--dry-run").endswith(told)

    real = write(Path("container"), 0, make_export())
    assert told in succeed(*load)
    assert query("SELECT blob, status FROM _aetl_loads", "real.db") == [(real, "loaded")]
    assert "No export waits." in succeed("status", *load[1:])
    line = fail(2, *load, "--blob", name)
    assert name in line and "--database" in line
    assert query("SELECT blob, status FROM _aetl_loads", "real.db") == [(real, "loaded")]


def test_a_container_with_real_exports_gets_no_mock_data_unless_told() -> None:
    real = write(Path("exports"), 0, make_export())
    for plain in (["run"], []):
        line = fail(2, *plain, "--container", "exports")
        assert f"exports holds exports that no simulation wrote, such as {real}" in line
        assert "--into-real-container" in line and "--container" in line
    assert files() == {"exports", "global.log"}
    assert [path.name for path in Path("exports").iterdir()] == [real]

    succeed("run", "--sessions", "1", "--container", "exports", "--into-real-container")
    assert counts() == (1, 2, 1)
    assert fail(2, "run", "--container", "exports")


def test_what_a_simulations_database_exports_is_marked_and_comes_back_into_it_alone() -> None:
    succeed("run", "--sessions", "2")
    name = succeed("export", "--gzip", "--container", "moved").strip()
    assert re.fullmatch(r"backup_\d{8}T\d{6}\.\d{6}Z\.simulated\.json\.gz", name)
    before = content()
    assert "loaded" in succeed("load", "--container", "moved")
    assert content() == before
    assert "Passed over 1 simulated export" in succeed("load", "--container", "moved", "--database", "real.db")
    succeed("run", "--sessions", "3")


def with_sas_in_the_variable(container: AzureContainer, sas: str) -> dict[str, str]:
    return {"CHAT_DB_CONTAINER_URL": container.url, "CHAT_DB_CONTAINER_SAS_TOKEN": sas}


def environments(container: AzureContainer) -> dict[str, dict[str, str]]:
    sas = container.sas("rlcw")
    return {
        "variable": with_sas_in_the_variable(container, sas),
        "variable with ?": with_sas_in_the_variable(container, f"?{sas}"),
        "URL": {"CHAT_DB_CONTAINER_URL": f"{container.url}?{sas}"},
        "URL's wins": {
            "CHAT_DB_CONTAINER_URL": f"{container.url}?{sas}",
            "CHAT_DB_CONTAINER_SAS_TOKEN": container.sas("r"),
        },
        "connection string": {
            "CHAT_DB_CONTAINER_URL": container.url,
            "AZURE_STORAGE_CONNECTION_STRING": container.azurite.connection_string,
        },
    }


@pytest.mark.parametrize("way", ["variable", "variable with ?", "URL", "URL's wins", "connection string"])
def test_with_the_variables_set_the_job_runs_through_azure(azure_container: AzureContainer, way: str) -> None:
    said = succeed("run", "--sessions", "7", env=environments(azure_container)[way])

    assert "is not set" not in said
    assert counts() == (7, 14, 7)
    (name,) = azure_container.names()
    assert re.fullmatch(r"backup_\d{8}T\d{6}\.\d{6}Z\.simulated\.json", name)
    assert query("SELECT blob, status FROM _aetl_loads") == [(name, "loaded")]
    assert files() == {"local.db", "global.log"}


def test_without_write_permission_the_run_says_so(azure_container: AzureContainer) -> None:
    fail(4, "run", env=with_sas_in_the_variable(azure_container, azure_container.sas("rl")))
    assert azure_container.names() == []


def test_the_container_option_goes_before_the_variable(azure_container: AzureContainer) -> None:
    environment = with_sas_in_the_variable(azure_container, azure_container.sas("rlcw"))
    done = run_aetl("--sessions", "1", "--container", "elsewhere", env=environment)
    assert done.returncode == 0, done.stderr
    assert len(list(Path("elsewhere").iterdir())) == 1
    assert azure_container.names() == []
