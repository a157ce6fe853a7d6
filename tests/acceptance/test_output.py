"""What people see: clear lines instead of tracebacks, on every console, and nothing where nobody asked."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import aetl
from aetl.config import variable_names
from aetl.logs import set_up_logging
from tests.acceptance.command import AETL, SECONDS, environment, fail, files, one_line, run_aetl, start, succeed
from tests.conftest import ROOT
from tests.exports import blob_name, make_export, write

EXPORTS = Path("exports")
COMMANDS = ("run", "load", "export", "status", "digest", "check")
unix = pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix shell or terminal")


@pytest.mark.parametrize("command", [(), *((command,) for command in COMMANDS)], ids=["aetl", *COMMANDS])
def test_help_leaves_no_files(command: tuple[str, ...]) -> None:
    assert succeed(*command, "--help").startswith("Usage: aetl")
    assert files() == set()


def test_help_is_whole_and_says_what_there_is_to_know() -> None:
    said = succeed("-h")
    assert said == succeed("--help")
    assert "..." not in said.partition("Options:")[2]
    assert max(map(len, said.splitlines())) <= 80
    for word in ("aetl load --container", "aetl status --max-age", "75   ", *variable_names()):
        assert word in said
    assert [line.split()[0] for line in said.partition("Exit codes:\n")[2].partition("\n\n")[0].splitlines()] == [
        "0", "1", "2", "3", "4", "5", "6", "75", "130", "143"
    ]  # fmt: skip
    for command in (*COMMANDS, "schedule"):
        assert succeed(command, "-h").startswith(f"Usage: aetl {command}")
        assert "..." not in succeed(command, "-h").partition("\n\n")[2]


@pytest.mark.parametrize(("arguments", "meant"), [
    (["laod"], "'load'"), (["schedule", "craete"], "'create'"),
    (["load", "--lates"], "one of: '--latest', '--validate'"),
], ids=str)  # fmt: skip
def test_what_is_mistyped_gets_a_suggestion(arguments: list[str], meant: str) -> None:
    assert f". Did you mean {meant}? See aetl " in fail(2, *arguments)


@unix
@pytest.mark.parametrize(("line", "known"), [
    ("aetl lo", "load"), ("aetl --qui", "--quiet"), ("aetl load --late", "--latest"), ("aetl schedule cr", "create"),
])  # fmt: skip
def test_a_shell_completes_commands_and_options(line: str, known: str) -> None:
    env = {"_AETL_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    assert run_aetl(env=env).stdout.split() == [f"plain,{known}"]
    assert files() == set()


def test_version() -> None:
    assert succeed("--version").startswith("aetl, version ")


@pytest.mark.parametrize("arguments", [
    ["bogus"],
    ["load", "extra"],
    ["load", "--bogus"],
    ["--bogus"],
    ["run", "--sessions", "many"],
    ["run", "--sessions", "-1"],
    ["status", "--last", "x"],
    ["load", "--log-level", "LOUD"],
    ["load", "--blob"],
], ids=" ".join)  # fmt: skip
def test_wrong_usage_is_one_line_and_2(arguments: list[str]) -> None:
    assert "--help" in fail(2, *arguments)
    assert files() == set()


@pytest.mark.parametrize("option", ["--config", "--schema", "--sql"])
@pytest.mark.parametrize("text", [None, "{", "- 1", "\xff"], ids=["missing", "broken", "a list", "not UTF-8"])
def test_a_file_that_cannot_be_used_is_one_line_and_2(option: str, text: str | None) -> None:
    write(EXPORTS, 0, make_export())
    if text is not None:
        Path("file").write_bytes(text.encode("latin-1"))
    assert "file" in fail(2, "load", "--container", EXPORTS, option, "file")


@pytest.mark.parametrize("log", [Path("missing/global.log"), Path()], ids=["missing folder", "a folder"])
def test_a_log_that_cannot_be_written_is_one_line_and_2(log: Path) -> None:
    assert str(log) in fail(2, "load", "--container", EXPORTS, "--log-file", log)


def test_an_unexpected_failure_is_one_line_and_its_traceback_is_in_the_log() -> None:
    succeed("run", "--sessions", "1")
    with closing(sqlite3.connect("local.db")) as database, database:
        database.execute("UPDATE _aetl_loads SET tables = 'no JSON'")
    line = fail(1, "status")
    assert "unexpected" in line and "log" in line
    log = Path("global.log").read_text("utf-8")
    assert log.count("Traceback (most recent call last)") == 1
    assert "JSONDecodeError" in log


@pytest.mark.parametrize("arguments", [("run",), ("load", "--container", "exports"),
    ("export", "--container", "out"), ("status",), ("digest",),
    ("check", "--container", "exports")], ids=" ".join)  # fmt: skip
def test_quiet_says_nothing_on_success(arguments: tuple[str, ...]) -> None:
    write(EXPORTS, 0, make_export())
    if arguments[0] in ("export", "digest"):
        succeed("load", "--container", EXPORTS)
    assert succeed(*arguments, "--quiet") == ""


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_every_console_can_show_it(encoding: str) -> None:
    reject = make_export(2)
    reject["events"][0]["ts"] = "gestern \N{SNOWMAN}"
    write(EXPORTS, 0, reject)
    for arguments, exit_code in (
        (["run"], 0), (["load", "--container", "exports", "--database", "other.db"], 6),
        (["status", "--database", "other.db"], 0), (["digest"], 0), (["check"], 1),
    ):  # fmt: skip
        done = subprocess.run(
            [*AETL, *arguments], capture_output=True, check=False, timeout=SECONDS,
            env=environment({"PYTHONIOENCODING": encoding}),
        )  # fmt: skip
        assert done.returncode == exit_code
        assert done.stdout
        assert b"Traceback" not in done.stderr and b"unexpected" not in done.stderr


def test_a_name_that_looks_like_markup_is_shown_as_it_is() -> None:
    write(EXPORTS, 0, make_export())
    name = "backup_[red]:smile:[.json"
    (EXPORTS / blob_name(0)).rename(EXPORTS / name)
    for arguments in (["load", "--dry-run"], ["status"], ["load"], ["status"]):
        assert name in succeed(*arguments, "--container", EXPORTS)


@unix
@pytest.mark.parametrize("command", ["run", "--help", "status", "check"])
def test_a_reader_that_has_gone_is_no_failure_to_tell_of(command: str) -> None:
    with start(command) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        stderr = process.stderr.read()
    assert stderr == ""


@unix
def test_a_load_whose_reader_has_gone_is_done_all_the_same() -> None:
    with start("run", "--sessions", "3") as process:
        assert process.stdout is not None
        process.stdout.close()
    assert process.returncode == 0
    assert json.loads(succeed("status", "--json"))["last_success"]


@unix
def test_closed_streams_are_no_failure() -> None:
    command = f'"{sys.executable}" -m aetl --sessions 2 >&- 2>&-'
    assert subprocess.run(command, shell=True, check=False, timeout=SECONDS).returncode == 0


@unix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["status", "--help"])
def test_a_full_disk_under_stdout_is_one_line(command: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*AETL, command], stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=SECONDS
        )
    assert done.returncode == 1
    line = one_line(done.stderr)
    assert "the output cannot be written: No space left on device. Free some space" in line
    assert "unexpected" not in line


@unix
def test_too_little_memory_is_said_without_a_traceback() -> None:
    command = f'ulimit -v 60000; exec "{sys.executable}" -m aetl run --sessions 2'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 1
    *of_the_log, line = done.stderr.splitlines()  # whose lines may find no memory either
    assert "not enough memory" in line and all(each.startswith("aetl: ") for each in (*of_the_log, line))
    assert "unexpected" not in done.stderr
    succeed("run", "--sessions", "2")


@unix
@pytest.mark.parametrize("columns", [60, 80, 160])
def test_a_terminal_shows_a_progress_bar_that_fits(big_exports: Path, columns: int) -> None:
    from tests.acceptance.terminal import on_terminal

    code, written = on_terminal(columns, "load", "--container", big_exports)
    assert code == 0
    assert "records" in written and "MB/s" in written
    assert ("\N{BOX DRAWINGS HEAVY HORIZONTAL}" in written) is (columns == 160)
    bars = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", line) for line in written.split("\n") if "MB/s" in line]
    assert all(re.search(r"\b\d[\d,]* records\b", line) for line in bars[1:])


def test_without_a_terminal_there_is_none(big_exports: Path) -> None:
    done = run_aetl("load", "--container", big_exports)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout and "MB/s" not in done.stdout


def test_the_log_as_json_is_one_object_a_line() -> None:
    succeed("run", "--log-format", "json", "--log-level", "DEBUG")
    lines = [json.loads(line) for line in Path("global.log").read_text("utf-8").splitlines()]
    assert {line["event"] for line in lines if "stage" in line} == {"start", "end"}


@pytest.mark.parametrize("command", ["load", "run"])
def test_the_log_has_one_line_per_export(command: str) -> None:
    name = write(EXPORTS, 0, make_export(2)) if command == "load" else ""
    succeed(command, "--container", "exports" if command == "load" else "simulated")
    (line,) = Path("global.log").read_text("utf-8").splitlines()
    assert " INFO " in line and name in line
    size = next(
        each.stat().st_size for each in Path(EXPORTS if command == "load" else "simulated").glob("backup_*.json")
    )
    assert f": loaded, {size} bytes in " in line and f", into local.db, by aetl {aetl.__version__}: sessions " in line
    if command == "load":
        assert line.endswith(
            "sessions 2 read, 2 loaded, 0 unchanged, 0 rejected; events 4 read, 4 loaded, 0 unchanged, 0 rejected; "
            "event_parents 2 read, 2 loaded, 0 unchanged, 0 rejected"
        )


@pytest.mark.parametrize("data", [b"[]", b"{", None], ids=["an array", "cut off", "a reject"])
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_fault_in_the_data_is_one_line_of_the_log_without_a_traceback(data: bytes | None, log_format: str) -> None:
    document = make_export(2)
    document["events"][0]["ts"] = "yesterday"
    name = write(EXPORTS, 0, document if data is None else data)
    said = fail(6, "load", "--container", EXPORTS, "--log-format", log_format).removeprefix("aetl: error: ")
    (line,) = Path("global.log").read_text("utf-8").splitlines()
    if log_format == "json":
        fields = json.loads(line)
        assert (fields["level"], fields["blob"], fields["status"]) == ("ERROR", name, "failed")
        assert (fields["database"], fields["version"]) == ("local.db", aetl.__version__)
        line = fields["message"]
    assert "by aetl" in line and line.endswith(said.removeprefix(name))


@pytest.mark.parametrize(("level", "is_told"), [("DEBUG", True), ("info", True), ("WARNING", False), ("ERROR", False)])
def test_the_log_level_says_what_is_logged(level: str, is_told: bool) -> None:
    succeed("run", "--log-level", level)
    assert bool(Path("global.log").read_text("utf-8")) is is_told


def test_two_processes_may_write_one_log() -> None:
    with set_up_logging(Path("global.log"), "INFO", "text"):
        logging.getLogger("test").info("before")
        succeed("run", "--sessions", "1")
        logging.getLogger("test").info("after")
    log = Path("global.log").read_text("utf-8")
    assert "before" in log and ": loaded, " in log and "after" in log


@pytest.mark.parametrize("option", [(), ("--quiet",), ("--json",)], ids=str)
def test_what_is_not_in_the_database_is_a_line_each_whatever_is_shown(option: tuple[str, ...]) -> None:
    document = make_export(50)
    for each in document["sessions"][1:]:
        each["started_at"] = "yesterday"
    name = write(EXPORTS, 0, {**document, "events": [], "event_parents": [], "moods": [1], "version": 2})
    warnings = [
        "'moods' was skipped: the contract knows no such table",
        "'version' was skipped: the contract knows no such table",
        "49 of 50 records were rejected: "
        "sessions[1]/started_at: 'yesterday' is not an ISO 8601 date-time (and 48 like it)",
    ]
    done = run_aetl("load", "--container", EXPORTS, "--max-rejects", "all", *option)
    assert (done.returncode, done.stderr.splitlines()) == (3, [f"aetl: warning: {name}: {line}" for line in warnings])
    if option == ("--json",):
        (load,) = json.loads(done.stdout)["loads"]
        assert load["warnings"] == warnings

    (load,) = json.loads(succeed("status", "--json"))["loads"]
    assert load["warnings"] == [*warnings[:2], "49 of 50 records were rejected: _aetl_rejects says why"]
    said = " ".join(succeed("status").split())
    assert all(line in said for line in load["warnings"])


def test_keys_that_a_contract_lets_pass_are_told() -> None:
    schema = json.loads((ROOT / "aetl/json/schema.json").read_text("utf-8"))
    del schema["properties"]["sessions"]["items"]["additionalProperties"]
    Path("own.json").write_text(json.dumps(schema), "utf-8")
    document = make_export(2)
    document["sessions"][1] |= {"mood": "fine", "mode": None}
    document["sessions"][0]["mood"] = "bad"
    write(EXPORTS, 0, document)
    done = run_aetl("load", "--container", EXPORTS, "--schema", "own.json", "--quiet")
    left_out = (
        "sessions: the keys 'mood' (in 2 records), 'mode' (in 1 record) were left out: "
        "the contract has no such column, and no x-rest"
    )
    assert (done.returncode, done.stderr) == (0, f"aetl: warning: {blob_name(0)}: {left_out}\n")
    (load,) = json.loads(succeed("status", "--json", "--schema", "own.json"))["loads"]
    assert load["warnings"] == [left_out]
    assert load["unknown_keys"] == {"sessions": {"mood": 2, "mode": 1}}
    assert load["tables"]["sessions"] == {"read": 2, "loaded": 2, "unchanged": 0, "rejected": 0}
