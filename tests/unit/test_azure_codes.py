"""Each error code of the Blob service that can meet a read has its own meaning, and one blob's trouble is its own."""

from __future__ import annotations

import pytest
from azure.core import exceptions as azure
from azure.storage.blob import StorageErrorCode

from aetl import errors
from aetl.config import Settings
from aetl.container.azure_codes import CODES, Operation
from aetl.container.azure_errors import as_aetl_error

URL = "https://account.blob.core.windows.net/exports"
SIGNATURE = "c2lnbmF0dXJlLW9mLWEtc2Fz"
EXPORT = "backup_1.json in the container"
OF_THE_CLIENT = {code.value for code in StorageErrorCode}
BY_CREDENTIALS = {"AuthenticationFailed", "AuthorizationFailure"}


def told(
    code: str,
    status: int = 409,
    operation: Operation = "read",
    kind: type[azure.HttpResponseError] = azure.HttpResponseError,
    sas: str | None = f"sp=rl&sr=c&sig={SIGNATURE}",
) -> errors.ContainerError:
    answer = kind(f"{URL}?sig={SIGNATURE}")
    answer.status_code = status
    # The client knows some codes as members of an enumeration, the others as text.
    answer.error_code = StorageErrorCode(code) if code in OF_THE_CLIENT else code  # type: ignore[attr-defined]
    found = as_aetl_error(answer, EXPORT, Settings(container=URL, sas=sas), operation)
    assert SIGNATURE not in found.line and "None" not in found.line
    return found


@pytest.mark.parametrize("code", ["BlobArchived", "BlobBeingRehydrated", "BlobUsesCustomerSpecifiedEncryption",
    "LeaseIdMissing", "PendingCopyOperation", "KeyVaultEncryptionKeyNotFound", "ResourceTypeMismatch",
    "BlobNotFound", "ConditionNotMet", "InvalidRange", "BlobOverwritten"])  # fmt: skip
@pytest.mark.parametrize("status", [403, 404, 409, 412])
def test_one_blobs_trouble_is_its_own_whatever_the_status(code: str, status: int) -> None:
    found = told(code, status)
    assert isinstance(found, errors.ExportError)
    assert str(found).startswith(EXPORT) and found.hint


@pytest.mark.parametrize("kind", [azure.HttpResponseError, azure.ResourceExistsError])
def test_no_conflict_at_a_read_stops_all_unless_the_table_says_so(kind: type[azure.HttpResponseError]) -> None:
    for code in OF_THE_CLIENT - CODES.keys() - BY_CREDENTIALS:
        assert type(told(code, kind=kind)) is errors.ExportUnavailable, code
    for code, meaning in CODES.items():
        assert type(told(code, kind=kind)) is meaning.kind
        assert (meaning.kind is errors.ExportExists) == (
            "Exists" in code or code.endswith("Overwrite") or "Immutable" in code
        ), code


@pytest.mark.parametrize("operation", ["list", "read", "write"])
def test_each_code_has_words_of_its_own_for_every_operation(operation: Operation) -> None:
    for code in CODES:
        found = told(code, operation=operation)
        assert found.hint.endswith(".") and not str(found).endswith("."), code
        assert "409" not in str(found), "as if the code were not known"
        assert operation != "list" or not isinstance(found, errors.ExportError), "a listing is no export"


@pytest.mark.parametrize("status", [400, 402, 404, 405, 409, 410, 415, 451])
def test_a_code_that_nobody_knows_is_told_and_stops_a_read_of_this_export_alone(status: int) -> None:
    found = told("SomethingOfTomorrow", status)
    assert type(found) is errors.ExportUnavailable
    assert f"{status} SomethingOfTomorrow" in str(found)


@pytest.mark.parametrize(("code", "says"), [
    ("AuthorizationFailure", "firewall"),
    ("AuthorizationSourceIPMismatch", "address"),
    ("AuthorizationProtocolMismatch", "https"),
    ("AuthorizationServiceMismatch", "ss=b"),
    ("AuthorizationResourceTypeMismatch", "srt=co"),
    ("KeyBasedAuthenticationNotPermitted", "user delegation"),
    ("AccountIsDisabled", "disabled"),
    ("AuthenticationFailed", "whole SAS token again"),
])  # fmt: skip
def test_what_the_account_refuses_stops_all_and_says_why(code: str, says: str) -> None:
    found = told(code, 403)
    assert type(found) is errors.ContainerAccessDenied
    assert says in found.line
    assert ("Copy" in found.line) is (code == "AuthenticationFailed")


@pytest.mark.parametrize(("sas", "operation", "says"), [
    ("sp=rl&sr=d&sdd=1", "list", "the SAS is for a directory alone"),
    ("sp=r&sr=b", "list", "the SAS does not permit to list"),
    ("sp=rl&sr=b", "list", "the SAS is for one blob alone"),
    ("sp=rl&sr=c", "write", "the SAS does not permit to write"),
    ("sp=rl&sr=c", "read", "the server says that the SAS does not permit to read"),
    ("sp=w&sr=c", "list", "the SAS does not permit to read or list"),
])  # fmt: skip
def test_a_sas_that_does_not_reach_is_told_by_what_it_says_of_itself(sas: str, operation: Operation, says: str) -> None:
    found = told("AuthorizationPermissionMismatch", 403, operation, sas=f"{sas}&sig={SIGNATURE}")
    assert type(found) is errors.ContainerAccessDenied
    assert says in str(found)
    assert operation == "write" or "write" not in str(found)


def test_a_write_that_would_overwrite_is_told_as_such() -> None:
    assert type(told("BlobAlreadyExists", operation="write")) is errors.ExportExists
    assert type(told("", operation="write", kind=azure.ResourceExistsError)) is errors.ExportExists


@pytest.mark.parametrize(("connection_string", "says"), [
    ("AccountName=account;AccountKey=AAAA", "the key of the connection string was refused"),
    (None, "this machine's Azure identity"),
])  # fmt: skip
@pytest.mark.parametrize("status", [None, 401, 403])
def test_credentials_that_are_no_sas_are_told_by_their_name(
    connection_string: str | None, says: str, status: int | None
) -> None:
    refused = azure.ClientAuthenticationError("as the client says")
    refused.status_code = status
    settings = Settings(container=URL, connection_string=connection_string, sas_variable="MY_SAS")
    found = as_aetl_error(refused, EXPORT, settings, "list")
    assert type(found) is errors.ContainerAccessDenied
    assert says in str(found) and "()" not in str(found) and "MY_SAS" in found.hint
