"""The whole job as one simulated night, in six steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from aetl.config import Settings
from aetl.container import first_real_export, open_container
from aetl.contract import Contract
from aetl.database import Database, open_database
from aetl.errors import ConfigurationError, ContainerNotFound
from aetl.logs import log_this, redact
from aetl.models import Export, LoadReport
from aetl.pipeline import export_from, load_all
from aetl.progress import LoggedProgress, Progress
from aetl.selection import select
from aetl.simulation.mock_data import mock_batches

EMBEDDED_CONTAINER = "container"
"""The folder that stands in where no container is set."""
_MOCKED = {"sessions", "events", "event_parents"}


@log_this
async def simulate(
    settings: Settings,
    *,
    sessions: int = 500,
    into_real_container: bool = False,
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda step: None,
) -> list[LoadReport]:
    """Removes the database, makes it anew with mock data, exports it, empties it and loads the newest one.

    Where no container is set the folder `./container` stands in. `tell` hears of each of the six steps. Raises, and
    changes nothing, DatabaseNotOurs where the database holds anything but an earlier simulation, and
    ConfigurationError where the container holds exports that no simulation wrote, unless `into_real_container`.
    """
    settings = replace(settings, container=settings.container or EMBEDDED_CONTAINER)
    contract = Contract.read(settings.schema)
    if contract.tables.keys() != _MOCKED:
        raise ConfigurationError(
            f"the simulation only knows the tables {', '.join(sorted(_MOCKED))}",
            hint="Run it without --schema and --sql.",
        )
    if not into_real_container and (real := await real_export(settings)) is not None:
        raise ConfigurationError(
            f"{settings.container} holds exports that no simulation wrote, such as {real}",
            hint="`aetl load` loads them; for mock data name another --container, or add --into-real-container.",
        )
    async with (
        open_container(settings) as container,
        open_database(settings.database, "simulate", contract.tables, settings.sql, contract.hash) as database,
    ):
        tell(f"1. removed the simulated database {redact(settings.database)}, if there was one")
        await fill(database, contract, sessions)
        tell(f"2. made it anew, with {sessions} mock sessions")
        name = await export_from(database, container, contract)
        tell(f"3. exported it to {settings.container} as {name}")
        await database.truncate()
        tell("4. emptied its tables")
        newest = (await select(container, database, latest=True)).exports
        tell(f"5. took the newest simulated export, {newest[0].name}")
        listener = progress or LoggedProgress()
        into = redact(settings.database)
        reports = await load_all(newest, container, contract, database, 0, listener, into)
        tell("6. loaded it" if reports[0].error is None else "6. could not load it")
    return reports


async def real_export(settings: Settings) -> str | None:
    """The name of an export in the container that no simulation wrote; None where there is none, or no container."""
    if settings.container is None:
        return None
    try:
        async with open_container(settings) as container:
            return await first_real_export(container)
    except ContainerNotFound:
        return None


@log_this
async def fill(database: Database, contract: Contract, sessions: int) -> None:
    """Fills a new database with mock data, as if it had come from an export."""
    mock = Export("mock data", "mock", 0, datetime.now(UTC))
    async with database.load(mock) as load:
        for batch in mock_batches(sessions):
            await load.write(contract.check(batch))
        await load.settle()
        await load.finish(LoadReport(mock.name, mock.etag, "loaded"))
