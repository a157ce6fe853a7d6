"""`aetl export`: all tables as one new export."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from tests.acceptance.command import content, fail, succeed
from tests.azurite import AzureContainer
from tests.exports import make_export, write

EXPORTS = Path("exports")


@pytest.fixture(autouse=True)
def _loaded() -> None:
    write(Path("night"), 0, make_export(5))
    succeed("load", "--container", "night")


def test_it_prints_the_name_and_writes_what_was_loaded() -> None:
    name = succeed("export", "--container", EXPORTS).strip()

    assert re.fullmatch(r"backup_\d{8}T\d{6}\.\d{6}Z\.json", name)
    assert json.loads((EXPORTS / name).read_bytes()).keys() == make_export(5).keys()
    succeed("load", "--container", EXPORTS, "--database", "copy.db")
    assert content("copy.db") == content()


def test_gzip_writes_a_compressed_one_that_loads_again() -> None:
    name = succeed("export", "--container", EXPORTS, "--gzip").strip()

    assert name.endswith(".json.gz")
    assert json.loads(gzip.decompress((EXPORTS / name).read_bytes()))
    succeed("load", "--container", EXPORTS, "--database", "copy.db")
    assert content("copy.db") == content()


def test_every_export_is_a_new_one() -> None:
    names = [json.loads(succeed("export", "--container", EXPORTS, "--json"))["blob"] for _ in range(3)]
    assert sorted(path.name for path in EXPORTS.iterdir()) == names


def test_quiet_prints_nothing() -> None:
    assert succeed("export", "--container", EXPORTS, "--quiet") == ""
    assert len(list(EXPORTS.iterdir())) == 1


@pytest.mark.parametrize("options", [(), ("--gzip",)], ids=["plain", "gzip"])
def test_it_writes_into_azure(azure_container: AzureContainer, options: tuple[str, ...]) -> None:
    environment = {"CHAT_DB_CONTAINER_URL": azure_container.url_with_sas("rlw")}
    name = succeed("export", *options, env=environment).strip()
    assert azure_container.names() == [name]
    succeed("load", "--database", "copy.db", env=environment)
    assert content("copy.db") == content()


def test_a_sas_that_may_not_write_is_4_and_nothing_is_there(azure_container: AzureContainer) -> None:
    fail(4, "export", env={"CHAT_DB_CONTAINER_URL": azure_container.url_with_sas("rl")})
    assert azure_container.names() == []


def test_without_a_database_it_is_5() -> None:
    fail(5, "export", "--container", EXPORTS, "--database", "none.db")
    assert not Path("none.db").exists()
    assert not EXPORTS.exists()
