"""A secret appears nowhere: not in what is said, not in the log, not in the database."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, quote, quote_plus, unquote

import pytest

from tests.acceptance.command import run_aetl, succeed
from tests.azurite import AzureContainer
from tests.exports import blob_name, encode, make_export

COMMANDS = (["run", "--database", "night.db", "--into-real-container"],
            ["load"], ["load", "--json"], ["load", "--dry-run"], ["export"], ["status"], ["digest"],
            ["check"], ["check", "--json"])  # fmt: skip


def with_special_characters(container: AzureContainer, expiry: timedelta = timedelta(hours=1)) -> str:
    """A SAS whose signature holds every character that is encoded in a URL."""
    for seconds in itertools.count():
        sas = container.sas("rlw", expiry - timedelta(seconds=seconds))
        if {"+", "/", "="} <= set(signature(sas)):
            return sas
    raise AssertionError


def signature(sas: str) -> str:
    return parse_qs(sas)["sig"][0]


def forms(secret: str) -> set[str]:
    """A secret as it may turn up."""
    once = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), unquote(secret)}
    return once | {quote(form, safe="") for form in once} | {json.dumps(form)[1:-1] for form in once}


def look_for(secret: str, arguments: list[str], env: Mapping[str, str]) -> int:
    """Runs aetl at its most talkative, finds the secret nowhere, and gives the exit code."""
    Path("quick.yaml").write_text("retries: 0\ntimeout: 5")
    done = run_aetl(*arguments, "--config", "quick.yaml", "--log-level", "DEBUG", env=env)
    everything = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    everything |= {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert "Traceback" not in done.stderr
    for place, found in everything.items():
        assert not [form for form in forms(secret) if form.encode() in found], f"the secret is in {place}"
    return done.returncode


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_sas_that_works_is_told_nowhere(azure_container: AzureContainer, arguments: list[str]) -> None:
    azure_container.upload(blob_name(0), encode(make_export()))
    sas = with_special_characters(azure_container)
    environment = {"CHAT_DB_CONTAINER_URL": f"{azure_container.url}?{sas}"}
    if arguments in (["export"], ["digest"]):
        succeed("load", env=environment)
    assert look_for(signature(sas), arguments, environment) == 0


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_connection_string_that_works_is_told_nowhere(azure_container: AzureContainer, arguments: list[str]) -> None:
    azure_container.upload(blob_name(0), encode(make_export()))
    environment = {
        "CHAT_DB_CONTAINER_URL": azure_container.url,
        "AZURE_STORAGE_CONNECTION_STRING": azure_container.azurite.connection_string,
    }
    if arguments in (["export"], ["digest"]):
        succeed("load", env=environment)
    assert look_for(azure_container.azurite.account_key, arguments, environment) == 0


FAILING = (["load"], ["status"], ["run", "--database", "night.db"], ["load", "--json"])


@pytest.mark.parametrize("arguments", FAILING, ids=" ".join)
@pytest.mark.parametrize("failure", ["expired", "mangled", "unreachable", "not found", "not a SAS", "not a URL"])
def test_a_sas_that_fails_is_told_nowhere(azure_container: AzureContainer, failure: str, arguments: list[str]) -> None:
    expiry = timedelta(hours=-1 if failure == "expired" else 1)
    sas = with_special_characters(azure_container, expiry)
    secret, url = signature(sas), azure_container.url
    if failure == "mangled":
        sas = sas.replace("&sig=", "&;sig =")
    elif failure == "unreachable":
        url = re.sub(r":\d+/", ":1/", url)
    elif failure == "not found":
        url += "-elsewhere"
    elif failure == "not a SAS":
        sas = secret
    elif failure == "not a URL":
        url = "http://[" + url
    environment = {"CHAT_DB_CONTAINER_URL": url, "CHAT_DB_CONTAINER_SAS_TOKEN": sas}
    assert look_for(secret, arguments, environment) in (2, 4)
    environment = {"CHAT_DB_CONTAINER_URL": f"{url}?{sas}"}
    assert look_for(secret, arguments, environment) in (2, 4)


BROKEN = {
    "wrong key": ("AccountKey={key}", "AccountKey=AAAA{key}"),
    "unpadded key": ("AccountKey=", "AccountKey=x"),
    "no key name": ("AccountKey=", "AcountKey="),
    "no separator": (";AccountKey", " AccountKey"),
    "only the key": (None, "{key}"),
}


@pytest.mark.parametrize("failure", BROKEN)
def test_a_connection_string_that_fails_is_told_nowhere(azure_container: AzureContainer, failure: str) -> None:
    key, right = azure_container.azurite.account_key, azure_container.azurite.connection_string
    old, new = BROKEN[failure]
    wrong = right.replace(old.format(key=key), new.format(key=key)) if old else new.format(key=key)
    environment = {"CHAT_DB_CONTAINER_URL": azure_container.url, "AZURE_STORAGE_CONNECTION_STRING": wrong}
    assert look_for(key, ["load"], environment) in (2, 4)


def test_a_sas_on_the_command_line_works_and_is_warned_about(azure_container: AzureContainer) -> None:
    azure_container.upload(blob_name(0), encode(make_export()))
    sas = with_special_characters(azure_container)
    arguments = ["load", "--container", f"{azure_container.url}?{sas}"]

    assert look_for(signature(sas), arguments, {}) == 0

    done = run_aetl(*arguments)
    assert done.returncode == 0
    assert "warning" in done.stderr and "process list" in done.stderr


def test_a_sas_in_the_wrong_place_is_told_nowhere(azure_container: AzureContainer) -> None:
    sas = with_special_characters(azure_container)
    for arguments in (["load", f"{azure_container.url}?{sas}"], ["load", "--blob", f"{azure_container.url}?{sas}"],
                      ["load", "--database", f"{azure_container.url}?{sas}"], [f"?{sas}"]):  # fmt: skip
        done = run_aetl(*arguments, env={"CHAT_DB_CONTAINER_URL": azure_container.url})
        assert done.returncode == 2
        assert not [form for form in forms(signature(sas)) if form in done.stdout + done.stderr]
