"""What the commands print with --json is what the documentation shows."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import aetl
from aetl.cli import aetl as program
from aetl.cli.display import report_as_json
from aetl.errors import AetlError
from aetl.models import Finding, LoadReport, TableCounts
from tests.documentation.pages import blocks, json_block, section


def _keys(value: Any) -> Any:
    """The shape of JSON: objects by their keys, arrays by their first element."""
    if isinstance(value, dict):
        return {name: _keys(each) for name, each in value.items()}
    return [_keys(each) for each in value[:1]] if isinstance(value, list) else None


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    program(list(arguments), prog_name="aetl", standalone_mode=False)
    return json.loads(capsys.readouterr().out)


def _of_one_table(content: Any) -> Any:
    """What a command printed, with the one table that the documentation shows."""
    for load in content["loads"]:
        load["tables"] = {"events": load["tables"]["events"]}
    return content


def test_json_of_load_has_the_shape_that_is_shown(container: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = printed(capsys, "load", "--json", "--container", str(container), "--database", "new.db")
    assert _keys(_of_one_table(content)) == _keys(json_block("aetl load"))


def test_json_of_run_has_the_shape_of_load(capsys: pytest.CaptureFixture[str]) -> None:
    assert _keys(_of_one_table(printed(capsys, "run", "--json", "--sessions", "1"))) == _keys(json_block("aetl load"))


def test_json_of_export_has_the_shape_that_is_shown(container: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = printed(capsys, "export", "--json", "--gzip", "--container", str(container))
    assert _keys(content) == _keys(json_block("aetl export"))
    pattern = re.sub(r"\d", r"\\d", re.escape(json_block("aetl export")["blob"]))
    assert re.fullmatch(pattern, content["blob"])


def test_json_of_status_has_the_shape_that_is_shown(container: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(aetl.export(aetl.Settings(container=str(container))))
    content = printed(capsys, "status", "--json", "--container", str(container))
    assert _keys(_of_one_table(content)) == _keys(json_block("aetl status"))


@pytest.fixture
def digested() -> Any:
    """The content that the chapter on digests shows, loaded into chat.db; its table of sessions as lines of bytes."""
    lines = blocks("jsonl")[0].encode()
    columns, *rows = map(json.loads, lines.splitlines())
    sessions = [dict(zip(columns, row, strict=True)) for row in reversed(rows)]
    Path("shown").mkdir()
    content = {"sessions": sessions, "events": [], "event_parents": []}
    Path("shown/backup_1.json").write_text(json.dumps(content), encoding="utf-8")
    asyncio.run(aetl.load(aetl.Settings(container="shown", database="chat.db")))
    return lines


def test_json_of_digest_is_what_is_shown_and_what_the_lines_hash_to(
    digested: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = json_block("aetl digest")
    assert printed(capsys, "digest", "--json", "--database", "chat.db") == shown
    assert hashlib.sha256(digested).hexdigest() == shown["tables"]["sessions"]["sha256"]
    (total,) = blocks("jsonl")[1:]
    assert hashlib.sha256(total.encode()).hexdigest() == shown["sha256"]
    assert [json.loads(line) for line in total.splitlines()] == [
        [name, each["rows"], each["sha256"]] for name, each in sorted(shown["tables"].items())
    ]


def test_the_way_from_one_database_to_another_ends_with_equal_digests(
    container: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = next(block for block in blocks("sh") if "diff before.txt -" in block)  # the other one is of PostgreSQL
    said = []
    for line in calls.splitlines():
        program(shlex.split(re.split("[>|]", line)[0])[1:], prog_name="aetl", standalone_mode=False)
        said.append(capsys.readouterr().out)
    assert said[0] == said[-1] and "sessions" in said[0]


def test_json_of_check_has_the_shape_that_is_shown(container: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = printed(capsys, "check", "--json", "--container", str(container))
    assert content["findings"][0] == json_block("aetl check")["findings"][0]
    assert set(json_block("aetl check")["findings"][0]) == {each.name for each in dataclasses.fields(Finding)}


def test_a_failed_load_has_the_key_that_the_text_names() -> None:
    report = LoadReport("backup_1.json", "1", "failed", tables={"events": TableCounts()}, error="why")
    assert report_as_json(report).keys() - json_block("aetl load")["loads"][0].keys() == {"error"}
    assert "A failed load also has `error`" in section("aetl load")


def test_json_of_a_failure_has_the_keys_that_the_text_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AetlError):
        program(["load", "--json"], prog_name="aetl", standalone_mode=False)
    error = json.loads(capsys.readouterr().out)["error"]
    named = re.search(r'`"error": {(.*?)}`', section("aetl load"))
    assert named is not None
    assert re.findall(r'"(\w+)"', named[1]) == list(error)
