"""The container is the one that the URL names, whatever the credentials are; a folder in the URL is a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from aetl.config import Settings
from aetl.container import open_container
from aetl.errors import ConfigurationError, ContainerNotFound, ExportNotFound
from aetl.pipeline import export, load
from tests.azurite import AzureContainer, Azurite
from tests.exports import blob_name, encode, make_export
from tests.integration.containers import listing


def settings_of(container: AzureContainer, path: str, credential: str) -> Settings:
    url = f"{container.url}{path}"
    if credential == "SAS":
        return Settings(container=f"{url}?{container.sas('rlcw')}", retries=0)
    return Settings(container=url, connection_string=container.azurite.connection_string, retries=0)


@pytest.mark.parametrize("credential", ["SAS", "connection string"])
async def test_a_folder_in_the_url_is_loaded_from_and_written_to(
    azure_container: AzureContainer, credential: str, tmp_path: Path
) -> None:
    for name in (blob_name(0), f"night ly/{blob_name(1)}", f"night ly/deep/{blob_name(2)}", f"nightly/{blob_name(3)}"):
        azure_container.upload(name, encode(make_export()))
    settings = settings_of(azure_container, "/night%20ly//", credential)
    assert [report.blob for report in await load(settings)] == [blob_name(1)]
    assert await load(settings) == []
    async with open_container(settings) as container:
        with pytest.raises(ExportNotFound):
            await container.find(blob_name(0))
    name = await export(settings)
    assert f"night ly/{name}" in azure_container.names()


@pytest.mark.parametrize("credential", ["SAS", "connection string"])
async def test_slashes_at_the_end_are_nothing(azure_container: AzureContainer, credential: str) -> None:
    azure_container.upload(blob_name(0), b"{}")
    async with open_container(settings_of(azure_container, "///", credential)) as container:
        assert [each.name for each in await listing(container)] == [blob_name(0)]


async def test_a_folder_named_like_another_container_is_not_that_container(azurite: Azurite) -> None:
    with azurite.new_container() as named, azurite.new_container() as other:
        other.upload(blob_name(0), encode(make_export()))
        assert await load(settings_of(named, f"/{other.name}", "connection string")) == []
        missing = Settings(
            container=f"{azurite.account_url}/missing-one/{other.name}", connection_string=azurite.connection_string
        )
        with pytest.raises(ContainerNotFound):
            await load(missing)


async def test_the_account_in_the_path_must_be_that_of_the_connection_string(azure_container: AzureContainer) -> None:
    azurite = azure_container.azurite
    url = azure_container.url.replace(azurite.account_name, "another")
    with pytest.raises(ConfigurationError, match="is not in the storage account of the connection string"):
        await load(Settings(container=url, connection_string=azurite.connection_string))
