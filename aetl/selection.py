"""Which of a container's exports a load takes."""

from __future__ import annotations

import logging
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from aetl.config import Settings
from aetl.container import NAMES, Container
from aetl.contract import Contract
from aetl.database import Database, open_database
from aetl.errors import ConfigurationError, DatabaseNotFound, DatabaseNotOurs
from aetl.logs import log_this, redact
from aetl.models import Export, OtherBlobs
from aetl.progress import Progress

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Selection:
    """The exports to load, oldest first; how many are not for this database, and one of these.

    `others` is what lies there where no export does.
    """

    exports: list[Export]
    unfit: int = 0
    example: str = ""
    is_simulation: bool = False
    others: OtherBlobs | None = None


async def waiting(settings: Settings, container: Container, latest: bool = False, blob: str | None = None) -> Selection:
    """The exports that a load would take, without changing anything."""
    contract = Contract.read(settings.schema)
    try:
        async with open_database(settings.database, "read", contract.tables, settings.sql) as database:
            return await select(container, database, latest=latest, blob=blob)
    except DatabaseNotFound:
        return await select(container, None, latest=latest, blob=blob)


@log_this
async def select(
    container: Container, database: Database | None, *, latest: bool = False, blob: str | None = None
) -> Selection:
    """The exports to load: those whose name and ETag the ledger does not know, by creation time, then by name.

    Into the simulation's database go simulated exports, into any other those that are none.
    """
    is_simulation = database is not None and database.is_simulation
    if blob is not None:
        found = await container.find(blob)
        if found.is_simulated and not is_simulation:
            raise ConfigurationError(
                f"{blob} is a simulated export, and the database is not the simulation's",
                hint="Only the database that `aetl run` made takes its mock data: name that with --database.",
            )
        if is_simulation and not found.is_simulated:
            return Selection([], 1, found.name, is_simulation=True)
        return Selection([found], is_simulation=is_simulation)
    exports: list[Export] = []
    unfit, example, is_any = 0, "", False
    async with aclosing(container.pages()) as pages:
        async for listed in pages:
            is_any = is_any or bool(listed)
            page = [each for each in listed if each.is_simulated == is_simulation]
            if len(page) < len(listed):
                unfit += len(listed) - len(page)
                example = example or next(each.name for each in listed if each.is_simulated != is_simulation)
            if latest:
                exports = [max(exports + page, key=_by_age)] if exports or page else []
            else:
                exports += page if database is None else await database.pending(page)
    if latest and database is not None:
        exports = await database.pending(exports)
    others = None if is_any else await container.others()
    return Selection(sorted(exports, key=_by_age), unfit, example, is_simulation, others)


def keep_apart(selection: Selection, settings: Settings, progress: Progress) -> None:
    """Passes simulated exports over; raises DatabaseNotOurs for real ones where the database is the simulation's."""
    if not selection.unfit:
        return
    if selection.is_simulation:
        raise DatabaseNotOurs(
            f"the database {redact(settings.database)} holds a simulation, and {settings.container} holds real exports,"
            f" such as {selection.example}",
            hint="Name another database with --database, or start in another folder; this one was left as it was.",
        )
    _LOG.info("passed over %d simulated exports, such as %s", selection.unfit, selection.example)
    progress.pass_over(selection.unfit, selection.example)


def tell_others(selection: Selection, settings: Settings, progress: Progress) -> None:
    """Warns where nothing is named like an export, but something is there: the URL may be another container's."""
    if selection.others is not None:
        _LOG.warning("%s holds no export, but %s. %s", settings.container, selection.others, NAMES)
        progress.find_others(selection.others)


def _by_age(each: Export) -> tuple[datetime, str]:
    return each.created, each.name
