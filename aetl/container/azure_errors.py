"""Maps what the Azure client raises to aetl's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import aiohttp
from azure.core import exceptions as azure

from aetl.config import Settings
from aetl.container.azure_codes import Operation, meaning_of
from aetl.container.azure_network import what_broke
from aetl.container.sas import read_sas
from aetl.errors import (
    ContainerAccessDenied,
    ContainerError,
    ContainerNotFound,
    ContainerUnreachable,
    ExportChanged,
    ExportExists,
    ExportNotFound,
    ExportUnavailable,
)

_LETTERS: dict[Operation, str] = {"read": "r", "list": "l", "write": "w"}
_FIREWALL = (
    "Ask whether the storage account's firewall (its network rules) admits this machine's address; if it does, the"
    " credentials lack a right, were changed, or are another container's: make or copy them anew."
)
"""What Microsoft's "Troubleshoot 403 errors" and "Shared access signature error codes" name as causes."""
_NO_SERVICE = "Check the address: an Azure container's looks like https://ACCOUNT.blob.core.windows.net/CONTAINER."


def as_aetl_error(error: BaseException, what: str, settings: Settings, operation: Operation) -> ContainerError:
    """The error of aetl's tree that says what `error` means for `what`, an export or the container.

    Never tells the client's own words: they may hold a URL with its SAS.
    """
    code, status = _code(error), getattr(error, "status_code", None)
    is_denied = isinstance(error, azure.ClientAuthenticationError) or status in (401, 403)
    if is_denied and (of_sas := _trouble_of_sas(what, settings)):
        return of_sas
    if code and (meaning := meaning_of(code, operation)):
        subject = f"the container {settings.container}" if meaning.kind is ContainerNotFound else what
        return meaning.kind(f"{subject} {meaning.message}", hint=meaning.hint)
    if is_denied:
        return _denied(what, code or str(status or ""), settings, operation)
    if _is_misunderstood(error):
        unclear = ExportUnavailable if operation == "read" else ContainerUnreachable
        return unclear(f"{what}: the server's answer is not one of Azure's Blob service", hint=_NO_SERVICE)
    return _by_status(error, what, settings, operation, code, status)


def _is_misunderstood(error: BaseException) -> bool:
    """Whether an answer came that lacks what belongs into it, or cannot be parsed."""
    is_undecodable = isinstance(error, azure.DecodeError) and not isinstance(error, azure.IncompleteReadError)
    return is_undecodable or isinstance(error, ValueError)


def _code(error: BaseException) -> str:
    """The service's own word for what went wrong, or nothing."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def _by_status(
    error: BaseException, what: str, settings: Settings, operation: Operation, code: str, status: int | None
) -> ContainerError:
    """What an answer means whose code the table does not have, or that has none."""
    said = f"{status} {code or getattr(error, 'reason', None) or type(error).__name__}"
    if isinstance(error, azure.ResourceModifiedError) or status in (304, 412):
        return ExportChanged(f"{what} was replaced while it was read")
    if isinstance(error, azure.ResourceNotFoundError):
        if operation == "read":
            return ExportNotFound(f"{what} is not there")
        return ContainerNotFound(f"the container {settings.container} is not there")
    if isinstance(error, azure.ResourceExistsError) and operation == "write":
        return ExportExists(f"{what} exists already")
    if status == 416:
        return ExportChanged(f"{what} is shorter than the container said")
    if isinstance(status, int) and 300 <= status < 400:
        return ContainerUnreachable(f"{what}: the server sends elsewhere ({said})", hint=_NO_SERVICE)
    if isinstance(error, azure.ResourceExistsError) or (
        isinstance(status, int) and status < 500 and status not in (408, 429)
    ):
        kind = ExportUnavailable if operation == "read" else ContainerError
        return kind(f"{what}: the server refused the request ({said})")
    if status:
        return ContainerUnreachable(f"{what}: the server answered {said}, also when asked again")
    broken = what_broke(error)
    return ContainerUnreachable(f"{what}: {broken.message}, also when asked again", hint=broken.hint)


def _trouble_of_sas(what: str, settings: Settings) -> ContainerAccessDenied | None:
    """What a SAS itself tells of why it was refused."""
    if settings.sas is None:
        return None
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
    return None


def _denied(what: str, code: str, settings: Settings, operation: Operation) -> ContainerAccessDenied:
    variable = settings.sas_variable
    if code == "AuthorizationFailure":  # "This request is not authorized to perform this operation"
        credentials = "credentials" if settings.sas is None else "SAS"
        return ContainerAccessDenied(f"{what}: the server refused the {credentials} ({code})", hint=_FIREWALL)
    if settings.sas is None and settings.connection_string is not None:
        return ContainerAccessDenied(
            f"{what}: the key of the connection string was refused ({code or 'it is no key'})",
            hint=f"Copy the connection string again: its key was changed or renewed; or set a SAS in {variable}.",
        )
    if settings.sas is None:
        said = f"was refused ({code})" if code else "gave no token"
        return ContainerAccessDenied(
            f"{what}: this machine's Azure identity {said}",
            hint=f"Give it the role Storage Blob Data Reader on the container, or set a SAS in {variable}.",
        )
    sas = read_sas(settings.sas)
    lacking = [word for word, letter in _LETTERS.items() if sas.permissions and letter not in sas.permissions]
    needed = [word for word in lacking if word != "write" or operation == "write"]
    if needed:
        return ContainerAccessDenied(
            f"{what}: the SAS does not permit to {' or '.join(needed)}",
            hint="Make one that permits read and list (and write, for `aetl export`).",
        )
    if sas.scope in ("a directory", "one blob"):
        return ContainerAccessDenied(
            f"{what}: the SAS is for {sas.scope} alone, so the server refused to {operation} ({code})",
            hint="Make one for the whole container (sr=c), with read and list.",
        )
    if code == "AuthorizationPermissionMismatch":
        return ContainerAccessDenied(
            f"{what}: the server says that the SAS does not permit to {operation} ({code})",
            hint="Make a new one; the one who signs a user delegation SAS needs that right, too.",
        )
    return ContainerAccessDenied(
        f"{what}: the server refused the SAS ({code})",
        hint="Copy this container's whole SAS token again: it was changed, is another container's, or was revoked.",
    )


@contextmanager
def azure_errors(what: str, settings: Settings, operation: Operation) -> Iterator[None]:
    """Turns what the Azure client and the HTTP library below raise into errors of aetl that name `what`."""
    try:
        yield
    except (azure.AzureError, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise as_aetl_error(error, what, settings, operation) from error
