"""The documentation's queries give the results that it shows, on each database, from the example that it ships."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

import aetl
from tests.documentation.pages import PAGES, ROOT, blocks, section, table_rows
from tests.postgresql import PostgreSQLServer

EXAMPLE = ROOT / "docs/example"
PAGE = "docs/data-and-queries.md"


@dataclass(frozen=True)
class Query:
    """One question of the page: a statement for each database, and the rows that it shows, None where it shows none."""

    sqlite: str
    postgresql: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]] | None


def queries(text: str) -> list[Query]:
    """The queries of a page in its order; a table of results belongs to the statements right before it."""
    pieces = re.findall(r"```(sql|plpgsql)\n(.*?)```|^((?:\|[^\n]*\n)+)", text, re.MULTILINE | re.DOTALL)
    found: list[Query] = []
    for language, statement, table in pieces:
        if language == "sql":
            found.append(Query(statement, statement, (), None))
        elif language == "plpgsql":
            found[-1] = Query(found[-1].sqlite, statement, (), None)
        elif table and found and found[-1].rows is None:
            head = [cell.strip() for cell in table.splitlines()[0].split("|")[1:-1]]
            found[-1] = Query(found[-1].sqlite, found[-1].postgresql, head, table_rows(table))
    return found


QUERIES = [query for page in ("README.md", PAGE) for query in queries(PAGES[page])]


def texts(rows: Sequence[Sequence[object]]) -> list[list[str]]:
    return [["" if value is None else str(value) for value in row] for row in rows]


def load(database: str) -> None:
    """The example's nights, and the export with the fault, which fails."""
    for folder in ("nights", "fault"):
        reports = asyncio.run(aetl.load(aetl.Settings(container=str(EXAMPLE / folder), database=database)))
        assert {report.status for report in reports} == {"loaded" if folder == "nights" else "failed"}


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("queries") / "example.db")
    load(path)
    return path


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.sqlite.split("\n")[0])
def test_a_query_gives_what_is_shown_on_sqlite(query: Query, on_sqlite: str) -> None:
    with closing(sqlite3.connect(on_sqlite)) as database:
        cursor = database.execute(query.sqlite)
        rows = cursor.fetchall()
        assert rows
        if query.rows is not None:
            assert [name for name, *_ in cursor.description] == query.columns
            assert texts(rows) == query.rows


async def fetched(url: str, statements: Sequence[str]) -> list[list[tuple[object, ...]]]:
    import asyncpg  # the Windows rig has none

    connection: Any = await asyncpg.connect(url)
    try:
        return [[tuple(row) for row in await connection.fetch(statement)] for statement in statements]
    finally:
        await connection.close()


@pytest.mark.skipif(sys.platform == "win32", reason="the server does not start under wine")
def test_each_query_gives_what_is_shown_on_postgresql(postgresql: PostgreSQLServer) -> None:
    with postgresql.new_database() as name:
        load(postgresql.url(name))
        results = asyncio.run(fetched(postgresql.url(name), [query.postgresql for query in QUERIES]))
    for query, rows in zip(QUERIES, results, strict=True):
        assert rows
        if query.rows is not None:
            assert texts(rows) == query.rows, query.postgresql


def test_there_are_ten_queries_with_a_result_on_conversations_and_some_on_loads() -> None:
    shown = [query.sqlite for query in QUERIES if query.rows is not None]
    assert len([statement for statement in shown if "_aetl_" not in statement]) >= 10
    assert {"_aetl_loads", "_aetl_rejects"} <= set(re.findall(r"_aetl_\w+", " ".join(shown)))


def test_every_column_of_every_table_is_explained(on_sqlite: str) -> None:
    explained: set[tuple[str, str]] = set()
    table = ""
    for row in table_rows(section("What each column means")):
        table = row[0].strip("`") or table
        explained |= {(table, column) for column in re.findall(r"`(\w+)`", row[1])}
    with closing(sqlite3.connect(on_sqlite)) as database:
        there = database.execute(
            "SELECT tables.name, columns.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns"
            " WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'"
        ).fetchall()
    assert explained == set(there)


def test_no_query_stands_on_another_page() -> None:
    assert set(blocks("sql")) == {query.sqlite for query in QUERIES}
