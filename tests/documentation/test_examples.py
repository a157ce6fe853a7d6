"""The documentation's examples in Python run."""

from __future__ import annotations

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
    assert named - {"log", "env", "exe", "fish"} <= set(aetl.__all__)
