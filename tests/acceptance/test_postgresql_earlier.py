"""A PostgreSQL database that an earlier aetl made is taken over as it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import fail, run_aetl, succeed
from tests.exports import event, make_export, parent, session, write
from tests.postgresql import PostgreSQLServer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the server does not start under wine")

ROOT = Path(__file__).resolve().parents[2]
TYPED = ROOT / "aetl/yaml/sql/postgresql_typed.yaml"
EARLIER = Path(__file__).parent / "earlier"
DIGESTS = {
    "postgresql": "df51af9caf69d98169bd79144ce09b87090ad1d64bf926565a26fb9029cd0639",
    "postgresql_typed": "8da288ec2f944fa026d477cc58158b8c2a510330f9bbd7c1ade51051de3e5cb2",
}
"""What that aetl said of them."""
NOTING = """
    CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO noted SELECT command_tag || ' ' || object_identity FROM pg_event_trigger_ddl_commands()
        WHERE schema_name = 'public';
    END $$
"""
ROWS = "SELECT xmin::text, id FROM {} ORDER BY 2"


@pytest.fixture(params=list(DIGESTS))
def earlier(request: pytest.FixtureRequest, postgresql: PostgreSQLServer) -> Iterator[tuple[str, str]]:
    """Its name and that of the kind; all that is done to its tables but reading and writing is noted."""
    with postgresql.new_database() as name:
        script = (EARLIER / f"{request.param}.sql").read_text()
        statements = [each for each in script.split(";\n") if each.strip()]
        noting = ["CREATE TABLE noted (what text)", NOTING]
        noting += ["CREATE EVENT TRIGGER notes ON ddl_command_end EXECUTE FUNCTION note()"]
        for statement in (*statements, *noting):
            postgresql.query(statement, name)
        yield name, request.param


def test_it_is_read_and_loaded_into_as_it_is(postgresql: PostgreSQLServer, earlier: tuple[str, str]) -> None:
    """With any --sql and none: what is there decides."""
    name, kind = earlier

    def noted() -> list[Any]:
        return [what for (what,) in postgresql.query("SELECT what FROM noted", name)]

    where = ("--container", "exports", "--database", postgresql.url(name))
    write(Path("exports"), 0, make_export(3, meta='{"a": 1}'))
    assert json.loads(succeed("digest", "--database", where[-1], "--json"))["sha256"] == DIGESTS[kind]
    checked = succeed("check", *where)
    assert "FAILURE" not in checked and "the next load adds" not in checked
    succeed("status", *where)
    assert noted() == []
    rows = {table: postgresql.query(ROWS.format(table), name) for table in ("sessions", "events")}
    (report,) = json.loads(succeed("load", *where, "--json"))["loads"]
    assert {table: counts["unchanged"] for table, counts in report["tables"].items()} == {
        "sessions": 3, "events": 6, "event_parents": 3,
    }  # fmt: skip
    assert noted() == ["ALTER TABLE public._aetl_loads"] * 2 + ["COMMENT public._aetl_loads"]
    assert {table: postgresql.query(ROWS.format(table), name) for table in rows} == rows
    assert json.loads(succeed("digest", "--database", where[-1], "--json"))["sha256"] == DIGESTS[kind]
    document = make_export(3, meta='{"a": 1}')
    document["sessions"][1] = session(1, meta='{"a": 2}')
    document["events"] += [event(7, 0), event(8, 77), {**event(9, 2), "content": '"ü"'}]
    document["event_parents"].append(parent(7, 1))
    write(Path("exports"), 1, document)
    done = run_aetl("load", *where, "--json", "--max-rejects", "1", "--sql", TYPED)
    (report,) = json.loads(done.stdout)["loads"]
    assert report["tables"] == {
        "sessions": {"read": 3, "loaded": 1, "unchanged": 2, "rejected": 0},
        "events": {"read": 9, "loaded": 2, "unchanged": 6, "rejected": 1},
        "event_parents": {"read": 4, "loaded": 1, "unchanged": 3, "rejected": 0},
    }
    assert len(noted()) == 3
    contracts = postgresql.query("SELECT contract IS NULL FROM _aetl_loads ORDER BY load_id", name)
    assert contracts == [(True,), (False,), (False,)]


def test_a_role_that_may_not_alter_the_ledger_is_told(
    postgresql: PostgreSQLServer, earlier: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _ = earlier
    role = f"r_{name}"
    postgresql.query(f"CREATE ROLE {role} LOGIN PASSWORD 'x'", name)
    postgresql.query(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}", name)
    postgresql.query(f"GRANT ALL ON SCHEMA public TO {role}", name)
    monkeypatch.setenv("PGPASSWORD", "x")
    try:
        write(Path("exports"), 0, make_export(3))
        where = ("--container", "exports", "--database", postgresql.url(name, user=role))
        succeed("status", *where)
        succeed("export", "--container", "out", *where[2:])
        assert "must be owner of table _aetl_loads" in fail(5, "load", *where)
        checked = run_aetl("check", *where)
        assert checked.returncode == 1
        assert "this role does not own the table _aetl_loads" in " ".join(checked.stdout.split())
        succeed("load", "--container", "exports", "--database", postgresql.url(name))
        columns = json.loads((ROOT / "aetl/json/schema.json").read_text())
        columns["properties"]["sessions"]["items"]["properties"]["model"] = {"type": ["string", "null"]}
        Path("own.json").write_text(json.dumps(columns))
        write(Path("exports"), 1, make_export(4))
        assert "must be owner of table sessions" in fail(5, "load", *where, "--schema", "own.json")
        checked = run_aetl("check", *where, "--schema", "own.json")
        assert checked.returncode == 1
        assert "this role does not own the table sessions" in " ".join(checked.stdout.split())
    finally:
        postgresql.query(f"DROP OWNED BY {role}", name)
        postgresql.query(f"DROP ROLE {role}", name)
