"""Whatever the width of the terminal: names are whole, and no number is broken over lines."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.acceptance.command import run_aetl, succeed
from tests.exports import blob_name, make_export, write

if sys.platform == "win32":
    pytest.skip("needs a Unix terminal", allow_module_level=True)

from tests.acceptance.terminal import lines_left, on_terminal

EXPORTS = Path("exports")
LONG = "backup_of_the_production_assistant_in_western_europe_with_attachments_20250301T020000.json"
WIDTHS = pytest.mark.parametrize("columns", [60, 80, 160])


@pytest.fixture(autouse=True)
def nights() -> None:
    """An export of 2,001 sessions under a usual name, one under a long name, and one that will fail."""
    write(EXPORTS, 0, make_export(2001, events=1))
    (EXPORTS / write(EXPORTS, 1, make_export(1))).rename(EXPORTS / LONG)
    write(EXPORTS, 2, b"[]")


def assert_whole(lines: list[str], columns: int) -> None:
    for line in lines:
        assert len(line) <= columns or LONG in line
    text = "\n".join(lines)
    for number in re.findall(r"\d[\d,]*$", text, re.MULTILINE):
        assert re.fullmatch(r"\d{1,3}(,\d{3})*|\d{4}", number), f"{number} was broken off"


@WIDTHS
def test_load_and_status_fit_a_terminal(columns: int) -> None:
    code, written = on_terminal(columns, "load", "--container", EXPORTS)
    lines = lines_left(written)
    assert code == 6
    assert_whole([line for line in lines if not line.startswith("aetl: ")], columns)
    assert all(any(name in line for line in lines) for name in (blob_name(0), LONG, blob_name(2)))
    assert sum("2,001" in line for line in lines) == 2, "of sessions and of events"

    code, written = on_terminal(columns, "status", "--container", EXPORTS)
    lines = lines_left(written)
    assert code == 0
    assert_whole(lines, columns)
    assert sum("4,002" in line for line in lines) == 1
    assert all(any(name in line for line in lines) for name in (blob_name(0), LONG, blob_name(2)))
    said = " ".join(" ".join(lines).split())
    assert "not '[' was expected" in said or "was expected here" in said

    code, written = on_terminal(columns, "digest")
    assert code == 0
    assert len(re.findall(r"\b[0-9a-f]{64}\b", "\n".join(lines_left(written)))) == 4


@WIDTHS
def test_before_the_first_load_no_heads_of_columns_stand_over_nothing(columns: int) -> None:
    code, written = on_terminal(columns, "status")
    assert code == 0
    assert [line.partition(":")[0] for line in lines_left(written)] == [
        "No container is set (CHAT_DB_CONTAINER_URL)", "No success yet.", ""
    ]  # fmt: skip


def test_what_is_piped_is_made_for_80_columns_and_names_are_whole() -> None:
    done = run_aetl("load", "--container", EXPORTS)
    assert_whole(done.stdout.splitlines(), 80)
    assert LONG in done.stdout
    assert max(map(len, succeed("digest").splitlines())) <= 80
    said = succeed("status", "--container", EXPORTS)
    assert any(line.endswith("another contract would not mend it.") for line in said.splitlines()), (
        "a reason is one line"
    )


@WIDTHS
def test_the_steps_of_a_run_are_all_that_stays_beside_the_result(columns: int) -> None:
    code, written = on_terminal(columns, "run", "--sessions", "20")
    assert code == 0
    said = "".join(lines_left(written))
    steps = said.partition("6. loaded it")
    assert steps[1] and all(f"{step}. " in steps[0] for step in range(1, 6))
    assert "records" not in said and "MB/s" not in said and "\N{BOX DRAWINGS HEAVY HORIZONTAL}" not in said
