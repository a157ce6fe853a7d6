"""What is shipped is whole: the wheel, in a clean environment, does what the repository does."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

FROM_ELSEWHERE = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}


def run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in FROM_ELSEWHERE}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)


def succeed(*command: str | Path) -> None:
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    succeed(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT)
    (built,) = folder.glob("aetl-*.whl")
    return built


def test_the_wheel_ships_the_data_and_no_package_that_hides_a_module(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())
    data = {"json/schema.json", "json/contract.schema.json", "yaml/config.yaml", "yaml/sql/sqlite.yaml", "py.typed"}
    assert files >= {f"aetl/{name}" for name in data}
    assert not files & {"aetl/json/__init__.py", "aetl/yaml/__init__.py", "aetl/yaml/sql/__init__.py"}
    assert {name.split("/")[0] for name in files if ".dist-info/" not in name} == {"aetl"}


def test_installed_in_a_clean_environment_the_job_runs(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    succeed(scripts / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    succeed(scripts / "python", "-m", "pip", "check")

    empty = tmp_path / "empty"
    empty.mkdir()
    done = run(scripts / "aetl", "run", cwd=empty)

    assert done.returncode == 0, done.stderr
    assert {path.name for path in empty.iterdir()} == {"container", "global.log", "local.db"}
