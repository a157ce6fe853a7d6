"""What people and machines see of loads, ledger, digests and findings: tables, a progress bar, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from aetl.cli.process import Ending, forget_stdout, show
from aetl.logs import redact
from aetl.models import DatabaseDigest, Export, Finding, LoadReport, TableCounts
from aetl.progress import LoggedProgress, Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_PIPED_WIDTH = 160
_MARKS = {"ok": "ok     ", "warning": "warning", "failure": "FAILURE"}
_COLOURS = {"ok": "green", "warning": "yellow", "failure": "bold red", "loaded": "green", "failed": "bold red"}


def print_json(content: dict[str, Any]) -> None:
    """Exactly one JSON object on stdout, in ASCII, which every console can show."""
    show(json.dumps(content))


def ending_as_json(ending: Ending) -> dict[str, Any]:
    """Why a command ended before its end, as `--json` gives it."""
    content = ending._asdict()
    return content | {"message": redact(ending.message)}


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
    if report.error is not None:
        content["error"] = report.error
    return content


def print_reports(reports: Sequence[LoadReport]) -> None:
    """A line per load and table."""
    from rich.text import Text

    table = _table("export", "status", "table", "read", "loaded", "unchanged", "rejected", "MB", "seconds")
    for report in reports:
        first = (report.blob, _coloured(report.status), f"{report.bytes / 1e6:.1f}", f"{report.seconds:.1f}")
        for name, counts in (report.tables or {"": TableCounts()}).items():
            blob, status, size, seconds = first
            table.add_row(
                blob, status, name, *(f"{count:,}" if name else "" for count in asdict(counts).values()), size, seconds
            )
            first = ("", Text(), "", "")
    _console().print(table)


def print_exports(exports: Sequence[Export]) -> None:
    """A line per export that waits."""
    table = _table("export not loaded yet", "created (UTC)", "MB")
    for export in exports:
        table.add_row(export.name, _moment(export.created), f"{export.size / 1e6:.1f}")
    _console().print(table)


def print_history(reports: Sequence[LoadReport]) -> None:
    """A line per load of the ledger."""
    table = _table("load", "finished (UTC)", "export", "status", "loaded", "unchanged", "rejected", "why not")
    for report in reports:
        counts = sum(report.tables.values(), TableCounts())
        numbers = (counts.loaded, counts.unchanged, counts.rejected) if report.error is None else ("", "", "")
        finished = _moment(report.finished_at) if report.finished_at else ""
        table.add_row(
            str(report.load_id),
            finished,
            report.blob,
            _coloured(report.status),
            *(f"{number:,}" if isinstance(number, int) else number for number in numbers),
            report.error or "",
        )
    _console().print(table)


def print_digest(digest: DatabaseDigest) -> None:
    """A line per table, and one for all."""
    table = _table("table", "rows", "SHA-256")
    for name, each in digest.tables.items():
        table.add_row(name, f"{each.rows:,}", each.sha256)
    table.add_section()
    table.add_row("all", f"{digest.rows:,}", digest.sha256)
    _console().print(table)


def print_finding(finding: Finding) -> None:
    """One line of `aetl check`."""
    from rich.text import Text

    advice = f" {finding.advice}" if finding.advice else ""
    line = Text.assemble(
        (_MARKS[finding.level], _COLOURS[finding.level]), f"  {finding.subject}: {finding.message}.{advice}"
    )
    _console().print(line, soft_wrap=True)


@contextmanager
def shown_progress(*, quiet: bool) -> Iterator[Progress]:
    """A progress bar on a terminal, else a log line now and then."""
    if quiet or not _is_terminal(sys.stderr):
        yield LoggedProgress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("{task.fields[rows]:,} records"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _Bar(bars)


class _Bar:
    """A load's progress as a bar of rich's."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._task: Any = None

    def begin(self, export: Export) -> None:
        self._clear()
        self._rows = 0
        self._task = self._bars.add_task(export.name, total=export.size, rows=0)

    def advance(self, size: int, rows: int) -> None:
        self._rows += rows
        self._bars.update(self._task, advance=size, rows=self._rows)

    def end(self, report: LoadReport) -> None:
        self._clear()

    def pass_over(self, count: int, example: str) -> None:
        pass

    def _clear(self) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None


class RememberingProgress:
    """Tells another listener, and keeps the reports: an interrupted load gives none back."""

    def __init__(self, listener: Progress) -> None:
        self.reports: list[LoadReport] = []
        self.passed_over = 0
        self.example = ""
        self._listener = listener
        self.begin, self.advance = listener.begin, listener.advance

    def end(self, report: LoadReport) -> None:
        self.reports.append(report)
        self._listener.end(report)

    def pass_over(self, count: int, example: str) -> None:
        self.passed_over, self.example = count, example


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()  # pythonw has no streams


def _console() -> Console:
    from rich.console import Console

    class ForgivingConsole(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            forget_stdout()

    # What is shown comes from exports and files, and a name such as [red].json is no markup.
    width = None if _is_terminal(sys.stdout) else _PIPED_WIDTH
    return ForgivingConsole(width=width, markup=False, emoji=False, highlight=False)


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        is_number = column in ("load", "rows", "read", "loaded", "unchanged", "rejected", "MB", "seconds")
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    return table


def _coloured(status: str) -> Text:
    from rich.text import Text

    return Text(status, _COLOURS.get(status, ""))


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
