"""The command line with a database on a PostgreSQL server."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests import postgresql as servers
from tests.acceptance.command import fail, run_aetl, succeed
from tests.documentation.pages import section
from tests.exports import make_export, write
from tests.postgresql import PostgreSQLServer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the server does not start under wine")

PASSWORD = "geheim / wort@1:%"
COUNTS = "SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM events), (SELECT count(*) FROM event_parents)"


@dataclass(frozen=True)
class Chat:
    """A database that belongs to a role `chat` of its own."""

    server: PostgreSQLServer
    name: str
    role: str = field(default="")

    def url(self, *, password: str = "", **parameters: str) -> str:
        return self.server.url(self.name, user=self.role, password=password, **parameters)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        return self.server.query(statement, self.name)


def documented_rights() -> list[str]:
    """The statements that the documentation shows an administrator."""
    (block,) = re.findall(r"```plpgsql\n(.*?)```", section("A role for aetl"), re.DOTALL)
    return [statement for statement in block.split(";\n") if statement.strip()]


@pytest.fixture
def chat(postgresql: PostgreSQLServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    """What the documentation tells an administrator to run, run."""
    with postgresql.new_database() as name:
        role = f"chat_{name}"
        for statement in documented_rights():
            if not statement.startswith("CREATE DATABASE"):
                statement = re.sub(r"\bchat\b", role, statement.replace("DATABASE chat", f"DATABASE {name}"))
                postgresql.query(statement.replace("'a long password'", f"'{PASSWORD}'"), name)
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
        yield Chat(postgresql, name, role)
    postgresql.query(f"DROP ROLE {role}")


def test_the_documented_rights_are_enough_for_every_command(chat: Chat) -> None:
    write(Path("exports"), 0, make_export(3))
    where = ("--container", "exports", "--database", chat.url())
    assert "FAILURE" not in succeed("check", *where)
    assert '"loaded": 3' in succeed("load", *where, "--json")
    assert succeed("load", *where) == "Nothing new.\n"
    assert chat.query(COUNTS) == [(3, 6, 3)]
    assert "No export waits." in succeed("status", *where)
    assert "FAILURE" not in succeed("check", *where)
    name = succeed("export", *where).strip()
    assert (Path("exports") / name).exists()
    assert "6. loaded it" in succeed("run", "--container", "played", *where[2:], "--sessions", "5")
    assert chat.query(COUNTS) == [(3, 6, 3)], "a simulation touches nothing else"
    schemas = chat.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE '%simulation'")
    assert schemas == [("aetl_simulation",)]
    simulated = chat.url(search_path="aetl_simulation")
    assert "No export waits" not in succeed("status", "--database", simulated)


def test_the_database_may_come_from_the_environment_and_the_password_from_a_file(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGPASSWORD")
    monkeypatch.setenv("CHAT_DB_URL", chat.url())
    assert "refuses the log-on" in fail(5, "load", "--container", "exports")
    passfile = Path("pgpass")
    passfile.write_text(f"127.0.0.1:{chat.server.port}:{chat.name}:{chat.role}:{PASSWORD}\n")
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passfile.resolve()))
    write(Path("exports"), 0, make_export(3))
    succeed("load", "--container", "exports")
    assert chat.query(COUNTS) == [(3, 6, 3)]


@pytest.mark.parametrize("command", ["load", "status", "check", "export", "run"])
def test_a_password_shows_nowhere(chat: Chat, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD")
    write(Path("exports"), 0, make_export(3))
    secret = "falsch / wort@1:%"
    said = []
    for password in (PASSWORD, secret):
        url = chat.url(password=password)
        for level in ("INFO", "DEBUG"):
            done = run_aetl(command, "--container", "exports", "--database", url, "--log-level", level)
            said += [done.stdout, done.stderr]
            assert "shows in the process list" in done.stderr
            assert "Traceback" not in done.stderr
    everything = "".join([*said, Path("global.log").read_text("utf-8")])
    for password in (PASSWORD, secret):
        assert password not in everything
        assert password.partition(" ")[0] not in everything
    asked = chat.query("SELECT query, application_name FROM pg_stat_activity")
    assert all(secret not in f"{each}" for each in asked)


def test_a_task_may_not_hold_a_password(chat: Chat) -> None:
    options = ("schedule", "create", "--dry-run", "--command", "load", "--", "--database")
    assert "no other secret" in fail(2, *options, chat.url(password=PASSWORD))
    if sys.platform != "win32":
        assert chat.name in succeed(*options, chat.url())


Refusal = tuple[str, dict[str, str], int, str]


@pytest.mark.parametrize(
    ("url", "statements", "said"),
    [
        ("postgresql://{role}@127.0.0.1:{port}/nowhere", [], 'database "nowhere" does not exist'),
        ("postgresql://nobody@127.0.0.1:{port}/{name}", [], "refuses the log-on"),
        ("postgresql://{role}:wrong-one@127.0.0.1:{port}/{name}", [], "refuses the log-on"),
        ("postgresql://127.0.0.1:1/{name}", [], "cannot be reached"),
        ("postgresql://host.invalid/{name}", [], "cannot be reached"),
        ("postgresql://{role}@127.0.0.1:{port}/{name}?sslmode=require", [], "no TLS connection"),
        ("postgresql://{role}@127.0.0.1:{port}/{name}?search_path=nowhere", [], "no schema to work in"),
        ("{url}", ["REVOKE CREATE ON SCHEMA public FROM {role}"], "permission denied for schema public"),
        ("{url}", ["REVOKE TEMPORARY ON DATABASE {name} FROM {role}, PUBLIC"], "permission denied"),
        ("{url}", ["ALTER ROLE {role} CONNECTION LIMIT 0"], "too many"),
        ("{url}", ["ALTER ROLE {role} SET statement_timeout = '1ms'"], "statement_timeout"),
        ("{url}", ["ALTER ROLE {role} SET default_transaction_read_only = on"], "may only be read"),
        ("{url}", ["CREATE TABLE events (id text)"], "was not made by aetl"),
        ("{url}", ["CREATE TABLE _aetl_loads (id text)"], "was not made by aetl"),
        (
            "{url}",
            ["CREATE TABLE _aetl_loads (id text)", "COMMENT ON TABLE _aetl_loads IS 'aetl ledger 7'"],
            "newer than this aetl knows",
        ),
    ],
)
def test_what_a_server_refuses_is_one_clear_line_and_check_finds_it(
    chat: Chat, url: str, statements: list[str], said: str
) -> None:
    write(Path("exports"), 0, make_export(200))
    places = {"role": chat.role, "port": chat.server.port, "name": chat.name, "url": chat.url()}
    for statement in statements:
        chat.query(statement.format(**places))
    where = ("--container", "exports", "--database", url.format(**places))
    done = run_aetl("load", *where)
    assert done.returncode == 5, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    checked = run_aetl("check", *where)
    if "statement_timeout" not in said:  # what is checked takes no time
        assert checked.returncode == 1, checked.stdout
        assert said in checked.stdout


@pytest.mark.parametrize("url", ["postgresql://[::1", "postgresql://host:port/x", "postgresql://host/x?sslmode=never"])
def test_a_url_that_makes_no_sense_is_refused(url: str) -> None:
    assert "database" in fail(2, "load", "--container", ".", "--database", url)


def test_other_columns_than_the_contracts_are_told(chat: Chat) -> None:
    write(Path("exports"), 0, make_export(3))
    where = ("--container", "exports", "--database", chat.url())
    succeed("load", *where)
    chat.query("ALTER TABLE events RENAME COLUMN kind TO sort")
    write(Path("exports"), 1, make_export(4))
    said = fail(5, "load", *where)
    assert "table events: the column kind is missing" in said
    assert 'ALTER TABLE "public"."events" ADD COLUMN "kind" text' in said
    checked = " ".join(run_aetl("check", *where).stdout.split())
    assert "the column kind is missing" in checked and "the column sort is NOT NULL without a default" in checked


@pytest.fixture(scope="module")
def tls_server(
    postgresql: PostgreSQLServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[PostgreSQLServer, Path]]:
    """A server that speaks TLS, and its certificate, which nobody has signed but itself."""
    if not postgresql.query("SELECT setting FROM pg_settings WHERE name = 'ssl_library'")[0][0]:
        pytest.skip("the server from PyPI is built without TLS; Debian's, with which .ci/run runs this, has it")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = make_certificate("localhost")
    (folder / "root.crt").write_bytes(certificate)
    with servers.running({**servers.SETTINGS, "ssl": "on"}, {"server.crt": certificate, "server.key": key}) as server:
        yield server, folder / "root.crt"


def make_certificate(host: str) -> tuple[bytes, bytes]:
    """A certificate and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), private


@pytest.mark.parametrize(
    ("host", "mode", "is_trusted"),
    [
        ("localhost", "require", False),
        ("localhost", "verify-full", True),
        ("127.0.0.1", "verify-ca", True),
        ("127.0.0.1", "verify-full", None),
        ("localhost", "verify-full", None),
    ],
)
def test_tls_is_as_strict_as_the_url_says(
    host: str, mode: str, is_trusted: bool | None, tls_server: tuple[PostgreSQLServer, Path]
) -> None:
    """`is_trusted` None: the server is not who it should be, by its name or by its certificate."""
    server, root = tls_server
    if host == "localhost" and is_trusted is None:
        root = Path("other.crt")
        root.write_bytes(make_certificate("localhost")[0])
    url = server.url(sslmode=mode, **({} if is_trusted is False else {"sslrootcert": str(root)}))
    url = url.replace("127.0.0.1", host, 1)
    write(Path("exports"), 0, make_export(3))
    if is_trusted is None:
        assert "no TLS connection" in fail(5, "load", "--container", "exports", "--database", url)
    else:
        assert "FAILURE" not in succeed("check", "--container", "exports", "--database", url)


def test_a_database_in_another_encoding_is_refused(postgresql: PostgreSQLServer) -> None:
    with postgresql.new_database("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0") as name:
        assert "encoded in LATIN1" in fail(5, "load", "--container", ".", "--database", postgresql.url(name))


def test_without_the_driver_the_line_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "asyncpg").mkdir()
    (tmp_path / "asyncpg/__init__.py").write_text("raise ModuleNotFoundError('no', name='asyncpg')")
    done = run_aetl(
        "status",
        "--database",
        "postgresql://host/x",
        env={"PYTHONPATH": os.pathsep.join((str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])))},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "aetl[postgresql]" in done.stderr


def test_what_is_moved_from_sqlite_and_back_has_the_same_digests(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    document = make_export(40, events=3)
    document["sessions"][3]["meta"] = 'größe \u2028 \U0001f600 \\ "quoted"\n'
    document["events"][5]["round"] = -(2**63)
    document["events"][6]["round"] = None
    write(Path("exports"), 0, document)
    succeed("load", "--container", "exports", "--database", "local.db")
    before = succeed("digest", "--database", "local.db", "--json")
    monkeypatch.setenv("CHAT_DB_URL", chat.url())
    succeed("export", "--database", "local.db", "--container", "moving")
    succeed("load", "--container", "moving")
    assert succeed("digest", "--json") == before
    succeed("export", "--container", "back")
    succeed("load", "--container", "back", "--database", "back.db")
    assert succeed("digest", "--database", "back.db", "--json") == before
    chat.query("UPDATE events SET raw_text = raw_text || ' ' WHERE id = 'e7'")
    assert succeed("digest", "--json") != before


TYPED = Path(__file__).resolve().parents[2] / "aetl/yaml/sql/postgresql_typed.yaml"
OF_ITS_OWN = """
tables:
  sessions:
    create: |
      CREATE TABLE {schema}.{table} (id text COLLATE "C" NOT NULL, started_at timestamptz NOT NULL, meta jsonb)
  events:
    create: |
      CREATE TABLE {schema}.{table} (
        id text COLLATE "C" PRIMARY KEY, ts timestamptz NOT NULL, session_id text COLLATE "C" NOT NULL, round bigint,
        kind text COLLATE "C" NOT NULL, role text NOT NULL, content jsonb NOT NULL, raw_text text, meta json
      )
"""


@pytest.mark.parametrize("is_first", [True, False])
def test_columns_to_query_by(chat: Chat, is_first: bool) -> None:
    """Points in time by their type, and JSON that stands in texts by a table's own definition."""
    Path("own.yaml").write_text(TYPED.read_text() + OF_ITS_OWN)
    where = ("--container", "exports", "--database", chat.url(), "--sql", "own.yaml")
    if not is_first:
        write(Path("exports"), 0, make_export(1, first=7))
        succeed("load", *where)
    document = make_export(3)
    document["sessions"][0]["meta"] = '{"b": 1, "a": [true]}'
    document["sessions"][1] |= {"started_at": "2025-03-01T02:00:00"}
    document["sessions"][2] |= {"started_at": "2025-03-01T02:00:00+05:30"}
    document["events"][0]["meta"] = '{"b": 1}'
    document["events"][1]["content"] = "no JSON"
    document["event_parents"] = document["event_parents"][1:]
    write(Path("exports"), 1, document)
    assert "FAILURE" not in succeed("check", *where)
    done = run_aetl("load", *where, "--max-rejects", "1", "--json")
    assert done.returncode == 3, done.stderr
    (report,) = json.loads(done.stdout)["loads"]
    assert report["tables"]["events"] == {"read": 6, "loaded": 5, "unchanged": 0, "rejected": 1}
    assert chat.query("SELECT meta -> 'a' ->> 0 FROM sessions WHERE meta ? 'b'") == [("true",)]
    moments = chat.query("SELECT id, extract(epoch FROM started_at)::bigint FROM sessions ORDER BY id")
    assert [moment for _, moment in moments[1:3]] == [1740794400, 1740774600]
    name = succeed("export", *where).strip()
    succeed("load", "--container", "exports", "--blob", name, "--database", "back.db")
    again = run_aetl("load", *where, "--blob", name, "--json")
    (report,) = json.loads(again.stdout)["loads"]
    assert all(counts["unchanged"] == counts["read"] for counts in report["tables"].values())
