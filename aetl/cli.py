"""The commands: options to settings, results to what is shown, errors to exit codes."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from aetl import __version__
from aetl.logs import redact
from aetl.process import Interrupted, end_with, explain, log_failure, run_async, say, show, warnings_said
from aetl.schedule_commands import schedule

_PATH = click.Path(path_type=Path)
COMMON = (
    click.option("--container", metavar="URL|FOLDER", help="An Azure container's URL, a file:// URL or a folder."),
    click.option("--database", metavar="URL|FILE", help="A file, or a postgresql:// URL.  [default: local.db]"),
    click.option("--config", type=_PATH, help="A YAML file with settings of your own."),
    click.option("--schema", type=_PATH, help="A JSON Schema of the exports instead of aetl's own."),
    click.option("--sql", type=_PATH, help="A YAML file with SQL statements instead of aetl's own."),
    click.option("--log-file", type=_PATH, help="Where the log goes.  [default: global.log]"),
    click.option(
        "--log-level", type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
        help="From which level on the log holds messages.  [default: INFO]",
    ),
    click.option("--log-format", type=click.Choice(["text", "json"]), help="How the log is written.  [default: text]"),
    click.option("--quiet", is_flag=True, help="Say nothing but errors."),
)  # fmt: skip
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout instead of a table.")


class _RunUnlessTold(click.Group):
    """Takes `aetl` and `aetl --option` as `aetl run`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "--version")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_RunUnlessTold)
@click.version_option(__version__, prog_name="aetl")
def aetl() -> None:
    """Brings a chatbot's JSON exports from an Azure Blob container into a SQL database, every export exactly once.

    Without a command: run.
    """


def _command(function: Callable[..., int]) -> Callable[..., int]:
    """Makes a function of Settings and its own options a command that also has the common ones."""

    @functools.wraps(function)
    def command(**options: Any) -> int:
        from aetl.config import read_settings
        from aetl.logs import set_up_logging

        common = {option: options.pop(option) for option in ("container", "database", "schema", "sql")}
        log = {option: options.pop(option) for option in ("log_file", "log_level", "log_format")}
        try:
            settings = read_settings(options.pop("config"), **common, **log)
            if common["container"] and "sig=" in common["container"].lower():
                say("warning: a SAS on the command line shows in the process list; the environment hides it")
            if common["database"] and redact(common["database"]) != common["database"]:
                say("warning: a password on the command line shows in the process list; the environment hides it")
            with (
                set_up_logging(settings.log_file, settings.log_level, settings.log_format),
                warnings_said(quiet=options["quiet"]),
            ):
                try:
                    return function(settings, **options)
                except Exception as error:
                    log_failure(error)
                    raise
        except BaseException as error:
            if options.get("as_json"):
                _print_failure(error, is_load=function.__name__ in ("run", "load"))
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted from None
            raise

    for option in reversed(COMMON):
        command = option(command)
    return command


@aetl.command()
@_command
@click.option("--sessions", type=click.IntRange(min=0), default=500, show_default=True, help="How many to make up.")
@_JSON
def run(settings: Any, sessions: int, as_json: bool, quiet: bool) -> int:
    """Simulate one night: mock data, export, load.

    Removes the simulation's database, makes it anew with mock data, exports it to the container, empties the tables,
    takes the newest export in the container and loads it.
    """
    from aetl.simulation.night import EMBEDDED_CONTAINER, simulate

    is_silent = quiet or as_json
    tell = (lambda step: None) if is_silent else show
    if settings.container is None:
        tell(f"{settings.container_variable} is not set: using the folder ./{EMBEDDED_CONTAINER} as the container")
    return _load(
        lambda progress: simulate(settings, sessions=sessions, progress=progress, tell=tell),
        as_json=as_json,
        quiet=quiet,
    )


def _max_rejects(ctx: click.Context, parameter: click.Parameter, value: str) -> int | None:
    if value == "all":
        return None
    if not value.isdecimal():
        raise click.BadParameter(f"{value!r} is neither a number nor 'all'")
    return int(value)


@aetl.command()
@_command
@click.option("--latest", is_flag=True, help="Only the newest export.")
@click.option("--blob", metavar="NAME", help="Only this export, again if it is loaded already.")
@click.option("--dry-run", is_flag=True, help="Say what would be loaded; read and change nothing.")
@click.option(
    "--max-rejects", metavar="N|all", default="0", show_default=True, callback=_max_rejects,
    help="Load an export although up to so many of its records break the contract.",
)  # fmt: skip
@_JSON
def load(settings: Any, as_json: bool, quiet: bool, **options: Any) -> int:
    """Load new exports into the database: the nightly job."""
    from aetl import pipeline

    if options["latest"] and options["blob"] is not None:
        raise click.UsageError("--latest and --blob exclude each other")
    return _load(lambda progress: pipeline.load(settings, progress=progress, **options), as_json=as_json, quiet=quiet)


@aetl.command()
@_command
@click.option("--gzip", is_flag=True, help="Compress it: .json.gz.")
@_JSON
def export(settings: Any, gzip: bool, as_json: bool, quiet: bool) -> int:
    """Write all tables as one new export into the container and print its name."""
    from aetl import pipeline
    from aetl.display import print_json

    name = run_async(pipeline.export(settings, gzip=gzip))
    if as_json:
        print_json({"blob": name})
    elif not quiet:
        show(name)
    return 0


def _duration(ctx: click.Context, parameter: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    parts = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", value)
    if not value or parts is None:
        raise click.BadParameter(f"{value!r} is not a duration such as 26h, 90m or 1d12h")
    days, hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    try:
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError as error:
        raise click.BadParameter(f"{value!r} is too long") from error


@aetl.command()
@_command
@click.option(
    "--max-age", metavar="DURATION", callback=_duration, help="Exit 1 when the last success is older, as 26h."
)
@click.option("--last", type=click.IntRange(min=0), default=10, show_default=True, help="How many loads to show.")
@_JSON
def status(settings: Any, max_age: timedelta | None, last: int, as_json: bool, quiet: bool) -> int:
    """Show the last loads, the exports that wait, and when the last success was."""
    from aetl import display, pipeline

    found = run_async(pipeline.status(settings, last))
    if as_json:
        waiting = None if found.waiting is None else [
            {"blob": each.name, "etag": each.etag, "bytes": each.size, "created": each.created.isoformat()}
            for each in found.waiting
        ]  # fmt: skip
        display.print_json(
            {
                "database": redact(settings.database),
                "last_success": found.last_success and found.last_success.isoformat(),
                "loads": [display.report_as_json(report) for report in found.loads],
                "waiting": waiting,
            }
        )
    elif not quiet:
        display.print_history(found.loads)
        if found.waiting is None:
            show(f"No container is set ({settings.container_variable}): what waits there is not known.")
        elif found.waiting:
            display.print_exports(found.waiting)
        else:
            show("No export waits.")
        show(f"Last success: {found.last_success:%Y-%m-%d %H:%M:%S} UTC" if found.last_success else "No success yet.")
    if max_age is not None and (found.last_success is None or datetime.now(UTC) - found.last_success > max_age):
        if found.last_success is None:
            say("there never was a success")
        else:
            say(f"the last success was at {found.last_success:%Y-%m-%d %H:%M} UTC, longer ago than --max-age allows")
        return 1
    return 0


@aetl.command()
@_command
@_JSON
def digest(settings: Any, as_json: bool, quiet: bool) -> int:
    """Show rows and a SHA-256 of every table, equal for equal content on every database."""
    from dataclasses import asdict

    from aetl import display, pipeline

    found = run_async(pipeline.digest(settings))
    if as_json:
        display.print_json(asdict(found))
    elif not quiet:
        display.print_digest(found)
    return 0


@aetl.command()
@_command
@_JSON
def check(settings: Any, as_json: bool, quiet: bool) -> int:
    """Find out what would go wrong tonight.

    Exit code 0 with warnings alone, 1 with a failure.
    """
    from dataclasses import asdict

    from aetl.check import examine
    from aetl.display import print_finding, print_json

    async def look() -> list[Any]:
        findings = []
        async for finding in examine(settings):
            findings.append(finding)
            if not as_json and not (quiet and finding.level == "ok"):
                print_finding(finding)
        return findings

    findings = run_async(look())
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    return int(any(finding.level == "failure" for finding in findings))


aetl.add_command(schedule)


def _print_failure(error: BaseException, *, is_load: bool) -> None:
    """What `--json` gives when a command fails; of a load also what was done before."""
    from aetl import display

    content: dict[str, Any] = {"error": display.ending_as_json(explain(error))}
    if is_load:
        content = {"loads": [display.report_as_json(report) for report in getattr(error, "reports", ())]} | content
    display.print_json(content)


def _load(begin: Callable[[Any], Any], *, as_json: bool, quiet: bool) -> int:
    """Runs a load, shows its reports, and gives the exit code: that of the first failure, or 3 with rejects."""
    from aetl import display

    failure: BaseException | None = None
    with display.shown_progress(quiet=quiet) as shown:
        progress = display.RememberingProgress(shown)
        try:
            reports = run_async(begin(progress))
        except BaseException as error:
            failure, reports = error, list(getattr(error, "reports", ())) or progress.reports
            vars(error)["reports"] = reports
    if as_json and failure is None:
        display.print_json({"loads": [display.report_as_json(report) for report in reports]})
    elif not quiet and not as_json and reports:
        display.print_reports(reports)
    elif not quiet and not as_json and failure is None:
        show("Nothing new.")
    if failure is not None:
        raise failure
    for report in reports:
        if report.error is not None:
            say(f"error: {report.blob}: {report.error}")
    failed = [report.exit_code for report in reports if report.error is not None]
    return failed[0] if failed else 3 * any(report.rejected for report in reports)


def main() -> None:
    """Runs the command line and ends with its exit code."""
    # Windows: what looks like a pattern or a %VARIABLE% in an argument is a name or a URL, so it is left alone.
    end_with(lambda: aetl(prog_name="aetl", standalone_mode=False, windows_expand_args=False))
