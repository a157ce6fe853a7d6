"""Plays a sequence on all databases, and holds each of them to the model wherever nothing goes on."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aetl
from tests.digests import expected
from tests.integration import custom
from tests.model import sequences
from tests.model.databases import Database, Found, Row, both, counts_of, look_at
from tests.model.killing import load_and_be_killed
from tests.model.model import KEPT_OF_A_FAILURE, TREE, Loading, State, empty
from tests.model.sequences import Load, Remove, Write, as_json
from tests.postgresql import PostgreSQLServer

CONTRACT_BROKEN = 6


async def play(sequence: sequences.Sequence, folder: Path, server: PostgreSQLServer) -> None:
    """Raises AssertionError where a database is not what it should be."""
    container = folder / "container"
    container.mkdir()
    async with both(folder, server) as databases:
        games = [_Game(each, sequence, container) for each in databases]
        there: dict[str, Write] = {}
        for step in sequence.steps:
            match step:
                case Write():
                    step.take_place(container)
                    there[step.name] = step
                case Remove() if there.pop(step.name, None):
                    (container / step.name).unlink()
                case Load() if step.blob is None or step.blob in there:
                    for game in games:
                        await game.load(step, there)
        for game in games:
            await game.end()


class _Game:
    """One database, and what the model says of it."""

    def __init__(self, database: Database, sequence: sequences.Sequence, container: Path) -> None:
        self.database = database
        self.state = empty(database.dialect, sequence.tables)
        self.columns = {name: tuple(table.columns) for name, table in sequence.tables.items()}
        self.written = {step.version: step for step in sequence.steps if isinstance(step, Write)}
        schema = sql = None
        if sequence.tables is TREE:
            folder = container.parent / f"own-{database.dialect}"
            folder.mkdir()
            schema, sql = custom.write_schema(folder), custom.write_sql(folder, database.dialect)
        self.container = container
        self.settings = aetl.Settings(container=str(container), database=database.url, schema=schema, sql=sql)

    async def load(self, step: Load, there: dict[str, Write]) -> None:
        states = self._states(step, there)
        if step.killed is None:
            reports = await aetl.load(self.settings, max_rejects=step.most, latest=step.latest, blob=step.blob)
            done = states[-1].loads[len(self.state.loads) :]
            self._is([_told(each) for each in reports], [_to_be_told(each) for each in done], "reports")
            self.state = states[-1]
        else:
            load_and_be_killed(self.settings, step.most, step.latest, step.blob, step.killed)
            await self.database.wait_for_end_of_killed()
            found = await self._look()
            self.state = next((each for each in reversed(states) if not self._differences(found, each)), states[0])
        if differences := self._differences(await self._look(), self.state):
            raise AssertionError(f"{self.database.dialect}: {'; '.join(differences)}")

    async def end(self) -> None:
        """What is in comes out, as a digest and as an export."""
        if not self.state.loads:
            return
        document = self.state.document()
        found = await aetl.digest(self.settings)
        tables = {name: {"rows": each.rows, "sha256": each.sha256} for name, each in found.tables.items()}
        keys = {name: table.key for name, table in self.state.tables.items()}
        self._is(
            {"rows": found.rows, "sha256": found.sha256, "tables": tables},
            expected(document, self.columns, keys),
            "digest",
        )
        out = Path(tempfile.mkdtemp(dir=self.container.parent))
        name = await aetl.export(replace(self.settings, container=str(out)))
        exported = json.loads((out / name).read_bytes())
        assert exported.keys() == self.columns.keys()
        for table, records in exported.items():
            rows = Counter(tuple(record.values()) for record in records)
            assert all(tuple(record) == self.columns[table] for record in records)
            self._is(rows, Counter(self.state.rows[table].values()), f"export of {table}")

    def _states(self, step: Load, there: dict[str, Write]) -> list[State]:
        """What a load makes of the present state, export by export, this one first."""
        writes = sorted(there.values(), key=lambda each: (each.created, each.name))
        if step.latest:
            writes = writes[-1:]
        writes = [each for each in writes if each.version not in self.state.loaded]
        if step.blob is not None:
            writes = [there[step.blob]]
        states = [self.state]
        for each in writes:
            states.append(states[-1].load(each.version, each.readable, step.most))
        return states

    async def _look(self) -> Found:
        return await look_at(self.database, self.columns)

    def _is(self, found: Any, promised: Any, what: str) -> None:
        assert found == promised, f"{self.database.dialect}: {what}: {found}, not {promised}"

    def _differences(self, found: Found, state: State) -> list[str]:
        differences = []
        for name, rows in found.tables.items():
            stored = Counter(_typed(row, [*state.tables[name].columns.values()]) for row in rows)
            promised = Counter(state.rows[name].values())
            if stored != promised:
                differences.append(f"{name} holds {[*(stored - promised)]}, not {[*(promised - stored)]}")
        loaded = [self._row(each) for each in found.ledger if each.status == "loaded"]
        promised_loads = [(each.version, each.counts, each.rejects) for each in state.loads if each.is_loaded]
        if loaded != promised_loads:
            differences.append(f"the ledger says {loaded}, not {promised_loads}")
        failed = {each.version: each for each in found.ledger if each.status == "failed"}
        failures = {each.version: each for each in state.loads if not each.is_loaded}
        last = {each.version: each.is_loaded for each in state.loads}
        if not {version for version, is_loaded in last.items() if not is_loaded} <= failed.keys() <= failures.keys():
            differences.append(f"the ledger says that {[*failed]} failed, not {[*failures]}")
        for version in failed.keys() & failures.keys():
            _, _, rejects = self._row(failed[version])
            promised_rejects = failures[version].rejects
            if self.written[version].readable is not None and not (
                rejects and rejects.items() <= promised_rejects.items() and len(rejects) <= KEPT_OF_A_FAILURE
            ):
                differences.append(f"{version} failed with {rejects}, not {promised_rejects}")
        return differences

    def _row(self, row: Row) -> tuple[Any, Any, Any]:
        """A row of the ledger as the model has it: a reject is of a kind, and holds the record."""
        kinds = {}
        for (table, position), (reason, record) in row.rejects.items():
            written = self.written[row.version].document[table][position]
            assert record == json.loads(as_json(written)), f"{self.database.dialect}: {row.version}: {record}"
            kinds[table, position] = "reference" if "refers to no record" in reason else "contract"
        return row.version, row.counts, kinds


def _told(report: aetl.LoadReport) -> tuple[Any, ...]:
    is_loaded = report.status == "loaded"
    return report.blob, report.status, report.exit_code, counts_of(report.tables) if is_loaded else bool(report.error)


def _to_be_told(loading: Loading) -> tuple[Any, ...]:
    if loading.is_loaded:
        return loading.version[0], "loaded", 0, loading.counts
    return loading.version[0], "failed", CONTRACT_BROKEN, True


def _typed(row: Sequence[Any], kinds: Sequence[str]) -> tuple[Any, ...]:
    """SQLite has no type for true and false."""
    return tuple(
        bool(value) if kind == "flag?" and value is not None else value for value, kind in zip(row, kinds, strict=True)
    )
