"""A pooler between aetl and the server: one that keeps sessions apart does, any other is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.acceptance.command import fail, run_aetl, succeed
from tests.exports import make_export, write
from tests.postgresql import PostgreSQLServer, free_port

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the server does not start under wine"),
    pytest.mark.skipif(
        PGBOUNCER is None, reason="pgbouncer is not installed; Debian's, with which .ci/run runs this, is"
    ),
]


@contextmanager
def pooling(server: PostgreSQLServer, settings: str) -> Iterator[int]:
    """The port of a PgBouncer before the server."""
    assert PGBOUNCER is not None
    with tempfile.TemporaryDirectory(prefix="aetl-pool-") as name:
        Path(name).chmod(0o755)
        port, file = free_port(), Path(name, "pgbouncer.ini")
        file.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port} user=postgres\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
            f"auth_type = any\nunix_socket_dir =\n{settings}\n"
        )
        process = subprocess.Popen(
            [PGBOUNCER, file], user=server.user, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            assert process.stderr is not None
            said = []
            for line in process.stderr:
                said.append(line)
                if "process up" in line:
                    break
            else:
                raise AssertionError(f"pgbouncer did not start: {''.join(said)}")
            yield port
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def pool(postgresql: PostgreSQLServer) -> Iterator[Callable[[str], str]]:
    """Gives the URL of an empty database behind a pool with some settings."""
    with ExitStack() as stack:

        def start(settings: str) -> str:
            name = stack.enter_context(postgresql.new_database())
            port = stack.enter_context(pooling(postgresql, settings))
            return f"postgresql://postgres@127.0.0.1:{port}/{name}"

        yield start


def test_a_pool_that_keeps_sessions_apart_is_as_good_as_the_server(pool: Callable[[str], str]) -> None:
    write(Path("exports"), 0, make_export(3))
    where = ("--container", "exports", "--database", pool("pool_mode = session"))
    assert "FAILURE" not in succeed("check", *where)
    succeed("load", *where)
    assert succeed("load", *where) == "Nothing new.\n"


@pytest.mark.parametrize(
    "settings",
    [
        "pool_mode = transaction",
        "pool_mode = transaction\nserver_round_robin = 1\nmin_pool_size = 4",
        "pool_mode = statement",
    ],
)
def test_a_pool_that_shares_sessions_is_refused(settings: str, pool: Callable[[str], str]) -> None:
    write(Path("exports"), 0, make_export(3))
    where = ("--container", "exports", "--database", pool(settings))
    for _ in range(2):  # at the second a session is there, with statements of the first's
        said = fail(5, "load", *where)
        assert "through a pooler that gives each transaction a session of others" in said
        assert "pool_mode = session" in said
    checked = run_aetl("check", *where)
    assert checked.returncode == 1
    assert "through a pooler" in checked.stdout
