"""The installed aetl.exe does on Windows what aetl does on Linux."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.azurite import AzureContainer, Azurite
from tests.exports import make_export
from tests.windows import wine
from tests.windows.job import Installed, Job, content, counts, ledger

EVERY_COMMAND = ("run", "load", "export", "status", "digest", "check", "schedule")


@pytest.fixture
def aetl(installed: Installed) -> Job:
    return installed.job


def variables(container: AzureContainer, permissions: str = "rl") -> dict[str, str]:
    return {"CHAT_DB_CONTAINER_URL": container.url, "CHAT_DB_CONTAINER_SAS_TOKEN": container.sas(permissions)}


def test_the_real_conversations_become_the_same_database_as_on_linux(
    aetl: Job, folder: Path, tmp_path: Path, azure_container: AzureContainer, sgd_exports: tuple[Path, Path, Path]
) -> None:
    for export in sgd_exports:
        azure_container.upload(export.name, export.read_bytes())
    environment = variables(azure_container)

    done = aetl.aetl("load", "--json", cwd=folder, env=environment)
    assert done.code == 0, done.all
    assert [load["status"] for load in json.loads(done.stdout)["loads"]] == ["loaded"] * 3
    subprocess.run(
        [sys.executable, "-m", "aetl", "load"], cwd=tmp_path, env={**os.environ, **environment}, check=True, timeout=60
    )

    on_windows, on_linux = content(folder / "local.db"), content(tmp_path / "local.db")
    assert all(on_linux.values())
    assert on_windows == on_linux
    assert ledger(folder / "local.db") == ledger(tmp_path / "local.db")

    again = aetl.aetl("load", cwd=folder, env=environment)
    assert (again.code, again.stdout) == (0, "Nothing new.\n")


def test_an_export_from_windows_is_loaded_on_linux(
    aetl: Job, folder: Path, tmp_path: Path, azure_container: AzureContainer
) -> None:
    azure_container.upload("backup_0.json", json.dumps(make_export(20)).encode())
    environment = variables(azure_container, "rcwl")
    assert aetl.aetl("load", cwd=folder, env=environment).code == 0
    exported = aetl.aetl("export", "--gzip", cwd=folder, env=environment)
    assert exported.code == 0, exported.all
    subprocess.run(
        [sys.executable, "-m", "aetl", "load", "--blob", exported.stdout.strip()],
        cwd=tmp_path,
        env={**os.environ, **environment},
        check=True,
        timeout=60,
    )
    assert content(tmp_path / "local.db") == content(folder / "local.db")


def test_status_and_check_tell_what_is_there(aetl: Job, folder: Path) -> None:
    assert aetl.aetl("run", "--sessions", "5", cwd=folder).code == 0
    status = aetl.aetl("status", "--json", "--container", "container", cwd=folder)
    assert status.code == 0, status.all
    found = json.loads(status.stdout)
    assert [load["status"] for load in found["loads"]] == ["loaded"]
    assert found["waiting"] == []
    check = aetl.aetl("check", "--container", "container", cwd=folder)
    assert check.code == 0, check.all


@pytest.mark.parametrize("command", EVERY_COMMAND)
def test_every_command_has_help(aetl: Job, folder: Path, command: str) -> None:
    done = aetl.aetl(command, "--help", cwd=folder)
    assert done.code == 0, done.all
    assert done.stdout.startswith(f"Usage: aetl {command}")
    assert list(folder.iterdir()) == []


def test_python_m_aetl_is_the_same_program(aetl: Job, folder: Path) -> None:
    module, program = aetl.python("-m", "aetl", "--version", cwd=folder), aetl.aetl("--version", cwd=folder)
    assert (module.code, module.out) == (program.code, program.out)


def test_run_manually_writes_here_and_not_into_the_jobs_folder(aetl: Job, folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in aetl.home.iterdir()}
    batch = wine.windows_path(aetl.source / "tools/run_manually.bat")
    done = wine.run(batch, "--sessions", "3", "--database", "my & own.db", cwd=folder, env=aetl.environment)
    assert done.code == 0, done.all
    assert counts(folder / "my & own.db") == {"sessions": 3, "events": 6, "event_parents": 3}
    assert {path: path.stat().st_mtime_ns for path in aetl.home.iterdir()} == before


def test_run_manually_gives_the_exit_code_on(aetl: Job, folder: Path) -> None:
    (folder / "local.db").write_bytes(b"no database, but somebody's file" * 100)
    batch = wine.windows_path(aetl.source / "tools/run_manually.bat")
    assert wine.run(batch, cwd=folder, env=aetl.environment).code == 5


@pytest.mark.timeout(1500)
def test_the_tests_that_need_no_linux_pass_with_windows_own_python(
    aetl: Job, azurite: Azurite, sgd_exports: tuple[Path, Path, Path]
) -> None:
    libraries = wine.PREFIX / "drive_c/test libraries"
    if not libraries.exists():
        names = ("pytest", "pytest-asyncio", "pytest-timeout", "hypothesis")
        pip = ("-m", "pip", "install", "--quiet", "--target", wine.windows_path(libraries), *names)
        done = aetl.python(*pip, cwd=aetl.source)
        assert done.code == 0, done.all
    environment = {
        "PYTHONPATH": wine.windows_path(libraries),
        "AETL_TEST_AZURITE": azurite.connection_string,
        "AETL_SGD_DEV": wine.windows_path(sgd_exports[0].parent),
    }
    # PyPI's server does not start under wine; of what is drawn by chance, a few examples show what Windows does. Of the
    # integration tests those where the system answers: files, folders, locks, connections.
    chosen = ("-k", "not postgresql", "--hypothesis-profile=few")
    answering = ("access", "container_folder", "export", "roundtrip", "sqlite_file", "sqlite_owner")
    files = ("tests/unit", *(f"tests/integration/test_{name}.py" for name in answering))
    done = aetl.python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen, *files, cwd=aetl.source, env=environment, seconds=1200
    )
    assert done.code == 0, done.all
