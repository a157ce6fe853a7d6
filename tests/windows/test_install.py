"""install.bat and uninstall.bat as an operator runs them, from start to end."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.azurite import AzureContainer
from tests.windows.job import Installed, Job, content, counts, is_registered, ledger

SIMULATED = {"sessions": 500, "events": 1_000, "event_parents": 500}


def test_install_leaves_environment_log_database_and_a_task(installed: Installed) -> None:
    job, done = installed.job, installed.done
    assert done.code == 0, done.all
    assert job.names() == {"env", "global.log", "local.db", "container"}
    assert counts(job.home / "local.db") == SIMULATED
    assert "CHAT_DB_CONTAINER_URL is not set" in done.stdout


def test_the_source_folder_stays_as_it_was(installed: Installed) -> None:
    assert {path.name for path in installed.job.source.iterdir()} >= {"install.bat", "aetl"}
    assert not {"build", "dist", ".venv", "local.db", "global.log"} & {
        path.name for path in installed.job.source.iterdir()
    }


def test_on_azure_it_installs_repairs_and_uninstalls(job: Job, azure_container: AzureContainer) -> None:
    azure = {"CHAT_DB_CONTAINER_URL": azure_container.url, "CHAT_DB_CONTAINER_SAS_TOKEN": azure_container.sas("rcwl")}
    first = job.install(env=azure)
    assert first.code == 0, first.all
    assert job.names() == {"env", "global.log", "local.db"}
    assert counts(job.home / "local.db") == SIMULATED
    assert len(azure_container.names()) == 1
    # SYSTEM sees system variables only, and wine has none of these.
    assert "will not see CHAT_DB_CONTAINER_URL, CHAT_DB_CONTAINER_SAS_TOKEN" in first.stderr
    assert "sig=" not in first.all

    (job.home / "env/Scripts/aetl.exe").unlink()
    shutil.rmtree(job.home / "env/Lib/site-packages/click")
    again = job.install(env=azure)
    assert again.code == 0, again.all
    assert counts(job.home / "local.db") == SIMULATED
    assert len(azure_container.names()) == 2
    assert is_registered()

    gone = job.uninstall()
    assert gone.code == 0, gone.all
    assert "The task aetl is removed." in gone.stdout
    assert not job.home.exists()
    assert not is_registered()

    once_more = job.uninstall()
    assert once_more.code == 0, once_more.all
    assert "There is no" in once_more.stdout


def test_the_nightly_load_is_installed_upgraded_and_its_database_outlives_it(
    job: Job, azure_container: AzureContainer, sgd_exports: tuple[Path, Path, Path]
) -> None:
    for export in sgd_exports[:2]:
        azure_container.upload(export.name, export.read_bytes())
    azure = {"CHAT_DB_CONTAINER_URL": azure_container.url_with_sas("rl")}
    first = job.install("load", env=azure)
    assert first.code == 0, first.all
    database = job.home / "local.db"
    loaded, nights = content(database), ledger(database)
    assert len(nights) == 2
    assert job.names() == {"env", "global.log", "local.db"}
    assert is_registered()

    again = job.install("load", env=azure)
    assert again.code == 0, again.all
    assert "Nothing new." in again.stdout
    assert (content(database), ledger(database)) == (loaded, nights)

    gone = job.uninstall()
    assert gone.code == 0, gone.all
    assert "Keeping the database local.db" in gone.stdout
    assert job.names() == {"local.db"}
    assert content(database) == loaded
    assert not is_registered()

    purged = job.uninstall("/purge")
    assert purged.code == 0, purged.all
    assert not job.home.exists()


def test_a_database_of_another_program_is_neither_filled_nor_removed(job: Job) -> None:
    job.home.mkdir()
    database = job.home / "local.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE precious (x)")
    before = database.read_bytes()

    done = job.install()
    assert done.code == 5, done.all
    assert "the first run failed with exit code 5" in done.stderr
    assert "Nothing is scheduled." in done.stderr
    assert not is_registered()
    assert database.read_bytes() == before

    gone = job.uninstall()
    assert gone.code == 0, gone.all
    assert job.names() == {"local.db"}
    assert database.read_bytes() == before


def test_uninstall_leaves_alone_a_folder_that_holds_nothing_of_aetls(job: Job) -> None:
    job.home.mkdir()
    (job.home / "letter.txt").write_text("precious", encoding="utf-8")
    done = job.uninstall("/purge")
    assert done.code == 1, done.all
    assert job.names() == {"letter.txt"}


def test_uninstall_refuses_a_whole_drive(job: Job) -> None:
    done = job.uninstall("/purge", env={"AETL_HOME": "C:\\"})
    assert done.code == 1, done.all
    assert "whole drive" in done.stderr
