"""The command line: options to settings, results to what is shown, errors to exit codes."""

from __future__ import annotations

import click

from aetl import __version__
from aetl.cli.group import RunUnlessTold
from aetl.cli.loading import export, load, run
from aetl.cli.looking import check, digest, status
from aetl.cli.process import end_with
from aetl.cli.schedule import schedule

# As it stands: click would fill up the lines.
_EPILOG = """\b
Examples:
  aetl                                   try it: mock data, no set-up
  aetl load --container ./exports        load what is new in a folder
  aetl status --max-age 26h --quiet      the watchdog, for cron

\b
Exit codes:
  0    done, also when there was nothing new
  1    unexpected failure; a fault that check or status --max-age found
  2    usage or configuration
  3    loaded, with rejects
  4    container: access, SAS, not found, unreachable
  5    database: locked, full, not ours, corrupt
  6    contract broken: the export was rolled back
  75   another load is running
  130  interrupted: what was not finished is rolled back
  143  terminated: the same

\b
Variables:
  CHAT_DB_CONTAINER_URL            the container
  CHAT_DB_CONTAINER_SAS_TOKEN      its SAS
  AZURE_STORAGE_CONNECTION_STRING  a connection string instead of a SAS
  CHAT_DB_URL                      the database
"""


@click.group(cls=RunUnlessTold, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
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
