"""Load and export from end to end, over folders and over a real Azurite."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aetl.config import Settings
from aetl.errors import (
    ConfigurationError,
    ExportNotFound,
    LoadRunning,
)
from aetl.models import Export, LoadReport, OtherBlobs, TableCounts
from aetl.pipeline import export, load, status
from tests.azurite import AzureContainer
from tests.exports import blob_name, encode, event, in_order, make_export, parent, session, write
from tests.integration.databases import Kind, content


@dataclass(frozen=True)
class Place:
    """A container, and how a test writes an export into it."""

    settings: Settings
    put: Callable[[int, Any, str], str]
    """Night, document or bytes, suffix -> name."""
    delete: Callable[[str], object]


@pytest.fixture(params=["folder", "azure"])
def place(request: pytest.FixtureRequest, tmp_path: Path, kind: Kind) -> Place:
    if request.param == "folder":
        folder = tmp_path / "exports"
        folder.mkdir()
        return Place(
            Settings(container=str(folder), database=kind.url),
            lambda night, document, suffix: write(folder, night, document, suffix=suffix),
            lambda name: (folder / name).unlink(),
        )
    azure: AzureContainer = request.getfixturevalue("azure_container")

    def put(night: int, document: Any, suffix: str) -> str:
        data = document if isinstance(document, bytes) else encode(document, compress=suffix == ".gz")
        azure.upload(blob_name(night, suffix), data)
        return blob_name(night, suffix)

    return Place(
        Settings(container=azure.url, sas=azure.sas("rl"), database=kind.url, retries=0), put, azure.client.delete_blob
    )


class Meddler:
    """A progress that does something as soon as an export begins, or its first bytes are there."""

    def __init__(self, begin: Callable[[], object] | None = None, advance: Callable[[], object] | None = None) -> None:
        self.on_begin, self.on_advance = begin, advance
        self.begun: list[str] = []
        self.ended: list[LoadReport] = []

    def begin(self, export: Export) -> None:
        self.begun.append(export.etag)
        action, self.on_begin = self.on_begin, None
        if action is not None:
            action()

    def advance(self, size: int, rows: int) -> None:
        action, self.on_advance = self.on_advance, None
        if action is not None:
            action()

    def end(self, report: LoadReport) -> None:
        self.ended.append(report)

    def find_others(self, others: OtherBlobs) -> None:
        pass

    def pass_over(self, count: int, example: str) -> None:
        pass


def outcomes(reports: list[LoadReport]) -> list[tuple[str, str, int]]:
    return [(report.blob, report.status, report.exit_code) for report in reports]


@pytest.mark.parametrize("suffix", ["", ".gz"])
async def test_what_is_new_is_loaded_once_and_oldest_first(place: Place, kind: Kind, suffix: str) -> None:
    names = [place.put(night, make_export(3, first=night, meta=f"night {night}"), suffix) for night in range(3)]
    reports = await load(place.settings)
    assert outcomes(reports) == [(name, "loaded", 0) for name in names]
    assert reports[0].tables["sessions"] == TableCounts(3, 3)
    assert reports[2].tables["sessions"] == TableCounts(3, 3)
    assert all(report.bytes > 0 and report.load_id for report in reports)
    found = await content(kind)
    assert [each["meta"] for each in found["sessions"]] == [f"night {night}" for night in (0, 1, 2, 2, 2)]
    assert await load(place.settings) == []


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("suffix", ["", ".gz"])
async def test_gzip_is_told_by_its_bytes_whatever_the_name_says(
    place: Place, kind: Kind, suffix: str, is_packed: bool
) -> None:
    place.put(1, encode(make_export(), compress=is_packed), suffix)
    assert [report.status for report in await load(place.settings)] == ["loaded"]
    assert await content(kind) == in_order(make_export())


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_a_content_encoding_changes_nothing(
    azure_container: AzureContainer, kind: Kind, encoding: str, is_packed: bool
) -> None:
    from azure.storage.blob import ContentSettings

    stored = encode(make_export(), compress=is_packed)
    azure_container.upload(blob_name(1), stored, content_settings=ContentSettings(content_encoding=encoding))
    (report,) = await load(Settings(container=azure_container.url_with_sas("rl"), database=kind.url))
    assert (report.status, report.bytes) == ("loaded", len(stored))
    assert await content(kind) == in_order(make_export())


async def test_creation_orders_a_folder_and_then_the_name(tmp_path: Path, kind: Kind) -> None:
    names = [write(tmp_path / "exports", night, make_export(), created_on=on) for night, on in ((1, 9), (2, 4), (3, 4))]
    reports = await load(Settings(container="exports", database=kind.url))
    assert [report.blob for report in reports] == [names[1], names[2], names[0]]


async def test_the_latest_is_the_newest_of_all_and_only_while_it_is_new(place: Place) -> None:
    names = [place.put(night, make_export(first=night), "") for night in range(3)]
    assert outcomes(await load(place.settings, latest=True)) == [(names[2], "loaded", 0)]
    assert await load(place.settings, latest=True) == []
    assert len(await load(place.settings)) == 2


async def test_a_named_export_is_loaded_again_if_need_be(place: Place) -> None:
    names = [place.put(night, make_export(first=night), "") for night in range(2)]
    for counts in (TableCounts(2, 2), TableCounts(2, 0, 2)):
        (report,) = await load(place.settings, blob=names[0])
        assert (report.blob, report.tables["sessions"]) == (names[0], counts)
    with pytest.raises(ExportNotFound):
        await load(place.settings, blob=blob_name(77))


@pytest.mark.parametrize("options", [{}, {"latest": True}, {"blob": blob_name(1)}])
async def test_a_dry_run_changes_nothing(place: Place, tmp_path: Path, options: dict[str, Any]) -> None:
    place.put(0, b"not read", "")
    place.put(1, b"not read", "")
    before = sorted(tmp_path.iterdir())
    reports = await load(place.settings, dry_run=True, **options)
    expected = [blob_name(0), blob_name(1)] if not options else [blob_name(1)]
    assert [(report.blob, report.status) for report in reports] == [(name, "pending") for name in expected]
    assert sorted(tmp_path.iterdir()) == before


async def test_a_dry_run_knows_what_is_loaded(place: Place, kind: Kind) -> None:
    place.put(0, make_export(), "")
    await load(place.settings)
    before = await content(kind), kind.query("SELECT * FROM _aetl_loads")
    later = place.put(1, make_export(), "")
    assert [report.blob for report in await load(place.settings, dry_run=True)] == [later]
    assert (await content(kind), kind.query("SELECT * FROM _aetl_loads")) == before


BROKEN = make_export(5)
BROKEN["sessions"][3] = session(3, started_at="yesterday")
"""Two events of the session go with it, and with them the parent that they are to each other: four rejects."""


@pytest.mark.parametrize(("allowed", "is_loaded"), [(0, False), (3, False), (4, True), (None, True)])
async def test_more_rejects_than_allowed_roll_the_export_back(
    place: Place, kind: Kind, allowed: int | None, is_loaded: bool
) -> None:
    place.put(0, BROKEN, "")
    (report,) = await load(place.settings, max_rejects=allowed)
    if is_loaded:
        assert (report.status, report.rejected, report.exit_code) == ("loaded", 4, 0)
        assert {name: (counts.read, counts.loaded, counts.rejected) for name, counts in report.tables.items()} == {
            "sessions": (5, 4, 1),
            "events": (10, 8, 2),
            "event_parents": (5, 4, 1),
        }
        assert kind.rejects() == [
            ("event_parents", 3, "/child_id"),
            ("events", 6, "/session_id"),
            ("events", 7, "/session_id"),
            ("sessions", 3, "/started_at"),
        ]
        assert await load(place.settings, max_rejects=allowed) == []
    else:
        assert (report.status, report.exit_code, report.tables) == ("failed", 6, {})
        assert report.error is not None
        number = f"4 rejects{', more than 3' * (allowed == 3)}: sessions[3]/started_at: "
        assert report.error.startswith(number)
        assert report.error.index("events[6]/session_id") < report.error.index("event_parents[3]/child_id")
        assert "(and 1 like it)" in report.error
        assert ("sessions", 3, "/started_at") in kind.rejects()
        assert await content(kind) == in_order({"sessions": [], "events": [], "event_parents": []})


@pytest.mark.parametrize(
    ("bad", "suffix", "said"),
    [
        (b"", "", "empty"),
        (b"[]", "", "one JSON object"),
        (encode(make_export())[:-9], "", "ends"),
        (b"plain", ".gz", "one JSON object"),
        (encode(make_export(), compress=True)[:-9], ".gz", "ends too early"),
        (b'{"sessions": [], "events": []}', "", "lacks the table event_parents"),
        (encode(BROKEN), "", "'yesterday' is not an ISO 8601 date-time"),
    ],
    ids=["empty", "array", "cut off", "no gzip", "gzip cut off", "table missing", "reject"],
)
async def test_a_bad_export_fails_alone(place: Place, kind: Kind, bad: bytes, suffix: str, said: str) -> None:
    names = [place.put(0, make_export(), ""), place.put(1, bad, suffix), place.put(2, make_export(4), "")]
    meddler = Meddler()
    reports = await load(place.settings, progress=meddler)
    assert outcomes(reports) == [(names[0], "loaded", 0), (names[1], "failed", 6), (names[2], "loaded", 0)]
    assert meddler.ended == reports
    assert said in (reports[1].error or "")
    assert await content(kind) == in_order(make_export(4))
    state = await status(place.settings)
    assert [(each.status, each.error) for each in state.loads][1] == ("failed", reports[1].error)
    assert [each.name for each in state.waiting or ()] == [names[1]], "it is tried again tomorrow"
    place.put(1, make_export(6), suffix)
    assert outcomes(await load(place.settings)) == [(names[1], "loaded", 0)]


class Panic(BaseException):
    """As a library in Rust raises it."""

    __module__ = "pyo3_runtime"


@pytest.mark.parametrize(
    ("stage", "unthought_of"),
    [
        ("Unpacking.feed", RuntimeError),
        ("Records.feed", RecursionError),
        ("Contract.check", Panic),
        ("Contract.check", MemoryError),
        ("Tally.add", KeyError),
    ],
)
async def test_what_nobody_thought_of_fails_one_export_alone(
    tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch, stage: str,
    unthought_of: type[BaseException], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """What that is no real part does, so it is put in where one export's own number of calls is reached."""
    import aetl.pipeline

    names = [write(tmp_path / "exports", night, make_export(night), suffix=".gz") for night in (1, 2, 3)]
    owner, method = stage.split(".")
    original = getattr(getattr(aetl.pipeline, owner), method)
    begun: list[str] = []
    raised = unthought_of("nobody\0thought of \ud800")  # one each, as its traceback is logged once

    def fail_in_the_second(self: Any, *rest: Any) -> Any:
        if len(begun) == 2:
            raise raised
        return original(self, *rest)

    monkeypatch.setattr(getattr(aetl.pipeline, owner), method, fail_in_the_second)
    meddler = Meddler()
    meddler.begun = begun
    settings = Settings(container="exports", database=kind.url)
    reports = await load(settings, progress=meddler)
    assert outcomes(reports) == [(names[0], "loaded", 0), (names[1], "failed", 1), (names[2], "loaded", 0)]
    assert any(record.exc_info and record.exc_info[1] is raised for record in caplog.records)
    assert await content(kind) == in_order(make_export(3))
    state = await status(settings)
    assert [each.status for each in state.loads] == ["loaded", "failed", "loaded"]
    assert [each.name for each in state.waiting or ()] == [names[1]]
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert outcomes(await load(settings)) == [(names[1], "loaded", 0)]


async def test_half_a_surrogate_pair_behind_a_refused_reference_is_rejected_alone(place: Place, kind: Kind) -> None:
    orphans = [parent(number, 99) for number in range(3)]
    place.put(0, {**make_export(), "event_parents": [*orphans, {"child_id": "\ud800", "parent_id": "e0"}]}, "")
    place.put(1, make_export(3), "")
    assert [each.status for each in await load(place.settings)] == ["failed", "loaded"]
    reports = await load(place.settings, max_rejects=None)
    assert [(each.status, each.rejected) for each in reports] == [("loaded", 4)]
    assert ("event_parents", 3, "/child_id") in kind.rejects()


async def test_one_that_is_deleted_before_its_turn_fails_alone(place: Place) -> None:
    names = [place.put(night, make_export(first=night), "") for night in range(3)]
    reports = await load(place.settings, progress=Meddler(begin=lambda: place.delete(names[1])))
    assert outcomes(reports) == [(names[0], "loaded", 0), (names[1], "failed", 4), (names[2], "loaded", 0)]


async def test_one_that_is_replaced_is_begun_again(place: Place, kind: Kind) -> None:
    place.put(0, make_export(3, meta="old"), "")
    newer = make_export(4, meta="new")
    meddler = Meddler(begin=lambda: place.put(0, newer, ""))
    (report,) = await load(place.settings, progress=meddler)
    assert len(set(meddler.begun)) == 2 and report.etag == meddler.begun[1]
    assert report.tables["sessions"] == TableCounts(4, 4)
    assert await content(kind) == in_order(newer)
    assert await load(place.settings) == []


async def test_one_that_is_replaced_again_and_again_waits_for_the_next_run(place: Place, kind: Kind) -> None:
    place.put(0, make_export(1), "")

    class Restless(Meddler):
        def begin(self, export: Export) -> None:
            super().begin(export)
            place.put(0, make_export(len(self.begun) + 1), "")

    restless = Restless()
    (report,) = await load(place.settings, progress=restless)
    assert (report.status, report.exit_code, len(restless.begun)) == ("failed", 4, 3)
    (report,) = await load(place.settings)
    assert report.tables["sessions"] == TableCounts(4, 4)


async def test_what_the_contract_does_not_know_is_skipped_with_a_warning(
    place: Place, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    place.put(0, {"version": {"sessions": [1]}, **make_export(), "tools": [{"id": 1}]}, "")
    (report,) = await load(place.settings)
    assert (report.status, list(report.tables)) == ("loaded", ["sessions", "events", "event_parents"])
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [
        f"{blob_name(0)}: '{name}' was skipped: the contract knows no such table" for name in ("version", "tools")
    ]


@pytest.mark.parametrize("key", ["\0", "\ud800", "\udc00\ud800", "loaded"])
async def test_whatever_a_skipped_key_holds_the_ledger_can_be_read(place: Place, kind: Kind, key: str) -> None:
    place.put(0, {**make_export(), key: 1}, "")
    (report,) = await load(place.settings)
    state = await status(place.settings)
    (found,) = state.loads
    told = key.encode("utf-8", "backslashreplace").decode().replace("\0", r"\u0000")
    assert (report.status, list(report.skipped), list(found.skipped)) == ("loaded", [key], [told])
    assert state.last_success == found.finished_at
    assert found.tables == report.tables


async def test_times_without_an_offset_and_keys_in_any_order_are_fine(place: Place, kind: Kind) -> None:
    document = {
        "event_parents": [],
        "events": [dict(reversed(event(1, 1, ts="2025-03-01T02:00:00").items()))],
        "sessions": [dict(reversed(session(1, started_at="2025-03-01T02:00:00.5").items()))],
    }
    place.put(0, document, "")
    await load(place.settings)
    assert await content(kind) == in_order(document)


async def test_an_empty_container_is_no_failure(place: Place) -> None:
    assert await load(place.settings) == []
    assert await load(place.settings, latest=True) == []
    state = await status(place.settings)
    assert (list(state.loads), state.last_success, state.waiting) == ([], None, [])


@pytest.mark.parametrize("work", [load, export])
async def test_without_a_container_nothing_begins(work: Callable[[Settings], Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no container is set"):
        await work(Settings())
    assert list(tmp_path.iterdir()) == []


async def test_only_one_load_runs_at_a_time(place: Place, kind: Kind) -> None:
    place.put(0, make_export(), "")
    async with kind.opened():
        with pytest.raises(LoadRunning):
            await load(place.settings)


async def test_failures_are_those_not_in_since_and_all_rejects_are_no_success(place: Place, kind: Kind) -> None:
    place.put(0, [], "")
    record = session(1, started_at="yesterday")
    place.put(1, {"sessions": [record], "events": [], "event_parents": []}, "")
    await load(place.settings, max_rejects=None)
    state = await status(place.settings)
    assert [report.blob for report in state.failed] == [blob_name(0)]
    assert state.last_success is None and [report.is_all_rejected for report in state.loads] == [True, False]
    place.put(0, make_export(), "")
    await load(place.settings)
    state = await status(place.settings)
    assert list(state.failed) == [] and state.last_success is not None


@pytest.mark.parametrize("case", ["twice", "orphan"])
async def test_a_first_export_that_is_not_straight_is_read_once_more_and_counted_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    caplog.set_level("DEBUG", "aetl")
    document = make_export(3)
    if case == "twice":
        document["events"].append({**document["events"][0], "meta": "newer"})
    else:
        document["event_parents"].append(parent(1, 77))
    write(tmp_path / "exports", 0, document)
    write(tmp_path / "exports", 1, make_export(4))
    (name, _) = sorted((tmp_path / "exports").iterdir())
    first, second = await load(Settings(container="exports"), max_rejects=None)
    assert first.bytes == name.stat().st_size
    assert first.tables["events"] == TableCounts(6 + (case == "twice"), 6 + (case == "twice"))
    assert first.rejected == (case == "orphan") == len(first.faults)
    assert second.tables["sessions"] == TableCounts(4, 1, 3)
    assert (first.changes, second.changes) == ((), ())
    assert any("is loaded once more, record by record" in each.message for each in caplog.records)
    assert not any(each.exc_info for each in caplog.records)
