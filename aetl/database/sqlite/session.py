"""A connection to a SQLite file as the ledger needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiosqlite

from aetl.database.sqlite.errors import sqlite_errors
from aetl.database.sqlite.file import Version, version_of
from aetl.errors import DatabaseLocked


class Session:
    """Statements with their parameters by name; `version` is what the file was where it is taken for one at rest."""

    def __init__(self, connection: aiosqlite.Connection, path: Path, version: Version | None = None) -> None:
        self._connection = connection
        self._path = path
        self._version = version

    async def fetch(self, statement: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        """The rows of a statement."""
        try:
            with sqlite_errors(self._path):
                return list(await self._connection.execute_fetchall(statement, dict(parameters or {})))
        finally:
            self.check_still_at_rest()

    async def fetch_many(self, statement: str, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Executes a statement once for each of the parameters."""
        with sqlite_errors(self._path):
            await self._connection.executemany(statement, parameters)

    def check_still_at_rest(self) -> None:
        """Raises DatabaseLocked where a file that seemed at rest was written since."""
        if self._version is not None and self._version != version_of(self._path):
            raise DatabaseLocked(f"the database {self._path} was written while it was read", hint="Run again.")
