"""Each hostile export ends as its case says: one clear line with the place, and nothing of it in the database."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import is_sound, one_line, query, run_aetl
from tests.exports import TABLES, Document, Record, blob_name, make_export, write
from tests.hostile import cases_encoding, cases_gzip, cases_records, cases_structure
from tests.hostile.cases import Case
from tests.hostile.in_process import Run

NIGHT = 1
BEFORE = make_export(2, first=90)
"""What is in the database already."""
PLACE = re.compile(r"^byte \d|\(byte \d+\)|\[\d+\]|as stored|the export lacks the table")
CASES = [
    *cases_structure.cases(), *cases_encoding.cases(), *cases_records.cases(), *cases_gzip.cases()
]  # fmt: skip
REPRESENTATIVE = (
    "empty", "not an object: b'[]'", "events twice, escaped", "nested and never closed", "utf-16", "HTML",
    "gzip cut off after 10", "garbage behind: text", "gzip in gzip", "unknown first: '},{'",
)  # fmt: skip


def parameters(cases: Sequence[Case]) -> list[Any]:
    names = [case.name for case in cases]
    assert len(set(names)) == len(names)
    return [
        pytest.param(case, id=ascii(case.name), marks=[pytest.mark.thorough] if case.is_thorough else [])
        for case in cases
    ]


@pytest.mark.parametrize("case", parameters(CASES))
def test_a_hostile_export_ends_as_it_must(case: Case, database_before: Path, run: Run) -> None:
    blob = write(Path("exports"), NIGHT, case.data, suffix=case.suffix)
    modes = (
        ("0", "all")
        if case.rejects and case.is_in_expected_order
        else ("0",)
        if case.is_in_expected_order
        else ("all",)
    )
    for most in modes:
        done = run("load", "--container", "exports", "--database", database_before, "--max-rejects", most, "--json")
        lines = done.stderr.splitlines()
        *warnings, last = lines if case.says is not None and done.exit_code == 6 else [*lines, ""]
        if done.exit_code == 3:
            *warnings, told = warnings
            assert told.startswith(f"aetl: warning: {blob}: {len(case.rejects):,} of ")
        assert warnings == [
            f"aetl: warning: {blob}: {name} was skipped: the contract knows no such table" for name in case.warns
        ]
        if case.says is None or (case.rejects and most == "all"):
            assert done.exit_code == (3 if case.rejects else 0), done.stderr
            assert_loaded(case, blob, json.loads(done.stdout)["loads"], database_before)
            return
        assert done.exit_code == 6
        assert_refused(case, blob, last, json.loads(done.stdout)["loads"], database_before)


@pytest.mark.parametrize("case", parameters([case for case in CASES if case.name in REPRESENTATIVE]))
def test_so_it_ends_in_a_process_of_its_own(case: Case, database_before: Path) -> None:
    blob = write(Path("exports"), NIGHT, case.data, suffix=case.suffix)
    done = run_aetl("load", "--container", "exports", "--database", database_before, "--quiet")
    if case.says is None:
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (0, "", len(case.warns))
    else:
        assert (done.returncode, done.stdout) == (6, "")
        assert one_line(done.stderr).startswith(f"aetl: error: {blob}: {case.says}")
        assert rows(database_before) == expected(BEFORE)


def assert_refused(case: Case, blob: str, line: str, loads: list[dict[str, Any]], database: Path) -> None:
    assert case.says is not None
    number = f"{len(case.rejects):,} rejects: " if len(case.rejects) > 1 else ""
    assert line.startswith(f"aetl: error: {blob}: {number}{case.says}")
    assert len(line) < 2000
    error = line.removeprefix(f"aetl: error: {blob}: ")
    assert PLACE.search(error), "the message says no place"
    (report,) = loads
    assert (report["status"], report["tables"], report["error"]) == ("failed", {}, error)
    assert rows(database) == expected(BEFORE)
    assert ledger(database) == [("loaded", None), ("failed", error)]
    kept = query("SELECT table_name, position, pointer FROM _aetl_rejects ORDER BY rowid", database)
    assert kept[:1] == list(case.rejects[:1])
    assert set(kept) <= set(case.rejects) and len(set(kept)) == len(kept)
    assert is_sound(database)


def assert_loaded(case: Case, blob: str, loads: list[dict[str, Any]], database: Path) -> None:
    (report,) = loads
    assert (report["blob"], report["status"]) == (blob, "loaded")
    for table, counts in report["tables"].items():
        assert counts["read"] == counts["loaded"] + counts["unchanged"] + counts["rejected"]
        assert counts["rejected"] == len([place for place in case.rejects if place[0] == table])
    assert rows(database) == expected({table: [*BEFORE[table], *case.kept[table]] for table in TABLES})
    assert ledger(database) == [("loaded", None)] * 2, "a failure before is forgotten"
    kept = query("SELECT table_name, position, pointer FROM _aetl_rejects", database)
    assert sorted(kept) == sorted(case.rejects)
    for (record,) in query("SELECT record FROM _aetl_rejects", database):
        json.loads(record)
    assert is_sound(database)


def ledger(database: Path) -> list[tuple[Any, ...]]:
    return query("SELECT status, error FROM _aetl_loads ORDER BY load_id", database)


def rows(database: Path) -> dict[str, list[Any]]:
    return {table: sorted(query(f"SELECT * FROM {table}", database), key=repr) for table in TABLES}


def expected(document: Document) -> dict[str, list[Any]]:
    def row(record: Record) -> tuple[Any, ...]:
        return tuple(record.values())

    return {table: sorted(map(row, document[table]), key=repr) for table in TABLES}


def test_there_are_enough_cases() -> None:
    assert len({case.name for case in CASES if case.is_in_expected_order}) > 250
    assert len({case.data for case in CASES}) > 400
    assert blob_name(NIGHT).startswith("backup_")
