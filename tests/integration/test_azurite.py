"""The Azurite of the tests refuses what Azure refuses: otherwise the tests of access would prove nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import ContainerClient

from tests.azurite import AzureContainer


def test_a_sas_with_read_and_list_reads_and_lists(azure_container: AzureContainer) -> None:
    azure_container.upload("backup_1.json", b"{}")
    with ContainerClient.from_container_url(azure_container.url_with_sas("rl")) as client:
        assert list(client.list_blob_names()) == ["backup_1.json"] == azure_container.names()
        assert client.download_blob("backup_1.json").readall() == b"{}"


def test_a_sas_without_list_reads_but_does_not_list(azure_container: AzureContainer) -> None:
    azure_container.upload("backup_1.json", b"{}")
    with ContainerClient.from_container_url(azure_container.url_with_sas("r")) as client:
        assert client.download_blob("backup_1.json").readall() == b"{}"
        with pytest.raises(HttpResponseError, match="AuthorizationPermissionMismatch"):
            list(client.list_blob_names())


def test_a_sas_without_write_does_not_write(azure_container: AzureContainer) -> None:
    with (
        ContainerClient.from_container_url(azure_container.url_with_sas("rl")) as client,
        pytest.raises(HttpResponseError, match="AuthorizationPermissionMismatch"),
    ):
        client.upload_blob("backup_1.json", b"{}")
    assert azure_container.names() == []


@pytest.mark.parametrize(
    ("expiry", "start"),
    [(timedelta(minutes=-5), timedelta(hours=-1)), (timedelta(hours=2), timedelta(hours=1))],
    ids=["expired", "not yet valid"],
)
def test_a_sas_out_of_its_time_is_refused(azure_container: AzureContainer, expiry: timedelta, start: timedelta) -> None:
    with (
        ContainerClient.from_container_url(azure_container.url_with_sas("rl", expiry, start)) as client,
        pytest.raises(HttpResponseError, match="AuthorizationFailure"),  # Azure itself says AuthenticationFailed
    ):
        list(client.list_blob_names())


def test_an_upload_gives_the_etag_that_the_listing_shows(azure_container: AzureContainer) -> None:
    older = azure_container.upload("backup_1.json", b"{}")
    newer = azure_container.upload("backup_1.json", b"[]")
    (blob,) = azure_container.client.list_blobs()
    assert blob.etag == newer != older
