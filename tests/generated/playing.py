"""Loads a drawn contract's exports into several databases, and holds each of them to the model."""

from __future__ import annotations

import json
import os
import random
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import aetl
from tests.digests import expected
from tests.exports import FIRST_NIGHT, blob_name
from tests.generated.contracts import Drawn, draw_contract
from tests.generated.model import Modelled, exact, tables_of
from tests.generated.records import Drawing, Records
from tests.generated.values import as_json
from tests.model.databases import Database, PostgreSQL, SQLite, counts_of, look_at
from tests.model.killing import load_and_be_killed
from tests.model.model import State, Version, empty
from tests.postgresql import PostgreSQLServer


@dataclass(frozen=True)
class Step:
    """An export of a night is written and loaded; killed before that after so many seconds where `killed` says so."""

    night: int
    records: Records
    text: str
    most: int | None = None
    killed: float | None = None

    @property
    def version(self) -> Version:
        return blob_name(self.night), self.night * 86_400_000

    def write(self, folder: Path) -> None:
        path = folder / blob_name(self.night)
        path.write_text(self.text, encoding="utf-8", newline="")
        moment = int(FIRST_NIGHT.timestamp()) + self.night * 86_400
        os.utime(path, (moment, moment))


@dataclass(frozen=True)
class Example:
    """A contract, and what is loaded by it."""

    drawn: Drawn
    steps: tuple[Step, ...]
    is_typed: bool = False
    """Whether JSON is jsonb, and a date a date, where there are such types."""

    @cached_property
    def tables(self) -> dict[str, Modelled]:
        return tables_of(self.drawn)

    def document(self, step: Step) -> dict[str, list[Any]]:
        """An export's records by table, as any reader of JSON gets them."""
        names = {each.array: each.name for each in self.drawn.tables}
        return {names[array]: records for array, records in json.loads(step.text).items() if array in names}

    def __str__(self) -> str:
        steps = (f"night {each.night}, most {each.most}, killed {each.killed}: {each.text}" for each in self.steps)
        return "\n".join((json.dumps(self.drawn.schema), *steps))


def draw(seed: int, *, kills: bool) -> Example:
    """The example of a seed: an export, the same again, a changed one, and one that is older than all."""
    chance = random.Random(seed)
    drawn = draw_contract(chance)
    drawing = Drawing(chance, drawn)
    first = drawing.records()
    changed = drawing.changed(first)
    older = drawing.changed(changed) if chance.random() < 0.5 else drawing.records()
    steps = []
    for night, records in ((1, first), (2, first), (3, changed), (0, older)):
        text = as_json(records | ({"unheard of": [1, {}]} if chance.random() < 0.1 else {}), chance)
        most = chance.choice((None, None, None, None, 0, 2))
        killed = chance.uniform(0, 0.1) if kills and chance.random() < 0.5 else None
        steps.append(Step(night, records, text, most, killed))
    return Example(drawn, tuple(steps), is_typed=chance.random() < 0.25)


async def play(example: Example, folder: Path, server: PostgreSQLServer) -> None:
    """Raises AssertionError where a database is not what it should be."""
    (folder / "schema.json").write_text(json.dumps(example.drawn.schema))
    (folder / "typed.yaml").write_text("types: {json: jsonb, date: date}")
    (folder / "container").mkdir()
    async with _databases(folder, server) as (new, there, postgresql, again):
        games = [_Game(each, example, folder) for each in (new, there, postgresql)]
        await games[1].make_tables()
        if len(example.drawn.tables) % 2:
            await games[2].make_tables()
        for step in example.steps:
            step.write(folder / "container")
            for game in games:
                await game.load(step)
            (folder / "container" / blob_name(step.night)).unlink()
        digests = [await game.end() for game in games]
        for game, digest, url in zip(games[::2], digests[::2], again, strict=True):
            await game.come_back(url, digest)


@asynccontextmanager
async def _databases(
    folder: Path, server: PostgreSQLServer
) -> AsyncIterator[tuple[Database, Database, Database, tuple[str, str]]]:
    """Two SQLite files and a schema, all empty, and where to bring in what they export."""
    import asyncpg

    schemas = [f"generated_{uuid.uuid4().hex}" for _ in range(2)]
    url, again = (server.url(search_path=each) for each in schemas)
    connection: Any = await asyncpg.connect(url)
    try:
        await connection.execute("; ".join(f"CREATE SCHEMA {each}" for each in schemas))
        await connection.execute(f"SET search_path TO {schemas[0]}, pg_catalog")  # a table may be called pg_class
        postgresql = PostgreSQL(connection, schemas[0], url)
        yield SQLite(folder / "new"), SQLite(folder / "there"), postgresql, (str(folder / "again.db"), again)
    finally:
        await connection.execute("; ".join(f"DROP SCHEMA {each} CASCADE" for each in schemas))
        await connection.close()


class _Game:
    """One database, and what the model says of it."""

    def __init__(self, database: Database, example: Example, folder: Path) -> None:
        self.database = database
        self.example = example
        self.tables = example.tables
        is_jsonb = example.is_typed and database.dialect == "postgresql"
        self.state = empty("jsonb" if is_jsonb else database.dialect, example.tables)
        self.written = {each.version: example.document(each) for each in example.steps}
        self.settings = aetl.Settings(
            container=str(folder / "container"),
            database=database.url,
            schema=folder / "schema.json",
            sql=folder / "typed.yaml" if is_jsonb else None,
        )

    async def make_tables(self) -> None:
        """Loads an export without any records, so that no load after that is the first one."""
        step = Step(-1, {}, json.dumps({each.array: [] for each in self.example.drawn.tables}))
        step.write(Path(self.settings.container or ""))
        self.written[step.version] = self.example.document(step)
        await self.load(step)
        (Path(self.settings.container or "") / blob_name(-1)).unlink()

    async def load(self, step: Step) -> None:
        after = self.state.load(step.version, self.written[step.version], step.most)
        if step.killed is not None:
            load_and_be_killed(self.settings, step.most, False, None, step.killed)
            await self.database.wait_for_end_of_killed()
            if not await self._differences(after):
                self.state = after
                if after.loads[-1].is_loaded:
                    return
                after = self.state.load(step.version, self.written[step.version], step.most)
        (report,) = await aetl.load(self.settings, max_rejects=step.most)
        done = after.loads[-1]
        self._is(report.status, "loaded" if done.is_loaded else "failed", f"{step.night}: {report.error}")
        if done.is_loaded:
            self._is(counts_of(report.tables), done.counts, f"{step.night}: counts")
            self._is(report.unknown_keys, self._unknown(step), f"{step.night}: unknown keys")
        else:
            self._is(report.exit_code, 6, f"{step.night}: {report.error}")
        self.state = after
        differences = await self._differences(after)
        assert not differences, f"{self.database.url}: {step.night}: {differences}"

    def _unknown(self, step: Step) -> dict[str, dict[str, int]]:
        found = {}
        for name, records in self.written[step.version].items():
            if self.tables[name].described.rest is None:
                known = {each.key for each in self.tables[name].described.properties}
                fit = (each for each in records if self.tables[name].is_fit(each))
                counts = Counter(key for each in fit for key in each if key not in known)
                if counts:
                    found[name] = dict(counts)
        return found

    async def end(self) -> str:
        """Holds digest and export to the model, and gives the digest."""
        if not any(each.is_loaded for each in self.state.loads):
            return ""
        document = {name: [*map(table.hashed, self.state.rows[name].values())] for name, table in self.tables.items()}
        found = await aetl.digest(self.settings)
        promised = expected(
            document,
            {name: tuple(table.columns) for name, table in self.tables.items()},
            {name: table.key for name, table in self.tables.items()},
        )
        tables = {name: {"rows": each.rows, "sha256": each.sha256} for name, each in found.tables.items()}
        self._is({"rows": found.rows, "sha256": found.sha256, "tables": tables}, promised, "digest")
        out = Path(tempfile.mkdtemp(dir=Path(self.settings.container or "").parent))
        self.exported = replace(self.settings, container=str(out))
        name = await aetl.export(self.exported)
        exported = json.loads((out / name).read_bytes())
        self._is(list(exported), [each.array for each in self.example.drawn.tables], "arrays")
        for each in self.example.drawn.tables:
            table = self.tables[each.name]
            records = Counter(_text(exact(record)) for record in exported[each.array])
            rows = self.state.rows[each.name].values()
            promised_records = Counter(_text(exact(table.record_of(row))) for row in rows)
            self._is(records, promised_records, f"export of {each.name}")
        return found.sha256

    async def come_back(self, url: str, digest: str) -> None:
        """What was exported leads to the same database again."""
        skipped = [each for table in self.example.drawn.tables for each in table.properties if each.is_skipped]
        if not digest or any(each.is_required for each in skipped):
            return  # there is nothing, or nothing that the contract would take: what it wants is not kept
        settings = replace(self.exported, database=url)
        (report,) = await aetl.load(settings)
        self._is(report.error, None, "coming back")
        counts = {name: (len(rows), len(rows), 0, 0) for name, rows in self.state.rows.items() if rows}
        self._is(counts_of(report.tables), counts, "coming back")
        self._is((await aetl.digest(settings)).sha256, digest, "coming back")

    def _is(self, found: Any, promised: Any, what: str) -> None:
        assert found == promised, f"{self.database.url}: {what}: {found}, not {promised}"

    async def _differences(self, state: State) -> list[str]:
        found = await look_at(self.database, {name: tuple(table.columns) for name, table in self.tables.items()})
        differences = []
        for name, rows in found.tables.items():
            stored, promised = (
                Counter(map(self.tables[name].read, rows)),
                Counter(map(self.tables[name].stored, state.rows[name].values())),
            )
            if stored != promised:
                differences.append(f"{name} holds {[*(stored - promised)]}, not {[*(promised - stored)]}")
        loaded = [(each.version, each.counts, self._kinds(each)) for each in found.ledger if each.status == "loaded"]
        promised_loads = [(each.version, each.counts, each.rejects) for each in state.loads if each.is_loaded]
        if loaded != promised_loads:
            differences.append(f"the ledger says {loaded}, not {promised_loads}")
        return differences

    def _kinds(self, row: Any) -> Mapping[tuple[str, int], str]:
        kinds = {}
        for (table, position), (reason, record) in row.rejects.items():
            written = self.written[row.version][table][position]
            if _text(record) != _text(written):  # what only a database refuses it tells of as an export would
                record, written = exact(record), exact(self.tables[table].exported(written))
            assert _text(record) == _text(written), f"{self.database.url}: {row.version}: {record}, not {written}"
            kinds[table, position] = "reference" if "refers to no record" in reason else "contract"
        return kinds


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def smaller(example: Example) -> Iterator[Example]:
    """Examples with a little less in them, those with much less first."""
    for at in range(len(example.steps)):
        yield replace(example, steps=example.steps[:at] + example.steps[at + 1 :])
    for at, step in enumerate(example.steps):
        for array, records in step.records.items():
            size = len(records)
            while size:
                for first in range(0, len(records), size):
                    less = {**step.records, array: [*records[:first], *records[first + size :]]}
                    shorter = replace(step, records=less, text=as_json(less))
                    yield replace(example, steps=(*example.steps[:at], shorter, *example.steps[at + 1 :]))
                size //= 2
