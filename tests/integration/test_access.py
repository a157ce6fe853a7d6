"""A container that refuses or does not answer is told, and no signature with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aetl.config import Settings
from aetl.container import open_container
from aetl.errors import (
    ContainerAccessDenied,
    ContainerUnreachable,
    DatabaseNotFound,
)
from aetl.pipeline import export, load
from tests.azurite import AzureContainer
from tests.exports import blob_name, encode, make_export


async def test_a_failure_of_the_container_tells_what_was_done_before(azure_container: AzureContainer) -> None:
    for night in range(2):
        azure_container.upload(blob_name(night), encode(make_export(first=night)))
    policies = Settings(container=azure_container.url_with_sas("l"), retries=0)
    with pytest.raises(ContainerAccessDenied) as caught:
        await load(policies)
    assert [(report.blob, report.status, report.exit_code) for report in caught.value.reports] == [
        (blob_name(0), "failed", 4)
    ]
    with pytest.raises(DatabaseNotFound):
        await export(policies)


def secret_of(sas: str) -> str:
    return sas.rpartition("sig=")[2]


@pytest.mark.parametrize("what", ["expired", "not yet valid", "no list", "no read", "mangled", "unsigned"])
async def test_a_refused_sas_is_told_without_its_signature(
    azure_container: AzureContainer, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    from datetime import timedelta
    from urllib.parse import unquote

    azure_container.upload(blob_name(0), encode(make_export()))
    valid = azure_container.sas("rl")
    sas = {
        "expired": azure_container.sas("rl", expiry=timedelta(hours=-1), start=timedelta(hours=-2)),
        "not yet valid": azure_container.sas("rl", expiry=timedelta(hours=2), start=timedelta(hours=1)),
        "no list": azure_container.sas("r"),
        "no read": azure_container.sas("l"),
        "mangled": valid.replace("sp=rl", "sp=rwl"),
        "unsigned": valid.partition("&sig=")[0],
    }[what]
    with pytest.raises(ContainerAccessDenied) as caught:
        await load(Settings(container=f"{azure_container.url}?{sas}", retries=0))
    told = caught.value.line
    assert {
        "expired": "the SAS expired at",
        "not yet valid": "only valid from",
        "no list": "does not permit to list",
        "no read": "does not permit to read",
        "mangled": "refused the SAS",
        "unsigned": "has no signature",
    }[what] in told
    if what != "unsigned":
        for secret in (secret_of(sas), unquote(secret_of(sas))):
            assert secret not in told
            assert secret not in repr(caught.value.reports)


async def test_an_unreachable_container_is_told(tmp_path: Path) -> None:
    with pytest.raises(ContainerUnreachable):
        await load(Settings(container="http://127.0.0.1:9/account/exports?sp=rl&sig=c2lnbmF0dXJl", retries=0))


async def test_one_archived_export_is_its_own_trouble_and_is_found_beforehand(azure_container: AzureContainer) -> None:
    for night in range(3):
        azure_container.upload(blob_name(night), encode(make_export(first=night)))
    azure_container.client.get_blob_client(blob_name(1)).set_standard_blob_tier("Archive")
    settings = Settings(container=azure_container.url_with_sas("rl"), retries=0)

    reports = await load(settings)

    assert [(report.status, report.exit_code) for report in reports] == [("loaded", 0), ("failed", 4), ("loaded", 0)]
    assert "is in the archive tier. Rehydrate it" in str(reports[1].error)
    async with open_container(settings) as container:
        (warning,) = [each for each in await container.examine() if each.level != "ok"]
    assert f"1 of the exports cannot be read, for example {blob_name(1)}: it is in the archive tier" in warning.message
