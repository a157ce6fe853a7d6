"""`aetl load --dry-run --blob NAME --validate`: all that is wrong with an export, without a database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import fail, files, one_line, run_aetl, succeed
from tests.exports import Record, make_export, write

EXPORTS = Path("exports")


def validate(name: str, *more: str) -> tuple[str | Path, ...]:
    return ("load", "--container", EXPORTS, "--dry-run", "--blob", name, "--validate", *more)


def broken() -> dict[str, list[Record]]:
    """Three kinds of faults: twelve times that of the sessions, and two in the events."""
    document = make_export(20)
    for each in document["sessions"][3:15]:
        each["started_at"] = "yesterday"
    document["events"][4]["meta2"] = 1
    document["events"][6]["meta2"] = 1
    del document["events"][9]["kind"]
    return document


def test_every_kind_is_told_with_its_number_and_first_place() -> None:
    name = write(EXPORTS, 0, broken())
    done = run_aetl(*validate(name))
    assert done.returncode == 6
    assert "15 records break the contract" in one_line(done.stderr)
    head, *kinds = done.stdout.splitlines()
    assert head == f"{name}: 80 records read, 15 of them break the contract"
    assert [" ".join(line.split())[:30] for line in kinds] == [
        "12 x sessions[3]/started_at: '", "2 x events[4]: unknown key 'me", "1 x events[9]: 'kind' is a req"
    ]  # fmt: skip
    assert files() == {"exports", "global.log"}


def test_as_json_it_is_one_object() -> None:
    name = write(EXPORTS, 0, broken())
    done = run_aetl(*validate(name, "--json"))
    (load,) = json.loads(done.stdout)["loads"]
    assert (done.returncode, load["status"], load["tables"]["sessions"]["rejected"]) == (6, "pending", 12)
    assert [(each["count"], each["table"], each["position"]) for each in load["faults"]] == [
        (12, "sessions", 3), (2, "events", 4), (1, "events", 9)
    ]  # fmt: skip


def test_a_good_export_is_told_as_such() -> None:
    name = write(EXPORTS, 0, make_export(2))
    assert succeed(*validate(name)) == f"{name}: 8 records read, 0 of them break the contract\n"
    assert succeed(*validate(name, "--quiet")) == ""


def test_what_was_found_before_an_export_ends_in_the_middle_is_told_too() -> None:
    document = json.dumps(broken()).encode()
    name = write(EXPORTS, 0, document[:-20])
    done = run_aetl(*validate(name))
    assert done.returncode == 6
    assert "12 x  sessions[3]/started_at" in done.stdout and "ends in the middle" in one_line(done.stderr)


@pytest.mark.parametrize("arguments", [
    ("--validate",), ("--dry-run", "--validate"), ("--blob", "x", "--validate"),
], ids=" ".join)  # fmt: skip
def test_it_goes_with_a_dry_run_of_one_export(arguments: Any) -> None:
    assert "--validate goes with" in fail(2, "load", *arguments)
