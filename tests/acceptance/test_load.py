"""`aetl load`: what it takes, what it says, and its exit codes."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.acceptance.command import TABLES, counts, fail, files, one_line, query, run_aetl, succeed
from tests.azurite import AzureContainer
from tests.exports import blob_name, encode, event, make_export, write

EXPORTS = Path("exports")
NO_RETRIES = Path("quick.yaml")


def export_with_reject() -> dict[str, list[Any]]:
    document: dict[str, list[Any]] = dict(make_export(2))
    document["events"].append(event(99, 0, ts="yesterday"))
    return document


def loads_of(stdout: str) -> list[dict[str, Any]]:
    """The loads in a text that is exactly one JSON object."""
    content = json.loads(stdout)
    assert content.keys() >= {"loads"}
    loads: list[dict[str, Any]] = content["loads"]
    return loads


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("command", ["load", "export"])
def test_without_a_container_it_stops_and_creates_nothing(command: str) -> None:
    line = fail(2, command)
    assert "CHAT_DB_CONTAINER_URL" in line and "--container" in line
    assert files() == {"global.log"}


def test_everything_new_is_loaded_oldest_first_and_only_once() -> None:
    write(EXPORTS, 0, make_export(2), created_on=5)
    write(EXPORTS, 1, make_export(3))

    said = succeed("load", "--container", EXPORTS)

    assert blob_name(0) in said and blob_name(1) in said
    assert query("SELECT blob FROM _aetl_loads ORDER BY load_id") == [(blob_name(1),), (blob_name(0),)]
    assert counts() == (3, 6, 3)
    assert succeed("load", "--container", EXPORTS) == "Nothing new.\n"
    assert loads_of(succeed("load", "--container", EXPORTS, "--json")) == []
    assert files() == {"exports", "local.db", "global.log"}


def test_json_is_exactly_one_object_with_every_count() -> None:
    write(EXPORTS, 0, make_export(2, events=3))

    (load,) = loads_of(succeed("load", "--container", EXPORTS, "--json"))

    assert load.keys() >= {"blob", "etag", "load_id", "status", "bytes", "seconds", "tables"}
    assert (load["blob"], load["load_id"], load["status"]) == (blob_name(0), 1, "loaded")
    assert load["bytes"] == (EXPORTS / blob_name(0)).stat().st_size
    assert load["tables"] == {
        name: {"read": count, "loaded": count, "unchanged": 0, "rejected": 0}
        for name, count in zip(TABLES, (2, 6, 4), strict=True)
    }


def test_latest_takes_only_the_newest() -> None:
    write(EXPORTS, 0, make_export(2))
    write(EXPORTS, 1, make_export(3))
    (load,) = loads_of(succeed("load", "--container", EXPORTS, "--latest", "--json"))
    assert load["blob"] == blob_name(1)


def test_blob_takes_that_one_again() -> None:
    write(EXPORTS, 0, make_export(2))
    write(EXPORTS, 1, make_export(3))
    for unchanged in (0, 2):
        (load,) = loads_of(succeed("load", "--container", EXPORTS, "--blob", blob_name(0), "--json"))
        assert (load["blob"], load["tables"]["sessions"]["unchanged"]) == (blob_name(0), unchanged)


def test_a_dry_run_says_what_it_would_load_and_creates_nothing() -> None:
    write(EXPORTS, 0, make_export(2))

    assert blob_name(0) in succeed("load", "--container", EXPORTS, "--dry-run")
    (load,) = loads_of(succeed("load", "--container", EXPORTS, "--dry-run", "--json"))

    assert (load["blob"], load["status"]) == (blob_name(0), "pending")
    assert files() == {"exports", "global.log"}


def test_a_dry_run_changes_no_database() -> None:
    write(EXPORTS, 0, make_export(2))
    succeed("load", "--container", EXPORTS)
    before = Path("local.db").read_bytes()
    write(EXPORTS, 1, make_export(3))

    assert blob_name(1) in succeed("load", "--container", EXPORTS, "--dry-run")

    assert Path("local.db").read_bytes() == before


@pytest.mark.parametrize(("allowed", "exit_code"), [("0", 6), ("1", 3), ("2", 3), ("all", 3)])
def test_rejects_end_with_3_or_6_as_max_rejects_says(allowed: str, exit_code: int) -> None:
    write(EXPORTS, 0, export_with_reject())

    done = run_aetl("load", "--container", EXPORTS, "--max-rejects", allowed, "--json")

    assert done.returncode == exit_code
    (load,) = loads_of(done.stdout)
    assert load["status"] == ("loaded" if exit_code == 3 else "failed")
    assert query("SELECT table_name, position, pointer FROM _aetl_rejects") == [("events", 4, "/ts")]
    if exit_code == 6:
        assert "events[4]/ts" in one_line(done.stderr)
        assert counts() == (0, 0, 0)
    else:
        assert load["tables"]["events"] == {"read": 5, "loaded": 4, "unchanged": 0, "rejected": 1}
        assert "1 of 9 records were rejected: events[4]/ts: " in one_line(done.stderr)


def test_an_export_that_breaks_the_contract_does_not_stop_the_next_one() -> None:
    write(EXPORTS, 0, b'{"sessions": [')
    write(EXPORTS, 1, make_export(3))

    done = run_aetl("load", "--container", EXPORTS)

    assert done.returncode == 6
    assert blob_name(0) in one_line(done.stderr)
    assert counts() == (3, 6, 3)


@pytest.mark.parametrize("wrong", ["-1", "some", "", "1.5", "ALL"])
def test_max_rejects_takes_a_number_or_all(wrong: str) -> None:
    assert "--max-rejects" in fail(2, "load", "--container", EXPORTS, "--max-rejects", wrong)
    assert files() == set()


def test_latest_and_blob_exclude_each_other() -> None:
    fail(2, "load", "--container", EXPORTS, "--latest", "--blob", blob_name(0))


def test_a_missing_blob_is_4() -> None:
    write(EXPORTS, 0, make_export(2))
    assert blob_name(7) in fail(4, "load", "--container", EXPORTS, "--blob", blob_name(7))


def test_a_missing_folder_is_4() -> None:
    assert "nowhere" in fail(4, "load", "--container", "nowhere")


def test_a_missing_blob_in_azure_is_4(azure_container: AzureContainer) -> None:
    line = fail(4, "load", "--blob", blob_name(7), env={"CHAT_DB_CONTAINER_URL": azure_container.url_with_sas()})
    assert blob_name(7) in line


def test_an_expired_sas_is_4_and_says_when_it_expired(azure_container: AzureContainer) -> None:
    url = azure_container.url_with_sas("rl", timedelta(hours=-1))
    assert "expired at" in fail(4, "load", env={"CHAT_DB_CONTAINER_URL": url})


def test_an_unreachable_container_is_4() -> None:
    NO_RETRIES.write_text("retries: 0")
    url = f"http://127.0.0.1:{unused_port()}/account/container?sig=c2lnbmF0dXJl"
    fail(4, "load", "--config", NO_RETRIES, env={"CHAT_DB_CONTAINER_URL": url})


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE invoices (number INTEGER)")


PROBLEMS: dict[str, Callable[[Path], object]] = {
    "foreign": foreign,
    "no database": lambda path: path.write_text("Dear diary, " * 1000),
    "a folder": lambda path: path.mkdir(),
    "missing folder": lambda path: None,
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_database_that_cannot_take_the_load_is_5(problem: str) -> None:
    write(EXPORTS, 0, make_export(2))
    database = Path("missing/mine.db" if problem == "missing folder" else "mine.db")
    PROBLEMS[problem](database)
    before = files()

    assert str(database.parent if problem == "missing folder" else database) in fail(
        5, "load", "--container", EXPORTS, "--database", database
    )

    assert files() == before | {"global.log"}


def test_another_load_running_is_75() -> None:
    write(EXPORTS, 0, make_export(2))
    with FileLock("local.db.lock"):
        fail(75, "load", "--container", EXPORTS)
    assert files() - {"local.db.lock"} == {"exports", "global.log"}
    succeed("load", "--container", EXPORTS)
    assert counts() == (2, 4, 2)


FAILURES: dict[str, tuple[int, list[str]]] = {
    "no container": (2, ["load"]),
    "no configuration": (2, ["load", "--config", "missing.yaml"]),
    "no log": (2, ["load", "--log-file", "missing/global.log"]),
    "contradiction": (2, ["load", "--latest", "--blob", "x"]),
    "missing folder": (4, ["load", "--container", "missing"]),
    "run in a missing folder": (5, ["run", "--database", "missing/local.db"]),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_json_is_one_object_also_when_it_fails(failure: str) -> None:
    exit_code, arguments = FAILURES[failure]

    done = run_aetl(*arguments, "--json")

    assert done.returncode == exit_code
    assert loads_of(done.stdout) == []
    error = json.loads(done.stdout)["error"]
    assert error["exit_code"] == exit_code
    assert error["message"] in one_line(done.stderr)


def test_a_gzipped_export_loads_from_azure(azure_container: AzureContainer) -> None:
    azure_container.upload(blob_name(0, ".gz"), encode(make_export(4), compress=True))
    succeed("load", env={"CHAT_DB_CONTAINER_URL": azure_container.url_with_sas()})
    assert counts() == (4, 8, 4)


@pytest.mark.parametrize("mode", [(), ("--dry-run",)], ids=["load", "dry run"])
def test_a_folder_with_nothing_named_like_an_export_is_told(mode: tuple[str, ...]) -> None:
    Path("others").mkdir()
    for name in ("dump_\x1b[31m.json", "dump_2.json"):
        Path("others", name).write_text("{}")

    done = run_aetl("load", "--container", "others", *mode)
    as_json = run_aetl("load", "--container", "others", "--json", *mode)

    assert (done.returncode, as_json.returncode) == (0, 0)
    line = one_line(done.stderr)
    assert "others holds no export, but 2 with other names, such as 'dump_" in line and "backup_<UTC time>" in line
    assert "\x1b" not in line
    assert json.loads(as_json.stdout)["other_blobs"]["count"] == 2


@pytest.mark.parametrize(("allowed", "exit_code"), [("0", 6), ("all", 3)])
def test_a_key_that_is_new_in_every_record_is_named_and_what_to_do(allowed: str, exit_code: int) -> None:
    document = make_export(5)
    for each in document["sessions"]:
        each["meta2"] = 1
    write(EXPORTS, 0, {**document, "events": [], "event_parents": []})
    done = run_aetl("load", "--container", EXPORTS, "--max-rejects", allowed)
    line = one_line(done.stderr)
    assert done.returncode == exit_code
    assert "5 rejects: sessions[0]: unknown key 'meta2' (in 5 of 5 records). Add it to the contract" in line or (
        "5 of 5 records were rejected: sessions[0]: unknown key 'meta2' (in 5 of 5 records). Add it to the contract"
        in line
    )
    assert "max-rejects" not in line
