"""What every database promises of a load: one suite over all of them."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aetl.database import Database
from aetl.errors import DatabaseNotFound, ExportMalformed
from aetl.models import Export, LoadReport, Reject, TableCounts
from tests.exports import TABLES, checked, empty_export, event, in_order, listed, make_export, parent, session
from tests.integration.databases import Kind, content, load, load_into


def all_loaded(document: dict[str, list[Any]]) -> dict[str, TableCounts]:
    return {table: TableCounts(len(records), len(records)) for table, records in document.items()}


def all_unchanged(document: dict[str, list[Any]]) -> dict[str, TableCounts]:
    return {table: TableCounts(len(records), 0, len(records)) for table, records in document.items()}


async def history(kind: Kind, most: int = 100) -> list[LoadReport]:
    async with kind.opened("read") as database:
        return await database.history(most)


async def test_what_was_loaded_is_there(kind: Kind) -> None:
    document = make_export(3, events=4)
    loaded = await load_into(kind, document)
    assert loaded.tables == all_loaded(document)
    assert await content(kind) == in_order(document)


async def test_rows_and_ledger_come_together(kind: Kind) -> None:
    before = datetime.now(UTC)
    document = make_export()
    loaded = await load_into(kind, document, listed(1, "etag"))
    (report,) = await history(kind)
    assert report.finished_at is not None and before <= report.finished_at <= datetime.now(UTC)
    assert replace(report, finished_at=None) == LoadReport(
        listed(1).name, "etag", "loaded", loaded.load_id, 7, 0.5, loaded.tables, contract=kind.contract.hash
    )
    async with kind.opened("read") as database:
        assert await database.last_success() == report.finished_at


async def leave(database: Database, kind: Kind, batches: int) -> None:
    """Begins a load, and leaves it after some batches."""
    async with database.load(listed(2)) as running:
        for batch in itertools.islice(checked(make_export(first=50), kind.contract), batches):
            await running.write(batch)
        raise ExportMalformed("cut off")


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("batches", [0, 1, 3])
async def test_a_load_left_in_the_middle_leaves_nothing(kind: Kind, is_first: bool, batches: int) -> None:
    if not is_first:
        await load_into(kind, make_export(), listed(1))
    async with kind.opened() as database:
        with pytest.raises(ExportMalformed):
            await leave(database, kind, batches)
        assert [each.name for each in await database.pending([listed(2)])] == [listed(2).name]
    if is_first:
        with pytest.raises(DatabaseNotFound):
            await content(kind)
    else:
        assert await content(kind) == in_order(make_export())
        assert [report.blob for report in await history(kind)] == [listed(1).name]


async def test_the_load_after_one_that_failed_first_makes_all_indexes(kind: Kind) -> None:
    async with kind.opened() as database:
        with pytest.raises(ExportMalformed):
            await leave(database, kind, 3)
        await load(database, make_export(), listed(1), kind.contract)
    assert await content(kind) == in_order(make_export())


INDEXES = {
    "sqlite": "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL",
    "postgresql": "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexname NOT LIKE '%pkey'",
}


async def test_what_refers_to_another_record_is_found_by_an_index(kind: Kind) -> None:
    """Or else whoever deletes a record waits until all that may refer to it is read."""
    await load_into(kind, make_export())
    found = [name.removesuffix("_idx") for (name,) in kind.query(INDEXES[kind.dialect])]
    indexes = {name for name in found if not name.startswith("_aetl")}
    assert indexes == {"events_session_id_ts", "events_session_id_kind_ts", "event_parents_parent_id"}


@pytest.mark.parametrize("at_once", [1, 3, 1000])
async def test_the_same_export_again_changes_nothing(kind: Kind, at_once: int) -> None:
    document = make_export(4, events=3)
    await load_into(kind, document)
    again = await load_into(kind, document, at_once=at_once)
    assert again.tables == all_unchanged(document)
    assert await content(kind) == in_order(document)


@pytest.mark.parametrize("at_once", [1, 2, 1000])
async def test_the_newest_version_of_a_record_wins(kind: Kind, at_once: int) -> None:
    await load_into(kind, make_export(5), listed(1, "a"))
    changed = make_export(6)
    changed["sessions"][2]["meta"] = "changed"
    changed["events"][3] = event(3, 4, raw_text=None, round=None)
    loaded = await load_into(kind, changed, listed(1, "b"), at_once=at_once)
    assert loaded.tables == {
        "sessions": TableCounts(6, 2, 4),
        "events": TableCounts(12, 3, 9),
        "event_parents": TableCounts(6, 1, 5),
    }
    assert await content(kind) == in_order(changed)


@pytest.mark.parametrize("at_once", [1, 2, 1000])
async def test_an_older_export_adds_but_never_overwrites(kind: Kind, at_once: int) -> None:
    await load_into(kind, make_export(3, meta="new"), listed(5))
    older = await load_into(kind, make_export(6, meta="old"), listed(4), at_once=at_once)
    assert older.tables["sessions"] == TableCounts(6, 3, 3)
    both = make_export(6, meta="old")
    both["sessions"][:3] = make_export(3, meta="new")["sessions"]
    assert await content(kind) == in_order(both)


async def test_of_one_moment_the_later_name_is_the_newer(kind: Kind) -> None:
    first, second = (replace(listed(1), name=f"backup_{letter}.json") for letter in "ab")
    await load_into(kind, make_export(1, meta="b"), second)
    await load_into(kind, make_export(1, meta="a"), first)
    assert (await content(kind))["sessions"][0]["meta"] == "b"


@pytest.mark.parametrize("offset", [timedelta(0), timedelta(hours=9)])
async def test_which_is_older_does_not_hang_on_the_clocks_offset(kind: Kind, offset: timedelta) -> None:
    from datetime import timezone

    await load_into(kind, make_export(1, meta="new"), listed(2))
    older = listed(1)
    await load_into(
        kind, make_export(1, meta="old"), replace(older, created=older.created.astimezone(timezone(offset)))
    )
    assert (await content(kind))["sessions"][0]["meta"] == "new"


@pytest.mark.parametrize("at_once", [2, 1000])
@pytest.mark.parametrize("order", list(itertools.permutations(TABLES)), ids="-".join)
async def test_the_arrays_may_stand_in_any_order(kind: Kind, order: tuple[str, ...], at_once: int) -> None:
    document = make_export(5, events=3)
    shuffled = {table: document[table] for table in order}
    loaded = await load_into(kind, shuffled, listed(1), at_once=at_once)
    assert loaded.tables == all_loaded(shuffled)
    assert await content(kind) == in_order(document)
    again = await load_into(kind, shuffled, listed(2), at_once=at_once)
    assert again.tables == all_unchanged(shuffled)


@pytest.mark.parametrize("at_once", [1, 3, 1000])
@pytest.mark.parametrize("order", list(itertools.permutations(TABLES)), ids="-".join)
async def test_a_record_that_refers_to_nothing_is_rejected(kind: Kind, order: tuple[str, ...], at_once: int) -> None:
    document = make_export(3)
    document["events"][1:1] = [event(90, 77)]
    document["event_parents"] += [parent(1, 90), parent(91, 0)]
    loaded = await load_into(kind, {table: document[table] for table in order}, at_once=at_once)
    expected = [("event_parents", 3, "/parent_id"), ("event_parents", 4, "/child_id"), ("events", 1, "/session_id")]
    assert loaded.places == kind.rejects() == expected
    assert "'s77' refers to no record" in next(each.reason for each in loaded.rejects if each.table == "events")
    assert await content(kind) == in_order(make_export(3))


@pytest.mark.parametrize("at_once", [1, 2, 1000])
@pytest.mark.parametrize("order", [TABLES, TABLES[::-1]], ids=["parents first", "children first"])
async def test_of_one_id_twice_the_last_one_wins(kind: Kind, order: tuple[str, ...], at_once: int) -> None:
    document = make_export(2)
    document["sessions"] += [session(0, meta="second"), session(1, meta="second"), session(0, meta="third")]
    document["events"] += [event(0, 1, raw_text="second"), event(0, 0, raw_text="third")]
    loaded = await load_into(kind, {table: document[table] for table in order}, at_once=at_once)
    assert loaded.places == []
    found = await content(kind)
    assert [each["meta"] for each in found["sessions"]] == ["third", "second"]
    assert next(each for each in found["events"] if each["id"] == "e0") == event(0, 0, raw_text="third")


@pytest.mark.parametrize("at_once", [1, 1000])
async def test_of_one_id_twice_the_last_one_wins_each_night_anew(kind: Kind, at_once: int) -> None:
    """Also where it is what the table holds already, and the first one is not."""
    document = {**empty_export(), "sessions": [session(0, meta="A"), session(1), session(0, meta="B")]}
    for night, loaded in ((1, 3), (2, 2), (3, 2)):
        came = await load_into(kind, document, listed(night), at_once=at_once)
        assert came.tables["sessions"] == TableCounts(3, loaded, 3 - loaded)
        assert await content(kind) == in_order({**document, "sessions": document["sessions"][1:]})


@pytest.mark.parametrize("at_once", [1, 2, 1000])
@pytest.mark.parametrize("is_known", [False, True])
async def test_a_version_between_two_that_refers_to_nothing_is_rejected(
    kind: Kind, is_known: bool, at_once: int
) -> None:
    if is_known:
        await load_into(kind, make_export(1, events=1), listed(1))
    document = make_export(1, events=1)
    document["events"] += [event(0, 77, raw_text="second"), event(0, 0, raw_text="third")]
    loaded = await load_into(kind, document, listed(2), at_once=at_once)
    assert loaded.places == kind.rejects() == [("events", 1, "/session_id")]
    assert loaded.tables["events"] == TableCounts(3, 2 - is_known, int(is_known), 1)
    assert (await content(kind))["events"] == document["events"][2:]


@pytest.mark.parametrize("value", ["\ud800", "half \udfff of it"])
@pytest.mark.parametrize("place", [0, 2, 4])
async def test_what_is_no_unicode_is_rejected_alone(kind: Kind, value: str, place: int) -> None:
    document = make_export(4)
    document["sessions"].insert(place, session(9, id="good", meta=value))
    document["events"].insert(place, event(99, 1, id=value, meta=value))
    loaded = await load_into(kind, document)
    assert loaded.places == [("events", place, "/id"), ("sessions", place, "/meta")]
    assert await content(kind) == in_order(make_export(4))


async def rejects_nul(kind: Kind, text: str) -> None:
    document = make_export(3)
    document["sessions"].insert(1, session(7, meta=text))
    document["events"].append(event(70, 0, id=text))
    loaded = await load_into(kind, document)
    assert loaded.places == kind.rejects() == [("events", 6, "/id"), ("sessions", 1, "/meta")]
    assert await content(kind) == in_order(make_export(3))


@pytest.mark.parametrize("at_once", [1, 1000])
async def test_of_many_records_each_is_loaded_or_rejected_by_itself(kind: Kind, at_once: int) -> None:
    events = [event(number, 0, id=f"\ud800 {number}" if number % 2 else f"e{number}") for number in range(400)]
    loaded = await load_into(kind, {**make_export(1), "events": events, "event_parents": []}, at_once=at_once)
    assert loaded.places == [("events", number, "/id") for number in range(1, 400, 2)]
    assert loaded.tables["events"].loaded == 200


@pytest.mark.parametrize("text", ["", "'", '"', "\0", "a\0b", "\U0001f600", "\u2028", "line\nbreak", "x" * 100_000])
async def test_any_text_comes_back_as_it_was(kind: Kind, text: str) -> None:
    if "\0" in text and kind.differs("no NUL"):
        await rejects_nul(kind, text)
        return
    document = {
        **empty_export(),
        "sessions": [session(1, id=text, meta=text)],
        "events": [event(1, 1, session_id=text)],
    }
    await load_into(kind, document)
    assert await content(kind) == in_order(document)
    assert (await load_into(kind, document, listed(2))).tables == all_unchanged(document)


@pytest.mark.parametrize("number", [0, -1, 2**63 - 1, -(2**63), None])
async def test_any_integer_comes_back_as_it_was(kind: Kind, number: int | None) -> None:
    document = {**make_export(1), "events": [event(0, 0, round=number), event(1, 0)]}
    await load_into(kind, document)
    assert await content(kind) == in_order(document)


async def failure(kind: Kind, export: Export, rejects: list[Reject]) -> int:
    report = LoadReport(export.name, export.etag, "failed", bytes=3, seconds=0.25, error="it broke", exit_code=6)
    async with kind.opened() as database:
        return await database.record_failure(export, report, rejects)


REJECTS = [Reject("sessions", 3, "/id", "is wrong", "{}"), Reject("events", 9, "", "is wrong", "null")]


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_failure_is_kept_once_until_a_success(kind: Kind, is_first: bool) -> None:
    if not is_first:
        await load_into(kind, make_export(), listed(0))
    loads = len(await history(kind)) if not is_first else 0
    export = listed(1)
    await failure(kind, export, [Reject("sessions", 1, "", "first time", "{}")])
    load_id = await failure(kind, export, REJECTS)
    other = await failure(kind, replace(export, etag="other"), [])
    newest, failed, *rest = await history(kind)
    assert len(rest) == loads
    assert (newest.load_id, newest.status) == (other, "failed")
    assert (failed.load_id, failed.status, failed.error, failed.tables) == (load_id, "failed", "it broke", {})
    assert kind.rejects() == [("events", 9, ""), ("sessions", 3, "/id")]
    async with kind.opened("read") as database:
        assert await database.pending([export]) == [export], "it is tried again tomorrow"
    await load_into(kind, make_export(), export)
    assert kind.rejects() == []
    assert [report.etag for report in await history(kind) if report.status == "failed"] == ["other"]


async def test_only_what_is_not_loaded_is_pending(kind: Kind) -> None:
    exports = [listed(night) for night in range(6)]
    async with kind.opened() as database:
        assert await database.pending(exports) == exports
        for each in exports[1:4:2]:
            await load(database, empty_export(), each, kind.contract)
    changed = replace(exports[1], etag="changed")
    async with kind.opened("read") as database:
        assert await database.pending(exports) == [exports[0], exports[2], exports[4], exports[5]]
        assert await database.pending([exports[3], exports[1]]) == []
        assert await database.pending([exports[5], changed, exports[1]]) == [exports[5], changed]
        assert await database.pending([]) == []


async def test_pending_takes_whole_pages(kind: Kind) -> None:
    page = [replace(listed(1), name=f"backup_'{number}\".json") for number in range(5_000)]
    await load_into(kind, empty_export(), page[4_321])
    async with kind.opened("read") as database:
        assert await database.pending(page) == [*page[:4_321], *page[4_322:]]


async def test_the_history_begins_with_the_last_load(kind: Kind) -> None:
    async with kind.opened() as database:
        for night in range(4):
            await load(database, empty_export(), listed(night), kind.contract)
        assert [report.blob for report in await database.history(2)] == [listed(3).name, listed(2).name]


@pytest.mark.parametrize("by_key", [False, True])
async def test_a_dump_is_of_one_moment(kind: Kind, by_key: bool) -> None:
    await load_into(kind, make_export(3), listed(1))
    found: dict[str, int] = {}
    async with kind.opened("read") as reader:
        async for table, rows in reader.dump(by_key=by_key):
            if not found:
                await load_into(kind, make_export(9), listed(2))
            found[table] = found.get(table, 0) + len(rows)
    assert found == {"sessions": 3, "events": 6, "event_parents": 3}


@pytest.mark.parametrize("by_key", [False, True])
async def test_an_empty_table_is_dumped_once(kind: Kind, by_key: bool) -> None:
    await load_into(kind, empty_export())
    async with kind.opened("read") as database:
        dumped = [(table, rows) async for table, rows in database.dump(by_key=by_key)]
    assert dumped == [(table, []) for table in TABLES]


async def test_a_dump_by_key_is_in_the_order_of_the_keys_bytes(kind: Kind) -> None:
    ids = [*("", " ", "!", "10", "9", "A", "Z", "a", "a b", "ab", "z", "\x7f"), *"éÉ\ud7ff\ue000\ufffe\U0001f600"]
    document = {
        "sessions": [session(1, id=each) for each in ids[::-1]],
        "events": [event(number, 0, id=each, session_id=each) for number, each in enumerate(ids[::-1])],
        "event_parents": [{"child_id": one, "parent_id": other} for other in ids[::-3] for one in ids[::-1]],
    }
    await load_into(kind, document)
    found: dict[str, list[Any]] = {table: [] for table in TABLES}
    async with kind.opened("read") as database:
        async for table, rows in database.dump(by_key=True):
            found[table] += rows
    in_bytes = sorted(each.encode() for each in ids)
    assert [row[0].encode() for row in found["sessions"]] == [row[0].encode() for row in found["events"]] == in_bytes
    pairs = [(one.encode(), other.encode()) for one, other in found["event_parents"]]
    assert pairs == sorted(pairs) and len(pairs) == len(document["event_parents"])


async def test_a_dump_by_key_holds_the_same_rows(kind: Kind) -> None:
    await load_into(kind, make_export(2500))
    async with kind.opened("read") as database:
        by_key = [(table, row) async for table, rows in database.dump(by_key=True) for row in rows]
        plain = [(table, row) async for table, rows in database.dump() for row in rows]
    assert [table for table, _ in by_key] == [table for table, _ in plain]
    assert set(by_key) == set(plain) and len(by_key) == len(plain)


@pytest.mark.parametrize(
    "text",
    ['"\\/\b\f\n\r\t', "\0\1\x1f\x7f\x80", "größe \u2028 \ufffe \U0001f600", "},{", "[1, 2.50]", "", "x" * 100_000],
)
async def test_a_dump_as_json_holds_the_same_records(kind: Kind, text: str) -> None:
    if "\0" in text and kind.differs("no NUL"):
        await rejects_nul(kind, text)
        return
    document = make_export(3)
    document["sessions"][1]["meta"] = text
    document["events"][2] |= {"content": text, "raw_text": text, "round": -(2**63)}
    await load_into(kind, document)
    found: dict[str, str] = {}
    async with kind.opened("read") as database:
        async for table, some in database.dump_json(kind.contract.encode):
            found[table] = found.get(table, "") + some.decode()
    assert in_order({table: json.loads(f"[{some}]") for table, some in found.items()}) == await content(kind)


@pytest.mark.parametrize("purpose", ["load", "simulate"])
async def test_truncating_leaves_neither_rows_nor_ledger(kind: Kind, purpose: Any) -> None:
    async with kind.opened(purpose) as database:
        await load(database, make_export(), listed(1), kind.contract)
        await database.truncate()
        assert await database.pending([listed(1)]) == [listed(1)]
    there = kind.simulated if purpose == "simulate" else kind
    assert await content(there) == empty_export()
    assert await history(there) == []
