"""Databases: one small interface, an implementation a file. The ledger lives here."""

from __future__ import annotations

import importlib
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, Self

from aetl.config import Changes
from aetl.contract.tables import Table
from aetl.errors import ConfigurationError
from aetl.models import CheckedBatch, Export, Finding, LoadReport, Outcome, Reject, Row

Purpose = Literal["read", "check", "load", "simulate"]
"""What a database is opened for: reading and checking never create or change it, and checking also opens one that is
not there yet; a simulation only takes one of its own."""

_MODULES = {
    "sqlite": "aetl.database.sqlite",
    "postgresql": "aetl.database.postgresql",
    "postgres": "aetl.database.postgresql",
}
"""URL scheme -> module with a function `open_database(url, purpose, tables, sql, contract, changes)`."""


class BeginAgain(Exception):
    """A load that took everything for new and sound met what is not: begun once more, it goes the ordinary way.

    Raised out of `settle`, and inside aetl only; leaving the load by it rolls everything back.
    """

    is_about_data = True  # no failure: log_this tells it without a traceback


class Load(Protocol):
    """One export on its way into the database: one transaction, one row in the ledger."""

    load_id: int
    changes: Sequence[str]
    """What was changed of the tables to fit the contract, as sentences."""

    async def write(self, batch: CheckedBatch) -> Outcome:
        """Brings a batch in, or keeps it waiting where it refers to records that are not there yet."""

    async def settle(self) -> list[Outcome]:
        """Brings in what waits, now that every record has been seen; what still refers to nothing becomes a reject.

        Raises BeginAgain where only the ordinary way leads on.
        """

    async def finish(self, report: LoadReport) -> None:
        """Ends a load that was settled: rows and ledger entry are committed together."""


class Database(Protocol):
    """What the pipeline needs of a database. Every error is one of errors.DatabaseError, or LoadRunning."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exception: object) -> None: ...

    @property
    def is_simulation(self) -> bool:
        """Whether it is the simulation's, so that what it holds is made up."""

    async def pending(self, exports: Sequence[Export]) -> list[Export]:
        """Those of some exports (a page of the listing) that are not loaded yet, by name and ETag."""

    def load(self, export: Export) -> AbstractAsyncContextManager[Load]:
        """Begins a load; leaving the context without `finish` rolls everything back."""

    async def record_failure(self, export: Export, report: LoadReport, rejects: Sequence[Reject]) -> int:
        """Notes in the ledger why an export is not in, replacing an older failure of it; returns the load's id."""

    def dump(self, *, by_key: bool = False) -> AsyncGenerator[tuple[str, list[Row]], None]:
        """All rows table by table, some thousand at a time, as of one moment; a table without rows comes once.

        With `by_key` in the same order on every database: by the key's columns, then by the others (so that equal keys
        do no harm); nulls first, numbers by value, texts by their bytes in UTF-8. Values are str, int, float, bool
        and None.
        """

    def dump_json(self, encode: Callable[[str, list[Row]], bytes]) -> AsyncGenerator[tuple[str, bytes], None]:
        """The same as JSON objects with commas between them, made by the database itself or else by `encode`."""

    async def truncate(self) -> None:
        """Empties every table and the ledger, for the simulation."""

    async def history(self, most: int) -> list[LoadReport]:
        """The last loads of the ledger, newest first."""

    async def failures(self, most: int) -> list[LoadReport]:
        """The exports whose last load failed, newest first."""

    async def last_success(self) -> datetime | None:
        """When the last load was finished, in UTC."""

    async def examine(self) -> list[Finding]:
        """What would go wrong tonight; needs a database opened for `check`."""


def open_database(
    url: str,
    purpose: Purpose,
    tables: Mapping[str, Table],
    sql: Path | None = None,
    contract: str | None = None,
    changes: Changes = "apply",
) -> AbstractAsyncContextManager[Database]:
    """The database at a URL or path, its implementation chosen by the URL's scheme.

    `tables` are the contract's, by name, and `contract` is its hash, which the ledger keeps; `sql` is a file that says
    some of the statements otherwise.
    """
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", url)
    scheme = found[1].lower() if found else "sqlite"
    if scheme not in _MODULES:
        raise ConfigurationError(
            f"no database is known by {scheme}://", hint=f"Use a path or one of {', '.join(_MODULES)}://."
        )
    try:
        module = importlib.import_module(_MODULES[scheme])
    except ModuleNotFoundError as error:
        extra = _MODULES[scheme].rpartition(".")[2]
        raise ConfigurationError(
            f"{scheme}:// needs {error.name}, which is not installed", hint=f"Install aetl[{extra}] with pip."
        ) from error
    opened: AbstractAsyncContextManager[Database] = module.open_database(url, purpose, tables, sql, contract, changes)
    return opened
