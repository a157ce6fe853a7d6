"""Values of every type, fit and unfit, and how they are written."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Spelled:
    """JSON that is written as it stands here: a number by its spelling, or what is nested deeply."""

    text: str


WHOLE = ("0", "1", "-1", "1.0", "1e0", "10e-1", "0.1e1", "-0", "-0.0", "9223372036854775807", "-9223372036854775808")
FLOATS = (
    "0.1", "0.30000000000000004", "0.3", "1e-1", "1.5", "15e-1", "5e-324", "1.7976931348623157e308", "1e22", "1e21",
    "9007199254740992", "9007199254740993", "-9007199254740993", "9223372036854775808", "1e19", "1e20",
    "123456789012345678901234567890",
    "2.2250738585072014e-308", "1e-400", "4.35", "100.0", "3.4028235e38", "-1e-7", "1E+2",
    "0.1000000000000000055511151231257827",
)  # fmt: skip
TEXTS = (
    "", "a", "b", "B", "a ", " a", "ä", "a\u0308", "𝄞", '"', "\\", "},{", "],[", "\u2028", "\x7f", "\x1f", "\n", "\t",
    "null", "true", "1", "\ufeff", "\uffff", "\U0010ffff", "\ud7ff", "\ue000", "'", "`", "{table}", "?1", ":name", "%s",
    "\\u0000", "\\N", "\\.", "NULL", "2025-03-01", "[]", "{}", "\u202e", "İ", "ß",
)  # fmt: skip
LONG = ("x" * 3_000, "é\n" * 9_000, "\\" * 2_000)
TIMES = (
    "2025-03-01T02:00:00Z", "2025-03-01T02:00:00+00:00", "2025-03-01T02:00:00.5", "2025-03-01T02:00:00+10:30",
    "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999Z", "2024-02-29T12:00:00.123456-01:00", "2025-03-01T02:00",
)  # fmt: skip
DATES = ("2025-03-01", "2024-02-29", "0001-01-01", "9999-12-31", "1970-01-01")
_SECONDS = (
    "0",
    "-1",
    "1740794400",
    "1740794400.0",
    "1740794400.5",
    "1740794400.123456",
    "-62135596800",
    "253402300799",
    "1e9",
)
EPOCHS = {
    "s": _SECONDS,
    "ms": ("0", "-1", "1740794400123", "1740794400123.5", "1740794400123.000001", "-62135596800000", "253402300799999"),
    "us": ("0", "-1", "1740794400123456", "1740794400123.5", "-62135596800000000", "253402300799999999"),
    "ns": ("0", "-1", "1740794400123456789", "1e18", "9223372036854775807", "1740794400123", "100000000000000000000",
        "253402300799999999999"),
}  # fmt: skip
UNFIT: Mapping[str, tuple[Any, ...]] = {
    "text": (None, 5, True, ["a"], {}, "\ud800", "a\udc00b", "\0", "nul\0"),
    "integer": (None, True, "1", Spelled("1.5"), Spelled("9223372036854775808"), Spelled("-9223372036854775809"), [],
        Spelled("1e400")),
    "number": (None, "1", False, {}, Spelled("1e400"), Spelled("-1e309"), Spelled("1" + "0" * 400)),
    "boolean": (None, 0, "true", Spelled("1"), []),
    "date-time": (None, 5, "", "yesterday", "2025-13-01T00:00:00Z", "2025-02-30T00:00:00Z", "\ud800", "2025-03-01",
        "T", "\0"),
    "date": (None, 5, "", "2025-3-1", "20250301", "2025-02-30", "2025-03-01T00:00:00Z", "2025-W09-6", "\0"),
    "object": (None, [], 5, {}, {"a": "b"}, {"a": Spelled("1.5")}, {"a": 1, "b": "\ud800"}, {"a": 1,
        "b": Spelled("1e400")}),
    "array": (None, {}, "[]", [Spelled("1.5")], ["\udfff"]),
    "any": ("\ud800", {"\udc00": 1}, Spelled("1e400"), [Spelled("-1e400")]),
    "mixed": ("\ud800",),
    "enum": ("b", Spelled("2"), False, [], {"a": [2]}, {}),
}  # fmt: skip
ODD_RECORDS: tuple[Any, ...] = (None, 5, "a", [], {}, [{}], True, Spelled("1e400"), "\ud800")


def as_json(value: Any, chance: random.Random | None = None) -> str:
    """JSON text; with blanks here and there where there is a `chance`."""
    is_ascii = chance is None or chance.random() < 0.5
    blank = "" if chance is None or chance.random() < 0.6 else chance.choice(("\n", " ", "\r\n\t", "\n  "))

    def written(value: Any) -> str:
        match value:
            case Spelled():
                return value.text
            case dict():
                items = (f"{text(key)}:{blank}{written(each)}" for key, each in value.items())
                return "{" + blank + f",{blank}".join(items) + blank + "}"
            case list() | tuple():
                return "[" + blank + f",{blank}".join(map(written, value)) + blank + "]"
            case str():
                return text(value)
        return json.dumps(value)

    def text(value: str) -> str:
        is_half = any("\ud800" <= character <= "\udfff" for character in value)
        return json.dumps(value, ensure_ascii=is_ascii or is_half)

    return written(value)
