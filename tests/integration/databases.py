"""What the tests of all databases share: loading a document, and looking at what became of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from aetl.contract import Contract
from aetl.database import BeginAgain, Database, Purpose, open_database
from aetl.hashing import TableHash, digest_of_all
from aetl.models import Export, LoadReport, Reject, TableCounts
from tests.exports import Document, checked, in_order, listed
from tests.postgresql import PostgreSQLServer

DIALECTS = ("sqlite", "postgresql")
Difference = Literal["no NUL"]
DIFFERENCES: dict[tuple[str, Difference], str] = {
    ("postgresql", "no NUL"): "PostgreSQL keeps no U+0000 in a text: such a record is a reject",
}
"""Where one database differs from what the suite says of all, and why."""


@dataclass(frozen=True)
class Kind:
    """A database of one sort at one address, opened as often as a test likes."""

    url: str
    query: Callable[[str], list[tuple[Any, ...]]]
    """Runs a statement behind aetl's back."""
    dialect: str = "sqlite"
    contract: Contract = field(default_factory=Contract.read)
    sql: Path | None = None

    def differs(self, how: Difference) -> bool:
        return (self.dialect, how) in DIFFERENCES

    @property
    def simulated(self) -> Kind:
        """Where a simulation in this database leaves its tables."""
        if self.dialect == "sqlite":
            return self
        return replace(self, url=f"{self.url.partition('?')[0]}?search_path=aetl_simulation")

    def opened(self, purpose: Purpose = "load") -> AbstractAsyncContextManager[Database]:
        return open_database(self.url, purpose, self.contract.tables, self.sql, self.contract.hash)

    def rejects(self) -> list[tuple[Any, ...]]:
        return self.query("SELECT table_name, position, pointer FROM _aetl_rejects ORDER BY table_name, position")


def sqlite_kind(path: Path) -> Kind:
    def query(statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path)) as connection, connection:
            return connection.execute(statement).fetchall()

    return Kind(str(path), query)


def postgresql_kind(server: PostgreSQLServer, schema: str) -> Kind:
    url = server.url(search_path=schema)
    return Kind(url, lambda statement: server.query(statement, schema=schema), "postgresql")


@dataclass(frozen=True)
class Loaded:
    """What a load came to."""

    tables: Mapping[str, TableCounts]
    rejects: Sequence[Reject]
    load_id: int

    @property
    def places(self) -> list[tuple[str, int, str]]:
        return sorted((reject.table, reject.position, reject.pointer) for reject in self.rejects)


async def load(
    database: Database, document: Document, export: Export, contract: Contract, *, at_once: int = 1000
) -> Loaded:
    """Loads a document as the pipeline does, whatever is rejected, and holds the counts to what they promise."""
    try:
        return await _load(database, document, export, contract, at_once)
    except BeginAgain:
        return await _load(database, document, export, contract, at_once)


async def _load(database: Database, document: Document, export: Export, contract: Contract, at_once: int) -> Loaded:
    tables: dict[str, TableCounts] = {name: TableCounts() for name in document}
    rejects: list[Reject] = []
    async with database.load(export) as running:
        for batch in checked(document, contract, at_once):
            outcome = await running.write(batch)
            tables[outcome.table] += outcome.counts
            rejects += [*batch.rejects, *outcome.rejects]
        for outcome in await running.settle():
            tables[outcome.table] += outcome.counts
            rejects += outcome.rejects
        report = LoadReport(export.name, export.etag, "loaded", bytes=7, seconds=0.5, tables=tables)
        await running.finish(replace(report, changes=running.changes))
    for name, counts in tables.items():
        assert counts.read == len(document[name]) == counts.loaded + counts.unchanged + counts.rejected
        assert min(counts.loaded, counts.unchanged, counts.rejected) >= 0
        assert counts.rejected == len([reject for reject in rejects if reject.table == name])
    for reject in rejects:
        assert json.loads(reject.record) == document[reject.table][reject.position]
    return Loaded(tables, rejects, running.load_id)


async def load_into(kind: Kind, document: Document, export: Export | None = None, *, at_once: int = 1000) -> Loaded:
    async with kind.opened() as database:
        return await load(database, document, export or listed(1), kind.contract, at_once=at_once)


async def content(kind: Kind) -> dict[str, list[Any]]:
    """All records, in an order of their own."""
    found: dict[str, list[Any]] = {}
    async with kind.opened("read") as database:
        async for table, rows in database.dump():
            found.setdefault(table, []).extend(json.loads(b"[" + kind.contract.encode(table, rows) + b"]"))
    return in_order(found)


async def digest_of(kind: Kind) -> str:
    """The digest of all tables together."""
    hashes = {name: TableHash(table.names) for name, table in kind.contract.tables.items()}
    async with kind.opened("read") as database:
        async for name, rows in database.dump(by_key=True):
            hashes[name].add(kind.contract.values(name, rows))
    return digest_of_all({name: each.digest() for name, each in hashes.items()}).sha256
