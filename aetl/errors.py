"""Every way in which aetl can fail, as one tree.

AetlError                       1   unexpected failure
 +- ConfigurationError          2   usage or configuration
 +- ContainerError              4   the container
 |   +- ContainerUnreachable        no answer, or the server's own failure
 |   +- ContainerAccessDenied       SAS, key or right refused
 |   +- ContainerNotFound           no such container
 |   +- ExportExists                a write would have overwritten an export
 |   +- ExportError                 this one export cannot be read; the others can
 |       +- ExportNotFound          it is gone, or was never there
 |       +- ExportChanged           replaced by another version while it was read
 |       +- ExportDamaged           its bytes are not what the container said
 |       +- ExportUnavailable       the container keeps it, and does not give it
 +- DatabaseError               5   the database
 |   +- DatabaseNotFound            there is none yet
 |   +- DatabaseLocked              another program writes to it
 |   +- DatabaseFull                no room for it
 |   +- DatabaseDamaged             corrupt, or no database at all
 |   +- DatabaseNotOurs             it belongs to somebody else, or has other tables
 |   +- TablesDiffer                its tables are not as the contract says, and stay as they are
 |   +- DatabaseInaccessible        it cannot be opened or written
 |   +- DatabaseConflict            another transaction came between: the load is tried again
 |   +- DatabaseRefused             it refuses what one export holds
 +- ContractError               6   the export breaks the contract
 |   +- ExportMalformed             it is not one JSON object with the contract's arrays
 |   +- RejectsExceeded             more rejects than --max-rejects allows
 +- LoadRunning                75   another load is running
 +- SchedulingError             1   Task Scheduler did not do what was asked of it
 +- UnexpectedFailure           1   something went wrong with one export that nobody thought of

The number is the exit code of the command line. A message says what went wrong and where; `hint`
says what the operator can do about it; `ends_run` whether it concerns all exports, or one of them;
`is_about_data` whether what is in an export explains all of it, so that no traceback is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aetl.models import LoadReport, State


class AetlError(Exception):
    """Something that aetl cannot go on with.

    `str()` is the message; `hint` the way out, the class's own unless one is given; `reports` what was loaded before,
    and what failed; `state` what was found out before, and `content` that as `--json` gives it. Where it does not end
    the run, it is the failure of the export that was being loaded, and the next one is taken.
    """

    exit_code = 1
    ends_run = True
    is_about_data = False
    hint = "The log file has the details."
    reports: tuple[LoadReport, ...] = ()
    state: State | None = None
    content: Mapping[str, Any] | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint

    @property
    def line(self) -> str:
        """Message and hint as one line for the operator."""
        return f"{' '.join(str(self).split())}. {self.hint}"


class ConfigurationError(AetlError):
    """An option, a variable or a file that configures aetl is missing or wrong."""

    exit_code = 2
    hint = "See aetl --help; `aetl check` tries the whole configuration."


class ContainerError(AetlError):
    """The container did not do what was asked of it."""

    exit_code = 4
    hint = "Try `aetl check`."


class ContainerUnreachable(ContainerError):
    """The container's server gave no answer, or failed by itself, also when asked again."""

    hint = "Check the address and the network; the next run starts again from where this one began."


class ContainerAccessDenied(ContainerError):
    """The container's server refused the SAS, the key or the identity."""

    hint = "`aetl check` shows what the SAS allows and when it ends."


class ContainerNotFound(ContainerError):
    """There is no such container."""

    hint = "Check the container's name in its URL; `aetl export` creates it where the SAS allows."


class ExportExists(ContainerError):
    """An export of that name is there already, and exports are never overwritten."""

    hint = "Run the export again: it takes the time as its new name."


class ExportError(ContainerError):
    """One export cannot be read, for a reason of its own: a load goes on with the next one."""

    ends_run = False
    is_about_data = True


class ExportNotFound(ExportError):
    """There is no such export in the container, or it was deleted before it was read."""

    hint = "`aetl load --dry-run` lists the exports that wait."


class ExportChanged(ExportError):
    """The export was replaced by another version while it was being read."""

    hint = "The next run takes the new version."


class ExportDamaged(ExportError):
    """The bytes of the export are not those that the container announced."""

    hint = "Run the load again; if it stays, write the export anew."


class ExportUnavailable(ExportError):
    """The container keeps the export and does not give it: it is archived, encrypted with somebody's key, or in use."""

    hint = "Look at the blob in the Azure portal; each load tries it again."


class DatabaseError(AetlError):
    """The database did not do what was asked of it."""

    exit_code = 5
    ends_run = False
    hint = "Try `aetl check`."


class DatabaseNotFound(DatabaseError):
    """There is no database yet, or nothing in it."""

    ends_run = True
    hint = "`aetl load` creates it; or name another one with --database."


class DatabaseLocked(DatabaseError):
    """Another program holds the database's write lock."""

    ends_run = True
    hint = "End the program that writes to it, or run again later."


class DatabaseFull(DatabaseError):
    """There is no room left for the database."""

    ends_run = True
    hint = "Free some disk space and run again; the load was rolled back."


class DatabaseDamaged(DatabaseError):
    """The file is corrupt, or not a database at all."""

    ends_run = True
    hint = "Restore it from a backup, or name another file with --database."


class DatabaseNotOurs(DatabaseError):
    """The database holds something that aetl did not make, or cannot do what a statement asks of it."""

    ends_run = True
    hint = "Name another database with --database."


class TablesDiffer(DatabaseError):
    """The tables are others than the contract's in something that aetl does not change by itself."""

    ends_run = True
    hint = "`aetl check` tells what differs, and what an administrator would run."


class DatabaseInaccessible(DatabaseError):
    """The database cannot be opened, read or written."""

    ends_run = True
    hint = "Check that the folder exists and that this account may write to it and to the file."


class DatabaseConflict(DatabaseError):
    """Another program's transaction came between, and the database let that one go first."""

    hint = "Run again; the load was rolled back."


class DatabaseRefused(DatabaseError):
    """The database refuses what one export holds, and not even record by record could it be told what of it."""

    hint = "The log has the details; the other exports are loaded all the same."


class ContractError(AetlError):
    """The export is not what the contract says; nothing of it was loaded."""

    exit_code = 6
    ends_run = False
    is_about_data = True
    hint = "Have the export written anew, or change the contract (--schema)."


class ExportMalformed(ContractError):
    """The export is not one JSON object that holds the contract's arrays, so that no record can be trusted."""

    hint = "Have the export written anew; another contract would not mend it."


class RejectsExceeded(ContractError):
    """More records break the contract than --max-rejects allows."""

    hint = "--max-rejects N|all loads the rest and keeps the rejects in _aetl_rejects."


class LoadRunning(AetlError):
    """Another load into the same database is running."""

    exit_code = 75
    hint = "It will load what is there; run again when it has ended."


class SchedulingError(AetlError):
    """Task Scheduler did not do what was asked of it."""

    hint = "Run it as Administrator; `schtasks /Query /TN aetl /V /FO LIST` shows the task."


class UnexpectedFailure(AetlError):
    """Something went wrong with one export that nobody thought of: a mistake in aetl, or in what it is built of."""

    ends_run = False
    hint = "The log has the traceback; please report it. The other exports are loaded all the same."
