"""The server fails at one blob, or refuses it: that is this export's failure. At all of them: the load ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aetl.config import Settings
from aetl.errors import ContainerError
from aetl.pipeline import load, status
from tests.azurite import AzureContainer, Azurite
from tests.exports import blob_name, encode, make_export
from tests.faults.proxy import Fault, Proxy

NAMES = [blob_name(night) for night in range(4)]
FAULTS = {
    "failed": Fault("answer", status=500),
    "refused": Fault("answer", status=403),
    "refused by its rights": Fault(
        "answer", status=403, headers={"x-ms-error-code": "AuthorizationPermissionMismatch"}
    ),
    "broken off": Fault("reset", after=10),
    "silent": Fault("silence"),
}


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[Proxy]:
    with Proxy(azurite.account_url).running() as running:
        yield running


@pytest.fixture
def settings(azure_container: AzureContainer, proxy: Proxy) -> Settings:
    for number, name in enumerate(NAMES):
        azure_container.upload(name, encode(make_export(first=number)))
    return Settings(container=proxy.url(azure_container.url), sas=azure_container.sas("rl"), retries=0, timeout=0.5)


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("bad", [(0,), (1, 2)])
async def test_what_fails_at_one_blob_stops_no_other(
    kind: str, bad: tuple[int, ...], settings: Settings, proxy: Proxy
) -> None:
    proxy.fails_at = {NAMES[number]: FAULTS[kind] for number in bad}
    expected = [(name, "failed", 4) if number in bad else (name, "loaded", 0) for number, name in enumerate(NAMES)]

    reports = await load(settings)

    assert [(each.blob, each.status, each.exit_code) for each in reports] == expected
    assert all("each load tries it again" in each.error for each in reports if each.error)
    state = await status(settings)
    assert [(each.blob, each.status) for each in reversed(state.loads)] == [(name, what) for name, what, _ in expected]
    proxy.fails_at = {}
    assert [(each.blob, each.status) for each in await load(settings)] == [(NAMES[number], "loaded") for number in bad]


@pytest.mark.parametrize("kind", FAULTS)
async def test_what_fails_at_all_blobs_ends_the_load(kind: str, settings: Settings, proxy: Proxy) -> None:
    proxy.fails_at = dict.fromkeys(NAMES[1:], FAULTS[kind])

    with pytest.raises(ContainerError) as caught:
        await load(settings)

    assert caught.value.ends_run
    assert [(each.blob, each.status) for each in caught.value.reports] == [(NAMES[0], "loaded"), (NAMES[1], "failed")]
    assert [each.blob for each in (await status(settings)).loads] == [NAMES[0]], "the others wait, in their order"
