"""What each error code of Azure's Blob service means to a load: one table.

The codes are those of Microsoft's pages "Azure Blob Storage error codes", "Common REST API error codes", "Shared access
signature error codes" and "Troubleshoot 403 errors", as far as listing, reading or writing blobs can meet them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from aetl.errors import (
    ContainerAccessDenied,
    ContainerError,
    ContainerNotFound,
    ContainerUnreachable,
    ExportChanged,
    ExportError,
    ExportExists,
    ExportNotFound,
    ExportUnavailable,
)

Operation = Literal["list", "read", "write"]


class Meaning(NamedTuple):
    """An error of aetl's: its class, what is said behind the name of the blob or the container, and what to do."""

    kind: type[ContainerError]
    message: str
    hint: str | None = None


_LEASED = Meaning(ExportUnavailable, "is under a lease", "Have its writer release it, or break it in the Azure portal.")
_IMMUTABLE = Meaning(ExportExists, "cannot be written: it is immutable by a policy or a legal hold")
_EXISTS = Meaning(ExportExists, "exists already")
_GONE = Meaning(ExportNotFound, "is not there")
_REPLACED = Meaning(ExportChanged, "was replaced while it was read")
_KEY_VAULT = Meaning(
    ExportUnavailable,
    "is encrypted with a key that the storage account cannot get from its key vault",
    "Have the account's administrator restore the key, or the account's access to it.",
)
_NO_CONTAINER = Meaning(ContainerNotFound, "is not there")
_NO_NAME = Meaning(
    ContainerNotFound,
    "has a name that no container can have",
    "A container's URL looks like https://ACCOUNT.blob.core.windows.net/CONTAINER, its name in lower case.",
)
_BUSY = Meaning(ContainerUnreachable, "could not be reached: the server failed by itself, also when asked again")
_TOO_OLD = Meaning(
    ContainerError,
    "cannot be used: the server does not know this version of Azure's protocol",
    "Update the server (Azurite, Azure Stack), or install an older azure-storage-blob beside aetl.",
)

CODES: dict[str, Meaning] = {
    # One blob's own trouble.
    "BlobArchived": Meaning(
        ExportUnavailable,
        "is in the archive tier",
        "Rehydrate it (set its tier to Hot, Cool or Cold: that takes hours), or delete it.",
    ),
    "BlobBeingRehydrated": Meaning(
        ExportUnavailable,
        "is on its way out of the archive tier",
        "Wait: that takes up to 15 hours; a later load takes it.",
    ),
    "BlobUsesCustomerSpecifiedEncryption": Meaning(
        ExportUnavailable,
        "is encrypted with a key that its writer provided (customer-provided key), which aetl does not have",
        "Have it written without such a key: Azure encrypts every blob anyway.",
    ),
    "KeyVaultAccessTokenCannotBeAcquired": _KEY_VAULT,
    "KeyVaultEncryptionKeyNotFound": _KEY_VAULT,
    "KeyVaultVaultNotFound": _KEY_VAULT,
    "LeaseIdMismatchWithBlobOperation": _LEASED,
    "LeaseIdMissing": _LEASED,
    "LeaseLost": _LEASED,
    "LeaseNotPresentWithBlobOperation": _LEASED,
    "PendingCopyOperation": Meaning(
        ExportUnavailable, "is still being copied to where it is", "Wait, or abort the copy; a later load takes it."
    ),
    "BlobOperationNotSupported": Meaning(ExportUnavailable, "is of a kind that cannot be read this way"),
    "InvalidBlobType": Meaning(ExportUnavailable, "is no block blob", "Have it written as a block blob."),
    "ResourceTypeMismatch": Meaning(ExportUnavailable, "is a directory", "Give the directory another name."),
    "BlobNotFound": _GONE,
    "PathNotFound": _GONE,
    "ResourceNotFound": _GONE,
    "BlobOverwritten": _REPLACED,
    "ConditionNotMet": _REPLACED,
    "InvalidRange": Meaning(ExportChanged, "is shorter than the container said"),
    # A write's.
    "BlobAlreadyExists": _EXISTS,
    "PathAlreadyExists": _EXISTS,
    "ResourceAlreadyExists": _EXISTS,
    "UnauthorizedBlobOverwrite": _EXISTS,
    "BlobImmutableDueToLegalHold": _IMMUTABLE,
    "BlobImmutableDueToPolicy": _IMMUTABLE,
    # The container's or the account's: no other export would fare better.
    "ContainerNotFound": _NO_CONTAINER,
    "FilesystemNotFound": _NO_CONTAINER,
    "ContainerBeingDeleted": Meaning(
        ContainerNotFound, "is being deleted", "Wait half a minute, then make it anew; or name another container."
    ),
    "ContainerDisabled": Meaning(ContainerAccessDenied, "is disabled", "Ask the storage account's administrator."),
    "InvalidResourceName": _NO_NAME,
    "InvalidUri": _NO_NAME,
    "OutOfRangeInput": _NO_NAME,
    "AccountBeingCreated": Meaning(
        ContainerUnreachable, "cannot be used yet: its storage account is being made", "Run again in some minutes."
    ),
    "AccountIsDisabled": Meaning(
        ContainerAccessDenied,
        "cannot be used: its storage account is disabled",
        "Ask who pays for the Azure subscription.",
    ),
    "AccountRequiresHttps": Meaning(
        ContainerAccessDenied, "is only given by https", "Write https:// in the container's URL."
    ),
    "KeyBasedAuthenticationNotPermitted": Meaning(
        ContainerAccessDenied,
        "is not given for a key or a SAS made with one: the storage account forbids them",
        "Make a user delegation SAS, or use this machine's Azure identity: aetl[identity].",
    ),
    "NoAuthenticationInformation": Meaning(
        ContainerAccessDenied, "is not given without credentials", "Set a SAS, or a connection string."
    ),
    "PublicAccessNotPermitted": Meaning(
        ContainerAccessDenied, "is not given without credentials", "Set a SAS, or a connection string."
    ),
    "InvalidAuthenticationInfo": Meaning(
        ContainerAccessDenied,
        "is not given: the server does not understand the credentials",
        "Copy the SAS or the connection string again, the whole of it.",
    ),
    "AuthorizationProtocolMismatch": Meaning(
        ContainerAccessDenied, "is not given: the SAS is for https only", "Write https:// in the container's URL."
    ),
    "AuthorizationResourceTypeMismatch": Meaning(
        ContainerAccessDenied,
        "is not given: the SAS is for other types of resources",
        "Make one for the container (sr=c), or an account's for containers and objects (srt=co).",
    ),
    "AuthorizationServiceMismatch": Meaning(
        ContainerAccessDenied, "is not given: the SAS is for another service", "Make one for blobs (ss=b)."
    ),
    "AuthorizationSourceIPMismatch": Meaning(
        ContainerAccessDenied,
        "is not given: the SAS does not admit this machine's address",
        "Make one for the address by which this machine reaches the internet, or without one (sip=).",
    ),
    "InsufficientAccountPermissions": Meaning(
        ContainerAccessDenied, "is not given: the storage account does not permit this operation just now"
    ),
    "InternalError": _BUSY,
    "OperationTimedOut": _BUSY,
    "ServerBusy": _BUSY,
    "FeatureVersionMismatch": _TOO_OLD,
    "UnsupportedRestVersion": _TOO_OLD,
}
"""AuthenticationFailed, AuthorizationFailure and AuthorizationPermissionMismatch are not here: what they mean depends
on the credentials."""


def meaning_of(code: str, operation: Operation) -> Meaning | None:
    """What a code means for an operation; None for a code that is not known."""
    found = CODES.get(code)
    if found is not None and operation == "list" and issubclass(found.kind, ExportError):
        return found._replace(kind=ContainerNotFound if found is _GONE else ContainerError)
    return found
