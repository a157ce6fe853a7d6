"""`aetl digest`: what the tables hold, to compare one database with another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.command import fail, files, run_aetl, succeed
from tests.digests import expected
from tests.exports import make_export, write

EXPORTS = Path("exports")


@pytest.fixture
def loaded() -> None:
    write(EXPORTS, 0, make_export(1500))
    succeed("load", "--container", EXPORTS)


@pytest.mark.usefixtures("loaded")
def test_it_shows_rows_and_hash_of_each_table_and_of_all() -> None:
    lines = [line.split() for line in succeed("digest", env={"COLUMNS": "100"}).splitlines() if line.strip()]
    digest = expected(make_export(1500))
    tables = [[name, f"{each['rows']:,}", each["sha256"]] for name, each in digest["tables"].items()]
    assert lines[0] == ["table", "rows", "SHA-256"]
    assert lines[2:] == [*tables, ["all", "6,000", digest["sha256"]]]


@pytest.mark.usefixtures("loaded")
def test_json_is_exactly_one_object() -> None:
    assert json.loads(succeed("digest", "--json")) == expected(make_export(1500))


@pytest.mark.usefixtures("loaded")
def test_a_copy_by_export_and_load_says_the_same_to_the_byte() -> None:
    succeed("export", "--container", "move", "--gzip")
    succeed("load", "--container", "move", "--database", "copy.db")
    assert succeed("digest") == succeed("digest", "--database", "copy.db")
    assert succeed("digest", "--json") == succeed("digest", "--json", "--database", "copy.db")


@pytest.mark.usefixtures("loaded")
def test_it_changes_nothing_and_needs_no_container() -> None:
    before = Path("local.db").read_bytes()
    succeed("digest")
    assert Path("local.db").read_bytes() == before
    assert files() == {"exports", "global.log", "local.db"}


def test_without_a_database_it_is_5() -> None:
    assert "none.db does not exist yet" in fail(5, "digest", "--database", "none.db")
    error = json.loads(run_aetl("digest", "--database", "none.db", "--json").stdout)["error"]
    assert error["exit_code"] == 5
    assert not Path("none.db").exists()


def test_a_file_that_is_somebody_elses_is_5() -> None:
    Path("other.db").write_bytes(b"no database at all" * 100)
    assert "is not a SQLite database" in fail(5, "digest", "--database", "other.db")
