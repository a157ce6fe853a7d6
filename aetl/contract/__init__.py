"""Judges records: batches become rows for the database, or rejects with a reason.

The contract is a JSON Schema (draft-07) of a whole export. Which tables there are, and their columns in order, follow
from it: every property of the document is a table's array, every property of its items a column.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from importlib import resources
from itertools import starmap
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import msgspec

from aetl.contract.deriving import tables_of
from aetl.contract.keywords import unsupported
from aetl.errors import ConfigurationError
from aetl.models import UNKNOWN_KEY, Batch, CheckedBatch, Reject, Row

if TYPE_CHECKING:
    from jsonschema import Draft7Validator
    from jsonschema.exceptions import ValidationError

_encode = msgspec.json.Encoder().encode
_SCALARS = {"string", "integer", "number", "boolean", "null"}
_USUAL_DATE_TIME = (
    r"^[1-9][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,6})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?$"
)
"""What nearly every export writes, and nothing that is_date_time refuses."""
_MOST_CHARACTERS = 2**20
"""Some thousand columns; of much more, the check alone would take minutes."""
_INT64 = {"minimum": -(2**63), "exclusiveMaximum": 2**63}
_LEAP_SECOND_OR_MIDNIGHT = re.compile(r"(?<=[0-9]{2})(:?[0-9]{2}:?)60|(?<=[Tt ])24(?=(:?00)*([.,]0*)?([Zz+-]|$))")


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


@dataclass(frozen=True)
class _Records:
    """The records of one table: its columns in order, and their schema."""

    name: str
    columns: tuple[str, ...]
    schema: Mapping[str, Any]

    @cached_property
    def booleans(self) -> frozenset[int]:
        """The places of the columns that hold true and false, which a database may keep as 1 and 0."""
        kinds = self.schema["properties"].values()
        return frozenset(place for place, kind in enumerate(kinds) if "boolean" in _types(kind))

    @cached_property
    def record(self) -> Callable[..., Any]:
        """A function that makes the values of a row into a record that msgspec encodes in half the time of a dict."""
        fields = {f"column_{place}": name for place, name in enumerate(self.columns)}
        try:
            return msgspec.defstruct("Record", fields, rename=fields, gc=False)
        except ValueError:  # it takes no name that JSON would have to escape
            return lambda *values: dict(zip(self.columns, values, strict=True))

    @cached_property
    def row(self) -> Callable[[Mapping[str, Any]], Row]:
        """A function that makes a record that keeps the contract into a row."""
        if not set(self.columns) <= set(self.schema.get("required", ())):
            columns = self.columns
            return lambda record: tuple(map(record.get, columns))
        if len(self.columns) == 1:
            column = self.columns[0]
            return lambda record: (record[column],)
        return itemgetter(*self.columns)

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The places of the columns that hold numbers."""
        kinds = self.schema["properties"].values()
        return tuple(place for place, kind in enumerate(kinds) if not {"integer", "number"}.isdisjoint(_types(kind)))

    def rows(self, records: Sequence[Mapping[str, Any]]) -> list[Row]:
        """Records that keep the contract as rows, with numbers by their value: 1.0 and 1e0 are 1.

        Raises OverflowError where one is larger than any database's.
        """
        rows = list(map(self.row, records))
        for place in self.numbers:
            values = list(map(itemgetter(place), rows))
            kinds = set(map(type, values))
            if float in kinds or (int in kinds and not self._are_of_64_bits(place, values)):
                rows = [(*row[:place], _by_value(row[place]), *row[place + 1 :]) for row in rows]
        return rows

    def _are_of_64_bits(self, place: int, values: Sequence[Any]) -> bool:
        if "integer" in _types(self.schema["properties"][self.columns[place]]):
            return True  # the judge has looked
        return all(type(value) is not int or -(2**63) <= value < 2**63 for value in values)

    def restore(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Rows as a database gives them, with true and false where it kept 1 and 0: the values of an export."""
        if not (places := self.booleans):
            return rows
        return [
            tuple([bool(value) if place in places and isinstance(value, int) else value for place, value in each])
            for each in map(enumerate, rows)
        ]

    @cached_property
    def _lets_other_keys_pass(self) -> bool:
        return self.schema.get("additionalProperties", True) is not False

    def unknown(self, records: Sequence[Mapping[str, Any]]) -> Set[str]:
        """The keys of some good records for which there is no column: they are not in a row."""
        if not self._lets_other_keys_pass:
            return frozenset()
        return set().union(*records).difference(self.columns)

    @cached_property
    def judge(self) -> jsonschema_rs.Draft7Validator:
        """The fast validator of whole batches.

        Beside the contract it holds integers to 64 bits, which is as much as a database's integer keeps.
        """
        return self._batch_validator(lambda column: column)

    @cached_property
    def glance(self) -> jsonschema_rs.Draft7Validator:
        """A validator that is quicker still, and also refuses what the judge would let pass: unusual date-times.

        It asks a pattern where the judge calls Python for every single value, which takes three times as long.
        """
        return self._batch_validator(
            lambda column: (
                {**column, "format": "any", "allOf": [*column.get("allOf", ()), {"pattern": _USUAL_DATE_TIME}]}
                if column.get("format") == "date-time"
                else column
            )
        )

    def _batch_validator(
        self, adapt: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    ) -> jsonschema_rs.Draft7Validator:
        properties = {
            name: {"allOf": [adapt(column), _INT64]} if "integer" in _types(column) else adapt(column)
            for name, column in self.schema["properties"].items()
        }
        return jsonschema_rs.Draft7Validator(
            {"type": "array", "items": {**self.schema, "properties": properties}},
            formats={"date-time": is_date_time},
            validate_formats=True,
        )

    @cached_property
    def explain(self) -> Draft7Validator:
        """The slow validator, which says why one record is refused."""
        from jsonschema import Draft7Validator, FormatChecker
        from jsonschema.validators import extend

        formats = FormatChecker(formats=())
        formats.checks("date-time")(is_date_time)
        # By itself it takes patterns for Python's, which some of them keep busy for ever, and divides floats.
        validator = extend(Draft7Validator, {each: _judged(each) for each in _JUDGED})  # type: ignore[no-untyped-call]
        explain: Draft7Validator = validator(self.schema, format_checker=formats)
        return explain


_JUDGED = {"pattern": "does not match", "multipleOf": "is not a multiple of"}


def _judged(keyword: str) -> Callable[..., Iterator[ValidationError]]:
    """A keyword of the slow validator that comes to the fast one's verdict."""

    @lru_cache(maxsize=100)
    def validator(value: Any) -> jsonschema_rs.Draft7Validator:
        return jsonschema_rs.Draft7Validator({keyword: value})

    def check(_: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        from jsonschema.exceptions import ValidationError

        with suppress(ValueError):  # half a surrogate pair, which is told by itself
            if not validator(value).is_valid(instance):
                yield ValidationError(f"{instance!r} {_JUDGED[keyword]} {value!r}")

    return check


def _by_value(value: Any) -> Any:
    """A number as Python's integer where it is whole and of 64 bits, and as its float where it is not."""
    if type(value) is float and value.is_integer() and -(2**63) <= value < 2**63:
        return int(value)
    if type(value) is int and not -(2**63) <= value < 2**63:
        return float(value)
    return value


class Contract:
    """What an export must look like, read from a schema file.

    `tables` are in the schema's order. `arrays` are the properties of an export that hold their records, each with the
    name of its table, and `required` those of them that may not be missing.
    """

    def __init__(self, schema: Mapping[str, Any], source: str | None) -> None:
        """Raises ConfigurationError with the place in `source` where the schema is not one that aetl can load by.

        Without a source it is aetl's own, which the tests check: to check it takes longer than a small load.
        """
        if source is not None:
            _check_schema(schema, source)
        self._schema = schema
        self.tables = tables_of(schema)
        self.arrays = {table.array: table.name for table in self.tables.values()}
        self._records = {
            table.name: _Records(table.name, table.names, schema["properties"][table.array]["items"])
            for table in self.tables.values()
        }
        self.required = frozenset(schema.get("required", ()))

    @classmethod
    def read(cls, path: Path | None = None) -> Contract:
        """The contract in `path`, or the one that aetl ships."""
        source = str(path or "json/schema.json")
        try:
            text = (path or resources.files("aetl").joinpath("json/schema.json")).read_text(encoding="utf-8")
            if len(text) > _MOST_CHARACTERS:
                raise ConfigurationError(
                    f"the schema file {source} holds more than {_MOST_CHARACTERS:,} characters",
                    hint="A contract describes tables and columns; name that file with --schema.",
                )
            return cls(json.loads(text), source if path else None)
        except OSError as error:
            raise ConfigurationError(
                f"the schema file {source} cannot be read: {error.strerror}", hint="Name a readable file with --schema."
            ) from error
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(
                f"the schema file {source} is not JSON: {error}", hint="Mend the file that --schema names."
            ) from error

    @property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """Every table's columns in order."""
        return {name: table.names for name, table in self.tables.items()}

    @cached_property
    def hash(self) -> str:
        """A SHA-256 of the schema as hexadecimal digits: equal whatever the order of its keys and its blanks."""
        return hashlib.sha256(msgspec.json.encode(self._schema, order="sorted")).hexdigest()

    def check(self, batch: Batch) -> CheckedBatch:
        """Judges one batch: all at once, and record by record only where that fails."""
        table = self._records[batch.table]
        records = batch.records
        try:
            if batch.is_unicode and (table.glance.is_valid(records) or table.judge.is_valid(records)):
                rows = table.rows(records)
                return CheckedBatch(table.name, len(records), rows, _positions(batch), (), table.unknown(records))
        except (ValueError, OverflowError, RecursionError):
            pass  # a value that the fast validator cannot even look at, such as a lone surrogate
        rows = []
        good: list[Any] = []
        positions: list[int] = []
        rejects: list[Reject] = []
        for position, record in zip(_positions(batch), records, strict=True):
            if fault := _fault(table, record):
                pointer, reason, kind = fault
                rejects.append(Reject(table.name, position, pointer, reason, json.dumps(record), kind))
            else:
                rows += table.rows([record])
                positions.append(position)
                good.append(record)
        return CheckedBatch(table.name, len(records), rows, positions, rejects, table.unknown(good))

    def encode(self, table: str, rows: Sequence[Row]) -> bytes:
        """The records that `rows` were made from, as JSON objects with commas between them: the reverse of `check`."""
        return _encode(list(starmap(self._records[table].record, self.values(table, rows))))[1:-1]

    def values(self, table: str, rows: Sequence[Row]) -> Sequence[Row]:
        """Rows as a database gives them with the values of an export, as they are hashed."""
        return self._records[table].restore(rows)


def _positions(batch: Batch) -> range:
    return range(batch.first, batch.first + len(batch.records))


def _fault(table: _Records, record: object) -> tuple[str, str, str] | None:
    """JSON pointer, reason and kind of the first thing wrong with a record, or None."""
    from jsonschema.exceptions import best_match

    try:
        is_good = table.judge.is_valid([record])
    except (ValueError, OverflowError, RecursionError):
        is_good = False
    # The same verdict whatever stands beside a record: where all of a batch is good, nobody asks for an explanation.
    if not is_good and (error := best_match(table.explain.iter_errors(record))) is not None:
        kind = "" if error.validator in _NAMING else str(error.validator)
        return _pointer(error.absolute_path), _reason(error), kind
    assert isinstance(record, dict)  # Contract requires "type": "object" of every record
    for name, value in record.items():
        if not _is_unicode(name) or (isinstance(value, str) and not _is_unicode(value)):
            return _pointer([name]), "holds half of a surrogate pair, which is no Unicode text", ""
    if is_good:
        return _beyond(table, record)
    try:
        for rest in table.judge.iter_errors([record]):
            path = list(rest.instance_path)[1:]
            value = record.get(path[0]) if len(path) == 1 else None
            beyond = isinstance(value, int | float) and not -(2**63) <= value < 2**63
            if beyond:
                return _pointer(path), f"{_short(str(value))} is beyond 64 bits", "beyond 64 bits"
            return _pointer(path), _short(rest.message), ""
    except (ValueError, OverflowError, RecursionError) as error:
        return "", _short(str(error)), ""
    return None


def _beyond(table: _Records, record: Mapping[str, Any]) -> tuple[str, str, str] | None:
    for place in table.numbers:
        try:
            _by_value(record.get(table.columns[place]))
        except OverflowError:
            return _pointer([table.columns[place]]), "is a larger number than any database keeps", ""
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_NAMING = ("additionalProperties", "dependencies", "required")
"""Keywords whose reason names a key, and not a value: another key is another kind of fault."""


def _reason(error: ValidationError) -> str:
    if error.validator == "additionalProperties" and error.validator_value is False:
        record: Any = error.instance
        schema: Any = error.schema
        keys = [key for key in record if key not in schema.get("properties", {})]
        if "patternProperties" not in schema:
            return _short(f"{UNKNOWN_KEY}{'s' * (len(keys) > 1)} {', '.join(map(repr, keys))}")
    if error.validator == "format":
        return f"{_short(repr(error.instance))} is not an ISO 8601 date-time"
    return _short(error.message)


def _short(text: str, most: int = 200) -> str:
    # The reject keeps the whole record beside its reason. Half surrogates could not be written anywhere.
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 :]}"


def _pointer(path: Iterable[str | int]) -> str:
    """An RFC 6901 JSON pointer."""
    return "".join("/" + _short(str(part).replace("~", "~0").replace("/", "~1")) for part in path)


def _types(schema: Any) -> Sequence[str]:
    types = schema.get("type", ()) if isinstance(schema, dict) else ()
    return [types] if isinstance(types, str) else types


def _check_schema(schema: Any, source: str) -> None:
    from jsonschema import Draft7Validator, FormatChecker
    from jsonschema.exceptions import SchemaError

    def refuse(pointer: str, reason: str) -> ConfigurationError:
        return ConfigurationError(
            f"the schema file {source} cannot be used: {pointer or '/'}: {reason}",
            hint="Mend the file that --schema names; aetl's own json/schema.json is an example.",
        )

    try:
        # Without formats: what is a regular expression here, Python would not tell.
        Draft7Validator.check_schema(schema, format_checker=FormatChecker(formats=()))
    except SchemaError as error:
        raise refuse(_pointer(error.absolute_path), _short(error.message)) from error
    if not isinstance(schema, dict) or schema.get("type") != "object" or not schema.get("properties"):
        raise refuse("", "must describe an object with an array per table under 'properties'")
    for name, table in schema["properties"].items():
        pointer = _pointer(["properties", name])
        items = table.get("items") if isinstance(table, dict) and table.get("type") == "array" else None
        if not isinstance(items, dict) or items.get("type") != "object" or not items.get("properties"):
            raise refuse(pointer, "must be an array whose items are objects with the columns under 'properties'")
        for column, kind in items["properties"].items():
            at = pointer + _pointer(["items", "properties", column])
            if not _types(kind) or not set(_types(kind)) <= _SCALARS:
                raise refuse(at, "a column's type must be string, integer, number, boolean or null, or a list of these")
    for path, reason in unsupported(schema):
        raise refuse(_pointer(path), reason)
    for missing in set(schema.get("required", ())) - set(schema["properties"]):
        raise refuse("/required", f"{missing!r} is not described under 'properties'")
