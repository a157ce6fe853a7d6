"""`aetl status`: the ledger, what waits, and the watchdog's exit code."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.command import fail, files, one_line, run_aetl, succeed
from tests.azurite import AzureContainer
from tests.exports import blob_name, empty_export, encode, make_export, write

EXPORTS = Path("exports")


@pytest.fixture
def loaded() -> None:
    """A database with one load and one failure, and a container where one more export waits."""
    write(EXPORTS, 0, make_export(2))
    succeed("load", "--container", EXPORTS)
    write(EXPORTS, 1, b"[]")
    fail(6, "load", "--container", EXPORTS)
    (EXPORTS / blob_name(1)).unlink()
    write(EXPORTS, 2, make_export(3))


def let_time_pass(hours: float) -> None:
    moment = (datetime.now(UTC) - timedelta(hours=hours)).isoformat(timespec="microseconds")
    with closing(sqlite3.connect("local.db")) as connection, connection:
        connection.execute("UPDATE _aetl_loads SET finished_at = ?", (moment,))


@pytest.mark.usefixtures("loaded")
def test_it_shows_loads_failures_what_waits_and_the_last_success() -> None:
    said = succeed("status", "--container", EXPORTS)

    assert f"{datetime.now(UTC):Last success: %Y-%m-%d}" in said
    assert all(blob_name(night) in said for night in (0, 1, 2))
    assert "failed" in said and "loaded" in said


@pytest.mark.usefixtures("loaded")
def test_json_is_exactly_one_object() -> None:
    state = json.loads(succeed("status", "--container", EXPORTS, "--json"))

    assert [(load["blob"], load["status"]) for load in state["loads"]] == [
        (blob_name(1), "failed"),
        (blob_name(0), "loaded"),
    ]
    assert "[]" not in state["loads"][0]["tables"] and state["loads"][0]["error"]
    assert [each["blob"] for each in state["waiting"]] == [blob_name(2)]
    assert datetime.now(UTC) - datetime.fromisoformat(state["last_success"]) < timedelta(minutes=5)


@pytest.mark.usefixtures("loaded")
def test_last_limits_the_loads() -> None:
    state = json.loads(succeed("status", "--container", EXPORTS, "--json", "--last", "1"))
    assert [load["blob"] for load in state["loads"]] == [blob_name(1)]


@pytest.mark.usefixtures("loaded")
def test_it_needs_no_container() -> None:
    assert "CHAT_DB_CONTAINER_URL" in succeed("status")
    assert json.loads(succeed("status", "--json"))["waiting"] is None


def test_before_the_first_load_it_creates_nothing() -> None:
    assert "No success yet." in succeed("status")
    assert files() == {"global.log"}


def test_what_waits_in_azure_is_shown(azure_container: AzureContainer) -> None:
    etag = azure_container.upload(blob_name(0), encode(make_export()))
    environment = {"CHAT_DB_CONTAINER_URL": azure_container.url_with_sas()}

    assert blob_name(0) in succeed("status", env=environment)
    (waiting,) = json.loads(succeed("status", "--json", env=environment))["waiting"]
    assert waiting["etag"] == etag

    succeed("load", env=environment)
    assert "No export waits." in succeed("status", env=environment)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(("hours", "allowed", "exit_code"), [
    (25, "26h", 0), (27, "26h", 1), (27, "1d3h30m", 0), (2, "90m", 1), (0, "0s", 1),
])  # fmt: skip
def test_max_age_ends_with_1_when_the_last_success_is_older(hours: float, allowed: str, exit_code: int) -> None:
    let_time_pass(hours)

    done = run_aetl("status", "--max-age", allowed)

    assert done.returncode == exit_code
    assert "--max-age" in one_line(done.stderr) if exit_code else done.stderr == ""
    assert json.loads(run_aetl("status", "--max-age", allowed, "--json").stdout)["last_success"]


def test_max_age_ends_with_1_when_there_never_was_a_success() -> None:
    assert "never" in fail(1, "status", "--max-age", "26h", "--quiet")


@pytest.mark.parametrize("wrong", ["26", "soon", "", "-1h", "1h1d", f"{10**12}d"])
def test_max_age_takes_a_duration(wrong: str) -> None:
    assert "--max-age" in fail(2, "status", "--max-age", wrong)


def test_a_last_success_in_the_future_is_a_failure_until_the_next_load() -> None:
    write(EXPORTS, 0, make_export(2))
    succeed("load", "--container", EXPORTS)
    let_time_pass(-24 * 365 * 74)
    assert "in the future" in fail(1, "status", "--max-age", "26h", "--quiet")
    write(EXPORTS, 1, make_export(3))
    succeed("load", "--container", EXPORTS)
    succeed("status", "--max-age", "26h")


def test_clocks_may_differ_by_some_minutes() -> None:
    write(EXPORTS, 0, make_export(2))
    succeed("load", "--container", EXPORTS)
    let_time_pass(-4 / 60)
    succeed("status", "--max-age", "26h")


def test_a_load_that_rejects_everything_is_no_success() -> None:
    write(EXPORTS, 0, make_export(2))
    succeed("load", "--container", EXPORTS)
    let_time_pass(27)
    record = {"id": "s9", "started_at": "yesterday", "meta": None}
    write(EXPORTS, 1, {"sessions": [record], "events": [], "event_parents": []})
    done = run_aetl("load", "--container", EXPORTS, "--max-rejects", "all")
    assert done.returncode == 3 and re.search(r"\n  rejected  [0-9.]+ (bytes|kB) in ", done.stdout)
    assert "longer ago" in fail(1, "status", "--max-age", "26h", "--quiet")
    assert datetime.now(UTC) - datetime.fromisoformat(json.loads(succeed("status", "--json"))["last_success"]) > (
        timedelta(hours=26)
    )
    write(EXPORTS, 2, empty_export())
    succeed("load", "--container", EXPORTS)
    succeed("status", "--max-age", "26h")


def test_the_ledger_is_shown_where_the_container_cannot_be_reached() -> None:
    write(EXPORTS, 0, make_export(2))
    succeed("load", "--container", EXPORTS)
    done = run_aetl("status", "--container", "missing")
    assert done.returncode == 4 and "missing" in one_line(done.stderr)
    assert blob_name(0) in done.stdout and "Last success: " in done.stdout and "is not known" in done.stdout

    done = run_aetl("status", "--container", "missing", "--json")
    state = json.loads(done.stdout)
    assert (done.returncode, state["error"]["exit_code"], state["waiting"]) == (4, 4, None)
    assert [load["blob"] for load in state["loads"]] == [blob_name(0)] and state["last_success"]


def test_what_failed_last_time_is_told_by_status_and_check_until_it_is_in() -> None:
    write(EXPORTS, 0, b"[]")
    write(EXPORTS, 1, make_export(2))
    assert run_aetl("load", "--container", EXPORTS).returncode == 6
    said = succeed("status", "--last", "1")
    assert f"{blob_name(0)} failed at " in said and "was expected here" in said
    (failed,) = json.loads(succeed("status", "--json", "--last", "1"))["failed"]
    assert failed["blob"] == blob_name(0)
    (line,) = [line for line in succeed("check", "--container", EXPORTS).splitlines() if "ledger: " in line]
    assert line.startswith(f"warning  ledger: {blob_name(0)} failed at ") and "was expected here" in line

    write(EXPORTS, 0, make_export(1))
    succeed("load", "--container", EXPORTS)
    assert json.loads(succeed("status", "--json"))["failed"] == []
    assert "failed at" not in succeed("check", "--container", EXPORTS)
