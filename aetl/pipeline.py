"""Load and export as sequences of stages: the only module that knows the order.

container -> bytes -> batches -> checked batches -> database        load
database -> rows -> bytes -> container                              export
database -> rows in order -> hashes                                 digest
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime

from aetl.compression import Unpacking
from aetl.config import Settings
from aetl.container import PREFIX, SIMULATED, Container, open_container
from aetl.contract import Contract
from aetl.database import BeginAgain, Database, open_database
from aetl.document import compress, document
from aetl.errors import (
    AetlError,
    ContainerError,
    ContractError,
    DatabaseConflict,
    DatabaseNotFound,
    ExportChanged,
    ExportDamaged,
)
from aetl.failures import as_failure, as_its_own, is_panic
from aetl.hashing import TableHash, digest_of_all
from aetl.logs import log_this, redact
from aetl.models import Batch, CheckedBatch, DatabaseDigest, Export, LoadReport, Outcome, State, TableCounts
from aetl.progress import LoggedProgress, Progress
from aetl.records import Records
from aetl.run_note import read_early_end
from aetl.selection import keep_apart, select, tell_others, waiting
from aetl.tally import Tally
from aetl.telling import log_report

_LOG = logging.getLogger(__name__)
_MOST_FAILED = 100
_MOST_VALIDATED = 10_000
"""Rejects: to explain each takes a while, and more of them have hardly anything new to say."""
_TRIES = 3
"""How often an export is begun that is replaced while it is read, or whose transaction another one ends."""


@log_this
async def load(
    settings: Settings,
    *,
    latest: bool = False,
    blob: str | None = None,
    dry_run: bool = False,
    max_rejects: int | None = 0,
    progress: Progress | None = None,
) -> list[LoadReport]:
    """Brings the container's new exports into the database, oldest first, each in one transaction.

    Simulated exports only go into the simulation's database, and into that no others: they are passed over, or refused
    with DatabaseNotOurs. With `latest` only the newest, with `blob` that one, whether it is new or not. `max_rejects`
    is the number of rejects up to which an export is loaded all the same; None means any. With `dry_run` nothing is
    read or changed.

    An export that fails by itself, as it breaks the contract or is gone, or for a reason that nobody thought of, is
    reported as failed and the next one is taken. What stops all of them is raised as AetlError; its `reports` tell what
    was done before.
    """
    contract = Contract.read(settings.schema)
    progress = progress or LoggedProgress()
    async with open_container(settings) as container:
        if dry_run:
            selection = await waiting(settings, container, latest, blob)
            keep_apart(selection, settings, progress)
            tell_others(selection, settings, progress)
            return [LoadReport(each.name, each.etag, "pending", bytes=each.size) for each in selection.exports]
        async with open_database(
            settings.database, "load", contract.tables, settings.sql, contract.hash, settings.changes
        ) as database:
            selection = await select(container, database, latest=latest, blob=blob)
            keep_apart(selection, settings, progress)
            tell_others(selection, settings, progress)
            return await load_all(
                selection.exports, container, contract, database, max_rejects, progress, redact(settings.database)
            )


@log_this
async def validate(settings: Settings, blob: str, *, progress: Progress | None = None) -> LoadReport:
    """Reads one export and says all that is wrong with it, without a database: what refers to nothing is not found.

    Of the report `faults` say what, and `error` why it could not be read to its end.
    """
    contract = Contract.read(settings.schema)
    async with open_container(settings) as container:
        tally = Tally(await container.find(blob), contract.tables, _MOST_VALIDATED, progress or LoggedProgress())
        try:
            async with (
                aclosing(container.read(tally.export)) as stored,
                aclosing(read(stored, tally)) as chunks,
                aclosing(cut(chunks, contract, tally)) as batches,
                aclosing(check(batches, contract)) as checked_batches,
            ):
                async for batch in checked_batches:
                    tally.look_for_unknown_keys(batch)
                    counts = TableCounts(batch.read, rejected=len(batch.rejects))
                    tally.add(Outcome(batch.table, counts), batch.rejects)
                    tally.judge(is_read=False)
        except AetlError as error:
            if error.ends_run:
                raise
            return replace(tally.report("failed", error), tables=tally.report("pending").tables)
        return tally.report("pending")


@log_this
async def export(settings: Settings, *, gzip: bool = False) -> str:
    """Writes all tables as one export into the container and returns the blob's name."""
    contract = Contract.read(settings.schema)
    async with (
        open_container(settings) as container,
        open_database(settings.database, "read", contract.tables, settings.sql) as database,
    ):
        return await export_from(database, container, contract, gzip=gzip)


@log_this
async def export_from(database: Database, container: Container, contract: Contract, *, gzip: bool = False) -> str:
    """Writes all tables of an open database as one export and returns the blob's name."""
    mark = SIMULATED if database.is_simulation else ""
    name = f"{PREFIX}{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}{mark}.json{'.gz' * gzip}"
    arrays = {table.name: table.array for table in contract.tables.values()}
    async with aclosing(database.dump_json(contract.encode)) as records, aclosing(document(records, arrays)) as chunks:
        if not gzip:
            await container.write(name, chunks)
        else:
            async with aclosing(compress(chunks)) as compressed:
                await container.write(name, compressed)
    return name


@log_this
async def digest(settings: Settings) -> DatabaseDigest:
    """What all tables hold, as hashes that are equal for equal records, whichever database they are in."""
    contract = Contract.read(settings.schema)
    hashes = {name: TableHash(table.names) for name, table in contract.tables.items()}
    async with (
        open_database(settings.database, "read", contract.tables, settings.sql) as database,
        aclosing(database.dump(by_key=True)) as dumped,
    ):
        async for name, rows in dumped:
            hashes[name].add(contract.values(name, rows))
    return digest_of_all({name: each.digest() for name, each in hashes.items()})


@log_this
async def status(settings: Settings, last: int = 10) -> State:
    """How things stand: the last loads, when the last success was, and the exports that wait.

    `waiting` is None where no container is set, as a watchdog may only know the database. Where the container cannot
    be listed, the error's `state` is what the database told.
    """
    contract = Contract.read(settings.schema)
    try:
        async with open_database(settings.database, "read", contract.tables, settings.sql) as database:
            state = State(
                await database.history(last),
                await database.last_success(),
                None,
                await database.failures(_MOST_FAILED),
            )
    except DatabaseNotFound:
        state = State([], None, None)
    state = replace(state, ended_early=read_early_end(settings))
    if settings.container is None:
        return state
    try:
        async with open_container(settings) as container:
            return replace(state, waiting=(await waiting(settings, container)).exports)
    except AetlError as error:
        error.state = state
        raise


async def load_all(
    exports: Sequence[Export],
    container: Container,
    contract: Contract,
    database: Database,
    max_rejects: int | None,
    progress: Progress,
    into: str,
) -> list[LoadReport]:
    """Loads one export after the other and notes in the ledger why one is not in.

    `into` is the database as the log may name it.
    """
    reports: list[LoadReport] = []
    for each in exports:
        tally = Tally(each, contract.tables, max_rejects, progress)
        try:
            report = await _load_newest_version(tally, container, contract, database)
        except BaseException as raised:
            if not isinstance(raised, Exception) and not is_panic(raised):
                raise
            error = await as_its_own(as_failure(raised, tally.export), exports[len(reports) + 1 :], container)
            report = tally.report("failed", error)
            if error.ends_run:
                error.reports = (*reports, report)
                raise
            try:
                load_id = await database.record_failure(tally.export, report, tally.first_rejects)
            except AetlError as worse:
                worse.reports = (*reports, report)
                raise
            report = replace(report, load_id=load_id)
        progress.end(report)
        log_report(report, into)
        reports.append(report)
    return reports


async def _load_newest_version(
    tally: Tally, container: Container, contract: Contract, database: Database
) -> LoadReport:
    is_damaged = False
    for _ in range(_TRIES - 1):
        try:
            return await _load_version(tally, container, contract, database)
        except ExportChanged:
            tally.begin(await _replacement(tally.export, container))
        except ExportDamaged as error:
            if is_damaged:
                raise
            is_damaged = True
            _LOG.info("%s is read once more: %s", tally.export.name, error)
            tally.begin(tally.export)
        except DatabaseConflict:
            tally.begin(tally.export)
    return await _load_version(tally, container, contract, database)


async def _load_version(tally: Tally, container: Container, contract: Contract, database: Database) -> LoadReport:
    try:
        return await load_one(tally, container, contract, database)
    except BeginAgain as reason:
        _LOG.debug("%s is loaded once more, record by record: %s", tally.export.name, reason)
        tally.begin(tally.export)
        return await load_one(tally, container, contract, database)


async def _replacement(export: Export, container: Container) -> Export:
    """What stands in an export's place; raises ExportChanged where that is for another database than this one."""
    found = await container.find(export.name)
    if found.is_simulated != export.is_simulated:
        kind = "a simulated" if found.is_simulated else "a real"
        raise ExportChanged(f"{export.name} was replaced by {kind} export while it was read")
    return found


@log_this(of=lambda tally, *_: tally.export.name)
async def load_one(tally: Tally, container: Container, contract: Contract, database: Database) -> LoadReport:
    """Brings one export into the database: rows and ledger entry together, or nothing."""
    report: LoadReport | None = None
    try:
        async with aclosing(container.read(tally.export)) as stored:
            report = await _bring_in(stored, tally, contract, database)
    except Exception:
        if report is None:
            raise
        _LOG.info("%s is in, and was not closed cleanly", tally.export.name, exc_info=True)
    return report


async def _bring_in(
    stored: AsyncGenerator[bytes, None], tally: Tally, contract: Contract, database: Database
) -> LoadReport:
    try:
        async with database.load(tally.export) as load:
            async with (
                aclosing(read(stored, tally)) as chunks,
                aclosing(cut(chunks, contract, tally)) as batches,
                aclosing(check(batches, contract)) as checked_batches,
            ):
                async for batch in checked_batches:
                    tally.look_for_unknown_keys(batch)
                    tally.add(await load.write(batch), batch.rejects)
                    tally.judge(is_read=False)
            for outcome in await load.settle():
                tally.add(outcome, ())
            tally.judge(is_read=True)
            report = replace(
                tally.report("loaded"), load_id=load.load_id, contract=contract.hash, changes=tuple(load.changes)
            )
            await load.finish(report)
    except ContractError:
        if tally.export.md5 is not None:
            await _read_on(stored)
        raise
    return report


async def _read_on(stored: AsyncIterator[bytes]) -> None:
    """Raises ExportDamaged where the bytes broke on their way: that explains what the contract is blamed for."""
    try:
        async for _ in stored:
            pass
    except ExportDamaged:
        raise
    except ContainerError:
        return


@log_this(of=lambda stored, tally: tally.export.name)
async def read(stored: AsyncIterator[bytes], tally: Tally) -> AsyncGenerator[bytes, None]:
    """The bytes of an export, decompressed where they are gzip."""
    unpacking = Unpacking()
    async for chunk in stored:
        tally.advance(len(chunk))
        for piece in unpacking.feed(chunk):
            yield piece
    for piece in unpacking.close():
        yield piece


@log_this
async def cut(chunks: AsyncIterator[bytes], contract: Contract, tally: Tally) -> AsyncGenerator[Batch, None]:
    """The batches that lie in the bytes of an export."""
    records = Records(contract.arrays, required=contract.required)
    async for chunk in chunks:
        for batch in records.feed(chunk):
            yield batch
    for batch in records.close():
        yield batch
    tally.skipped = records.skipped


@log_this
async def check(batches: AsyncIterator[Batch], contract: Contract) -> AsyncGenerator[CheckedBatch, None]:
    """The same batches as rows and rejects."""
    async for batch in batches:
        yield contract.check(batch)
