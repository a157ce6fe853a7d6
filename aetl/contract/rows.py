"""Makes records that keep the contract into rows, and rows into records again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, starmap
from operator import itemgetter
from textwrap import shorten
from typing import Any

import msgspec

from aetl.canonical import UNFIT, wrong
from aetl.contract import values
from aetl.contract.tables import Column, Table
from aetl.errors import TablesDiffer
from aetl.models import Row

_Convert = Callable[[Any], Any]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Rows:
    """How the records of one table become rows.

    `known` are all keys of theirs that the contract tells of. `is_closed` says that no record has any other.
    """

    table: Table
    known: Set[str]
    required: Set[str]
    is_closed: bool = False

    def of(self, records: Sequence[Mapping[str, Any]]) -> list[Row]:
        """Records that keep the contract as rows.

        Raises ValueError, OverflowError or RecursionError where a value is none that a database keeps.
        """
        rows = list(map(self._row, records))
        changed = {}
        for place, column, convert in self._to_look_at:
            found = list(map(itemgetter(place), rows))
            if _is_changed(column, found):
                changed[place] = convert(found)
        if self.table.rest is not None:
            changed[len(self._kept)] = values.json_texts(list(map(self._rest, records)))
        return _with(rows, changed)

    def unfit(self, record: Mapping[str, Any]) -> tuple[Sequence[str | int], str, str]:
        """Where in a record that keeps the contract a value is that no database keeps, why, and the kind of fault."""
        for _, column, convert in self._to_look_at:
            value = record.get(column.key)
            try:
                convert([value])
            except UNFIT as error:
                if column.type == "json":
                    break
                if column.epoch is not None:
                    return [column.key], f"{value} {error}", "epoch"
                return [column.key], "is a larger number than any database keeps", ""
        kept = {column.key: record.get(column.key) for column in self._kept if column.type == "json"}
        rest = {key: value for key, value in record.items() if key not in self.known}
        path, reason = wrong(kept, depth=-1) or wrong(rest) or ((), "cannot be kept")
        return path, reason, ""

    def values(self, rows: list[Row]) -> list[Row]:
        """Rows as a database gives them with the values of an export: as they are hashed."""
        changed = {place: self._converted(rows, place, convert, None) for place, convert in self._hashed.items()}
        return _with(rows, changed)

    def encode(self, rows: list[Row]) -> bytes:
        """The records that rows were made from, as JSON objects with commas between them."""
        changed = {
            place: self._converted(rows, place, convert, null) for place, (convert, null) in self._exported.items()
        }
        return _encode(list(starmap(self._record, _with(rows, changed))))[1:-1]

    def _converted(self, rows: list[Row], place: int, convert: _Convert, null: Any) -> list[Any]:
        """A column's values made into others; raises TablesDiffer where one is none of the contract's."""
        value = None
        try:
            return [null if (value := row[place]) is None else convert(value) for row in rows]
        except UnicodeEncodeError:  # of a row that came from an export: no database gives half a surrogate pair
            raise
        except (ValueError, LookupError) as error:
            column = self.table.columns[place]
            shown = shorten(str(value), 60, placeholder=" ...")
            raise TablesDiffer(
                f"table {self.table.name}: the column {column.name} holds what is no {column.type}, as {shown!r}",
                hint="Mend the values, or name the contract by which they were loaded with --schema.",
            ) from error

    def unknown(self, records: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
        """The keys that are not kept as the contract does not tell of them, and how many of the records have each."""
        if self.is_closed or self.table.rest is not None or set().union(*records) <= self.known:
            return {}
        counts = Counter(chain.from_iterable(records))
        return {key: count for key, count in counts.items() if key not in self.known}

    @cached_property
    def _kept(self) -> tuple[Column, ...]:
        """The columns that are properties of their own."""
        return self.table.columns if self.table.rest is None else self.table.columns[:-1]

    @cached_property
    def _row(self) -> Callable[[Mapping[str, Any]], Row]:
        keys = tuple(column.key for column in self._kept)
        if not set(keys) <= self.required:
            return lambda record: tuple(map(record.get, keys))
        if len(keys) == 1:
            return lambda record: (record[keys[0]],)
        return itemgetter(*keys)

    @cached_property
    def _to_look_at(self) -> list[tuple[int, Column, Callable[[Sequence[Any]], list[Any]]]]:
        """The columns whose values may have to be made into others, with their places and what makes them."""
        found = ((place, column, values.converter(column)) for place, column in enumerate(self._kept))
        return [(place, column, convert) for place, column, convert in found if convert is not None]

    def _rest(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        if record.keys() <= self.known:
            return None
        return {key: value for key, value in record.items() if key not in self.known}

    @cached_property
    def _hashed(self) -> dict[int, _Convert]:
        """What a column's values are hashed as, where that is not how a database gives them."""
        converts: dict[int, _Convert] = {}
        for place, column in enumerate(self.table.columns):
            if column.type == "boolean":
                converts[place] = values.boolean
            elif column.type == "json":
                converts[place] = values.reparsed
            elif column.epoch is not None:
                converts[place] = partial(values.since_epoch, unit=column.epoch)
        return converts

    @cached_property
    def _exported(self) -> dict[int, tuple[_Convert, Any]]:
        """What a column's values are in an export, and what NULL is there."""
        exported: dict[int, tuple[_Convert, Any]] = {}
        for place, column in enumerate(self.table.columns):
            null = None if column.is_mandatory or column.admits_null else msgspec.UNSET
            convert = values.raw if column.type == "json" else self._hashed.get(place)
            if column.name == self.table.rest:
                convert = values.rest
            if convert is not None or null is not None:
                exported[place] = convert or _as_it_is, null
        return exported

    @cached_property
    def _record(self) -> Callable[..., Any]:
        """Makes the values of a row into what msgspec encodes as a record: a Struct takes half the time of a dict."""
        keys = [column.key for column in self._kept]
        rename = {f"column_{place}": key for place, key in enumerate(keys)}
        if self.table.rest is None:
            try:
                return msgspec.defstruct("Record", rename, rename=rename, gc=False)
            except ValueError:  # it takes no name that JSON would have to escape
                pass
        return partial(_as_dict, keys)


def _is_changed(column: Column, found: Sequence[Any]) -> bool:
    """Whether a column's values, as records have them, are not those of a row."""
    if column.type == "json" or column.epoch is not None or float in (kinds := set(map(type, found))):
        return True
    return column.type == "number" and int in kinds and any(type(x) is int and abs(x) > 2**53 for x in found)


def _with(rows: list[Row], changed: Mapping[int, Sequence[Any]]) -> list[Row]:
    """The rows with other values in some columns."""
    if not (changed and rows):
        return rows
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for place, found in changed.items():
        columns[place : place + 1] = [found]
    return list(zip(*columns, strict=True))


def _as_dict(keys: Sequence[str], *row: Any) -> dict[str, Any]:
    """A record with the keys that its rest column kept: these give way to a column, unless that is NULL."""
    record = {key: value for key, value in zip(keys, row, strict=False) if value is not msgspec.UNSET}
    if len(row) > len(keys) and row[-1] is not msgspec.UNSET:
        for key, value in row[-1].items():
            if record.get(key) is None:
                record[key] = value
    return record


def _as_it_is(value: Any) -> Any:
    return value
