"""The commands that only look: status, digest, check."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from aetl.cli.options import AS_JSON, with_settings
from aetl.cli.process import run_async, say, show
from aetl.errors import AetlError
from aetl.models import CLOCKS_DIFFER, State


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


@click.command()
@with_settings
@click.option(
    "--max-age", metavar="DURATION", callback=_duration, help="Exit 1 when the last success is older, as 26h."
)
@click.option("--last", type=click.IntRange(min=0), default=10, show_default=True, help="How many loads to show.")
@AS_JSON
def status(settings: Any, max_age: timedelta | None, last: int, as_json: bool, quiet: bool) -> int:
    """Show the last loads, the exports that wait, and when the last success was."""
    from aetl import pipeline
    from aetl.cli import display

    trouble: AetlError | None = None
    try:
        found = run_async(pipeline.status(settings, last))
    except AetlError as error:
        if error.state is None:
            raise
        trouble, found = error, error.state
    if as_json:
        content = display.state_as_json(found, settings.database)
        if trouble is not None:
            raise _with_content(trouble, content)
        display.print_json(content)
    elif not quiet:
        _show_state(found, settings, is_listed=trouble is None)
    fault = None if max_age is None else _watch(found.last_success, max_age)
    if fault:
        say(fault)
    if trouble is not None:
        raise trouble
    return int(fault is not None)


def _with_content(error: AetlError, content: dict[str, Any]) -> AetlError:
    error.content = content
    return error


def _show_state(found: State, settings: Any, *, is_listed: bool) -> None:
    from aetl.cli import display

    display.print_history(found.loads)
    display.print_failures([each for each in found.failed if each not in found.loads])
    if found.waiting:
        display.print_exports(found.waiting)
    elif found.waiting is not None:
        show("No export waits.")
    elif is_listed:
        show(f"No container is set ({settings.container_variable}): what waits there is not known.")
    else:
        show("What waits in the container is not known.")
    if found.ended_early is not None:
        display.print_early_end(found.ended_early)
    show(f"Last success: {found.last_success:%Y-%m-%d %H:%M:%S} UTC" if found.last_success else "No success yet.")


def _watch(last_success: datetime | None, max_age: timedelta) -> str | None:
    """What is wrong with the last success."""
    if last_success is None:
        return "there never was a success"
    age = datetime.now(UTC) - last_success
    if age < -CLOCKS_DIFFER:
        return (
            f"the last success was at {last_success:%Y-%m-%d %H:%M} UTC, which is in the future: a clock is wrong, "
            "here or where the load ran; set it right, and the next load counts"
        )
    if age > max_age:
        return f"the last success was at {last_success:%Y-%m-%d %H:%M} UTC, longer ago than --max-age allows"
    return None


@click.command()
@with_settings
@AS_JSON
def digest(settings: Any, as_json: bool, quiet: bool) -> int:
    """Show rows and a SHA-256 of every table, equal for equal content on every database."""
    from dataclasses import asdict

    from aetl import pipeline
    from aetl.cli import display

    found = run_async(pipeline.digest(settings))
    if as_json:
        display.print_json(asdict(found))
    elif not quiet:
        display.print_digest(found)
    return 0


@click.command()
@with_settings
@AS_JSON
def check(settings: Any, as_json: bool, quiet: bool) -> int:
    """Find out what would go wrong tonight.

    Exit code 0 with warnings alone, 1 with a failure.
    """
    from dataclasses import asdict

    from aetl import preflight
    from aetl.cli.display import print_finding, print_json

    async def look() -> list[Any]:
        findings = []
        async for finding in preflight.findings(settings):
            findings.append(finding)
            if not as_json and not (quiet and finding.level == "ok"):
                print_finding(finding)
        return findings

    findings = run_async(look())
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    return int(any(finding.level == "failure" for finding in findings))
