"""Export: what was loaded comes out again, under a name of its own."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest

from aetl.config import Settings
from aetl.contract import Contract
from aetl.database import open_database
from aetl.database.sqlite.database import SQLite
from aetl.errors import ConfigurationError, DatabaseNotFound
from aetl.models import TableCounts
from aetl.pipeline import export, load
from tests.exports import event, in_order, make_export, write
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


async def test_a_table_by_another_name_than_its_array_is_loaded_and_exported_as_that_array(
    tmp_path: Path, kind: Kind
) -> None:
    schema = resources.files("aetl").joinpath("json/schema.json").read_text("utf-8")
    for name in ("sessions", "events", "event_parents"):
        schema = schema.replace(f'"{name}": {{', f'"{name}": {{ "x-table": "my_{name}",')
        schema = schema.replace(f'"x-references": "{name}"', f'"x-references": "my_{name}"')
    (tmp_path / "own.json").write_text(schema)
    settings = Settings(container="exports", database=kind.url, schema=tmp_path / "own.json")
    orphan = {**event(9, 9), "id": "orphan"}
    document = make_export(2)
    write(tmp_path / "exports", 0, {**document, "events": [*document["events"], orphan]})
    (report,) = await load(settings, max_rejects=None)
    assert report.tables["my_events"] == TableCounts(5, 4, 0, 1)
    assert kind.query("SELECT count(*) FROM my_events") == [(4,)]
    assert kind.rejects() == [("my_events", 4, "/session_id")]
    name = await export(settings)
    assert in_order(json.loads((tmp_path / "exports" / name).read_text())) == in_order(document)


async def test_sql_that_lacks_a_column_is_refused_before_an_export_is_there(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("operations: {select: 'SELECT {key} FROM {table}'}")
    write(tmp_path / "exports", 0, make_export())
    await load(Settings(container="exports"))
    with pytest.raises(ConfigurationError, match="select must give of sessions the contract's columns"):
        await export(Settings(container="copies", sql=tmp_path / "own.yaml"))
    assert list((tmp_path / "copies").iterdir()) == []


@pytest.mark.parametrize("places", ["rowid - 30", "rowid * 1000", "-rowid", f"rowid + {2**63 - 1 - 80}"])
async def test_every_record_is_exported_wherever_it_stands_in_the_file(tmp_path: Path, places: str) -> None:
    write(tmp_path / "exports", 0, make_export(40))
    await load(Settings(container="exports"))
    with closing(sqlite3.connect("local.db")) as connection, connection:
        connection.execute(f"CREATE TABLE moved AS SELECT {places} AS place, * FROM events")
        connection.execute("DELETE FROM events")
        connection.execute(
            "INSERT INTO events (rowid, id, ts, session_id, round, kind, role, content, raw_text, meta)"
            " SELECT * FROM moved"
        )
        connection.execute("DROP TABLE moved")
    name = await export(Settings(container="copies"))
    exported = json.loads((tmp_path / "copies" / name).read_bytes())
    assert in_order(exported)["events"] == in_order(make_export(40))["events"]


async def test_records_that_are_too_long_for_one_text_come_by_themselves(tmp_path: Path) -> None:
    document = make_export(300)
    for each in document["events"][100:]:
        each["raw_text"] = "long" * 10_000
    write(tmp_path / "exports", 0, document)
    await load(Settings(container="exports"))
    contract = Contract.read()
    async with open_database("local.db", "read", contract.tables) as database:
        assert isinstance(database, SQLite)
        # SQLite's own limit is a thousand million bytes.
        await database._db._execute(database._db._conn.setlimit, sqlite3.SQLITE_LIMIT_LENGTH, 100_000)
        texts = [text async for table, text in database.dump_json(contract.encode) if table == "events"]
    assert json.loads(b"[" + b",".join(texts) + b"]") == document["events"]


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
