"""A canary SAS and a canary key go through everything that fails in these tests, at DEBUG, and are told nowhere.

What works, and what is wrong with the SAS itself, is tests/acceptance/test_secrets.py's.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.acceptance.command import run_aetl, start, succeed, wait_until
from tests.acceptance.test_secrets import forms, look_for, signature, with_special_characters
from tests.azurite import AzureContainer, Azurite
from tests.exports import blob_name, encode, make_export, write
from tests.faults.proxy import Fault, Proxy


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[Proxy]:
    with Proxy(azurite.account_url).running() as running:
        yield running


@pytest.fixture(params=["SAS", "connection string"])
def canary(request: pytest.FixtureRequest, azure_container: AzureContainer, proxy: Proxy) -> tuple[str, dict[str, str]]:
    """The secret, and the environment that holds it; by way of the proxy."""
    azure_container.upload(blob_name(1), encode(make_export()))
    url, azurite = proxy.url(azure_container.url), azure_container.azurite
    if request.param == "SAS":
        sas = with_special_characters(azure_container)
        return signature(sas), {"CHAT_DB_CONTAINER_URL": f"{url}?{sas}"}
    connection = azurite.connection_string.replace(azurite.account_url, proxy.url(azurite.account_url))
    return azurite.account_key, {"CHAT_DB_CONTAINER_URL": url, "AZURE_STORAGE_CONNECTION_STRING": connection}


FAULTS = {
    "reset": Fault("reset", after=10),
    "500": Fault("answer", status=500),
    "503": Fault("answer", status=503, headers={"Retry-After": "1"}),
    "429": Fault("answer", status=429),
    "longer": Fault("longer"),
    "refused": Fault("refuse"),
}
EVERY_DAY = ("503", "a corrupt one", "a missing blob")


def chosen(kinds: Iterable[str]) -> list[object]:
    """All of them: some every day, the others where there is time."""
    return [kind if kind in EVERY_DAY else pytest.param(kind, marks=pytest.mark.thorough) for kind in kinds]


@pytest.mark.parametrize("kind", chosen(FAULTS))
def test_where_the_network_breaks(kind: str, canary: tuple[str, dict[str, str]], proxy: Proxy) -> None:
    secret, environment = canary
    proxy.plan = lambda count, offset: FAULTS[kind]
    assert look_for(secret, ["load", "--json"], environment) == 4
    assert "DEBUG" in Path("global.log").read_text("utf-8")


def foreign() -> None:
    with closing(sqlite3.connect("local.db")) as connection:
        connection.execute("CREATE TABLE notes (text)")


def corrupt() -> None:
    write(Path("earlier"), 0, make_export(500))
    succeed("load", "--container", "earlier")
    data = Path("local.db").read_bytes()
    Path("local.db").write_bytes(data[: 16 * 1024] + b"\x55" * (len(data) - 16 * 1024))


HARM: dict[str, tuple[Callable[[], object], list[str], int]] = {
    "a foreign database": (foreign, ["load"], 5),
    "a corrupt one": (corrupt, ["load"], 5),
    "a folder": (lambda: Path("local.db").mkdir(), ["load"], 5),
    "no database to export": (lambda: None, ["export"], 5),
    "a missing blob": (lambda: None, ["load", "--blob", "backup_7.json"], 4),
    "a missing schema": (lambda: None, ["load", "--schema", "missing.json"], 2),
}


@pytest.mark.parametrize("harm", chosen(HARM))
def test_where_something_else_does_not_do(harm: str, canary: tuple[str, dict[str, str]]) -> None:
    secret, environment = canary
    do, arguments, exit_code = HARM[harm]
    do()
    assert look_for(secret, arguments, environment) == exit_code


def test_where_an_export_breaks_the_contract(
    canary: tuple[str, dict[str, str]], azure_container: AzureContainer
) -> None:
    secret, environment = canary
    azure_container.upload(blob_name(2), b'{"sessions": [')
    assert look_for(secret, ["load", "--log-format", "json"], environment) == 6


@contextmanager
def stalled(proxy: Proxy) -> Iterator[None]:
    proxy.plan = lambda count, offset: Fault("stall", after=10)
    yield
    proxy.plan = lambda count, offset: None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_process_list_and_what_an_interrupted_load_says(
    canary: tuple[str, dict[str, str]], proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, environment = canary
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with stalled(proxy), start("load", "--log-level", "DEBUG") as load:
        wait_until(lambda: bool(proxy.offsets))
        listed = Path(f"/proc/{load.pid}/cmdline").read_text()
        load.terminate()
        stdout, stderr = load.communicate(timeout=60)
    assert load.returncode == 143
    everything = [listed, stdout, stderr, Path("global.log").read_text("utf-8")]
    assert not [form for form in forms(secret) for text in everything if form in text]


def test_a_task_is_registered_without_a_secret_and_refused_with_one(
    canary: tuple[str, dict[str, str]], azure_container: AzureContainer
) -> None:
    secret, environment = canary
    plain = run_aetl("schedule", "create", "--dry-run", "--command", "load", env=environment)
    assert plain.returncode == 0
    given = f"{azure_container.url}?{with_special_characters(azure_container)}"
    refused = run_aetl("schedule", "create", "--dry-run", "--command", "load", "--", "--container", given)
    assert refused.returncode == 2
    secrets = forms(secret) | forms(signature(given))
    for done in (plain, refused):
        assert not [form for form in secrets if form in done.stdout + done.stderr]
