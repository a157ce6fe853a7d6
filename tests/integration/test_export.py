"""Export: what was loaded comes out again, under a name of its own."""

from __future__ import annotations

import gzip
import json
from importlib import resources
from pathlib import Path

import pytest
import yaml

from aetl.config import Settings
from aetl.errors import ConfigurationError, DatabaseNotFound
from aetl.models import TableCounts
from aetl.pipeline import export, load
from tests.exports import in_order, make_export, write
from tests.integration.custom import node, value, write_schema, write_sql
from tests.integration.databases import Kind


@pytest.mark.parametrize("gzipped", [False, True])
async def test_an_export_is_what_was_loaded(tmp_path: Path, kind: Kind, gzipped: bool) -> None:
    write(tmp_path / "exports", 0, make_export(2500))
    await load(Settings(container="exports", database=kind.url))
    name = await export(Settings(container="copies", database=kind.url), gzip=gzipped)
    data = (tmp_path / "copies" / name).read_bytes()
    assert name.endswith(".json.gz" if gzipped else ".json")
    assert in_order(json.loads(gzip.decompress(data) if gzipped else data)) == in_order(make_export(2500))


@pytest.mark.parametrize("statement", ["select", "encoded"])
async def test_sql_that_lacks_a_column_is_refused_before_an_export_is_there(tmp_path: Path, statement: str) -> None:
    shipped = resources.files("aetl").joinpath("yaml/sql/sqlite.yaml").read_text("utf-8")
    sql = yaml.safe_load(shipped)
    sessions = sql["tables"]["sessions"]
    sessions.pop("encoded")
    sessions[statement] = {
        "select": "SELECT id, meta FROM sessions",
        "encoded": "SELECT json_object('id', id, 'meta', meta) FROM sessions",
    }[statement]
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(sql, sort_keys=False))
    write(tmp_path / "exports", 0, make_export())
    await load(Settings(container="exports"))
    with pytest.raises(ConfigurationError, match=f"tables/sessions/{statement} must give the schema's columns"):
        await export(Settings(container="copies", sql=tmp_path / "own.yaml"))
    assert list((tmp_path / "copies").iterdir()) == []


async def test_two_exports_at_once_have_two_names(tmp_path: Path, kind: Kind) -> None:
    write(tmp_path / "exports", 0, make_export())
    settings = Settings(container="exports", database=kind.url)
    await load(settings)
    names = {await export(settings) for _ in range(3)}
    assert len(names) == 3
    assert {report.blob for report in await load(settings)} == names


async def test_nothing_to_export_is_told(tmp_path: Path, kind: Kind) -> None:
    with pytest.raises(DatabaseNotFound):
        await export(Settings(container="exports", database=kind.url))
    assert list(tmp_path.iterdir()) == []


async def test_tables_of_ones_own_go_there_and_back(tmp_path: Path, kind: Kind) -> None:
    document = {
        "nodes": [node(1), node(2, 1)],
        "values": [value(1, amount=0.1, good=None), value(2, "y", 1e300, False), value(2, amount=3)],
    }
    write(tmp_path / "exports", 0, document)
    settings = Settings(
        container="exports", database=kind.url, schema=write_schema(tmp_path), sql=write_sql(tmp_path, kind.dialect)
    )
    (report,) = await load(settings)
    assert report.tables == {"nodes": TableCounts(2, 2), "values": TableCounts(3, 3)}
    name = await export(settings)
    written = json.loads((tmp_path / "exports" / name).read_bytes())
    assert in_order(written) == in_order({**document, "values": [*document["values"][:2], value(2, amount=3.0)]})
    assert [type(each["good"]) for each in written["values"]].count(bool) == 2
    (again,) = await load(settings)
    assert again.tables == {"nodes": TableCounts(2, 0, 2), "values": TableCounts(3, 0, 3)}
