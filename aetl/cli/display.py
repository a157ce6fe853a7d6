"""What people and machines see of loads, ledger, digests and findings: tables (blocks where one is too wide), JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from aetl.cli.process import Ending, forget_stdout, show, write
from aetl.logs import outgoing, outgoing_json
from aetl.models import DatabaseDigest, EarlyEnd, Export, Finding, LoadReport, State, TableCounts
from aetl.telling import warnings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_PIPED_WIDTH = 80
"""Who reads what was piped reads it in a mail or a terminal; programs take --json."""
_MARKS = {"ok": "ok     ", "warning": "warning", "failure": "FAILURE"}
_COLOURS = {
    "ok": "green",
    "warning": "yellow",
    "failure": "bold red",
    "loaded": "green",
    "failed": "bold red",
    "rejected": "bold red",
}


def print_json(content: dict[str, Any]) -> None:
    """Exactly one JSON object on stdout, in ASCII, which every console can show."""
    write(outgoing_json(content, ascii_only=True))


def ending_as_json(ending: Ending) -> dict[str, Any]:
    """Why a command ended before its end, as `--json` gives it."""
    return ending._asdict()


def report_as_json(report: LoadReport) -> dict[str, Any]:
    """A load as `--json` gives it."""
    content: dict[str, Any] = {
        "blob": report.blob,
        "etag": report.etag,
        "load_id": report.load_id,
        "status": report.status,
        "bytes": report.bytes,
        "seconds": report.seconds,
        "tables": {name: asdict(counts) for name, counts in report.tables.items()},
    }
    if report.finished_at is not None:
        content["finished_at"] = report.finished_at.isoformat()
    if report.contract is not None:
        content["contract"] = report.contract
    if report.changes:
        content["changes"] = list(report.changes)
    if report.error is not None:
        content["error"] = report.error
    if lines := warnings(report):
        content["warnings"] = lines
    if report.unknown_keys:
        content["unknown_keys"] = report.unknown_keys
    if report.faults:
        content["faults"] = [
            {
                "count": fault.count,
                "table": fault.first.table,
                "position": fault.first.position,
                "pointer": fault.first.pointer,
                "reason": fault.first.reason,
            }
            for fault in report.faults
        ]
    return content


def state_as_json(state: State, database: str) -> dict[str, Any]:
    """How things stand as `--json` gives it."""
    waiting, early = state.waiting, state.ended_early
    return {
        "database": database,
        "last_success": state.last_success and state.last_success.isoformat(),
        "loads": [report_as_json(report) for report in state.loads],
        "failed": [report_as_json(report) for report in state.failed],
        "ended_early": early and {**asdict(early), "began": early.began.isoformat()},
        "waiting": waiting
        and [
            {"blob": each.name, "etag": each.etag, "bytes": each.size, "created": each.created.isoformat()}
            for each in waiting
        ],
    }


def print_failures(reports: Sequence[LoadReport]) -> None:
    """The exports that failed before the loads that are shown, and are not in since."""
    console = _console()
    for report in reports:
        _print_line(console, f"{report.blob} failed at {_finished(report)} UTC, and is not in since:")
        _print_text(console, report.error or "", "  ")
    if reports:
        _print_line(console)


def print_early_end(found: EarlyEnd) -> None:
    """A sentence on the last run, where the ledger does not tell how it ended."""
    line = str(found)
    _print_text(_console(), f"{line[0].upper()}{line[1:].rstrip('.')}.", "")


def print_reports(reports: Sequence[LoadReport]) -> None:
    """A line per load and table, or a block per load where the lines would not fit."""
    from rich.padding import Padding
    from rich.text import Text

    console = _console()
    table = _table("export", "status", *_COUNTS, "size", "seconds")
    for report in reports:
        first = (report.blob, _status(report), _size(report.bytes), f"{report.seconds:.1f}")
        for counts in _counts(report) or [[""] * len(_COUNTS)]:
            blob, status, size, seconds = first
            table.add_row(blob, status, *counts, size, seconds)
            first = ("", Text(), "", "")
    if _fits(table, console):
        console.print(table)
        for report in reports:
            for change in report.changes:
                _print_text(console, f"{report.blob}: {change}", "")
        return
    for report in reports:
        _print_line(console, report.blob)
        _print_line(console, "  ", _status(report), f"  {_size(report.bytes)} in {report.seconds:.1f} s")
        inner = _table(*_COUNTS)
        for counts in _counts(report):
            inner.add_row(*counts)
        if inner.row_count:
            console.print(Padding(inner, (0, 0, 0, 2)), width=max(_width(inner) + 2, console.width), crop=False)
        for change in report.changes:
            _print_text(console, change, "  ")
        _print_line(console)


def print_faults(report: LoadReport) -> None:
    """A line per kind of fault: how often, where first, and what."""
    read = sum(counts.read for counts in report.tables.values())
    show(f"{report.blob}: {read:,} record{'s' * (read != 1)} read, {report.rejected:,} of them break the contract")
    width = max((len(f"{fault.count:,}") for fault in report.faults), default=0)
    for fault in report.faults:
        show(f"  {fault.count:>{width},} x  {fault.first}")
    for line in warnings(report):
        show(f"  {line}")


def print_exports(exports: Sequence[Export]) -> None:
    """A line per export that waits, or two where one would not fit."""
    console = _console()
    table = _table("export not loaded yet", "created (UTC)", "size")
    for export in exports:
        table.add_row(export.name, _moment(export.created), _size(export.size))
    if _fits(table, console):
        console.print(table)
        return
    _print_line(console, "not loaded yet:")
    for export in exports:
        _print_line(console, export.name)
        _print_line(console, f"  created {_moment(export.created)} UTC, {_size(export.size)}")
    _print_line(console)


def print_history(reports: Sequence[LoadReport]) -> None:
    """A line per load of the ledger, or a block where one would not fit; nothing where there is none."""
    if not reports:
        return
    console = _console()
    table = _table("load", "finished (UTC)", "export", "status", "loaded", "unchanged", "rejected", "remarks")
    for report in reports:
        numbers = [f"{number:,}" for number in _sums(report)] if report.error is None else [""] * 3
        remarks = "; ".join(_remarks(report))
        table.add_row(str(report.load_id), _finished(report), report.blob, _status(report), *numbers, remarks)
    if _fits(table, console):
        console.print(table)
        return
    for report in reports:
        indent = " " * (len(str(report.load_id)) + 2)
        _print_line(console, f"{report.load_id}  {_finished(report)}  ", _status(report))
        _print_line(console, indent + report.blob)
        if report.error is None:
            loaded, unchanged, rejected = _sums(report)
            _print_line(console, f"{indent}{loaded:,} loaded, {unchanged:,} unchanged, {rejected:,} rejected")
        for remark in _remarks(report):
            _print_text(console, remark, indent)
    _print_line(console)


def print_digest(digest: DatabaseDigest) -> None:
    """A line per table and one for all, or two where one would not fit."""
    console = _console()
    lines = [(name, each.rows, each.sha256) for name, each in digest.tables.items()]
    table = _table("table", "rows", "SHA-256")
    for name, rows, sha256 in lines:
        table.add_row(name, f"{rows:,}", sha256)
    table.add_section()
    table.add_row("all", f"{digest.rows:,}", digest.sha256)
    if _fits(table, console):
        console.print(table)
        return
    for name, rows, sha256 in (*lines, ("all", digest.rows, digest.sha256)):
        _print_line(console, f"{name}: {rows:,} row{'s' * (rows != 1)}")
        _print_line(console, f"  {sha256}")


def print_finding(finding: Finding) -> None:
    """One line of `aetl check`."""
    from rich.text import Text

    advice = f" {finding.advice}" if finding.advice else ""
    mark = Text(_MARKS[finding.level], _COLOURS[finding.level])
    _print_line(_console(), mark, f"  {finding.subject}: {finding.message}.{advice}")


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody watches; pythonw has no streams."""
    return stream is not None and stream.isatty()


def _console() -> Console:
    from rich.console import Console

    class ForgivingConsole(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            """Every text that stands in a table comes by here."""
            return super().render_str(outgoing(text), **options)

        def on_broken_pipe(self) -> None:
            self.quiet = True
            forget_stdout()

    # What is shown comes from exports and files, and a name such as [red].json is no markup.
    width = None if is_terminal(sys.stdout) or "COLUMNS" in os.environ else _PIPED_WIDTH
    return ForgivingConsole(width=width, markup=False, emoji=False, highlight=False)


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        is_number = column in ("load", "rows", "read", "loaded", "unchanged", "rejected", "size", "seconds")
        table.add_column(column, justify="right" if is_number else "left", no_wrap=True, overflow="crop")
    return table


def _width(table: Table) -> int:
    """The columns on the screen that a table needs: rich by itself would break names and numbers over lines."""
    from rich.cells import cell_len
    from rich.text import Text

    widths = []
    for column in table.columns:
        cells = (
            cell.plain if isinstance(cell, Text) else outgoing(str(cell)) for cell in (column.header, *column.cells)
        )
        widths.append(max(map(cell_len, cells)))
    return sum(widths) + 3 * (len(widths) - 1) + 2


def _fits(table: Table, console: Console) -> bool:
    return _width(table) <= console.width


def _print_line(console: Console, *parts: str | Text) -> None:
    """One line that is never broken by force: who takes a name from the screen gets the whole of it."""
    from rich.text import Text

    console.print(Text.assemble(*(outgoing(each) if isinstance(each, str) else each for each in parts)), soft_wrap=True)


def _print_text(console: Console, text: str, indent: str) -> None:
    """A sentence: on a terminal broken between words, else in one line, for grep."""
    import textwrap

    text = outgoing(text)  # before a secret is broken over lines
    if not is_terminal(sys.stdout):
        _print_line(console, indent + text)
        return
    width = max(console.width, len(indent) + 20)
    for line in textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ):
        _print_line(console, line)


_COUNTS = ("table", "read", "loaded", "unchanged", "rejected")


def _counts(report: LoadReport) -> list[list[str]]:
    return [[name, *(f"{count:,}" for count in asdict(counts).values())] for name, counts in report.tables.items()]


def _sums(report: LoadReport) -> tuple[int, int, int]:
    counts = sum(report.tables.values(), TableCounts())
    return counts.loaded, counts.unchanged, counts.rejected


def _remarks(report: LoadReport) -> list[str]:
    return [*([report.error] if report.error else []), *report.changes, *warnings(report)]


def _finished(report: LoadReport) -> str:
    return _moment(report.finished_at) if report.finished_at else ""


def _status(report: LoadReport) -> Text:
    from rich.text import Text

    status = "rejected" if report.is_all_rejected else report.status
    return Text(status, _COLOURS.get(status, ""))


def _size(count: int) -> str:
    from rich.filesize import decimal

    return decimal(count)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
