"""The documentation's settings, variables and contracts of one's own are understood as it says."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import yaml

import aetl
from aetl.models import TableCounts
from tests.documentation.pages import PACKAGE, blocks, json_block, section, table_rows


def test_every_setting_and_variable_is_in_the_configurations_table() -> None:
    content = yaml.safe_load((PACKAGE / "yaml/config.yaml").read_text(encoding="utf-8"))
    settings = {*content, *content["environment"]}
    rows = table_rows(section("Configuration"))
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row[0])} == settings
    assert set(content["environment"].values()) <= {name for row in rows for name in re.findall(r"`(\w+)`", row[2])}


def test_the_example_of_a_configuration_file_is_understood(tmp_path: Path) -> None:
    (own,) = blocks("yaml")[:1]
    Path("own.yaml").write_text(own, encoding="utf-8")
    settings = aetl.read_settings(Path("own.yaml"), environ={"MY_CONTAINER_URL": str(tmp_path)})
    expected = yaml.safe_load(own)
    assert settings.container == str(tmp_path)
    for name in expected.keys() - {"environment"}:
        assert str(getattr(settings, name)) == str(type(getattr(settings, name))(expected[name]))


def test_the_table_that_is_added_as_an_example_loads(container: Path) -> None:
    schema = json.loads((PACKAGE / "json/schema.json").read_text(encoding="utf-8"))
    added = json_block("Adding a table or a column")
    schema["properties"] |= added
    schema["required"] += added
    Path("my-schema.json").write_text(json.dumps(schema), encoding="utf-8")
    sql = (PACKAGE / "yaml/sql/sqlite.yaml").read_text(encoding="utf-8")
    # As the text says: under tables, after the others, which is before what follows them.
    head, mark, rest = sql.partition("\n# The ledger")
    assert mark
    (table,) = (block for block in blocks("yaml") if "feedback" in block)
    Path("my-sql.yaml").write_text(f"{head}\n{table}{mark}{rest}", encoding="utf-8")

    (night,) = container.glob("backup_*.json")
    content = json.loads(night.read_text(encoding="utf-8"))
    event = content["events"][0]["id"]
    content["feedback"] = [
        {"id": "1", "event_id": event, "score": 5},
        {"id": "2", "event_id": event, "score": "five"},
        {"id": "3", "event_id": "nobody", "score": 1},
    ]
    night.write_text(json.dumps(content), encoding="utf-8")
    settings = aetl.Settings(
        container=str(container), database="new.db", schema=Path("my-schema.json"), sql=Path("my-sql.yaml")
    )
    (report,) = asyncio.run(aetl.load(settings, max_rejects=None))
    assert (report.status, report.tables["feedback"]) == ("loaded", TableCounts(3, 1, 0, 2))
    with closing(sqlite3.connect("new.db")) as database:
        assert database.execute("SELECT * FROM feedback").fetchall() == [("1", event, 5)]
        reasons = database.execute("SELECT pointer FROM _aetl_rejects ORDER BY position").fetchall()
    assert reasons == [("/score",), ("/event_id",)]


def test_a_column_that_is_not_required_is_null_for_exports_without_it(container: Path) -> None:
    assert "it is NULL for them" in section("Adding a column").replace("\n", " ")
    schema = json.loads((PACKAGE / "json/schema.json").read_text(encoding="utf-8"))
    schema["properties"]["sessions"]["items"]["properties"]["language"] = {"type": ["string", "null"]}
    Path("my-schema.json").write_text(json.dumps(schema), encoding="utf-8")
    sql = yaml.safe_load((PACKAGE / "yaml/sql/sqlite.yaml").read_text(encoding="utf-8"))
    sessions = sql["tables"]["sessions"]
    sessions["create"] = sessions["create"].replace("meta TEXT", "meta TEXT, language TEXT")
    for name in ("upsert", "insert"):
        sessions[name] = sessions[name].replace(", meta)", ", meta, language)").replace(":meta)", ":meta, :language)")
    sessions["select"] = sessions["select"].replace("meta", "meta, language")
    Path("my-sql.yaml").write_text(yaml.safe_dump(sql, sort_keys=False), encoding="utf-8")
    settings = aetl.Settings(
        container=str(container), database="new.db", schema=Path("my-schema.json"), sql=Path("my-sql.yaml")
    )
    (report,) = asyncio.run(aetl.load(settings))
    assert report.tables["sessions"] == TableCounts(2, 2)
    with closing(sqlite3.connect("new.db")) as database:
        assert database.execute("SELECT DISTINCT language FROM sessions").fetchall() == [(None,)]
