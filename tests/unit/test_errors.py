"""Every failure of the libraries below has its place in aetl's own tree."""

from __future__ import annotations

import errno
import inspect
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from azure.core import exceptions as azure

from aetl import errors
from aetl.config import Settings
from aetl.container.azure_errors import azure_errors
from aetl.database.sqlite.errors import as_aetl_error, sqlite_errors

SIGNATURE = "c2lnbmF0dXJlLW9mLWEtc2Fz"
SETTINGS = Settings(container="https://account.blob.core.windows.net/exports", sas=f"sp=rl&sig={SIGNATURE}")
DATABASE = Path("local.db")
_PRIMARY_CODES = {
    name: code
    for name, code in vars(sqlite3).items()
    if re.fullmatch("SQLITE_[A-Z]+", name) and isinstance(code, int) and code == getattr(sqlite3, name) & 0xFF
}
# Authorizer answers, limits and the like share the prefix: https://www.sqlite.org/rescode.html lists these as results.
_RESULTS = (
    "ERROR",
    "INTERNAL",
    "PERM",
    "ABORT",
    "BUSY",
    "LOCKED",
    "NOMEM",
    "READONLY",
    "INTERRUPT",
    "IOERR",
    "CORRUPT",
    "NOTFOUND",
    "FULL",
    "CANTOPEN",
    "PROTOCOL",
    "EMPTY",
    "SCHEMA",
    "TOOBIG",
    "CONSTRAINT",
    "MISMATCH",
    "MISUSE",
    "NOLFS",
    "AUTH",
    "FORMAT",
    "RANGE",
    "NOTADB",
)


def below(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    """The class and all that are derived from it."""
    yield kind
    for each in kind.__subclasses__():
        yield from below(each)


def classes(kind: type[BaseException], package: str) -> list[type[BaseException]]:
    return sorted({each for each in below(kind) if each.__module__.startswith(package)}, key=lambda each: each.__name__)


def bare(kind: type[BaseException]) -> BaseException:
    """An instance without what its constructor wants."""
    return kind.__new__(kind)


def tree_of_the_docstring() -> dict[str, tuple[str, int]]:
    """Class -> its base and its exit code, as the picture in errors.py shows them."""
    shown: dict[str, tuple[str, int]] = {}
    above: list[tuple[str, int]] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.fullmatch(r"([ |+-]*)([A-Z]\w+) {2,}(\d+)?.*", line):
            depth = len(found[1]) // 4
            del above[depth:]
            base = above[-1] if above else ("Exception", 1)
            above.append((found[2], int(found[3] or base[1])))
            shown[found[2]] = (base[0], above[-1][1])
    return shown


def tree_of_the_code() -> dict[str, tuple[str, int]]:
    return {kind.__name__: (kind.__mro__[1].__name__, kind.exit_code) for kind in kinds()}


def kinds() -> list[type[errors.AetlError]]:
    return [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.AetlError)]


def test_the_docstring_shows_the_tree() -> None:
    assert tree_of_the_docstring() == tree_of_the_code()
    assert len(tree_of_the_code()) > 15


@pytest.mark.parametrize("kind", kinds())
def test_every_error_says_what_to_do_and_has_an_exit_code(kind: type[errors.AetlError]) -> None:
    assert kind.exit_code in {1, 2, 4, 5, 6, 75}
    assert kind.hint.endswith(".")
    assert inspect.getdoc(kind)
    error = kind("two\nlines")
    assert error.line == f"two lines. {kind.hint}"
    assert kind("it", hint="Do that.").line == "it. Do that."
    assert error.hint == kind.hint, "a hint of one's own is nobody else's"


def test_the_other_libraries_classes_are_found() -> None:
    assert len(classes(azure.AzureError, "azure.core")) >= 15
    assert len(classes(aiohttp.ClientError, "aiohttp")) >= 15
    assert _PRIMARY_CODES.keys() >= {f"SQLITE_{name}" for name in _RESULTS}


@pytest.mark.parametrize(
    "kind",
    [
        *classes(azure.AzureError, "azure"),
        *classes(aiohttp.ClientError, "aiohttp"),
        *classes(OSError, "builtins"),
        TimeoutError,
        ValueError,
    ],
    ids=lambda kind: kind.__name__,
)
def test_every_failure_of_the_client_is_a_container_error(kind: type[BaseException]) -> None:
    raised = bare(kind)
    with (
        pytest.raises(errors.ContainerError) as caught,
        azure_errors("backup_1.json in the container", SETTINGS, "read"),
    ):
        raise raised
    assert caught.value.__cause__ is raised
    assert caught.value.exit_code == 4
    assert "container" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (azure.ResourceNotFoundError, errors.ExportNotFound),
        (azure.ResourceExistsError, errors.ExportUnavailable),
        (azure.ResourceModifiedError, errors.ExportChanged),
        (azure.ResourceNotModifiedError, errors.ContainerError),
        (azure.ClientAuthenticationError, errors.ContainerAccessDenied),
        (azure.ServiceRequestError, errors.ContainerUnreachable),
        (azure.ServiceResponseError, errors.ContainerUnreachable),
        (azure.IncompleteReadError, errors.ContainerUnreachable),
        (aiohttp.ClientConnectionError, errors.ContainerUnreachable),
        (aiohttp.ClientPayloadError, errors.ContainerUnreachable),
        (ConnectionResetError, errors.ContainerUnreachable),
        (TimeoutError, errors.ContainerUnreachable),
    ],
)
def test_what_the_class_tells_is_kept(kind: type[BaseException], expected: type[errors.ContainerError]) -> None:
    with pytest.raises(expected), azure_errors("it", SETTINGS, "read"):
        raise bare(kind)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (304, "ConditionNotMet", errors.ExportChanged),
        (400, "InvalidHeaderValue", errors.ExportUnavailable),
        (401, "NoAuthenticationInformation", errors.ContainerAccessDenied),
        (403, "AuthorizationFailure", errors.ContainerAccessDenied),
        (404, "ContainerNotFound", errors.ContainerNotFound),
        (408, "RequestTimeout", errors.ContainerUnreachable),
        (412, "ConditionNotMet", errors.ExportChanged),
        (416, "InvalidRange", errors.ExportChanged),
        (429, "TooManyRequests", errors.ContainerUnreachable),
        (500, "InternalError", errors.ContainerUnreachable),
        (503, "ServerBusy", errors.ContainerUnreachable),
    ],
)
def test_what_the_server_answers_is_kept(status: int, code: str, expected: type[errors.ContainerError]) -> None:
    answer = azure.HttpResponseError(f"https://account.blob.core.windows.net/exports?sig={SIGNATURE}")
    answer.status_code = status
    answer.error_code = code  # type: ignore[attr-defined] # as the client of Azure Storage sets it
    with pytest.raises(errors.ContainerError) as caught, azure_errors("it", SETTINGS, "read"):
        raise answer
    assert type(caught.value) is expected
    assert SIGNATURE not in caught.value.line


@pytest.mark.parametrize("name", _RESULTS)
def test_every_result_of_sqlite_is_a_database_error(name: str) -> None:
    for kind in classes(sqlite3.Error, "sqlite3"):
        raised = bare(kind)
        code = _PRIMARY_CODES[f"SQLITE_{name}"]
        raised.sqlite_errorcode, raised.sqlite_errorname = code | 5 << 8, f"SQLITE_{name}"  # type: ignore[attr-defined]
        with pytest.raises(errors.DatabaseError, match=re.escape(str(DATABASE))) as caught, sqlite_errors(DATABASE):
            raise raised
        assert caught.value.exit_code == 5
        assert caught.value.__cause__ is raised


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BUSY", errors.DatabaseLocked),
        ("LOCKED", errors.DatabaseLocked),
        ("FULL", errors.DatabaseFull),
        ("CORRUPT", errors.DatabaseDamaged),
        ("NOTADB", errors.DatabaseDamaged),
        ("ERROR", errors.DatabaseNotOurs),
        ("CANTOPEN", errors.DatabaseInaccessible),
        ("READONLY", errors.DatabaseInaccessible),
        ("IOERR", errors.DatabaseInaccessible),
    ],
)
def test_what_sqlite_tells_is_kept(name: str, expected: type[errors.DatabaseError]) -> None:
    raised = sqlite3.OperationalError("as SQLite says")
    raised.sqlite_errorcode = _PRIMARY_CODES[f"SQLITE_{name}"]
    assert type(as_aetl_error(raised, DATABASE)) is expected


@pytest.mark.parametrize("kind", [*classes(sqlite3.Error, "sqlite3"), sqlite3.Warning, *classes(OSError, "builtins")])
def test_what_has_no_result_of_sqlite_is_a_database_error_too(kind: type[BaseException]) -> None:
    with pytest.raises(errors.DatabaseError), sqlite_errors(DATABASE):
        raise bare(kind)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_whoever_notices_it(code: int) -> None:
    assert isinstance(as_aetl_error(OSError(code, "no room"), DATABASE), errors.DatabaseFull)
