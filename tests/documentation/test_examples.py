"""The documentation's examples in Python and SQL run."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import aetl
from tests.documentation.pages import SPANS, blocks


@pytest.mark.parametrize("source", blocks("python"))
def test_the_examples_in_python_run(source: str, container: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(source, "docs/python.md", "exec"), {"__name__": "__main__"})
    with closing(sqlite3.connect("chat.db")) as database:
        assert database.execute("SELECT count(*) FROM events").fetchone() == (4,)
    assert "events 4 4 0 0" in capsys.readouterr().out
    assert len(list(container.glob("backup_*.json.gz"))) == 1


def test_there_is_an_example_in_python() -> None:
    assert len(blocks("python")) == 1


def test_the_names_of_the_python_interface_are_public() -> None:
    named = {name for span in SPANS for name in re.findall(r"\baetl\.([A-Za-z]\w*)(?=\(|$)", span)}
    named |= {name for block in blocks("python") for name in re.findall(r"\baetl\.(\w+)", block)}
    assert {"load", "export", "digest", "simulate", "read_settings", "Settings", "AetlError"} <= named
    assert named - {"log", "env", "exe"} <= set(aetl.__all__)


@pytest.mark.parametrize("query", blocks("sql"))
def test_the_examples_in_sql_run_on_a_database_with_rejects(query: str, container: Path) -> None:
    broken = {"sessions": [{"id": "1", "started_at": "yesterday", "meta": None}], "events": [], "event_parents": []}
    (container / "backup_broken.json").write_text(json.dumps(broken), encoding="utf-8")
    settings = aetl.Settings(container=str(container), database="chat.db")
    reports = asyncio.run(aetl.load(settings, max_rejects=None))
    assert [report.rejected for report in reports] == [0, 1]
    with closing(sqlite3.connect("chat.db")) as database:
        assert database.execute(query).fetchall()


def test_there_is_a_query_for_the_ledger_and_one_for_the_rejects() -> None:
    queries = " ".join(blocks("sql"))
    assert "FROM _aetl_loads" in queries and "FROM _aetl_rejects" in queries
