"""The command line: options to settings, results to what is shown, errors to exit codes."""

from __future__ import annotations

import click

from aetl import __version__
from aetl.cli.loading import export, load, run
from aetl.cli.looking import check, digest, status
from aetl.cli.process import end_with
from aetl.cli.schedule import schedule


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


for _command in (run, load, export, status, digest, check, schedule):
    aetl.add_command(_command)


def main() -> None:
    """Runs the command line and ends with its exit code."""
    # Windows: what looks like a pattern or a %VARIABLE% in an argument is a name or a URL, so it is left alone.
    end_with(lambda: aetl(prog_name="aetl", standalone_mode=False, windows_expand_args=False))
