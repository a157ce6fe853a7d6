"""Bytes that are no UTF-8, and UTF-8 that is no JSON."""

from __future__ import annotations

from collections.abc import Iterator

from tests.exports import TABLES, event, session
from tests.hostile.cases import (
    GOOD,
    WHOLE,
    Case,
    accepted,
    arrays_of,
    document_of,
    malformed,
    malformed_in_any_order,
    rejected,
    text,
    with_record,
    with_records,
)

BOM = b"\xef\xbb\xbf"


def cases() -> Iterator[Case]:
    yield from _of_the_document()
    yield from _of_a_text()
    yield from _of_escapes()
    yield from _surrogates()


def _of_the_document() -> Iterator[Case]:
    yield Case("a byte order mark", BOM + WHOLE, None)
    yield malformed("two byte order marks", BOM + BOM + WHOLE, r"byte 3: one JSON object was expected here, not '\xef'")
    yield malformed("half a byte order mark", BOM[:2] + WHOLE, r"byte 0: one JSON object was expected here, not '\xef'")
    yield malformed("a byte order mark alone", BOM, "byte 3: the export is empty")
    yield malformed("a byte order mark at the end", WHOLE + BOM, f"byte {len(WHOLE)}: something follows")
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
        says = "byte 0: the export must be in UTF-8, and looks like UTF-16 or UTF-32"
        yield malformed(encoding, WHOLE.decode().encode(encoding), says)
    yield malformed("EBCDIC", WHOLE.decode().encode("cp037"), r"byte 0: one JSON object was expected here, not '\xc0'")
    yield malformed("UTF-7", b"+AHs-" + WHOLE[1:], "byte 0: one JSON object was expected here, not '+'")
    yield malformed("a NUL first", b"\0" + WHOLE, "byte 0: the export must be in UTF-8, and looks like UTF-16")
    yield malformed(
        "a NUL between tokens", WHOLE.replace(b"], ", b"], \xb6\0", 1), r"byte {byte}: a key in double quot"
    )


def _of_a_text() -> Iterator[Case]:
    for name, wrong, reason in (
        ("Latin-1", "\xe9t\xe9".encode("latin-1"), "invalid continuation byte"),
        ("Windows-1252", "\u201cquoted\u201d".encode("cp1252"), "invalid start byte"),
        ("Shift JIS", "\u65e5\u672c".encode("shift-jis"), "invalid start byte"),
        ("a continuation alone", b"\x80", "invalid start byte"),
        ("a sequence cut short", b"\xe2\x82", "invalid continuation byte"),
        ("two bytes, overlong", b"\xc0\xaf", "invalid start byte"),
        ("NUL, overlong", b"\xc0\x80", "invalid start byte"),
        ("three bytes, overlong", b"\xe0\x80\xaf", "invalid continuation byte"),
        ("four bytes, overlong", b"\xf0\x80\x80\xaf", "invalid continuation byte"),
        ("an encoded surrogate", b"\xed\xa0\x80", "invalid continuation byte"),
        ("CESU-8", b"\xed\xa0\xbd\xed\xb8\x80", "invalid continuation byte"),
        ("beyond Unicode", b"\xf4\x90\x80\x80", "invalid continuation byte"),
        ("five bytes", b"\xf8\x88\x80\x80\x80", "invalid start byte"),
        ("FE and FF", b"\xfe\xff", "invalid start byte"),
    ):
        for where, record in (
            ("a value", text(session(7, meta="@@")).replace(b"@@", b"\xb6" + wrong)),
            ("a key", text(session(7) | {"@@": 1}).replace(b"@@", b"\xb6" + wrong)),
        ):
            says = f"sessions[1] (byte {{byte}}): not UTF-8 ({reason})"
            yield from malformed_in_any_order(f"{name} in {where}", with_record("sessions", record), says)
    for table in TABLES:
        wrong = document_of(arrays_of(GOOD)).replace(b'"%b"' % table.encode(), b'"\xb6\xff%b"' % table.encode())
        yield malformed(f"the key {table}", wrong, "a key (byte {byte}): not UTF-8 (invalid start byte)")
    for name, character in (("NUL", b"\0"), ("a line feed", b"\n"), ("a tab", b"\t"), ("ESC", b"\x1b")):
        record = text(session(7, meta="@@")).replace(b"@@", b"\xb6" + character)
        says = "sessions[1] (byte {byte}): Invalid control character at"
        yield from malformed_in_any_order(f"{name} unescaped", with_record("sessions", record), says)


def _of_escapes() -> Iterator[Case]:
    for escape, reason in (
        (r"¶\x41", "Invalid \\escape"),
        (r"¶\'", "Invalid \\escape"),
        (r"¶\0", "Invalid \\escape"),
        (r"\¶u12", "Invalid \\uXXXX escape"),
        (r"\¶u12G4", "Invalid \\uXXXX escape"),
        (r"¶\U0001F600", "Invalid \\escape"),
        (r"\ud83d\¶u12", "Invalid \\uXXXX escape"),
    ):
        record = text(session(7, meta="@@")).replace(b"@@", escape.encode("latin-1"))
        says = f"sessions[1] (byte {{byte}}): {reason}"
        yield from malformed_in_any_order(f"the escape {escape}", with_record("sessions", record), says)
    for name, written, meant in (
        ("NUL, escaped", r"\u0000", "\0"),
        ("control characters, escaped", r"\u001b[31m\u007f\b\f\n\r\t\/", "\x1b[31m\x7f\b\f\n\r\t/"),
        ("a pair of surrogates", r"\uD83D\uDE00", "\U0001f600"),
        ("line separators", "\u2028\u2029\x85", "\u2028\u2029\x85"),
        ("not a character", "\uffff\ufffe", "\uffff\ufffe"),
        ("the last code point", "\U0010ffff", "\U0010ffff"),
        ("a byte order mark", "\ufeff", "\ufeff"),
        ("right to left", "\u202etxt", "\u202etxt"),
    ):
        record = text(session(7, meta="@@")).replace(b"@@", written.encode())
        kept = with_records(sessions=[session(7, meta=meant)])
        yield from accepted(f"{name} in a text", with_record("sessions", record), kept)


def _surrogates() -> Iterator[Case]:
    says = "holds half of a surrogate pair, which is no Unicode text"
    for name, half in (
        ("high", "\ud800"),
        ("low", "\udc00"),
        ("reversed", "\ude00\ud83d"),
        ("two high", "\ud83d\ud83d"),
    ):
        yield from rejected(
            f"half a surrogate pair, {name}", with_record("sessions", text(session(7, meta=half))), "sessions[1]/meta",
            says=says,
        )  # fmt: skip
    yield from rejected(
        "half a surrogate pair in an id", with_record("sessions", text(session(7, id="\ud800"))), "sessions[1]/id",
        says=says,
    )  # fmt: skip
    yield from rejected(
        "half a surrogate pair in a reference", with_record("events", text(event(7, 0, session_id="s\udfff"))),
        "events[1]/session_id", says=says,
    )  # fmt: skip
    yield from rejected(
        "half a surrogate pair in a key", with_record("sessions", text(session(7) | {"\ud800": 1})), "sessions[1]",
        says="unknown key",
    )  # fmt: skip
