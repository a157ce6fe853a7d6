"""Records gives what json.loads gives, however the bytes are cut, and refuses what it refuses."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aetl import window
from aetl.errors import ExportMalformed
from aetl.records import Records
from aetl.structure import Structure

TABLES = {"sessions": "sessions", "events": "events"}
Cuts = Callable[[bytes], Iterator[bytes]]


def every(size: int) -> Cuts:
    return lambda document: (document[at : at + size] for at in range(0, len(document), size))


whole = every(2**20)


def at_random(seed: int) -> Cuts:
    def cut(document: bytes) -> Iterator[bytes]:
        randomly = random.Random(seed)
        edges = sorted(randomly.randint(0, len(document)) for _ in range(randomly.choice([0, 1, 3, 10, 40])))
        return (document[a:b] for a, b in zip([0, *edges], [*edges, len(document)], strict=True))

    return cut


def read(document: bytes, cut: Cuts = whole, tables: Mapping[str, str] = TABLES, **options: Any) -> dict[str, Any]:
    """The tables that Records finds, each as one list; that every batch begins where the last one ended is checked."""
    records = Records(tables, **options)
    found: dict[str, list[Any]] = {table: [] for table in tables.values()}
    for chunk in cut(document):
        for batch in records.feed(chunk):
            assert batch.first == len(found[batch.table])
            assert batch.records
            found[batch.table].extend(batch.records)
    for batch in records.close():
        assert batch.first == len(found[batch.table])
        found[batch.table].extend(batch.records)
    return found


def message_of(document: bytes, cut: Cuts = whole, **options: Any) -> str:
    with pytest.raises(ExportMalformed) as raised:
        read(document, cut, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


class BrokenError(Exception):
    pass


def expected(document: bytes) -> dict[str, Any]:
    """What json.loads makes of a document, and BrokenError where it or one of the documented exceptions refuses it."""

    def refuse(name: str) -> None:
        raise BrokenError(name)

    def no_table_twice(pairs: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        return pairs

    try:
        text = document.decode("utf-8-sig")
        found = json.loads(text, parse_constant=refuse)
        pairs = json.loads(text, parse_constant=refuse, object_pairs_hook=no_table_twice)
    except (ValueError, RecursionError) as error:
        raise BrokenError(str(error)) from error
    if not isinstance(found, dict) or not all(isinstance(found.get(table), list) for table in TABLES):
        raise BrokenError("not an object with the tables")
    keys = [key for key, _ in pairs]
    if any(keys.count(table) > 1 for table in TABLES):
        raise BrokenError("a table twice")
    return {table: found[table] for table in TABLES}


def same(left: Any, right: Any) -> bool:
    """Equality that tells 1 from 1.0 and True, and knows that lone surrogates have no UTF-8."""
    return repr(left) == repr(right)


def verdict(document: bytes, cut: Cuts) -> Any:
    try:
        return read(document, cut)
    except ExportMalformed:
        return "broken"


def expected_verdict(document: bytes) -> Any:
    try:
        return expected(document)
    except BrokenError:
        return "broken"


# What comes out, for any document and any cut

awkward = st.sampled_from(
    ["},{", "]}", '"', "\\", '},{"', '}],"', '\\"', "\\\\", "[", "{", "{}", ",", ":", "\n", "é", "\u2028", "😀", "\x7f"]
)
texts = st.lists(st.one_of(awkward, st.text(max_size=5)), max_size=4).map("".join)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**30), max_value=10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)
flat = st.fixed_dictionaries({"id": texts, "n": st.integers()}, optional={"more": values})
records = st.one_of(st.lists(flat, max_size=12), st.lists(values, max_size=6))
documents = st.builds(
    lambda tables, unknown, order: dict(order.sample([*unknown.items(), *tables.items()], len(unknown) + len(tables))),
    st.fixed_dictionaries(dict.fromkeys(TABLES, records)),
    st.dictionaries(texts, st.one_of(values, records), max_size=3),
    st.randoms(use_true_random=False),
)


def blanks_between_tokens(text: str, seed: int) -> str:
    """The same JSON with white space of any kind wherever it may stand."""
    randomly = random.Random(seed)
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\[\]{},:"\s]+', text)
    return "".join(token + "".join(randomly.choices(" \t\r\n", k=randomly.choice([0, 0, 1, 3]))) for token in tokens)


@st.composite
def serialised(draw: st.DrawFn) -> bytes:
    document = draw(documents)
    ensure_ascii = draw(st.booleans())
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\r\n", " :\t")]))
    text = json.dumps(
        document, indent=draw(st.sampled_from([None, 0, 2, "\t"])), ensure_ascii=ensure_ascii, separators=separators
    )
    if draw(st.booleans()):
        text = blanks_between_tokens(text, draw(st.integers(0, 1000)))
    return (draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))) + text.encode(errors="replace")


quickly = settings(
    deadline=None, max_examples=max(150, settings().max_examples), suppress_health_check=[HealthCheck.too_slow]
)


@quickly
@given(document=serialised(), seed=st.integers(0, 2**32))
def test_a_document_cut_anywhere_gives_what_json_gives(document: bytes, seed: int) -> None:
    wanted = expected(document)
    for cut in (whole, at_random(seed), every(1)):
        assert same(read(document, cut), wanted)


fragments = st.sampled_from(
    [
        b"},{",
        b"]",
        b"}",
        b"[",
        b"{",
        b",",
        b":",
        b'"',
        b"\\",
        b"\\ud800",
        b"1e999",
        b"NaN",
        b"-Infinity",
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"0",
        b"-",
        b".",
        b"e",
        b" ",
        b"\n",
        b"\x00",
        b"\x0c",
        b"null",
        b'"events":[],',
        b"],",
        b"[]",
        b"{}",
        b"\\u00e9",
        b"\xc3\xa9",
        b"//",
        b"'",
        b"\xc2\xa0",
        b"1" * 5000,
    ]
)
edits = st.tuples(st.floats(0, 1), st.integers(0, 3), st.one_of(fragments, st.binary(max_size=2)))


@quickly
@given(document=serialised(), changes=st.lists(edits, min_size=1, max_size=3), seed=st.integers(0, 2**32))
def test_a_damaged_document_gets_the_verdict_of_json(
    document: bytes, changes: list[tuple[float, int, bytes]], seed: int
) -> None:
    for place, deleted, inserted in changes:
        at = int(place * len(document))
        document = document[:at] + inserted + document[at + deleted :]
    if b"\x00" in document[:4] or document[:2] in (b"\xff\xfe", b"\xfe\xff"):
        document = b"{" + document
    wanted = expected_verdict(document)
    for cut in (whole, at_random(seed), every(1)):
        assert same(verdict(document, cut), wanted)


SMALL = b"""{"events": [{"id": "a},{", "tags": [[1], {"x": "]}"}]}, {"id": "\\"\\u00e9\xc3\xa9"}, 17, null],
 "other": {"deep": [1, {"a": 2.5e3}]}, "flag": true, "list": [{"id": 1}, {"id": 2}], "sess\\u0069ons": [ ] } """


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
def test_chunks_of_any_size_give_the_same(size: int) -> None:
    assert read(SMALL, every(size)) == expected(SMALL)


@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_a_document_cut_short_at_any_byte_is_malformed(size: int) -> None:
    for length in range(len(SMALL.rstrip())):
        message_of(SMALL[:length], every(size))


@pytest.mark.parametrize("as_type", [bytes, bytearray, memoryview])
def test_a_chunk_is_any_kind_of_bytes_and_stays_as_it_was(as_type: Callable[[bytes], Any]) -> None:
    chunk = as_type(SMALL)
    found = Records(TABLES)
    assert [batch.records for batch in found.feed(chunk)] + [batch.records for batch in found.close()]
    assert bytes(chunk) == SMALL


def test_an_empty_chunk_changes_nothing() -> None:
    assert read(SMALL, lambda document: iter([b"", document[:40], b"", b"", document[40:], b""])) == expected(SMALL)


def test_one_chunk_with_everything_comes_in_several_batches() -> None:
    document = document_of(events=[{"id": number, "text": "x" * 100} for number in range(50_000)])
    batches = [batch for batch in Records(TABLES).feed(document) if batch.table == "events"]
    assert len(batches) > 3
    assert batches[1].first == len(batches[0].records)


def test_a_batch_of_the_smallest_records_is_no_larger_than_others() -> None:
    batches = list(Records(TABLES).feed(b'{"sessions":[],"events":[%b]}' % b",".join([b"1"] * 500_000)))
    assert max(len(batch.records) for batch in batches) < 20_000
    assert [batch.first for batch in batches[1:]] == [batch.first + len(batch.records) for batch in batches[:-1]]
    assert sum(len(batch.records) for batch in batches) == 500_000


@pytest.mark.parametrize(
    "text",
    [
        "123456789012345678901234567890",
        "-0.0",
        "1e999",
        "-1e999",
        "0.1e-5",
        r'"\ud800"',
        r'"\ud83d\u0041"',
        r'"\ude00"',
        r'"\\\\\\"',
        r'"\/"',
        "1E5",
        '{"a":1,"a":2}',
        '{"": {}}',
        "[[[]]]",
        "9" * 4000,
    ],
)
@pytest.mark.parametrize("size", [1, 10_000])
def test_any_value_that_json_knows_is_a_record(text: str, size: int) -> None:
    document = b'{"sessions":[{"a":1},{"a":2}],"events":[{"a":1},{"a":%b},{"a":2},%b]}' % (text.encode(), text.encode())
    assert same(read(document, every(size)), expected(document))
    found = read(document, every(size))["events"][-1]
    assert type(found) is not float or math.isinf(found) or text in {"-0.0", "0.1e-5", "1E5"}


# Which keys there are


def document_of(**arrays: Any) -> bytes:
    return json.dumps({"sessions": [], "events": [], **arrays}, separators=(",", ":")).encode()


def test_a_batch_is_for_the_table_and_a_message_names_the_array() -> None:
    assert read(b'{"a":[1],"b":[]}', tables={"a": "b", "b": "c d"}) == {"b": [1], "c d": []}
    with pytest.raises(ExportMalformed, match=r"^a\[1\] \(byte 8\): "):
        read(b'{"a":[1,x],"b":[]}', tables={"a": "b", "b": "c d"})
    with pytest.raises(ExportMalformed, match=r"^the export lacks the table b$"):
        read(b'{"a":[]}', tables={"a": "b", "b": "c d"})


def test_unknown_keys_are_skipped_and_named_once() -> None:
    found = Records({"events": "events"})
    document = b'{"b": [{"x": 1}, {"x": 2}], "events": [1], "a": {"c": 1}, "b": 3, "\\u0062": "]", "": null}'
    batches = [*found.feed(document), *found.close()]
    assert [(batch.table, batch.records) for batch in batches] == [("events", [1])]
    assert found.skipped == ("b", "a", "")


def test_of_many_or_long_unknown_keys_only_some_is_remembered() -> None:
    found = Records({"events": "events"})
    many = b",".join(b'"%d":1' % number for number in range(100_000))
    assert list(found.feed(b'{"%b":1,%b,"events":[]}' % (b"k" * 10_000_000, many))) + found.close() == []
    assert found.skipped == ("k" * 80, *map(str, range(99)))


@pytest.mark.parametrize("document", [b'{"sessions":[],"events":[]}', b' { "events" :\n[ ] , "sessions":[\t]}\r\n'])
def test_empty_arrays_give_no_batch(document: bytes) -> None:
    assert read(document) == {"sessions": [], "events": []}


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_byte_order_mark_is_skipped(bom: bytes, size: int) -> None:
    assert read(bom + b'{"events":[1],"sessions":[]}', every(size)) == {"sessions": [], "events": [1]}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_other_encodings_are_named(encoding: str, size: int) -> None:
    assert message_of(SMALL.decode().encode(encoding), every(size)) == (
        "byte 0: the export must be in UTF-8, and looks like UTF-16 or UTF-32"
    )


def test_a_table_that_is_not_required_may_be_missing() -> None:
    records = Records(TABLES, required=["sessions"])
    assert [batch.records for batch in records.feed(b'{"sessions":[1]}')] + records.close() == [[1]]


# What a message says

_DIGITS = "Exceeds the limit (4300 digits) for integer string conversion"
BROKEN = [
    (b"", "byte 0: the export is empty"),
    (b" \n", "byte 2: the export is empty"),
    (b"[]", "byte 0: one JSON object was expected here, not '['"),
    (b"\xff", r"byte 0: one JSON object was expected here, not '\xff'"),
    (b"{}", "the export lacks the tables sessions, events"),
    (b'{"events":[]}', "the export lacks the table sessions"),
    (b'{"events":[]', "byte 12: ',' or '}' was expected here, but the export ends"),
    (b'{"events":[],}', "byte 13: a key in double quotes was expected here, not '}'"),
    (b'{"events":[]]', "byte 12: ',' or '}' was expected here, not ']'"),
    (b'{"events" []}', "a key (byte 10): Extra data"),
    (b'{"events"}', "events (byte 9): ':' was expected here, not '}'"),
    (b'{"events":1}', "events (byte 10): a table's array was expected here, not '1'"),
    (b'{"events":{"a":[]}}', "events (byte 10): a table's array was expected here, not '{'"),
    (b'{"events":', "events (byte 10): a table's array was expected here, but the export ends"),
    (b'{"events":[],"sessions":[],"events":[]}', "byte 27: the table events stands here for the second time"),
    (b'{"events":[],"sessions":[]}x', "byte 27: something follows the document's end"),
    (b'{"events":[],"sessions":[]}\n{}', "byte 28: something follows the document's end"),
    (b'{"events":[1,2', "events[1] (byte 13): the export ends in the middle of it"),
    (b'{"events":[1,2,]}', "events[2] (byte 15): Expecting value"),
    (b'{"events":[,2]}', "events[0] (byte 11): Expecting value"),
    (b'{"events":[1,,2]}', "events[1] (byte 13): Expecting value"),
    (b'{"events":[1:2]}', "events[1] (byte 12): ',' or ']' was expected here, not ':'"),
    (b'{"events":[1}}', "events[1] (byte 12): ',' or ']' was expected here, not '}'"),
    (b'{"events":[1,{"a":1 "b":2},3]}', "events[1] (byte 20): Expecting ',' delimiter"),
    (b'{"events":[1,{"a":"\xc3\xa9" "b":2},3]}', "events[1] (byte 23): Expecting ',' delimiter"),
    (b'{"events":[1,{"a":[1}],3]}', "events[1] (byte 20): Expecting ',' delimiter"),
    (b'{"events":[1,"\xff"]}', "events[1] (byte 14): not UTF-8 (invalid start byte)"),
    (b'{"events":[{"a":1},{"a":NaN}]}', "events[1] (byte 19): NaN is not JSON"),
    (b'{"events":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}", "events[0] (byte 11): nested too deeply"),
    (b'{"events": [1,\n {"a":NaN}]}', "events[1] (byte 16): NaN is not JSON"),
    (b'{"events":[ %b]}' % (b"1" * 4301), f"events[0] (byte 12): {_DIGITS}"),
    (b'{"events":[1, ' + b"[" * 100_000 + b"]" * 100_000 + b"]}", "events[1] (byte 14): nested too deeply"),
    (b'{"x":tru}', 'the key "x" (byte 5): Expecting value'),
    (b'{"x":[1,{"a":tru}]}', 'the key "x"[1] (byte 13): Expecting value'),
    (b'{"x":"abc', 'the key "x" (byte 5): the export ends in the middle of it'),
    (b'{"x', "a key (byte 1): the export ends in the middle of it"),
    (b"{x:1}", "byte 1: a key in double quotes was expected here, not 'x'"),
]


@pytest.mark.parametrize("size", [1, 4, 2**20])
@pytest.mark.parametrize(("document", "message"), BROKEN, ids=range(len(BROKEN)))
def test_a_message_says_what_and_where(document: bytes, message: str, size: int) -> None:
    if len(document) < 1000 or size > 1000:
        assert message_of(document, every(size)) == message


@pytest.mark.parametrize("size", [1000, 2**20])
def test_the_position_is_right_far_inside(size: int) -> None:
    document = document_of(events=[{"id": number, "text": "},{"} for number in range(30_000)])
    at = document.index(b'{"id":23456,')
    broken = document[:at] + document[at:].replace(b'"text"', b"text", 1)
    wanted = f"events[23456] (byte {at + 12}): Expecting property name enclosed in double quotes"
    assert message_of(broken, every(size)) == wanted


@pytest.mark.parametrize("size", [1, 30])
def test_what_grows_past_the_limit_is_refused(size: int) -> None:
    long = b"x" * 1000
    for document, message in [
        (b'{"events":[1,{"a":"' + long + b'"}]}', "events[1] (byte 13): it is larger than 100 bytes"),
        (b'{"other":"' + long + b'"}', 'the key "other" (byte 9): it is larger than 100 bytes'),
        (b'{"other":' + long + b"}", 'the key "other" (byte 9): it is larger than 100 bytes'),
        (b'{"' + long + b'":1}', "a key (byte 1): it is larger than 100 bytes"),
    ]:
        assert message_of(document, every(size), largest_record=100) == message
        assert message_of(document, every(size), largest_record=2000) != message


def test_an_unknown_array_may_be_larger_than_the_largest_record() -> None:
    document = document_of(other=[{"id": number} for number in range(1000)])
    assert read(document, every(64), largest_record=100) == {"sessions": [], "events": []}


def test_after_an_error_or_the_end_nothing_more_is_taken() -> None:
    broken, ended, left = Records(TABLES), Records(TABLES), Records(TABLES)
    with pytest.raises(ExportMalformed):
        list(broken.feed(b"x" * 10))
    list(ended.feed(SMALL))
    ended.close()
    left_iterator = left.feed(SMALL)
    next(left_iterator)
    left_iterator.close()  # type: ignore[attr-defined]
    for finished in (broken, ended, left):
        with pytest.raises(ValueError, match="closed"):
            list(finished.feed(b"{}"))
        with pytest.raises(ValueError, match="closed"):
            finished.close()


# What it costs


class Work:
    """Counts the bytes that were looked at closely and those that were parsed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scanned = self.parsed = 0
        find, decode = Structure.find, window._decode

        def counting_find(structure: Structure, buffer: bytearray, start: int) -> int:
            before = structure.position
            found = find(structure, buffer, start)
            self.scanned += structure.position - before
            return found

        def counting_decode(text: Any) -> Any:
            read_to = len(text)
            try:
                return decode(text)
            except msgspec.DecodeError as error:
                if trailing := re.search(r"trailing characters \(byte (\d+)\)", str(error)):
                    read_to = int(trailing[1])
                raise
            finally:
                self.parsed += read_to

        monkeypatch.setattr(Structure, "find", counting_find)
        monkeypatch.setattr(window, "_decode", counting_decode)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(monkeypatch)


ordinary = [
    {
        "id": f"{number:08}",
        "session_id": "abc",
        "text": 'he said "},{" and {"a":[1]}',
        "payload": '{"a":[{"b":1},{"b":2}]}',
    }
    for number in range(10_000)
]
nested = [
    {"id": n, "entities": [{"name": "x"}, {"name": "y"}], "deep": {"a": [{"b": 1}, {"c": 2}]}} for n in range(10_000)
]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("rows", [ordinary, nested], ids=["ordinary", "nested"])
def test_ordinary_records_are_hardly_ever_looked_at_closely(work: Work, rows: list[Any], indent: int | None) -> None:
    document = json.dumps({"sessions": rows, "other": rows, "events": rows}, indent=indent).encode()
    assert read(document, every(2**17)) == {"sessions": rows, "events": rows}
    assert work.scanned < len(document) / 200
    assert work.parsed < len(document) * 1.3


@pytest.mark.parametrize("filling", ["x", "},{", ['"}],['], {"a": [1, {"b": 2}]}], ids=str)
def test_a_large_record_costs_linear_work(work: Work, filling: Any) -> None:
    def cost(size: int) -> float:
        many = filling * size if isinstance(filling, str) else [filling] * (size // 24)
        document = document_of(events=[{"id": 1}, {"id": 2}, {"id": 3, "large": many}, {"id": 4}])
        before = work.scanned + work.parsed
        assert len(read(document, every(2**14))["events"]) == 4
        return (work.scanned + work.parsed - before) / len(document)

    assert cost(1_000_000) < 1.2 * cost(500_000) < 5


def test_a_record_of_50_megabytes_costs_linear_work(work: Work) -> None:
    document = document_of(events=[{"id": 1}, {"id": 2}, {"id": 3, "large": "},{\\" * 10_000_000}, {"id": 4}])
    assert len(document) > 50_000_000
    assert len(read(document)["events"]) == 4
    assert work.scanned + work.parsed < 4 * len(document)


@pytest.mark.parametrize("size", [300, 2**16])
def test_separators_may_change_in_the_middle(work: Work, size: int) -> None:
    rows = [json.dumps({"id": number, "text": "some text"}) for number in range(9_000)]
    array = ",".join(rows[:3000]) + " ,\n " + ",\r\n\t".join(rows[3000:6000]) + " , " + " , ".join(rows[6000:])
    document = b'{"sessions":[],"events":[%b]}' % array.encode()
    assert read(document, every(size))["events"] == [json.loads(row) for row in rows]
    if size > 300:
        assert work.scanned < len(document) / 2


@pytest.mark.parametrize(
    "row", ['{", ":1,"a":"},{", "b":2}', '{"id":1,"items":[{"id":2},{"id":3}]}', r'{"a":"\ud800"}']
)
def test_guesses_that_always_fail_cost_linear_work(work: Work, row: str) -> None:
    document = b'{"sessions":[],"events":[%b]}' % ",".join([row] * 20_000).encode()
    assert same(read(document, every(2**16)), expected(document))
    assert work.scanned + work.parsed < 9 * len(document)


@pytest.mark.parametrize("value", ["[]", "1", '[{"a":1},{"a":2}]', '[{"%d":1},{"a":2}]', '{"a":[{}]}'])
def test_thousands_of_unknown_keys_cost_linear_work(work: Work, value: str) -> None:
    members = ",".join(f'"k{number}":{value.replace("%d", str(number))}' for number in range(10_000))
    document = f'{{{members},"sessions":[],"events":[]}}'.encode()
    assert read(document) == {"sessions": [], "events": []}
    assert work.scanned + work.parsed < 6 * len(document)


def test_byte_by_byte_costs_linear_work(work: Work) -> None:
    document = document_of(events=nested[:500])
    assert read(document, every(1))["events"] == nested[:500]
    assert work.scanned + work.parsed < 4 * len(document)
