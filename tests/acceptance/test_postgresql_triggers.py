"""What others put on a table of a PostgreSQL database takes nothing away without a word."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.command import fail, run_aetl, succeed
from tests.exports import make_export, write
from tests.postgresql import PostgreSQLServer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the server does not start under wine")

FUNCTION = "CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} END $$"
TRIGGER = "CREATE {} ON public.{} {}FOR EACH ROW EXECUTE FUNCTION public.f()"
DROP = FUNCTION.format("IF NEW.id = 's7' THEN RETURN NULL; END IF; RETURN NEW;")
DELETE = FUNCTION.format("DELETE FROM public.sessions WHERE id = 's7'; RETURN NEW;")


@pytest.fixture
def loaded(postgresql: PostgreSQLServer) -> Iterator[tuple[str, ...]]:
    """The options of an export that is loaded."""
    with postgresql.new_database() as name:
        write(Path("exports"), 0, make_export(3))
        where = ("--container", "exports", "--database", postgresql.url(name))
        succeed("load", *where)
        yield where


def do(server: PostgreSQLServer, where: tuple[str, ...], *statements: str) -> None:
    for statement in statements:
        server.query(statement, where[-1].rpartition("/")[2])


@pytest.mark.parametrize(
    ("statements", "is_found_before"),
    [
        ((DROP, TRIGGER.format("TRIGGER t BEFORE INSERT", "sessions", "")), True),
        ((DELETE, TRIGGER.format("TRIGGER t AFTER INSERT", "sessions", "")), False),
        (
            (DELETE, TRIGGER.format("CONSTRAINT TRIGGER t AFTER INSERT", "events", "DEFERRABLE INITIALLY DEFERRED ")),
            False,
        ),
    ],
    ids=["before", "after", "at the commit"],
)
@pytest.mark.parametrize("is_twice", [False, True])
def test_a_record_that_a_trigger_drops_fails_the_load(
    statements: tuple[str, ...],
    is_found_before: bool,
    is_twice: bool,
    postgresql: PostgreSQLServer,
    loaded: tuple[str, ...],
) -> None:
    do(postgresql, loaded, *statements)
    document = make_export(9)
    if is_twice:
        document["sessions"] += [{**document["sessions"][7], "meta": "later"}]
    document["events"] = [each for each in document["events"] if each["session_id"] != "s7"]
    document["event_parents"] = []
    write(Path("exports"), 1, document)
    said = fail(5, "load", *loaded)
    assert "did not keep 1 records of the table sessions" in said and "trigger t on" in said
    assert ("trigger t on the table" in run_aetl("check", *loaded).stdout) == is_found_before
    do(postgresql, loaded, "DROP TRIGGER t ON public." + ("events" if "CONSTRAINT" in statements[1] else "sessions"))
    succeed("load", *loaded)


def test_values_that_a_trigger_changes_are_warned_of(postgresql: PostgreSQLServer, loaded: tuple[str, ...]) -> None:
    function = FUNCTION.format("IF NEW.id = 's7' THEN NEW.meta = 'other'; END IF; RETURN NEW;")
    do(postgresql, loaded, function, TRIGGER.format("TRIGGER t BEFORE INSERT OR UPDATE", "sessions", ""))
    write(Path("exports"), 1, make_export(9))
    done = run_aetl("load", *loaded)
    assert done.returncode == 0
    assert "1 records of sessions are there with other values" in done.stderr


def test_a_trigger_that_does_no_harm_is_none_of_aetls_business(
    postgresql: PostgreSQLServer, loaded: tuple[str, ...]
) -> None:
    do(
        postgresql, loaded, "ALTER TABLE public.sessions ADD COLUMN size int",
        FUNCTION.format("NEW.size = length(NEW.meta); RETURN NEW;"),
        TRIGGER.format("TRIGGER t BEFORE INSERT OR UPDATE", "sessions", ""),
    )  # fmt: skip
    document = make_export(9)
    document["sessions"] += document["sessions"][:1]
    write(Path("exports"), 1, document)
    succeed("load", *loaded)


@pytest.mark.parametrize("table", ["sessions", "_aetl_loads"])
@pytest.mark.parametrize("event", ["INSERT", "UPDATE"])
def test_a_rule_in_place_of_what_is_written_fails_the_load(
    table: str, event: str, postgresql: PostgreSQLServer, loaded: tuple[str, ...]
) -> None:
    do(postgresql, loaded, f"CREATE RULE r AS ON {event} TO public.{table} DO INSTEAD NOTHING")
    write(Path("exports"), 1, make_export(9))
    said = fail(5, "load", *loaded)
    assert "rule r on" in said or "ON CONFLICT clause cannot be used with table that has" in said
    assert f"the rule r on the table {table}" in run_aetl("check", *loaded).stdout


def test_rows_that_a_policy_hides_are_told(postgresql: PostgreSQLServer, loaded: tuple[str, ...]) -> None:
    role = f"r_{loaded[-1].rpartition('/')[2]}"
    do(
        postgresql, loaded, f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
        "ALTER TABLE public.events ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY p ON public.events TO {role} USING (id <> 'e1') WITH CHECK (true)",
    )  # fmt: skip
    url = loaded[-1].replace("postgres@", f"{role}@")
    try:
        for command in ("load", "digest", "export"):
            write(Path("exports"), 1, make_export(9))
            done = run_aetl(command, "--container", "exports", "--database", url, env={"PGPASSWORD": "x"})
            assert done.returncode == 5
            assert 'row-level security policy for table "events"' in done.stderr
        checked = run_aetl("check", "--container", "exports", "--database", url, env={"PGPASSWORD": "x"})
        assert 'row-level security policy for table "events"' in checked.stdout
    finally:
        do(postgresql, loaded, f"DROP OWNED BY {role}", f"DROP ROLE {role}")
