"""Exports that are not one JSON object with an array per table."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.exports import TABLES, session
from tests.hostile.cases import (
    GOOD,
    WHOLE,
    Case,
    arrays_of,
    document_of,
    malformed,
    malformed_in_any_order,
    rejected,
    text,
    with_record,
)

DEEP = 100_000


def cases() -> Iterator[Case]:
    yield from _not_one_object()
    yield from _cut_short()
    yield from _tables()
    yield from _unknown()
    yield from _punctuation()
    yield from _nesting()
    yield from _deceptive_texts()


def _not_one_object() -> Iterator[Case]:
    yield malformed("empty", b"", "byte 0: the export is empty")
    yield malformed("white space", b" \t\r\n" * 100, "byte 400: the export is empty")
    yield malformed("much white space", b" " * 3_000_000, "byte 3000000: the export is empty")
    for each in (b"[]", b'"text"', b"17", b"-1", b"null", b"true", b"NaN", b"'", b"}", b",", b"// comment\n{}"):
        found = ascii(each[:1])[1:]
        yield malformed(f"not an object: {each!r}", each, f"byte 0: one JSON object was expected here, not {found}")
    yield malformed("an array of the object", b"[%b]" % WHOLE, "byte 0: one JSON object was expected here, not '['")
    yield malformed("HTML", b"<html>403 Forbidden</html>", "byte 0: one JSON object was expected here, not '<'")
    for behind in (b"x", b"]", b"}", b",", b"null", WHOLE, b"\n\n" + WHOLE, b"//", b"\xff", b"\x00", b"\xc2\xa0"):
        name = "two documents" if WHOLE in behind else f"trailing garbage {behind!r}"
        blank = len(behind) - len(behind.lstrip())
        says = f"byte {len(WHOLE) + blank}: something follows the document's end"
        yield malformed(f"{name} behind {blank} blanks", WHOLE + behind, says)


def _cut_short() -> Iterator[Case]:
    """Cut off before and behind every kind of token, in every table."""
    document = document_of({table: text(GOOD[table][:1])[1:-1] for table in TABLES})
    tokens = list(re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\[\]{},:"\s]+', document))
    for number, token in enumerate(tokens[1:]):
        yield Case(
            f"cut off before token {number + 1}, {token[0].decode()}",
            document[: token.start()],
            _reason_of_cut(document, token.start()),
            is_thorough=number % 6 != 0,
        )
    for name in (b"session_id", b"started_at", b"events"):
        end = document.index(name) + 3
        yield Case(f"cut off in the middle of {name.decode()}", document[:end], _reason_of_cut(document, end))


def _reason_of_cut(document: bytes, end: int) -> str:
    """Which words name the place is for test_records to say; that there is one is what counts here."""
    table = [name for name in TABLES if b'"%b": [' % name.encode() in document[:end]]
    return f"{table[-1]}[" if table and document[:end].count(b"[") > document[:end].count(b"]") else ""


def _tables() -> Iterator[Case]:
    arrays = arrays_of(GOOD)
    for table in TABLES:
        rest = {name: array for name, array in arrays.items() if name != table}
        yield from malformed_in_any_order(f"lacks {table}", rest, f"the export lacks the table {table}")
        for value in (b"{}", b'{"0": {}}', b'"[]"', b"0", b"null", b"true"):
            document = document_of(rest)[:-1] + b', "%b": \xb6%b}' % (table.encode(), value)
            found = ascii(value[:1])[1:]
            says = f"{table} (byte {{byte}}): a table's array was expected here, not {found}"
            yield malformed(f"{table} is {value!r}", document, says)
        again = WHOLE[:-1] + b', \xb6"%b": []}' % table.encode()
        yield malformed(f"{table} twice", again, f"byte {{byte}}: the table {table} stands here for the second time")
    escaped = WHOLE[:-1] + b', \xb6"\\u0065vents": []}'
    yield malformed("events twice, escaped", escaped, "byte {byte}: the table events stands here for the second time")
    yield malformed("no table", b"{}", "the export lacks the tables sessions, events, event_parents")
    for name in (b"Events", b"events ", b"event\\u0000s", b""):
        document = WHOLE.replace(b'"events": [', b'"%b": [' % name)
        yield malformed(f"lacks events, has {name!r}", document, "the export lacks the table events")


def _unknown() -> Iterator[Case]:
    for name, value in (
        ("tools", b'[{"id": 1}, {"id": 2}]'),
        ("version", b'{"events": [1, 2], "sessions": "]}"}'),
        ("},{", b'"},{"'),
        ("]}", b"[[]]"),
        ("", b"null"),
        ("a" * 2000, b"1e999"),
        ("\x1b[31m", b'["\\ud800"]'),
    ):
        for order in ("first", "last"):
            member = b"%b: %b" % (text(name), value)
            data = b"{%b, %b" % (member, WHOLE[1:]) if order == "first" else b"%b, %b}" % (WHOLE[:-1], member)
            yield Case(f"unknown {order}: {name[:20]!r}", data, None, warns=[repr(name[:80])])
    for value, reason in (
        (b"\xb6tru", "Expecting value"),
        (b"\xb6NaN", "NaN is not JSON"),
        (b'"\xb6\xff"', "not UTF-8 (invalid start byte)"),
        (b'"\xb6\n"', "Invalid control character at"),
        (b"{1\xb6:2}", "Expecting property name"),
    ):
        says = f'the key "tools" (byte {{byte}}): {reason}'
        if value == b"{1\xb6:2}":
            value = b"{\xb61:2}"
        yield malformed(f"unknown and broken: {value!r}", b'{"tools": %b, %b' % (value, WHOLE[1:]), says)


def _punctuation() -> Iterator[Case]:
    good = text(GOOD["events"][0])
    for name, record, says in (
        ("no comma between members", good.replace(b'", "round"', b'" \xb6"round"'), "Expecting ',' delimiter"),
        ("no colon", good.replace(b'"round": ', b'"round" \xb6'), "Expecting ':' delimiter"),
        ("a comma too many", good.replace(b'"round"', b'\xb6, "round"'), "Expecting property name enclosed in"),
        ("a comma before the end", good[:-1] + b", \xb6}", "Expecting property name enclosed in double quotes"),
        ("single quotes", good.replace(b'"round"', b"\xb6'round'"), "Expecting property name enclosed in"),
        ("no quotes", good.replace(b'"round"', b"\xb6round"), "Expecting property name enclosed in double quotes"),
        ("a comment", good.replace(b'"round"', b'\xb6/* */ "round"'), "Expecting property name enclosed in"),
        ("None of Python", good.replace(b'"meta": null', b'"meta": \xb6None'), "Expecting value"),
        ("a form feed", good.replace(b'"meta": ', b'"meta": \xb6\x0c'), "Expecting value"),
        ("a no-break space", good.replace(b'"meta": ', b'"meta": \xb6\xc2\xa0'), "Expecting value"),
        ("nothing", b"\xb6", "Expecting value"),
        ("a wrong bracket", good[:-1] + b"\xb6]", "Expecting ',' delimiter"),
    ):
        yield from malformed_in_any_order(name, with_record("events", record), f"events[1] (byte {{byte}}): {says}")
    for table in TABLES:
        arrays = arrays_of(GOOD)
        comma = arrays | {table: arrays[table] + b", \xb6"}
        position = len(GOOD[table])
        yield from malformed_in_any_order(
            f"a comma at the end of {table}", comma, f"{table}[{position}] (byte {{byte}}): Expecting value"
        )
    yield malformed("a key without quotes", b"{\xb6sessions: []}", "byte {byte}: a key in double quotes was expected")
    yield malformed("a colon too many", b'{"sessions"::[]}', "sessions (byte 12): a table's array was expected here")
    yield malformed("a comma first", b'{, "sessions": []}', "byte 1: a key in double quotes was expected here")


def _nesting() -> Iterator[Case]:
    for name, value in (
        ("arrays", b"[" * DEEP + b"]" * DEEP),
        ("objects", b'{"a":' * DEEP + b"1" + b"}" * DEEP),
        ("both", b'[{"":' * DEEP + b"null" + b"}]" * DEEP),
    ):
        record = b'\xb6{"id": "deep", "started_at": "2025-03-01T02:00:00", "meta": %b}' % value
        says = "sessions[1] (byte {byte}): nested too deeply"
        yield from malformed_in_any_order(f"nested {name}", with_record("sessions", record), says)
        document = b'{"deep": {"a": %b}, %b' % (value, WHOLE[1:])
        yield malformed(f"nested {name} of an unknown key", document, 'the key "deep" (byte 9): nested too deeply')
    record = text(session(7, meta="@@")).replace(b'"@@"', b"[" * 900 + b"]" * 900)
    yield from rejected(
        "nested as deep as can be", with_record("sessions", record), "sessions[1]/meta", says="[[[[",
    )  # fmt: skip
    yield malformed("nested and never closed", b'{"deep": \xb6' + b"[" * DEEP, 'the key "deep"[0] (byte')
    yield malformed("nested as a whole", b'{"deep":' * DEEP, 'the key "deep" (byte 8): the export ends in the middle')
    yield malformed("closed too often", WHOLE + b"}" * DEEP, f"byte {len(WHOLE)}: something follows")


def _deceptive_texts() -> Iterator[Case]:
    """Texts that look like the ends of records, and of which one is wrong."""
    for deceptive in (r"},{", r"]}", r"},{\"id\": \"", r"\\", r"\"", r"]}\n{\"sessions\": [", r"}, \"events\": ["):
        record = (
            '{"id": "%s", "ts": "2025-03-01T02:00:00", "session_id": "s0", "round": 1, "kind": "%s", "role": "%s", '
            '"content": "%s", "raw_text": \xb6}' % ((deceptive,) * 4)
        ).encode("latin-1")
        says = "events[1] (byte {byte}): Expecting value"
        yield from malformed_in_any_order(f"deceptive {deceptive}", with_record("events", record), says)
