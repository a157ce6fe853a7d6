from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.windows import wine
from tests.windows.job import Installed, Job
from tests.windows.stand_ins import put_back

# Copied and not linked: pip builds from it, as from what an operator unpacked.
DELIVERED = (
    "aetl",
    "docs",
    "tests",
    "tools",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "install.bat",
    "pyproject.toml",
    "uninstall.bat",
)


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.windows)
    item.add_marker(pytest.mark.timeout(600))
    if not wine.is_built():
        item.add_marker(pytest.mark.skip("no rig; python -m tests.windows.build_rig builds it"))


@pytest.fixture(scope="session", autouse=True)
def _wine() -> Iterator[None]:
    put_back()
    with wine.server():
        yield


@pytest.fixture(scope="session")
def source() -> Iterator[Path]:
    """The folder that install.bat lies in."""
    folder = wine.PREFIX / "drive_c/source & größer x"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in DELIVERED:
        path = wine.ROOT / name
        if path.is_dir():
            shutil.copytree(path, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def installed(source: Path) -> Iterator[Installed]:
    """install.bat, run once without a container set; no test changes what it left."""
    job = Job(source, wine.PREFIX / "drive_c/etl & é job")
    job.remove()
    done = job.install()
    yield Installed(job, done)
    job.remove()


@pytest.fixture
def job(source: Path) -> Iterator[Job]:
    """Where nothing is installed yet."""
    job = Job(source, wine.PREFIX / "drive_c/its own & größer job")
    job.remove()
    yield job
    job.remove()


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder on C:, whose name has what makes trouble."""
    path = wine.PREFIX / "drive_c/work & é"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    yield path
    shutil.rmtree(path, ignore_errors=True)
