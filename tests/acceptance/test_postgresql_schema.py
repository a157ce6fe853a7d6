"""Everything stands in one schema of a PostgreSQL database, whatever it is called and whatever comes beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.command import fail, run_aetl, succeed
from tests.exports import make_export, write
from tests.postgresql import PostgreSQLServer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the server does not start under wine")

WHERE = """
    SELECT nspname, relname FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid
    WHERE relkind = 'r' AND nspname !~ '^pg_|information_schema' ORDER BY relname
"""
TABLES = ("_aetl_loads", "_aetl_rejects", "event_parents", "events", "sessions")


@pytest.fixture
def database(postgresql: PostgreSQLServer) -> Iterator[str]:
    with postgresql.new_database() as name:
        yield name


@pytest.mark.parametrize(
    ("schema", "spelling"),
    [
        ("Sch", "Sch"),
        ("My Schema", "My Schema"),
        ("a.b", "a.b"),
        ('o\'brien "q" {schema} \\n :x', '"o\'brien ""q"" {schema} \\n :x"'),
        ("later", "nowhere, pg_temp, later, public"),
    ],
)
def test_a_schema_may_have_any_name(schema: str, spelling: str, postgresql: PostgreSQLServer, database: str) -> None:
    quoted = '"' + schema.replace('"', '""') + '"'
    postgresql.query(f"CREATE SCHEMA {quoted}", database)
    write(Path("exports"), 0, make_export(3))
    where = ("--container", "exports", "--database", postgresql.url(database, search_path=spelling))
    succeed("load", *where)
    document = make_export(4)
    document["sessions"] += document["sessions"][:1]
    document["events"].append({**document["events"][0], "id": "orphan", "session_id": "nowhere"})
    write(Path("exports"), 1, document)
    assert run_aetl("load", *where, "--max-rejects", "all").returncode == 3
    assert postgresql.query(WHERE, database) == [(schema, table) for table in TABLES]
    assert "FAILURE" not in succeed("check", *where)
    assert '"sessions"' in succeed("digest", "--database", where[-1], "--json")


def test_a_schema_that_comes_first_later_changes_nothing(postgresql: PostgreSQLServer, database: str) -> None:
    write(Path("exports"), 0, make_export(3))
    where = ("--container", "exports", "--database", postgresql.url(database))
    succeed("load", *where)
    postgresql.query("CREATE SCHEMA postgres", database)  # like the role: "$user" comes first in the search path
    write(Path("exports"), 1, make_export(5))
    assert "has no" not in succeed("check", *where)
    succeed("load", *where)
    assert postgresql.query(WHERE, database) == [("public", table) for table in TABLES]
    assert postgresql.query("SELECT count(*) FROM sessions", database) == [(5,)]
    postgresql.query("CREATE TABLE postgres.events (id text)", database)
    said = fail(5, "load", *where)
    assert "ledger in the schema public" in said and "in postgres" in said
    assert "?search_path=public" in said
    assert "ledger in the schema public" in run_aetl("check", *where).stdout
    named = postgresql.url(database, search_path="public")
    assert succeed("load", "--container", "exports", "--database", named) == "Nothing new.\n"


def test_a_ledger_that_a_role_may_not_reach_any_more_is_told(
    postgresql: PostgreSQLServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(Path("exports"), 0, make_export(3))
    succeed("load", "--container", "exports", "--database", postgresql.url(database, search_path="public"))
    role = f"r_{database}"
    for statement in (
        f"CREATE ROLE {role} LOGIN PASSWORD 'x'", f"CREATE SCHEMA {role} AUTHORIZATION {role}",
        "REVOKE USAGE ON SCHEMA public FROM PUBLIC",
    ):  # fmt: skip
        postgresql.query(statement, database)
    try:
        monkeypatch.setenv("PGPASSWORD", "x")
        where = ("--container", "exports", "--database", postgresql.url(database, user=role))
        assert "ledger in the schema public, which this role may not use" in fail(5, "load", *where)
    finally:
        postgresql.query(f"DROP SCHEMA {role} CASCADE", database)
        postgresql.query(f"DROP ROLE {role}", database)


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("pg_temp", 2, "names no schema where tables can stay"),
        ("pg_catalog, information_schema", 2, "names no schema where tables can stay"),
        ('""', 2, "names no schema where tables can stay"),
        ('"unfinished', 2, "cannot be understood"),
        ("nowhere, neither", 5, "nowhere, neither, none exists"),
    ],
)
def test_a_path_without_a_schema_for_tables_is_refused(
    path: str, code: int, said: str, postgresql: PostgreSQLServer, database: str
) -> None:
    write(Path("exports"), 0, make_export(3))
    where = ("--container", "exports", "--database", postgresql.url(database, search_path=path))
    assert said in fail(code, "load", *where)
    assert said in run_aetl("check", *where).stdout
    assert postgresql.query(WHERE, database) == []


def test_a_name_that_postgresql_would_cut_off_is_refused_with_its_place(
    postgresql: PostgreSQLServer, database: str
) -> None:
    where = ("--container", "exports", "--database", postgresql.url(database), "--schema", "own.json")
    for table, column, place in (
        ("x" * 64, "n", f"the table '{'x' * 64}' is longer than 63 bytes. Give it another name with x-table"),
        (
            "t",
            "ä" * 32,
            f"the table 't', column '{'ä' * 32}', is longer than 63 bytes. Give it another name with x-column",
        ),
        ("t", "xmin", "the table 't', column 'xmin', is the name of a column that the database itself keeps"),
    ):
        items = {
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "string"}, column: {"type": "integer"}},
        }
        document = {"type": "object", "properties": {table: {"type": "array", "x-key": ["id"], "items": items}}}
        Path("own.json").write_text(json.dumps(document))
        write(Path("exports"), 0, {table: [{"id": "1"}]})
        assert place in fail(2, "load", *where)
        checked = run_aetl("check", *where)
        assert checked.returncode == 1
        assert place.partition(". ")[0] in " ".join(checked.stdout.split())
    assert postgresql.query(WHERE, database) == []
