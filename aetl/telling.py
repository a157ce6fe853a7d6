"""What is told of an export once its load is over: a line in the log, and one for whatever of it is not in."""

from __future__ import annotations

import logging

from aetl import __version__
from aetl.faults import ADD_THE_COLUMN, in_words, is_unknown_key
from aetl.models import LoadReport

_LOG = logging.getLogger(__name__)


def log_report(report: LoadReport, database: str) -> None:
    """One line in the log, with its figures as fields, and a warning for each thing that was left out."""
    fields = {
        "blob": report.blob,
        "status": report.status,
        "bytes": report.bytes,
        "load_seconds": report.seconds,
        "database": database,
        "version": __version__,
    }
    counted = "; ".join(
        f"{name} {counts.read} read, {counts.loaded} loaded, {counts.unchanged} unchanged, {counts.rejected} rejected"
        for name, counts in report.tables.items()
    )
    size = f"{report.bytes} bytes in {report.seconds:.3f} s, into {database}, by aetl {__version__}"
    if report.error is None:
        _LOG.info("%s: %s, %s: %s", report.blob, report.status, size, counted, extra=fields)
    else:
        _LOG.error("%s: %s, %s: %s", report.blob, report.status, size, report.error, extra=fields)
    for line in warnings(report):
        _LOG.warning("%s: %s", report.blob, line)


def warnings(report: LoadReport) -> list[str]:
    """A line for whatever an export holds that is not in the database although it was loaded."""
    lines = [f"{name!r} was skipped: the contract knows no such table" for name in report.skipped]
    for table, keys in report.unknown_keys.items():
        lines += [f"{table}: the key {key!r} was left out: the contract has no such column" for key in keys]
    if report.status == "loaded" and report.rejected:
        read = sum(counts.read for counts in report.tables.values())
        why = in_words(report.faults, report.tables) or "_aetl_rejects says why"
        lines.append(f"{report.rejected:,} of {read:,} records were rejected: {why}")
        if any(map(is_unknown_key, report.faults)):
            lines[-1] += f". {ADD_THE_COLUMN}"
    return lines
