"""The options that every command has, and what a command makes of them: settings, a log, and its end as JSON."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aetl.cli.process import Interrupted, explain, log_failure, say, warnings_said
from aetl.errors import AetlError, ConfigurationError
from aetl.logs import redact

if TYPE_CHECKING:
    from aetl.config import Settings

_ONLY_READ = ("status", "digest", "check")
_PATH = click.Path(path_type=Path)
COMMON = (
    click.option("--container", metavar="URL|FOLDER", help="An Azure container's URL, a file:// URL or a folder."),
    click.option("--database", metavar="URL|FILE", help="A file, or a postgresql:// URL.  [default: local.db]"),
    click.option("--config", type=_PATH, help="A YAML file with settings of your own."),
    click.option("--schema", type=_PATH, help="A JSON Schema of the exports instead of aetl's own."),
    click.option("--sql", type=_PATH, help="A YAML file with types or SQL of your own, for some of aetl's."),
    click.option("--log-file", type=_PATH, help="Where the log goes.  [default: global.log]"),
    click.option(
        "--log-level", type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
        help="From which level on the log holds messages.  [default: INFO]",
    ),
    click.option("--log-format", type=click.Choice(["text", "json"]), help="How the log is written.  [default: text]"),
    click.option("--quiet", is_flag=True, help="Say nothing but what went wrong."),
)  # fmt: skip
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout instead of a table.")


def with_settings(function: Callable[..., int]) -> Callable[..., int]:
    """Makes a function of Settings and its own options a command that also has the common ones."""

    @functools.wraps(function)
    def command(**options: Any) -> int:
        from aetl.config import read_settings

        common = {option: options.pop(option) for option in ("container", "database", "schema", "sql")}
        log = {option: options.pop(option) for option in ("log_file", "log_level", "log_format")}
        try:
            settings = read_settings(options.pop("config"), **common, **log)
            if common["container"] and "sig=" in common["container"].lower():
                say("warning: a SAS on the command line shows in the process list; the environment hides it")
            if common["database"] and redact(common["database"]) != common["database"]:
                say("warning: a password on the command line shows in the process list; the environment hides it")
            with (
                _logging(settings, only_reads=function.__name__ in _ONLY_READ),
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


def _logging(settings: Settings, *, only_reads: bool) -> ExitStack:
    """Begins the log; a command that only reads does without one that cannot be written, and says so."""
    from aetl.logs import set_up_logging

    try:
        return set_up_logging(settings.log_file, settings.log_level, settings.log_format)
    except ConfigurationError as error:
        if not (only_reads and isinstance(error.__cause__, OSError)):
            raise
        say(f"warning: {error}: this run leaves no log")
        return set_up_logging(Path(os.devnull), settings.log_level, settings.log_format)


def _print_failure(error: BaseException, *, is_load: bool) -> None:
    """What `--json` gives when a command fails; of a load also what was done before."""
    from aetl.cli import display

    before = (error.content if isinstance(error, AetlError) else None) or {}
    content: dict[str, Any] = {**before, "error": display.ending_as_json(explain(error))}
    if is_load:
        content = {"loads": [display.report_as_json(report) for report in getattr(error, "reports", ())]} | content
    display.print_json(content)
