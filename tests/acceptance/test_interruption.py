"""A load that is interrupted, terminated or killed leaves the tables as they were, and the next one completes."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from tests.acceptance.command import (
    content,
    fail,
    files,
    is_loading,
    is_sound,
    one_line,
    start,
    succeed,
    tell_to_end,
    wait_until,
)
from tests.azurite import AzureContainer
from tests.exports import blob_name, make_export, write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as Unix knows them")

SECONDS_TO_END = 2
ENDINGS = [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
LOADED = f"SELECT count(*) FROM _aetl_loads WHERE status = 'loaded' AND blob = '{blob_name(1)}'"


@pytest.fixture
def earlier(request: pytest.FixtureRequest) -> dict[str, str]:
    """The tables before the load: of a database that is not there yet, or of one with an earlier load."""
    if request.param:
        write(Path("earlier"), 0, make_export(2_000, events=4, meta="before"))
        succeed("load", "--container", "earlier", "--log-file", "earlier.log")
    return content() if Path("local.db").exists() else content(":memory:")


both = pytest.mark.parametrize("earlier", [False, True], indirect=True, ids=["new database", "second load"])


def interrupted(exports: Path, number: signal.Signals, *options: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a load that was sent a signal while it read the export."""
    with start("load", "--container", exports, *options) as load:
        wait_until(is_loading)
        assert load.poll() is None, "the load was over before the signal came"
        stdout, stderr, seconds = tell_to_end(load, number)
        assert seconds < SECONDS_TO_END
        return load.returncode, stdout, stderr


@both
@pytest.mark.parametrize(("number", "exit_code", "word"), ENDINGS, ids=["SIGINT", "SIGTERM"])
def test_a_signal_rolls_the_load_back_and_the_next_completes(
    earlier: dict[str, str],
    big_exports: Path,
    big_content: dict[str, str],
    number: signal.Signals,
    exit_code: int,
    word: str,
) -> None:
    code, stdout, stderr = interrupted(big_exports, number)

    assert code == exit_code
    assert word in one_line(stderr)
    assert stdout == ""
    assert content() == earlier
    left = files()
    assert left - {"earlier", "earlier.log"} <= {"local.db", "global.log", "local.db-wal", "local.db-shm"}
    assert "local.db.lock" not in files()
    succeed("load", "--container", big_exports)
    assert content() == big_content
    assert is_sound()


@pytest.mark.parametrize(("number", "exit_code", "word"), ENDINGS, ids=["SIGINT", "SIGTERM"])
def test_json_tells_of_the_interruption_and_of_what_was_loaded_before(
    big_exports: Path, tmp_path: Path, number: signal.Signals, exit_code: int, word: str
) -> None:
    exports = tmp_path / "exports"
    write(exports, 0, make_export(2, meta="before"))
    (exports / blob_name(1)).hardlink_to(big_exports / blob_name(1))

    with start("load", "--container", exports, "--json") as load:
        wait_until(lambda: f"load_one {blob_name(1)}: started" in read("global.log"))
        stdout, stderr, _ = tell_to_end(load, number)

    assert load.returncode == exit_code
    report = json.loads(stdout)
    assert [(each["blob"], each["status"]) for each in report["loads"]] == [(blob_name(0), "loaded")]
    assert report["error"]["exit_code"] == exit_code
    assert word in report["error"]["message"]
    one_line(stderr)


@pytest.mark.parametrize(("number", "exit_code", "word"), ENDINGS, ids=["SIGINT", "SIGTERM"])
def test_a_signal_stops_a_load_from_azure_as_soon(
    azure_container: AzureContainer,
    big_exports: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    exit_code: int,
    word: str,
) -> None:
    azure_container.upload(blob_name(1), (big_exports / blob_name(1)).read_bytes())
    monkeypatch.setenv("CHAT_DB_CONTAINER_URL", azure_container.url_with_sas())

    with start("load") as load:
        wait_until(is_loading)
        _, stderr, seconds = tell_to_end(load, number)

    assert seconds < SECONDS_TO_END
    assert load.returncode == exit_code
    assert word in one_line(stderr)
    assert content() == content(":memory:")


def read(log: str) -> str:
    return Path(log).read_text("utf-8") if Path(log).exists() else ""


def test_a_signal_while_it_still_starts_is_one_line_too(big_exports: Path) -> None:
    with start("load", "--container", big_exports) as load:
        wait_until(Path("global.log").exists)
        _, stderr, _ = tell_to_end(load, signal.SIGTERM)
    assert load.returncode == 143
    one_line(stderr)


def test_a_second_load_meanwhile_is_refused(big_exports: Path) -> None:
    with start("load", "--container", big_exports) as load:
        wait_until(is_loading)
        fail(75, "load", "--container", big_exports, "--log-file", "second.log")
        assert load.poll() is None, "the load was over before the second one"
        load.kill()
