from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests import postgresql as server
from tests.azurite import AzureContainer, Azurite, running
from tests.postgresql import PostgreSQLServer
from tests.servers import ServerUnavailable

ROOT = Path(__file__).resolve().parent.parent
ORDER = ("unit", "documentation", "integration", "model", "generated", "acceptance", "hostile", "faults")
SGD_NIGHTS = ("backup_20240302T020000.json.gz", "backup_20240303T020000.json.gz", "backup_20240304T020000.json.gz")


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it runs in the background so, and every process of a test would begin deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("thorough", max_examples=100, deadline=None)
settings.register_profile("every day", deadline=None)
settings.register_profile("few", max_examples=10, deadline=None)
settings.load_profile("thorough" if os.environ.get("CI") else "every day")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is quick runs first, whatever the folders are called; what takes minutes only where it is wanted."""
    if not os.environ.get("CI") and "thorough" not in config.getoption("markexpr"):
        for item in items:
            if item.get_closest_marker("thorough"):
                item.add_marker(pytest.mark.skip(reason="takes minutes: runs where CI is set, or with -m thorough"))
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(here).parts[0]
        return ORDER.index(folder) if folder in ORDER else len(ORDER)

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)  # Windows' own Python runs them one after the other
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One worker runs all of tests/windows/, which share one C: and one registry, and any runs any other test."""
    # Not --dist=loadgroup, which pytest 9.2 and pytest-xdist 3.8 together take no notice of.
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "windows" if nodeid.startswith("tests/windows/") else nodeid

    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Ends the session where a server is missing, and makes reports that a worker can send to pytest-xdist.

    What a test logged or printed may hold half a surrogate pair, which no worker could send.
    """
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, ServerUnavailable):
        item.session.shouldfail = str(call.excinfo.value)
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(autouse=True)
def _away_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches the container of whoever runs it, and none leaves a file in the repository."""
    for variable in (
        "CHAT_DB_CONTAINER_URL",
        "CHAT_DB_CONTAINER_SAS_TOKEN",
        "AZURE_STORAGE_CONNECTION_STRING",
        "CHAT_DB_URL",
    ):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    with running() as server:
        yield server


@pytest.fixture
def azure_container(azurite: Azurite) -> Iterator[AzureContainer]:
    with azurite.new_container() as container:
        yield container


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQLServer]:
    with server.running() as running_server:
        yield running_server


@pytest.fixture(scope="session")
def sgd_exports() -> tuple[Path, Path, Path]:
    """Three nights of real conversations, oldest first; AETL_SGD_DEV names another folder that holds them."""
    folder = Path(os.environ.get("AETL_SGD_DEV") or ROOT.parent / "shared/data/sgd-dev")
    first, second, third = (folder / name for name in SGD_NIGHTS)
    if not all(path.is_file() for path in (first, second, third)):
        pytest.skip(f"{folder} does not hold the three exports")
    return first, second, third
