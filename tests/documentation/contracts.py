"""The contracts that the documentation shows, and what becomes of exports that are loaded by them."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aetl
from aetl.models import LoadReport
from tests.documentation.pages import PACKAGE, section, section_blocks
from tests.exports import Document, in_order, write
from tests.integration.databases import Kind

SHIPPED = (PACKAGE / "json/schema.json").read_text(encoding="utf-8")
HELP_DESK, HELP_DESK_EXPORT = (json.loads(block) for block in section_blocks("The keywords", "json"))


def with_lines_of(title: str) -> str:
    """The shipped contract with the lines that a chapter shows, above the line that it names."""
    (lines,) = section_blocks(title, "json")
    named = re.search(r'above\s+the\s+line\s+of\s+`("\w+")`', section(title))
    assert named is not None
    changed, count = re.subn(rf"^ *{named[1]}: ", lambda found: lines + found[0], SHIPPED, flags=re.MULTILINE)
    assert count == 1
    return changed


def shown_tables(title: str) -> dict[str, tuple[list[str], list[list[str]]]]:
    """The tables of a database that a chapter shows: the columns of each, and its rows as texts."""
    found = {}
    for lines in re.findall(r"(?:^\|.*\n)+", section(title), re.MULTILINE):
        (name, *columns), _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines.splitlines())
        if re.fullmatch(r"`\w+`", name):
            found[name.strip("`")] = columns, [row for _, *row in rows]
    return found


def without_url(export: Any) -> dict[str, Any]:
    """An export of the help desk without what `x-skip` leaves out."""
    tickets = [{key: value for key, value in each.items() if key != "url"} for each in export["tickets"]]
    return {**export, "tickets": tickets}


@dataclass
class Home:
    """A database, and a container whose exports are loaded into it one after the other."""

    kind: Kind
    schema: str | Mapping[str, Any] = SHIPPED
    sql: str | None = None
    nights: int = 0

    @property
    def settings(self) -> aetl.Settings:
        text = self.schema if isinstance(self.schema, str) else json.dumps(self.schema)
        Path("my-schema.json").write_text(text, encoding="utf-8")
        if self.sql is not None:
            Path("my-sql.yaml").write_text(self.sql, encoding="utf-8")
        return aetl.Settings(
            container="exports",
            database=self.kind.url,
            schema=Path("my-schema.json"),
            sql=None if self.sql is None else Path("my-sql.yaml"),
        )

    def load(self, document: Document, *, max_rejects: int | None = 0) -> LoadReport:
        """Loads one more export."""
        write(Path("exports"), self.nights, document)
        self.nights += 1
        (report,) = asyncio.run(aetl.load(self.settings, max_rejects=max_rejects))
        assert report.status == "loaded", report.error
        return report

    def run(self, sql: str) -> None:
        """Runs statements as an administrator would: on SQLite all of them in one session."""
        if self.kind.dialect == "sqlite":
            with closing(sqlite3.connect(self.kind.url)) as connection:
                connection.executescript(sql)
        else:
            for statement in filter(str.strip, sql.split(";")):
                self.kind.query(statement)

    def rows(self, table: str, columns: Sequence[str]) -> list[list[str]]:
        """A table's rows as texts, NULL as an empty one."""
        texts = ", ".join(f"CAST({column} AS TEXT)" for column in columns)
        found = self.kind.query(f"SELECT {texts} FROM {table} ORDER BY {', '.join(columns[:2])}")
        return [["" if value is None else value for value in row] for row in found]

    def types(self, table: str) -> dict[str, tuple[str, bool]]:
        """The type of each column of a table's in the database, and whether it is NOT NULL."""
        if self.kind.dialect == "sqlite":
            found = self.kind.query(f"SELECT name, type, \"notnull\" FROM pragma_table_info('{table}')")
        else:
            found = self.kind.query(
                "SELECT column_name, data_type, is_nullable = 'NO' FROM information_schema.columns"
                f" WHERE table_schema = current_schema() AND table_name = '{table}' ORDER BY ordinal_position"
            )
        return {name: (kind, bool(is_mandatory)) for name, kind, is_mandatory in found}

    def indexes(self, table: str) -> list[tuple[str, ...]]:
        """The columns of the indexes of a table's, that of its primary key left out."""
        if self.kind.dialect == "sqlite":
            found = self.kind.query(
                f"SELECT indexes.name, columns.name FROM pragma_index_list('{table}') AS indexes,"
                " pragma_index_info(indexes.name) AS columns WHERE origin = 'c' ORDER BY indexes.seq, seqno"
            )
            return [tuple(column for name, column in found if name == each) for each in dict(found)]
        found = self.kind.query(
            "SELECT ARRAY(SELECT attname::text FROM unnest(indkey) WITH ORDINALITY AS part (number, place)"
            "   JOIN pg_attribute ON attrelid = indrelid AND attnum = number ORDER BY place)"
            f" FROM pg_index WHERE NOT indisprimary AND indrelid = to_regclass('{table}')"
        )
        return [tuple(columns) for (columns,) in found]

    def exported(self) -> dict[str, list[Any]]:
        """What an export of the database holds; loaded elsewhere, it has the same digest."""
        settings = replace(self.settings, container="again")
        name = asyncio.run(aetl.export(settings))
        copy = replace(settings, database=f"copy-{self.nights}.db", sql=None)
        asyncio.run(aetl.load(copy, blob=name))
        assert asyncio.run(aetl.digest(copy)) == asyncio.run(aetl.digest(settings))
        return in_order(json.loads((Path("again") / name).read_text(encoding="utf-8")))
