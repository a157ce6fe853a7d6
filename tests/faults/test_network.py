"""The network breaks: once, and the load goes on from there; for good, and it says so and leaves the tables alone."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from azure.storage.blob import ContentSettings

from aetl.container.azure_reading import RANGE
from tests.acceptance.command import content, fail, query, run_aetl, start, succeed, wait_until
from tests.azurite import AzureContainer, Azurite
from tests.exports import Record, blob_name, encode, make_export, write
from tests.faults.databases import content_of_sound
from tests.faults.proxy import Fault, Proxy

thorough = partial(pytest.param, marks=pytest.mark.thorough)
RANGES = 3
NAME = blob_name(1)
ONCE = Path("once.yaml")
FOR_GOOD = Path("for-good.yaml")
SECONDS_TO_GIVE_UP = 30
"""What FOR_GOOD comes to is 7: two times a silence of 1 s, and Azure's client begins a broken body three times."""


def large_export(meta: str) -> dict[str, list[Record]]:
    """Few records that fill almost three ranges."""
    document = make_export(20, events=2, meta=meta)
    for each in document["events"]:
        each["content"] = "x" * int(RANGE * (RANGES - 0.5) / 40)
    return document


@pytest.fixture(scope="module")
def data() -> bytes:
    return encode(large_export("first"))


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> dict[str, str]:
    """What one clean load leaves."""
    place = tmp_path_factory.mktemp("complete")
    write(place / "exports", 1, data)
    succeed("load", "--container", place / "exports", "--database", place / "clean.db", "--log-file", place / "log")
    return content(place / "clean.db")


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[Proxy]:
    with Proxy(azurite.account_url).running() as running:
        yield running


@pytest.fixture(autouse=True)
def container(
    azure_container: AzureContainer, data: bytes, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> AzureContainer:
    """Holds the export; aetl gets there by way of the proxy, and does not wait long."""
    azure_container.upload(NAME, data)
    monkeypatch.setenv("CHAT_DB_CONTAINER_URL", proxy.url(azure_container.url_with_sas("rl")))
    ONCE.write_text("timeout: 2\nretries: 3\npause: 0.01")
    FOR_GOOD.write_text("timeout: 1\nretries: 1\npause: 0.01")
    return azure_container


FAULTS = {
    "reset before an answer": Fault("reset"),
    "reset in the middle": Fault("reset", after=RANGE // 2),
    "cut off": Fault("cut", after=RANGE // 2),
    "silent": Fault("silence"),
    "stalled": Fault("stall", after=RANGE // 2),
    "500": Fault("answer", status=500),
    "503": Fault("answer", status=503, headers={"Retry-After": "1", "x-ms-error-code": "ServerBusy"}),
    "429": Fault("answer", status=429),
    "longer": Fault("longer"),
    "shorter": Fault("shorter"),
    "more than said": Fault("garbage"),
}


def everyday(*kinds: str, but: str = "") -> list[object]:
    """All kinds of faults: these every day, the others where there is time."""
    return [kind if kind in kinds else thorough(kind) for kind in FAULTS if kind != but]


@pytest.mark.parametrize("kind", everyday("reset in the middle", "stalled", "429", "longer"))
def test_what_breaks_once_is_fetched_again_and_no_more_than_that(
    kind: str, proxy: Proxy, data: bytes, complete: dict[str, str]
) -> None:
    proxy.plan = lambda count, offset: FAULTS[kind] if count == 2 else None

    succeed("load", "--config", ONCE)

    assert content_of_sound() == complete
    assert query("SELECT status FROM _aetl_loads") == [("loaded",)]
    assert len(proxy.offsets) <= RANGES + 1
    assert proxy.sent <= len(data) + RANGE + 10


BORDERS = [("reset", RANGE - 1), *(thorough("reset", after) for after in (0, 1, 65_536, RANGE // 2, RANGE))]


@pytest.mark.parametrize(("kind", "after"), [*BORDERS, thorough("cut", RANGE - 1)])
def test_every_range_may_break_anywhere(
    kind: str, after: int, proxy: Proxy, data: bytes, complete: dict[str, str]
) -> None:
    proxy.plan = lambda count, offset: Fault(kind, after=after) if proxy.offsets.count(offset) == 1 else None

    succeed("load", "--config", ONCE)

    assert content_of_sound() == complete
    assert len(proxy.offsets) <= 2 * RANGES
    assert proxy.sent <= 2 * len(data)


def test_a_server_that_is_gone_for_a_moment_is_asked_again(proxy: Proxy, complete: dict[str, str]) -> None:
    proxy.plan = lambda count, offset: Fault("refuse") if count == 2 else None
    Path("patient.yaml").write_text("pause: 0.5")
    log = Path("global.log")

    with start("load", "--config", "patient.yaml") as load:
        wait_until(lambda: log.exists() and "is asked again" in log.read_text("utf-8"))
        proxy.open()
        _, stderr = load.communicate(timeout=60)

    assert (load.returncode, stderr) == (0, "")
    assert content_of_sound() == complete


@pytest.fixture
def earlier() -> dict[str, str]:
    write(Path("earlier"), 0, make_export(50, meta="before"))
    succeed("load", "--container", "earlier")
    return content_of_sound()


# Of more than is said the rest is never looked at: that does no harm, however often it comes.
@pytest.mark.parametrize("kind", ["refused", *everyday("503", but="more than said")])
def test_what_stays_broken_is_4_in_time_and_leaves_the_tables_alone(
    kind: str, proxy: Proxy, earlier: dict[str, str]
) -> None:
    fault = FAULTS.get(kind, Fault("refuse"))
    proxy.plan = lambda count, offset: fault if count >= 2 else None
    began = time.monotonic()

    line = fail(4, "load", "--config", FOR_GOOD)

    assert time.monotonic() - began < SECONDS_TO_GIVE_UP
    assert NAME in line
    assert content_of_sound() == earlier
    proxy.plan = lambda count, offset: None
    proxy.close()
    proxy.open()
    succeed("load", "--config", ONCE)
    assert content()["sessions"] != earlier["sessions"]


@pytest.mark.parametrize("number", [2, thorough(1), thorough(RANGES)])
def test_one_replaced_while_it_is_read_is_never_mixed(
    number: int, proxy: Proxy, container: AzureContainer, complete: dict[str, str]
) -> None:
    newer = encode(large_export("later"))
    fault = Fault("swap", then=lambda: container.upload(NAME, newer))
    proxy.plan = lambda count, offset: fault if count == number else None

    succeed("load", "--config", ONCE)

    assert query("SELECT DISTINCT meta FROM sessions") == [("later",)]
    assert content_of_sound() != complete
    assert run_aetl("load", "--config", ONCE).stdout == "Nothing new.\n"


def test_one_deleted_between_listing_and_reading_fails_alone(proxy: Proxy, container: AzureContainer) -> None:
    container.upload(blob_name(2), encode(make_export(3)))
    fault = Fault("swap", then=lambda: container.client.delete_blob(NAME))
    proxy.plan = lambda count, offset: fault if count == 1 else None

    line = fail(4, "load", "--config", ONCE)

    assert NAME in line
    assert query("SELECT blob, status FROM _aetl_loads ORDER BY blob") == [(NAME, "failed"), (blob_name(2), "loaded")]
    assert query("SELECT count(*) FROM sessions") == [(3,)]
    succeed("load", "--config", ONCE)


QUIETLY = len(b'{"sessions": [{"id": "')
"""There a flipped bit makes another record of one, which keeps the contract."""


@pytest.fixture
def hashed(container: AzureContainer, data: bytes) -> bytes:
    """The export again, and this time its blob has a Content-MD5."""
    md5 = bytearray(hashlib.md5(data, usedforsecurity=False).digest())
    container.upload(NAME, data, content_settings=ContentSettings(content_md5=md5))
    return data


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("after", [0, QUIETLY])
def test_a_bit_that_flips_on_the_way_is_not_loaded(
    number: int, after: int, proxy: Proxy, hashed: bytes, complete: dict[str, str]
) -> None:
    """Also one that breaks the JSON at once: the export is not blamed for it."""
    proxy.plan = lambda count, offset: Fault("flip", after=after) if count == number else None

    succeed("load", "--config", ONCE)

    assert content_of_sound() == complete
    assert query("SELECT status FROM _aetl_loads") == [("loaded",)]
    assert len(proxy.offsets) <= 2 * RANGES


@pytest.mark.parametrize("after", [0, QUIETLY])
def test_bits_that_flip_for_good_are_4_and_not_the_contracts_fault(
    after: int, proxy: Proxy, hashed: bytes, earlier: dict[str, str]
) -> None:
    proxy.plan = lambda count, offset: Fault("flip", after=after)

    line = fail(4, "load", "--config", ONCE)

    assert f"{NAME} in the container" in line and "Content-MD5" in line and "contract" not in line
    assert content_of_sound() == earlier


def test_a_range_that_has_a_checksum_of_its_own_is_fetched_again(proxy: Proxy, container: AzureContainer) -> None:
    small = make_export(20, events=2)
    container.upload(NAME, encode(small))
    proxy.plan = lambda count, offset: Fault("flip", after=QUIETLY) if count == 1 else None

    succeed("load", "--config", ONCE)

    assert proxy.offsets == [0, 0]
    assert query("SELECT id FROM sessions ORDER BY 1") == sorted((each["id"],) for each in small["sessions"])
