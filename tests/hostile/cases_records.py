"""Records that break the contract, or look as if they did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.exports import event, parent, session
from tests.hostile.cases import (
    GOOD,
    Case,
    accepted,
    arrays_of,
    malformed_in_any_order,
    rejected,
    text,
    with_record,
    with_records,
)

SQL = "'); DROP TABLE sessions; --"


def cases() -> Iterator[Case]:
    yield from _shapes()
    yield from _keys()
    yield from _numbers()
    yield from _times()
    yield from _ids()
    yield from _references()
    yield from _sql()


def _shapes() -> Iterator[Case]:
    for record in (b"null", b"17", b'"s7"', b"[]", b"true", b"{}", b'[{"id": "s7"}]'):
        says = "'id' is a required property" if record == b"{}" else ""
        yield from rejected(f"the record {record!r}", with_record("sessions", record), "sessions[1]", says=says)
    for column, value in (
        ("id", None),
        ("id", 7),
        ("id", ["s7"]),
        ("started_at", {}),
        ("meta", {"a": 1}),
        ("meta", False),
    ):
        record = text(session(7, **{column: value}))
        says = f"{value!r} is not of type "
        yield from rejected(
            f"{column} is {value!r}", with_record("sessions", record), f"sessions[1]/{column}", says=says
        )
    yield from rejected(
        "a parent edge to null", with_record("event_parents", b'{"child_id": "e0", "parent_id": null}'),
        "event_parents[1]/parent_id", says="None is not of type 'string'",
    )  # fmt: skip
    wide = {f"k{number}": number for number in range(2000)}
    yield from rejected(
        "2,000 keys too many", with_record("sessions", text(session(7) | wide)), "sessions[1]",
        says="unknown keys 'k0', 'k1', ",
    )  # fmt: skip
    many = b", ".join([b"{}"] * 3000)
    yield from rejected(
        "3,000 empty records", arrays_of(GOOD) | {"event_parents": many},
        *(f"event_parents[{position}]" for position in range(3000)), says="'child_id' is a required property",
        kept=GOOD | {"event_parents": []},
    )  # fmt: skip


def _keys() -> Iterator[Case]:
    for column in event(7, 0):
        record = text({name: value for name, value in event(7, 0).items() if name != column})
        says = f"'{column}' is a required property"
        yield from rejected(f"lacks {column}", with_record("events", record), "events[1]", says=says)
    for key in ("extra", "", "ID", "id ", "i\u0501d", "__proto__", "events", "\0", "\x1b[31m", SQL):
        record = text(session(7) | {key: 1})
        says = "unknown key "
        yield from rejected(f"the key {key!r}", with_record("sessions", record), "sessions[1]", says=says)
    twice = text(session(7, meta="first"))[:-1] + b', "meta": "last"}'
    kept = with_records(sessions=[session(7, meta="last")])
    yield from accepted("a key twice: the last one counts", with_record("sessions", twice), kept)
    worse = text(session(7, meta="first"))[:-1] + b', "me\\u0074a": 17}'
    yield from rejected(
        "a key twice, the last one wrong", with_record("sessions", worse), "sessions[1]/meta",
        says="17 is not of type 'string', 'null'",
    )  # fmt: skip
    better = b'{"id": null, ' + text(session(7))[1:]
    yield from accepted(
        "a key twice, the first one wrong", with_record("sessions", better), with_records(sessions=[session(7)])
    )


def _numbers() -> Iterator[Case]:
    def written(number: str) -> dict[str, bytes]:
        return with_record("events", text(event(7, 0, round="@@")).replace(b'"@@"', number.encode("latin-1")))

    for number, reason in (
        ("1.5", "1.5 is not of type 'integer', 'null'"),
        ("1e-1", "0.1 is not of type 'integer', 'null'"),
        ("1e999", "inf is not of type 'integer', 'null'"),
        ("-1e999", "-inf is not of type 'integer', 'null'"),
        ("true", "True is not of type 'integer', 'null'"),
        ('"1"', "'1' is not of type 'integer', 'null'"),
        ("9223372036854775808", "9223372036854775808 is beyond 64 bits"),
        ("-9223372036854775809", "-9223372036854775809 is beyond 64 bits"),
        ("18446744073709551616", "18446744073709551616 is beyond 64 bits"),
        ("1e19", "1e+19 is beyond 64 bits"),
        ("1e300", "1e+300 is beyond 64 bits"),
        ("9" * 400, "99999"),
        ("9" * 4300, "99999"),
    ):
        yield from rejected(f"round {number[:25]} of {len(number)}", written(number), "events[1]/round", says=reason)
    for number, stored in (
        ("1.0", 1), ("1e2", 100), ("-0", 0), ("-0.0", 0), ("0e0", 0), ("null", None),
        ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)), ("9007199254740993", 2**53 + 1),
    ):  # fmt: skip
        kept = with_records(events=[event(7, 0, round=stored)])
        yield from accepted(f"round {number}", written(number), kept)
    record = text(event(7, 0, round="@@"))
    for number, reason, behind in (
        ("NaN", "NaN is not JSON", False),
        ("Infinity", "Infinity is not JSON", False),
        ("-Infinity", "-Infinity is not JSON", False),
        ("nan", "Expecting value", True),
        ("¶+1", "Expecting value", True),
        ("¶.5", "Expecting value", True),
        ("1¶.", "Expecting ',' delimiter", True),
        ("0¶1", "Expecting ',' delimiter", True),
        ("¶-", "Expecting value", True),
        ("0¶x10", "Expecting ',' delimiter", True),
        ("1¶e", "Expecting ',' delimiter", True),
        ("1¶_000", "Expecting ',' delimiter", True),
        ("1¶n", "Expecting ',' delimiter", True),
        ("\u0661", "Expecting value", True),
        ("9" * 4301, "Exceeds the limit (4300 digits) for integer string conversion", False),
    ):
        raw = number.encode("utf-8").replace(b"\xc2\xb6", b"\xb6")
        if behind and b"\xb6" not in raw:
            raw = b"\xb6" + raw
        broken = record.replace(b'"@@"', raw)
        arrays = with_record("events", broken if behind else b"\xb6" + broken)
        says = f"events[1] (byte {{byte}}): {reason}"
        yield from malformed_in_any_order(f"the number {number[:10]}", arrays, says)


def _times() -> Iterator[Case]:
    for moment in ("", "yesterday", "2025-02-30T00:00:00", "2025-03-01", "1e3", "0000-00-00T00:00:00", "2025-03-01T1",
                   "2025-03-01T02:00:00\n", "9" * 100_000):  # fmt: skip
        record = text(session(7, started_at=moment))
        yield from rejected(f"the time {moment[:20]!r}", with_record("sessions", record), "sessions[1]/started_at",
                            says="'" + ascii(moment)[1:50].rstrip("'"))  # fmt: skip


def _ids() -> Iterator[Case]:
    for name, one, other in (
        ("case", "same", "SAME"),
        ("normal form", "caf\u00e9", "cafe\u0301"),
        ("a blank", "id", "id "),
        ("a NUL", "id", "id\0"),
        ("width", "1", "\uff11"),
        ("an invisible character", "id", "i\u200bd"),
        ("look alone", "a", "\u0430"),
    ):
        more = [session(7, id=one, meta="one"), session(7, id=other, meta="other")]
        kept = with_records(sessions=more)
        yield from accepted(f"ids that differ in {name} only", arrays_of(kept), kept)
    kept = with_records(
        sessions=[session(7, id="")],
        events=[event(7, 0, id="", session_id="")],
        event_parents=[{"child_id": "", "parent_id": ""}],
    )
    yield from accepted("empty ids", arrays_of(kept), kept)
    long = "i" * 100_000
    kept = with_records(sessions=[session(7, id=long)], events=[event(7, 0, session_id=long)])
    yield from accepted("ids of 100,000 characters", arrays_of(kept), kept)
    twice = [session(7, meta="first"), session(7, meta="last")]
    yield from accepted(
        "an id twice, the last one counts", arrays_of(with_records(sessions=twice)), with_records(sessions=twice[1:])
    )
    moved = [event(7, 0), event(7, 1, content="moved")]
    yield from accepted(
        "an event twice, of two sessions", arrays_of(with_records(events=moved)), with_records(events=moved[1:])
    )
    edges = with_records(event_parents=[parent(1, 0)] * 3)
    yield from accepted("a parent edge four times", arrays_of(edges), GOOD)
    many = with_records(sessions=[session(7, meta=str(number)) for number in range(5000)])
    yield from accepted("an id 5,000 times", arrays_of(many), with_records(sessions=[session(7, meta="4999")]))


def _references() -> Iterator[Case]:
    says = "'s99' refers to no record"
    orphan = event(7, 99)
    yield from rejected("an event without its session", with_record("events", text(orphan)),
                        "events[1]/session_id", says=says)  # fmt: skip
    yield from rejected(
        "an event without its session, and its edges",
        arrays_of(with_records(events=[orphan], event_parents=[parent(7, 0), parent(0, 7)])),
        "events[4]/session_id", "event_parents[2]/child_id", "event_parents[3]/parent_id", says=says,
    )  # fmt: skip
    for name, child, of, column in (
        ("to nowhere", 0, 99, "parent_id"),
        ("from nowhere", 99, 0, "child_id"),
        ("from nowhere to itself", 99, 99, "child_id"),
    ):
        yield from rejected(
            f"a parent edge {name}", with_record("event_parents", text(parent(child, of))),
            f"event_parents[1]/{column}", says="'e99' refers to no record",
        )  # fmt: skip
    for case, one, other in (("case", "S0", "'S0'"), ("a blank", "s0 ", "'s0 '"), ("a type", "0", "'0'")):
        yield from rejected(
            f"a reference that differs in {case}", with_record("events", text(event(7, 0, session_id=one))),
            "events[1]/session_id", says=f"{other} refers to no record",
        )  # fmt: skip
    yield from rejected(
        "a reference of 100,000 characters", with_record("events", text(event(7, 0, session_id="x" * 100_000))),
        "events[1]/session_id", says="'xxx",
    )  # fmt: skip
    for name, edges in (
        ("to itself", [parent(0, 0)]),
        ("in a cycle of two", [parent(0, 1)]),
        ("in a cycle of four", [parent(3, 0), parent(0, 2), parent(2, 1)]),
    ):
        kept = with_records(event_parents=edges)
        yield from accepted(f"parent edges {name}", arrays_of(kept), kept)
    bad = session(7, started_at="never")
    yield from rejected(
        "a rejected session takes its events along",
        arrays_of(with_records(sessions=[bad], events=[event(7, 7), event(8, 7)], event_parents=[parent(8, 7)])),
        "sessions[2]/started_at", "events[4]/session_id", "events[5]/session_id", "event_parents[2]/child_id",
        says="'never' is not an ISO 8601 date-time",
    )  # fmt: skip
    orphans: list[dict[str, Any]] = [event(number, 99) for number in range(10, 1010)]
    yield from rejected(
        "1,000 events without their session", arrays_of(with_records(events=orphans)),
        *(f"events[{position}]/session_id" for position in range(4, 1004)), says=says,
    )  # fmt: skip


def _sql() -> Iterator[Case]:
    for name, injected in (
        ("a statement", SQL),
        ("a parameter", "?1 :id @id $id"),
        ("a quote", "\"\" '' `` [] ;"),
        ("a comment", "/* -- */"),
        ("a pattern", "%_\\%"),
        ("a blob", "x'00'"),
        ("JSON", '{"$[0]": "json_each"}'),
    ):
        kept = with_records(
            sessions=[session(7, id=injected, meta=injected)],
            events=[event(7, 0, **dict.fromkeys(
                ("id", "session_id", "kind", "role", "content", "raw_text", "meta"), injected))],
            event_parents=[{"child_id": injected, "parent_id": injected}],
        )  # fmt: skip
        yield from accepted(f"SQL in every field: {name}", arrays_of(kept), kept)
    yield from rejected(
        "SQL in a time", with_record("sessions", text(session(7, started_at=SQL))), "sessions[1]/started_at",
        says=f'"{SQL}" is not an ISO 8601 date-time',
    )  # fmt: skip
