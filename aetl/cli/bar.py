"""What a load shows while it runs: a bar on a terminal, which is gone when the load is over."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aetl.cli.display import is_terminal
from aetl.models import Export, LoadReport, OtherBlobs
from aetl.progress import LoggedProgress, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

_NARROW, _NARROWEST = 100, 72
"""Columns of a terminal below which the bar itself is left out, and then the time that is left: the numbers stay."""


@contextmanager
def shown_progress(*, quiet: bool) -> Iterator[Progress]:
    """A progress bar on a terminal, else a log line now and then."""
    if quiet or not is_terminal(sys.stderr):
        yield LoggedProgress()
        return
    bar = _Bar()
    try:
        yield bar
    finally:
        bar.stop()


class _Bar:
    """A load's progress as a bar of rich's, which is there only while an export is read: other lines come between."""

    def __init__(self) -> None:
        self._bars: Bars | None = None

    def begin(self, export: Export) -> None:
        self.stop()
        self._rows = 0
        self._bars = _bars()
        self._task = self._bars.add_task(export.name, total=export.size, rows=0)
        self._bars.start()

    def advance(self, size: int, rows: int) -> None:
        self._rows += rows
        if self._bars is not None:
            self._bars.update(self._task, advance=size, rows=self._rows)

    def end(self, report: LoadReport) -> None:
        self.stop()

    def pass_over(self, count: int, example: str) -> None:
        pass

    def find_others(self, others: OtherBlobs) -> None:
        pass

    def stop(self) -> None:
        """Takes the bar away."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bars
    from rich.table import Column

    console = Console(stderr=True)
    # The name gives way; a number broken over lines could not be read.
    name = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False, table_column=name)]
    if console.width >= _NARROW:
        columns.append(BarColumn(bar_width=None, table_column=Column(ratio=1)))
    columns += [
        DownloadColumn(table_column=Column(no_wrap=True)),
        TransferSpeedColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[rows]:,} records", table_column=Column(no_wrap=True)),
    ]
    if console.width >= _NARROWEST:
        columns.append(TimeRemainingColumn(table_column=Column(no_wrap=True)))
    return Bars(*columns, console=console, transient=True, expand=True, redirect_stdout=False)


class RememberingProgress:
    """Tells another listener, and keeps the reports: an interrupted load gives none back."""

    def __init__(self, listener: Progress) -> None:
        self.reports: list[LoadReport] = []
        self.passed_over = 0
        self.example = ""
        self.others: OtherBlobs | None = None
        self._listener = listener
        self.begin, self.advance = listener.begin, listener.advance

    def end(self, report: LoadReport) -> None:
        self.reports.append(report)
        self._listener.end(report)

    def pass_over(self, count: int, example: str) -> None:
        self.passed_over, self.example = count, example

    def find_others(self, others: OtherBlobs) -> None:
        self.others = others
