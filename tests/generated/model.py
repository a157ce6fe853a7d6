"""What becomes of a drawn contract's records, by docs/tables.md: an oracle that knows nothing of aetl's code."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.generated.contracts import EPOCHS, JSON_KINDS, Described, Drawn, Property
from tests.model.model import Table, Unfit

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_TYPES = {"string": str, "object": dict, "array": list, "boolean": bool}
_DEEPEST = 500


@dataclass(frozen=True)
class Modelled(Table):
    """A table whose rows hold JSON as its one text, a point in time as its number, and what is unknown at the end."""

    described: Described = field(kw_only=True)

    def is_fit(self, record: Any) -> bool:
        """Whether a record keeps the contract."""
        try:
            self.row_of(record, "sqlite")
        except Unfit:
            return False
        return True

    def row_of(self, record: Any, dialect: str) -> tuple[Any, ...]:
        if not isinstance(record, dict):
            raise Unfit
        _look_through(record)
        known = {each.key: each for each in self.described.properties}
        row = []
        for each in self.described.properties:
            value = self._value(each, record, dialect)
            if not each.is_skipped:
                row.append(value)
        unknown = {key: value for key, value in record.items() if key not in known}
        additional = self.described.additional
        if unknown and additional is False:
            raise Unfit
        if additional == {"type": "string"} and not all(isinstance(value, str) for value in unknown.values()):
            raise Unfit
        if self.described.rest is not None:
            row.append(text_of(unknown) if unknown else None)
            if unknown and _is_no(dialect, row[-1]):
                raise Unfit
        return tuple(row)

    def _value(self, each: Property, record: dict[str, Any], dialect: str) -> Any:
        if each.key not in record:
            if each.is_required:
                raise Unfit
            return None
        value = record[each.key]
        if value is None and each.is_nullable:
            return None
        value = value_of(each, value, is_kept=not each.is_skipped)
        if each.is_skipped or dialect == "sqlite":
            return value
        if (each.kind == "text" and "\0" in value) or (each.kind in JSON_KINDS and _is_no(dialect, value)):
            raise Unfit
        return value

    def exported(self, record: Any) -> Any:
        """A record as `export` would give it, had it been loaded."""
        return self.record_of(self.row_of(record, "sqlite")) if self.is_fit(record) else record

    def record_of(self, row: tuple[Any, ...]) -> dict[str, Any]:
        """What `export` gives of a row."""
        kept = [each for each in self.described.properties if not each.is_skipped]
        record = {}
        for each, value in zip(kept, row, strict=False):
            if value is not None:
                record[each.key] = json.loads(value) if each.kind in JSON_KINDS else value
            elif each.is_nullable:
                record[each.key] = None
        if len(row) > len(kept) and row[-1] is not None:
            record |= json.loads(row[-1])
        return record

    def hashed(self, row: tuple[Any, ...]) -> dict[str, Any]:
        """A row's values by columns, as a digest takes them."""
        values = {}
        for (name, kind), value in zip(self.columns.items(), row, strict=True):
            values[name] = json.loads(value) if kind in (*JSON_KINDS, "rest") and value is not None else value
        return values

    def stored(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """How a row stands in a database, JSON as its one text."""
        return tuple(
            _moment(value, kind) if kind in EPOCHS and value is not None else value
            for value, kind in zip(row, self.columns.values(), strict=True)
        )

    def read(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """A row that stands in a database in the same way, whatever the types of its columns there."""
        return tuple(
            text_of(json.loads(value))
            if kind in (*JSON_KINDS, "rest") and value is not None
            else str(value)
            if isinstance(value, date)
            else value
            for value, kind in zip(row, self.columns.values(), strict=True)
        )


def _is_no(dialect: str, text: str) -> bool:
    """Whether a JSON text is none that the database's type of JSON takes: of all, jsonb has no U+0000."""
    return dialect == "jsonb" and "\\u0000" in text.replace("\\\\", "")


def tables_of(drawn: Drawn) -> dict[str, Modelled]:
    names = {each.array: each.name for each in drawn.tables}
    tables = {}
    for table in drawn.tables:
        kept = [each for each in table.properties if not each.is_skipped]
        columns = {each.name: each.kind for each in kept}
        if table.rest is not None:
            columns[table.rest] = "rest"
        references = {each.name: names[each.refers_to] for each in kept if each.refers_to is not None}
        tables[table.name] = Modelled(columns, table.key, references, described=table)
    return tables


def value_of(each: Property, value: Any, *, is_kept: bool = True) -> Any:
    """The value of a column that holds something; raises Unfit."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match each.kind:
        case "text" if isinstance(value, str):
            return value
        case "boolean" if isinstance(value, bool):
            return value
        case "integer" if is_number and value == int(value):
            if is_kept and not -(2**63) <= value < 2**63:
                raise Unfit
            return int(value)
        case "number" if is_number:
            return _double(value) if is_kept else value
        case "date-time" if isinstance(value, str) and _is_date_time(value):
            return value
        case "date" if isinstance(value, str) and _is_date(value):
            return value
        case "s" | "ms" | "us" | "ns" if is_number and (each.detail == ["number"] or value == int(value)):
            return _epoch(value, each.kind) if is_kept else value
    if each.kind in JSON_KINDS and _is_json(each, value):
        return text_of(value) if is_kept else value
    raise Unfit


def _is_json(each: Property, value: Any) -> bool:
    match each.kind:
        case "object":
            return isinstance(value, dict) and _is_whole(value.get("a"))
        case "array":
            return isinstance(value, list) and not any(type(item) is float and item % 1 for item in value)
        case "mixed":
            return any(_is(value, kind) for kind in each.detail)
        case "enum":
            return text_of(value) in map(text_of, each.detail)
    return True


def text_of(value: Any) -> str:
    """The one text of a JSON value; raises Unfit."""
    waiting = [(value, 1)]
    while waiting:
        each, depth = waiting.pop()
        below = each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
        waiting += [(inner, depth + 1) for inner in below]
        if depth > _DEEPEST and isinstance(each, dict | list):
            raise Unfit
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))


def plain(value: Any) -> Any:
    """A JSON value with sorted keys, and numbers by their value."""
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, float) and value.is_integer() and -(2**63) <= value < 2**63:
        return int(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return _double(value)
    return value


def exact(value: Any) -> Any:
    """A JSON value in which a whole number is one whatever its spelling, to compare it.

    One that is larger than any point in time is the double that it stands for: jsonb writes all its digits.
    """
    if isinstance(value, dict):
        return {key: exact(each) for key, each in value.items()}
    if isinstance(value, list):
        return [exact(each) for each in value]
    if isinstance(value, int) and abs(value) >= 10**21:
        return int(float(value))
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _look_through(value: Any) -> None:
    """What no record may hold anywhere: half a surrogate pair, and a number beyond all doubles."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list):
            waiting += each
        elif each in (float("inf"), float("-inf")) or (
            isinstance(each, str) and any("\ud800" <= character <= "\udfff" for character in each)
        ):
            raise Unfit


def _double(value: float) -> float:
    try:
        value = float(value)
    except OverflowError:
        raise Unfit from None
    return int(value) if value.is_integer() and abs(value) <= 2**53 else value


def _epoch(value: float, unit: str) -> float:
    nanoseconds = Fraction(Decimal(repr(value))) * 10**9 / _PER_SECOND[unit]
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    start = datetime(1970, 1, 1, tzinfo=UTC)
    if nanoseconds.denominator != 1:
        raise Unfit
    if (
        not (first - start) // timedelta(microseconds=1)
        <= nanoseconds // 1000
        <= (last - start) // timedelta(microseconds=1)
    ):
        raise Unfit
    return int(value) if value == int(value) else value


def _moment(value: float, unit: str) -> str:
    nanoseconds = int(Fraction(Decimal(repr(value))) * 10**9 / _PER_SECOND[unit])
    microseconds, rest = divmod(nanoseconds, 1000)
    text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)).isoformat(timespec="microseconds")
    return f"{text[:-6]}{rest:03}{text[-6:]}" if rest or unit == "ns" else text


def _is(value: Any, kind: str) -> bool:
    if kind in ("integer", "number"):
        return _is_whole(value) or (kind == "number" and isinstance(value, float))
    return isinstance(value, _TYPES[kind])


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)


def _is_date_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return "T" in text


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
