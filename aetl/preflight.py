"""Finds out what would go wrong tonight."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec

from aetl.addresses import is_azure
from aetl.config import Settings
from aetl.container import first_real_export, open_container
from aetl.container.sas import read_sas
from aetl.contract import Contract
from aetl.database import open_database
from aetl.errors import AetlError
from aetl.logs import log_this, outgoing
from aetl.models import CLOCKS_DIFFER, Finding, LoadReport
from aetl.run_note import read_early_end

SOON = timedelta(days=7)
_MOST_FAILED = 6
_NEEDED = {"r": "read", "l": "list"}
_USED = {*_NEEDED, "c", "w"}
"""Write is for `aetl export`; create is harmless beside it, though not enough for an upload in blocks."""


@log_this
async def check(settings: Settings) -> list[Finding]:
    """What would go wrong tonight: a finding for each thing that was looked at; `level` says how it is.

    What cannot be reached is a finding, too; nothing is raised for it, and nothing is created or changed.
    """
    return [
        replace(finding, message=outgoing(finding.message), advice=outgoing(finding.advice))
        async for finding in findings(settings)
    ]


async def findings(settings: Settings) -> AsyncIterator[Finding]:
    """Every finding on settings, contract, container and database, in the order in which a load would meet them."""
    try:
        contract = Contract.read(settings.schema)
        yield Finding("ok", "contract", f"{len(contract.tables)} tables: {', '.join(contract.tables)}")
    except AetlError as error:
        yield _failure("contract", error)
        return
    real: str | None = None
    if settings.container is None:
        advice = f"Set {settings.container_variable}, or name a container with --container."
        yield Finding("failure", "configuration", "no container is set: `aetl load` would stop", advice)
    else:
        for finding in _credentials(settings):
            yield finding
        try:
            async with open_container(settings) as container:
                found = await container.examine()
                for finding in found:
                    yield finding
                if all(finding.level != "failure" for finding in found):  # else the same would be told twice
                    real = await first_real_export(container)
        except AetlError as error:
            yield _failure("container", error)
    try:
        async with open_database(
            settings.database, "check", contract.tables, settings.sql, changes=settings.changes
        ) as database:
            for finding in await database.examine():
                yield finding
            if database.is_simulation:
                yield _simulated(settings, real)
            for finding in _ledger(await database.failures(_MOST_FAILED), await database.last_success()):
                yield finding
    except AetlError as error:
        yield _failure("database", error)
    if (ended_early := read_early_end(settings)) is not None:
        yield Finding("warning", "last run", str(ended_early).rstrip("."))


def _ledger(failures: Sequence[LoadReport], last_success: datetime | None) -> Iterator[Finding]:
    for failed in failures[: _MOST_FAILED - 1]:
        when = f"{failed.finished_at:%Y-%m-%d %H:%M} UTC" if failed.finished_at else "the last time"
        why = textwrap.shorten(failed.error or "", 200, placeholder=" ...").rstrip(".")
        yield Finding("warning", "ledger", f"{failed.blob} failed at {when}: {why}", "The next load tries it again.")
    if len(failures) == _MOST_FAILED:
        yield Finding("warning", "ledger", "more exports failed the last time", "`aetl status --json` names them.")
    if last_success is not None and last_success - datetime.now(UTC) > CLOCKS_DIFFER:
        message = f"the last success was at {last_success:%Y-%m-%d %H:%M} UTC, which is in the future"
        yield Finding("failure", "ledger", message, "Set the clock right; the next load counts.")


def _simulated(settings: Settings, real: str | None) -> Finding:
    if real is None:
        return Finding("ok", "database", "it holds a simulation")
    return Finding(
        "failure",
        "database",
        f"it holds a simulation, and {settings.container} holds real exports, such as {real}: `aetl load` would stop",
        "Name another database with --database.",
    )


def _failure(subject: str, error: AetlError) -> Finding:
    return Finding("failure", subject, str(error), error.hint)


def _credentials(settings: Settings) -> list[Finding]:
    if not is_azure(settings.need_container()):
        return [Finding("ok", "configuration", f"the container is the folder {settings.container}")]
    if settings.sas is None and not settings.connection_string and find_spec("azure.identity") is None:
        return []  # that it would stop for want of credentials, the container tells
    if settings.sas is None:
        how = "a connection string" if settings.connection_string else "this machine's Azure identity"
        return [Finding("ok", "configuration", f"{settings.container} with {how}")]
    findings = [Finding("ok", "configuration", f"{settings.container} with a SAS")]
    sas, now = read_sas(settings.sas), datetime.now(UTC)
    if not sas.is_signed:
        findings.append(Finding("failure", "SAS", "it has no signature (sig=)", "Copy the whole SAS token."))
    if sas.start is not None and sas.start > now:
        findings.append(
            Finding("failure", "SAS", f"it is only valid from {sas.start:%Y-%m-%d %H:%M} UTC", "Wait, or make another.")
        )
    if sas.expiry is None:
        findings.append(Finding("warning", "SAS", "it does not say when it expires: a stored access policy does"))
    elif sas.expiry <= now:
        findings.append(Finding("failure", "SAS", f"it expired at {sas.expiry:%Y-%m-%d %H:%M} UTC", "Make a new one."))
    elif sas.expiry - now < SOON:
        left = (sas.expiry - now) / timedelta(days=1)
        findings.append(
            Finding(
                "warning",
                "SAS",
                f"it expires at {sas.expiry:%Y-%m-%d %H:%M} UTC, in {left:.1f} days",
                "Make a new one.",
            )
        )
    else:
        findings.append(Finding("ok", "SAS", f"it is valid until {sas.expiry:%Y-%m-%d %H:%M} UTC"))
    return findings + _permissions(sas.permissions)


def _permissions(permissions: frozenset[str] | None) -> list[Finding]:
    if permissions is None:
        return [Finding("warning", "SAS", "it does not say what it permits: a stored access policy does")]
    findings = []
    if lacking := [word for letter, word in _NEEDED.items() if letter not in permissions]:
        advice = "Make one that permits read and list."
        findings.append(Finding("failure", "SAS", f"it does not permit to {' or '.join(lacking)}", advice))
    if "w" not in permissions:
        findings.append(Finding("ok", "SAS", "it permits no writing: enough for `aetl load`, not for `aetl export`"))
    if needless := permissions - _USED:
        advice = "Make one with read and list only (and write, for `aetl export`)."
        findings.append(
            Finding("warning", "SAS", f"it permits more than aetl needs: {''.join(sorted(needless))}", advice)
        )
    return findings
