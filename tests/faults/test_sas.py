"""A SAS that does not do: each is told in words of its own, with exit code 4, and `aetl check` finds it beforehand.

That what is told holds no signature is tests/acceptance/test_secrets.py's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.acceptance.command import fail, files, run_aetl, succeed
from tests.azurite import AzureContainer
from tests.exports import blob_name, encode, make_export

MONTH = timedelta(days=30)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def container(azure_container: AzureContainer, monkeypatch: pytest.MonkeyPatch) -> AzureContainer:
    azure_container.upload(blob_name(0), encode(make_export()))
    monkeypatch.setenv("CHAT_DB_CONTAINER_URL", azure_container.url)
    Path("quick.yaml").write_text("retries: 0")
    return azure_container


def of_another_container(container: AzureContainer) -> str:
    with container.azurite.new_container() as other:
        return other.sas("rl", MONTH)


Make = Callable[[AzureContainer], str]
CASES: dict[str, tuple[Make, str]] = {
    "expired": (lambda its: its.sas("rl", -HOUR, -MONTH), "the SAS expired at"),
    "not yet valid": (lambda its: its.sas("rl", MONTH, HOUR), "the SAS is only valid from"),
    "without list": (lambda its: its.sas("rw", MONTH), "the SAS does not permit to list."),
    "without read": (lambda its: its.sas("lw", MONTH), "the SAS does not permit to read."),
    "without both": (lambda its: its.sas("w", MONTH), "the SAS does not permit to read or list."),
    "of another container": (of_another_container, "another container's"),
    "with other rights than it was signed for": (lambda its: its.sas("r", MONTH).replace("sp=r", "sp=rl"), "changed"),
    "cut off": (lambda its: its.sas("rl", MONTH)[:-9], "copy them anew"),
    "in quotes": (lambda its: f'"{its.sas("rl", MONTH)}"', "refused the SAS"),
    "unsigned": (lambda its: its.sas("rl", MONTH).partition("&sig=")[0], "the SAS has no signature (sig=)"),
    "no SAS": (lambda its: "hello", "the SAS has no signature (sig=)"),
}


# The others are told every day by tests/integration/test_access.py, without a process.
EVERY_DAY = ("without list", "of another container", "no SAS")


@pytest.mark.parametrize(
    "case", [each if each in EVERY_DAY else pytest.param(each, marks=pytest.mark.thorough) for each in CASES]
)
def test_it_is_told_in_its_own_words_and_found_beforehand(
    container: AzureContainer, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, told = CASES[case]
    monkeypatch.setenv("CHAT_DB_CONTAINER_SAS_TOKEN", make(container))

    checked = run_aetl("check", "--json", "--config", "quick.yaml")
    line = fail(4, "load", "--config", "quick.yaml")

    assert told in line
    assert (checked.returncode, checked.stderr) == (1, "")
    found = [each for each in json.loads(checked.stdout)["findings"] if each["level"] == "failure"]
    assert {each["subject"] for each in found} <= {"SAS", "container"}
    assert all(each["advice"] for each in found)


def test_a_question_mark_before_it_does_no_harm(container: AzureContainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_DB_CONTAINER_SAS_TOKEN", f"?{container.sas('rl', MONTH)}")
    succeed("load")


@pytest.mark.parametrize("which", ["url", "variable"])
def test_of_two_the_one_in_the_url_counts(
    container: AzureContainer, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, expired = container.sas("rl", MONTH), container.sas("rl", -HOUR)
    in_url, in_variable = (good, expired) if which == "url" else (expired, good)
    monkeypatch.setenv("CHAT_DB_CONTAINER_URL", f"{container.url}?{in_url}")
    monkeypatch.setenv("CHAT_DB_CONTAINER_SAS_TOKEN", in_variable)
    if which == "url":
        succeed("load")
        assert json.loads(succeed("check", "--json"))["findings"]
    else:
        assert "the SAS expired at" in fail(4, "load", "--config", "quick.yaml")


def test_an_account_key_that_is_refused_is_told_and_found(
    container: AzureContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = container.azurite.connection_string
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", right.replace("AccountKey=", "AccountKey=AAAA"))
    assert run_aetl("check", "--config", "quick.yaml").returncode == 1
    assert "server refused the credentials" in fail(4, "load", "--config", "quick.yaml")
    assert "local.db.lock" not in files()


def test_a_sas_that_may_not_write_is_told_so_by_an_export(
    container: AzureContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAT_DB_CONTAINER_SAS_TOKEN", container.sas("rl", MONTH))
    succeed("load")
    assert "the SAS does not permit to write" in fail(4, "export", "--config", "quick.yaml")
