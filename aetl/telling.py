"""What is told of an export once its load is over: a line in the log, and one for whatever of it is not in."""

from __future__ import annotations

import logging
from collections.abc import Mapping

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
    for change in report.changes:
        _LOG.info("%s: %s", report.blob, change)
    for line in warnings(report):
        _LOG.warning("%s: %s", report.blob, line)


_MOST_KEYS = 5


def _left_out(table: str, counts: Mapping[str, int | None]) -> str:
    """A line on the keys for which a table has no column: those that most records hold first."""
    keys = sorted(counts, key=lambda key: -(counts[key] or 0))
    told = [f"{key!r}{_in_records(counts[key])}" for key in keys[:_MOST_KEYS]]
    more = len(keys) - len(told)
    named = ", ".join([*told, *([f"and {more} more"] if more else [])])
    one = len(keys) == 1
    return f"{table}: the key{'s' * (not one)} {named} {'was' if one else 'were'} left out: {_NO_COLUMN}"


_NO_COLUMN = "the contract has no such column, and no x-rest"


def _in_records(count: int | None) -> str:
    return "" if count is None else f" (in {count:,} record{'s' * (count != 1)})"


def warnings(report: LoadReport) -> list[str]:
    """A line for whatever an export holds that is not in the database although it was loaded."""
    lines = [f"{name!r} was skipped: the contract knows no such table" for name in report.skipped]
    lines += [_left_out(table, counts) for table, counts in report.unknown_keys.items() if counts]
    if report.status == "loaded" and report.rejected:
        read = sum(counts.read for counts in report.tables.values())
        why = in_words(report.faults, report.tables) or "_aetl_rejects says why"
        lines.append(f"{report.rejected:,} of {read:,} records were rejected: {why}")
        if any(map(is_unknown_key, report.faults)):
            lines[-1] += f". {ADD_THE_COLUMN}"
    return lines
