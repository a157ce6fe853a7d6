"""Makes one value of a record into what a database keeps, and back: date-times, dates, epochs, numbers, JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from aetl.canonical import canonical, canonical_texts
from aetl.contract.tables import Column, ColumnType, Epoch

_LEAP_SECOND_OR_MIDNIGHT = re.compile(r"(?<=[0-9]{2})(:?[0-9]{2}:?)60|(?<=[Tt ])24(?=(:?00)*([.,]0*)?([Zz+-]|$))")
_DATE = (
    r"^[1-9][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
USUAL_DATE = f"{_DATE}$"
"""What nearly every export writes, and nothing that is_date refuses."""
USUAL_DATE_TIME = (
    _DATE + r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?$"
)
"""What nearly every export writes, and nothing that is_date_time refuses."""

_DIGITS: dict[Epoch, int] = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(r"(.+?:[0-9]{2}:[0-9]{2})(?:[.]([0-9]{1,9}))?(Z|[+-][0-9:]+)?")


def is_date_time(value: object) -> bool:
    """Whether a text is an ISO 8601 date with a time, as `format: date-time` is meant here.

    The UTC offset may be missing (UTC is meant then), which RFC 3339 and so JSON Schema would not allow. What is no
    text is the `type` keyword's business, not this one's.
    """
    if not isinstance(value, str):
        return True
    if not ("T" in value or " " in value or "t" in value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        if value[-1] == "z":
            return is_date_time(value[:-1] + "Z")
        # ISO 8601 also knows the leap second :60 and the midnight 24:00, which Python's datetime cannot express.
        usual = _LEAP_SECOND_OR_MIDNIGHT.sub(lambda found: "00" if found[1] is None else f"{found[1]}59", value)
        return usual != value and is_date_time(usual)
    return True


def is_date(value: object) -> bool:
    """Whether a text is a date as RFC 3339 writes it (5.6: full-date), such as 2025-03-01."""
    if not isinstance(value, str):
        return True
    try:
        return len(value) == 10 and value[4] == "-" and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


FORMATS = {"date-time": is_date_time, "date": is_date}
"""What a contract's `format` may be, and what keeps it."""


def double(value: Any) -> Any:
    """A number as its nearest double: an integer where that is whole and no more than 2**53, and else a float.

    Every reader of JSON agrees on these (RFC 8259, 6). Raises OverflowError for an integer that no double holds.
    """
    if type(value) is int and not -(2**53) <= value <= 2**53:
        value = float(value)
    if type(value) is float and value.is_integer() and -(2**53) <= value <= 2**53:
        return int(value)
    return value


def whole(value: Any) -> Any:
    """A whole number as an integer, however it was spelled."""
    return int(value) if type(value) is float else value


def moment(value: float | None, unit: Epoch) -> str | None:
    """The point in time that a number since 1970 in UTC means, as ISO 8601 of one width and exactly.

    That width is six digits of a second, as most databases keep, and nine where the number needs them. Raises
    ValueError where even these don't do, or outside of the years 1 to 9999.
    """
    if value is None:
        return None
    digits = 9 - _DIGITS[unit]
    if type(value) is int or value.is_integer():
        total = int(value) * 10**digits
    else:
        scaled = Decimal(repr(value)).scaleb(digits)
        if scaled % 1:
            raise ValueError("is finer than a nanosecond")
        total = int(scaled)
    microseconds, rest = divmod(total, 1000)
    try:
        text = (_EPOCH + timedelta(microseconds=microseconds)).isoformat(timespec="microseconds")
    except OverflowError as error:
        raise ValueError("is not within the years 1 to 9999") from error
    return f"{text[:26]}{rest:03}{text[26:]}" if rest or unit == "ns" else text


def since_epoch(text: str, unit: Epoch) -> int | float:
    """The number that a point in time was made from."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no point in time")
    at = datetime.fromisoformat(found[1] + (found[3] or "+00:00"))
    total = (at - _EPOCH) // timedelta(seconds=1) * 10**9 + int((found[2] or "").ljust(9, "0"))
    digits = 9 - _DIGITS[unit]
    number, rest = divmod(total, 10**digits)
    return number if rest == 0 else float(Decimal(total).scaleb(-digits))


def json_texts(found: Sequence[Any]) -> list[str | None]:
    """Objects and any other JSON values, each as its one compact text; null is None."""
    texts: list[str | None] = [*canonical_texts(found)]
    if None in found:
        texts = [None if value is None else text for value, text in zip(found, texts, strict=True)]
    return texts


raw = msgspec.json.Decoder(msgspec.Raw).decode
"""JSON that stands in a text, to be encoded as it is; raises ValueError where it is none."""

rest = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
"""A JSON object that stands in a text, by its keys; raises ValueError where it is none."""

boolean = {0: False, 1: True}.__getitem__
"""What a database gives for true or false; raises KeyError for anything else."""


def reparsed(text: str) -> msgspec.Raw:
    """The canonical JSON of a text that a database gave, whatever it has made of blanks and order."""
    return msgspec.Raw(canonical(_decode(text)))


_decode = msgspec.json.Decoder().decode


def converter(column: Column) -> Callable[[Sequence[Any]], list[Any]] | None:
    """What makes records' values of a column, or None, into those of rows, where they are not always the same."""
    unit = column.epoch
    if unit is not None:
        return lambda found: [moment(value, unit) for value in found]
    return _CONVERTERS.get(column.type)


_CONVERTERS: Mapping[ColumnType, Callable[[Sequence[Any]], list[Any]]] = {
    "integer": lambda found: list(map(whole, found)),
    "number": lambda found: list(map(double, found)),
    "json": json_texts,
}
