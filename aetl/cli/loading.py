"""The commands that move data: run, load, export."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from aetl.cli.options import AS_JSON, with_settings
from aetl.cli.process import explain, run_async, say, show
from aetl.errors import ContractError, LoadRunning

if TYPE_CHECKING:
    from aetl.run_note import RunNote


@click.command()
@with_settings
@click.option("--sessions", type=click.IntRange(min=0), default=500, show_default=True, help="How many to make up.")
@click.option(
    "--into-real-container", is_flag=True, help="Write mock data also where exports lie that no simulation wrote."
)
@AS_JSON
def run(settings: Any, sessions: int, into_real_container: bool, as_json: bool, quiet: bool) -> int:
    """Simulate one night: mock data, export, load.

    Removes the simulation's database, makes it anew with mock data, exports it to the container, empties the tables,
    takes the newest simulated export in the container and loads it. What it writes is marked as simulated.
    """
    from aetl.run_note import RunNote
    from aetl.simulation.night import EMBEDDED_CONTAINER, simulate

    is_silent = quiet or as_json
    tell = (lambda step: None) if is_silent else show
    if settings.container is None:
        tell(f"{settings.container_variable} is not set: using the folder ./{EMBEDDED_CONTAINER} as the container")
    return _load(
        RunNote(settings, "run"),
        lambda progress: simulate(
            settings, sessions=sessions, into_real_container=into_real_container, progress=progress, tell=tell
        ),
        as_json=as_json,
        quiet=quiet,
    )


def _max_rejects(ctx: click.Context, parameter: click.Parameter, value: str) -> int | None:
    if value == "all":
        return None
    if not value.isdecimal():
        raise click.BadParameter(f"{value!r} is neither a number nor 'all'")
    return int(value)


@click.command()
@with_settings
@click.option("--latest", is_flag=True, help="Only the newest export.")
@click.option("--blob", metavar="NAME", help="Only this export, again if it is loaded already.")
@click.option("--dry-run", is_flag=True, help="Say what would be loaded; read and change nothing.")
@click.option(
    "--validate", is_flag=True, help="With --dry-run and --blob: read that export, and say all that is wrong."
)
@click.option(
    "--max-rejects", metavar="N|all", default="0", show_default=True, callback=_max_rejects,
    help="Load an export although up to so many of its records break the contract.",
)  # fmt: skip
@AS_JSON
def load(settings: Any, as_json: bool, quiet: bool, validate: bool, **options: Any) -> int:
    """Load new exports into the database: the nightly job."""
    from aetl import pipeline
    from aetl.run_note import RunNote

    if validate:
        if not options["dry_run"] or options["blob"] is None or options["latest"]:
            raise click.UsageError("--validate goes with --dry-run and --blob, and not with --latest")
        return _validate(settings, options["blob"], as_json=as_json, quiet=quiet)

    if options["latest"] and options["blob"] is not None:
        raise click.UsageError("--latest and --blob exclude each other")
    note = None if options["dry_run"] else RunNote(settings, "load")
    return _load(
        note,
        lambda progress: pipeline.load(settings, progress=progress, **options),
        as_json=as_json,
        quiet=quiet,
    )


@click.command()
@with_settings
@click.option("--gzip", is_flag=True, help="Compress it: .json.gz.")
@AS_JSON
def export(settings: Any, gzip: bool, as_json: bool, quiet: bool) -> int:
    """Write all tables as one new export into the container and print its name."""
    from aetl import pipeline
    from aetl.cli.display import print_json

    name = run_async(pipeline.export(settings, gzip=gzip))
    if as_json:
        print_json({"blob": name})
    elif not quiet:
        show(name)
    return 0


def _validate(settings: Any, blob: str, *, as_json: bool, quiet: bool) -> int:
    from aetl import pipeline
    from aetl.cli import bar, display

    with bar.shown_progress(quiet=quiet or as_json) as progress:
        report = run_async(pipeline.validate(settings, blob, progress=progress))
    if as_json:
        display.print_json({"loads": [display.report_as_json(report)]})
    elif not quiet:
        display.print_faults(report)
    if report.error is not None:
        say(f"error: {report.blob}: {report.error}")
        return report.exit_code
    if report.rejected:
        say(f"error: {report.blob}: {report.rejected:,} records break the contract")
    return ContractError.exit_code if report.rejected else 0


def _load(note: RunNote | None, begin: Callable[[Any], Any], *, as_json: bool, quiet: bool) -> int:
    """Runs a load, shows its reports, and gives the exit code: that of the first failure, or 3 with rejects."""
    from aetl.cli import bar, display

    failure: BaseException | None = None
    with bar.shown_progress(quiet=quiet) as shown:
        progress = bar.RememberingProgress(shown)
        try:
            reports = run_async(begin(progress))
        except BaseException as error:
            failure, reports = error, list(getattr(error, "reports", ())) or progress.reports
            vars(error)["reports"] = reports
    if note is not None:
        _end(note, failure)
    if as_json and failure is None:
        loads = [display.report_as_json(report) for report in reports]
        others = progress.others and {"count": progress.others.count, "example": progress.others.example}
        display.print_json({"loads": loads, "passed_over": progress.passed_over, "other_blobs": others})
    elif not quiet and not as_json and reports:
        display.print_reports(reports)
    elif not quiet and not as_json and failure is None:
        show("Nothing new.")
    if progress.passed_over and not quiet and not as_json:
        exports = "1 simulated export" if progress.passed_over == 1 else f"{progress.passed_over:,} simulated exports"
        show(f"Passed over {exports}, such as {progress.example}: `aetl run` made it up.")
    if failure is not None:
        raise failure
    for report in reports:
        if report.error is not None:
            say(f"error: {report.blob}: {report.error}")
    failed = [report.exit_code for report in reports if report.error is not None]
    return failed[0] if failed else 3 * any(report.rejected for report in reports)


def _end(note: RunNote, failure: BaseException | None) -> None:
    """Leaves a note of what ended the run; what failed by itself, the ledger tells."""
    if failure is None:
        note.remove()
    elif isinstance(failure, LoadRunning):
        note.withdraw()
    else:
        ending = explain(failure)
        note.end(ending.line, ending.exit_code)
