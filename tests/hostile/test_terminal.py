"""Nothing from an export or a file reaches a terminal or a log as something that it obeys, and no line is forged."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from aetl.logs import outgoing, outgoing_json
from tests.exports import make_export, write
from tests.hostile.in_process import Run

OBEYED = (
    "\x1b[31m\x07\r\n2026-01-01T00:00:00.000Z ERROR [1] forged\t\b\x7f\x85\x9b31m\u202e\u2066\u200f\u2028\u2029\ufeff"
)
BEYOND = "\ud800\U000e0041"


def is_harmless(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def place(kind: str) -> list[str]:
    """An export with those characters somewhere, and the options of a load that tells of it."""
    document = make_export(2)
    (first, _) = document["sessions"]
    if kind == "table":
        document[OBEYED + BEYOND] = []
    elif kind == "key":
        first[OBEYED + BEYOND] = 1
    elif kind == "key of many":
        for number in range(60):
            document["sessions"].append({**first, "id": f"n{number}", f"{number}{OBEYED}": 1})
    elif kind == "value":
        first["started_at"] = OBEYED
    elif kind == "surrogate":
        first[OBEYED + BEYOND] = 1  # the schema below allows the key, and no database takes it
    elif kind == "reference":
        document["events"][0]["session_id"] = OBEYED
    write(Path("exports"), 0, json.dumps(document).encode())
    schema = json.loads((Path(__file__).parents[2] / "aetl/json/schema.json").read_text("utf-8"))
    schema["properties"]["sessions"]["items"]["additionalProperties"] = True
    Path("free.json").write_text(json.dumps(schema))
    return ["--container", "exports", *(["--schema", "free.json"] if kind == "surrogate" else [])]


@pytest.mark.parametrize("most", ["0", "all"])
@pytest.mark.parametrize("kind", ["table", "key", "key of many", "value", "surrogate", "reference"])
def test_what_an_export_holds_is_shown_escaped(kind: str, most: str, run: Run) -> None:
    options = place(kind)
    loaded = run("load", *options, "--max-rejects", most)
    shown = [run("status", *options), run("check", *options), run("load", *options, "--max-rejects", most)]
    for done in (loaded, *shown):
        assert is_harmless(done.stdout) and is_harmless(done.stderr)
    assert "forged" in loaded.stdout + loaded.stderr
    for line in Path("global.log").read_text("utf-8").split("\n"):
        assert line.isprintable()
        assert not line or re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z [A-Z]+ +\[\d+\] (?!forged)|    ", line)
    with closing(sqlite3.connect("local.db")) as connection:
        told = connection.execute("SELECT error FROM _aetl_loads UNION ALL SELECT reason FROM _aetl_rejects").fetchall()
        told += connection.execute("SELECT pointer FROM _aetl_rejects").fetchall()
    assert all(text is None or text.isprintable() for (text,) in told)


@pytest.mark.parametrize("kind", ["table", "key", "surrogate"])
def test_json_stays_json(kind: str, run: Run) -> None:
    done = run("load", *place(kind), "--json", "--log-format", "json")
    assert json.loads(done.stdout)["loads"]
    assert is_harmless(done.stdout)
    lines = Path("global.log").read_text("utf-8").splitlines()
    assert all(line.isprintable() and json.loads(line) for line in lines)


def test_an_option_is_shown_escaped(run: Run) -> None:
    for arguments in (["load", OBEYED], ["load", "--container", OBEYED], [OBEYED], ["load", "--config", OBEYED],
                      ["load", "--container", "exports", "--blob", OBEYED], ["digest", "--database", OBEYED],
                      ["load", "--container", "exports", "--schema", OBEYED]):  # fmt: skip
        done = run(*arguments)
        assert done.exit_code != 0
        assert is_harmless(done.stdout) and is_harmless(done.stderr)
        assert done.stderr.count("\n") == 1


def test_escaping_is_once_and_leaves_words_alone() -> None:
    escaped = outgoing(OBEYED + BEYOND)
    assert escaped.isprintable() and outgoing(escaped) == escaped
    words = "größe 日本語 \xa0 \u3000 👩 عربي"
    assert outgoing(words) == words
    assert json.loads(outgoing_json({"a": OBEYED + BEYOND, words: [words]})) == {"a": OBEYED + BEYOND, words: [words]}
