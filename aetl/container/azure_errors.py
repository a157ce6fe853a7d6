"""Maps what the Azure client raises to aetl's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import aiohttp
from azure.core import exceptions as azure

from aetl.config import Settings
from aetl.container.sas import read_sas
from aetl.errors import (
    ContainerAccessDenied,
    ContainerError,
    ContainerNotFound,
    ContainerUnreachable,
    ExportChanged,
    ExportExists,
    ExportNotFound,
)

_TO_LOAD = {"r": "read", "l": "list"}


def as_aetl_error(error: BaseException, what: str, settings: Settings) -> ContainerError:
    """The error of aetl's tree that says what `error` means for `what`, an export or the container.

    Never tells the client's own words: they may hold a URL with its SAS.
    """
    code = str(getattr(error, "error_code", None) or getattr(error, "reason", None) or type(error).__name__)
    code = code.rpartition(".")[2]
    status = getattr(error, "status_code", None)
    if isinstance(error, azure.ResourceModifiedError) or status in (304, 412):
        return ExportChanged(f"{what} was replaced while it was read")
    if isinstance(error, azure.ClientAuthenticationError) or status in (401, 403):
        return _denied(what, code, settings)
    if code in ("CONTAINER_NOT_FOUND", "ContainerNotFound"):
        return ContainerNotFound(f"there is no container {settings.container}")
    if isinstance(error, azure.ResourceNotFoundError):
        return ExportNotFound(f"there is no {what}")
    if isinstance(error, azure.ResourceExistsError):
        return ExportExists(f"{what} exists already")
    if status == 416:
        return ExportChanged(f"{what} is shorter than the container said")
    if isinstance(status, int) and status < 500 and status not in (408, 429):
        return ContainerError(f"{what}: the server refused the request ({status} {code})")
    said = f"answered {status} {code}" if status else f"gave no answer ({code})"
    return ContainerUnreachable(f"{what}: the server {said}, also when asked again")


def _denied(what: str, code: str, settings: Settings) -> ContainerAccessDenied:
    if settings.sas is None:
        return ContainerAccessDenied(
            f"{what}: the server refused the credentials ({code})",
            hint="Set a SAS or a valid connection string, or give this identity the role Storage Blob Data Reader.",
        )
    sas, now = read_sas(settings.sas), datetime.now(UTC)
    if sas.expiry is not None and sas.expiry <= now:
        return ContainerAccessDenied(
            f"{what}: the SAS expired at {sas.expiry:%Y-%m-%d %H:%M} UTC", hint="Set a new SAS."
        )
    if sas.start is not None and sas.start > now:
        return ContainerAccessDenied(
            f"{what}: the SAS is only valid from {sas.start:%Y-%m-%d %H:%M} UTC", hint="Wait, or set another SAS."
        )
    if not sas.is_signed:
        return ContainerAccessDenied(f"{what}: the SAS has no signature (sig=)", hint="Copy the whole SAS token.")
    if code == "AuthorizationPermissionMismatch" and sas.permissions is not None:
        lacking = [word for letter, word in _TO_LOAD.items() if letter not in sas.permissions]
        return ContainerAccessDenied(
            f"{what}: the SAS does not permit to {' or '.join(lacking) or 'write'}",
            hint="Make one that permits read and list (and write, for `aetl export`).",
        )
    return ContainerAccessDenied(
        f"{what}: the server refused the SAS ({code})",
        hint="Copy this container's whole SAS token again: it was changed, is another container's, or was revoked.",
    )


@contextmanager
def azure_errors(what: str, settings: Settings) -> Iterator[None]:
    """Turns what the Azure client and the HTTP library below raise into errors of aetl that name `what`."""
    try:
        yield
    except (azure.AzureError, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise as_aetl_error(error, what, settings) from error
