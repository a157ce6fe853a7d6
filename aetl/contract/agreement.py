"""Finds where keys, references, indexes, names and columns of a contract do not agree with one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aetl.canonical import UNFIT
from aetl.contract.deriving import IsGood, split_reference, tables_of, type_of, types
from aetl.contract.explaining import shortened
from aetl.contract.keywords import Draft
from aetl.contract.resolving import Path, chain, merged

_Found = Iterator[tuple[Path, str]]


@dataclass(frozen=True)
class _Part:
    """A schema of the contract with its `$ref` written out, and where it stands."""

    root: Mapping[str, Any]
    path: Path
    written: Any

    @cached_property
    def content(self) -> Mapping[str, Any]:
        content = merged(self.root, self.written, self.path)
        return content if isinstance(content, dict) else {}

    def at(self, keyword: str) -> Path:
        """Where a keyword stands, which may be where a `$ref` leads to; or else this schema itself."""
        for path, link in chain(self.root, self.written, self.path):
            if isinstance(link, dict) and keyword in link:
                return (*path, keyword)
        return self.path

    def below(self, *keywords: str) -> _Part:
        path, found = self.at(keywords[0]), self.content[keywords[0]]
        for keyword in keywords[1:]:
            path, found = (*path, keyword), found[keyword]
        return _Part(self.root, path, found)


@dataclass(frozen=True)
class _Property(_Part):
    """A property of a table's records."""

    key: str
    is_required: bool

    @property
    def name(self) -> str:
        name: str = self.content.get("x-column", self.key)
        return name

    @property
    def is_skipped(self) -> bool:
        return bool(self.content.get("x-skip", False))

    @property
    def is_nullable(self) -> bool:
        return "null" in types(self.content)

    @property
    def sort(self) -> tuple[str, str]:
        """What must be the same for two columns whose values are to be compared; nanoseconds have more digits."""
        unit = self.content.get("x-epoch")
        return type_of(self.content), "" if unit is None else "x-epoch ns" if unit == "ns" else "x-epoch"


@dataclass(frozen=True)
class _Described(_Part):
    """A table."""

    array: str

    @property
    def name(self) -> str:
        name: str = self.content.get("x-table", self.array)
        return name

    @property
    def key(self) -> Sequence[str]:
        key: Sequence[str] = self.content.get("x-key", ())
        return key

    @cached_property
    def items(self) -> _Part:
        return self.below("items")

    @cached_property
    def properties(self) -> list[_Property]:
        required = self.items.content.get("required", ())
        path = self.items.at("properties")
        return [
            _Property(self.root, (*path, key), written, key, key in required)
            for key, written in self.items.content["properties"].items()
        ]

    @cached_property
    def by_name(self) -> dict[str, _Property]:
        return {each.name: each for each in self.properties}


def disagreements(schema: Mapping[str, Any], _: Draft | None, is_good: IsGood) -> _Found:
    """Path and reason of each."""
    document = _Part(schema, (), schema)
    path = document.at("properties")
    found = document.content["properties"].items()
    tables = [_Described(schema, (*path, array), written, array) for array, written in found]
    yield from _names([(each.name, each.at("x-table")) for each in tables], "table")
    for table in tables:
        rest = [(table.content["x-rest"], table.at("x-rest"))] if "x-rest" in table.content else []
        kept = [each for each in table.properties if not each.is_skipped]
        yield from _names([*((each.name, each.at("x-column")) for each in kept), *rest], "column")
        yield from _key(table)
        yield from _indexes(table)
        yield from _rest(table)
        for each in table.properties:
            yield from _reference(table, each, {other.name: other for other in tables})
            yield from _epoch(each)
            if "default" in each.content and not is_good(each.written, each.content["default"]):
                yield each.at("default"), "is no value that the property may have: mend it, or leave it out"
    try:
        tables_of(schema, is_good)
    except (*UNFIT, LookupError):
        return  # one of those above


def _names(named: Sequence[tuple[str, Path]], what: str) -> _Found:
    known: dict[str, str] = {}
    advice = f"give it another with 'x-{what}'"
    for place, (name, path) in enumerate(named):
        if not name:
            yield path, f"a {what}'s name must not be empty: {advice}"
        if name.lower().startswith("_aetl_"):
            yield path, f"names that begin with _aetl_ are aetl's own: {advice}"
        if "\0" in name:
            yield path, f"{shortened(ascii(name))} is no name that a database takes: {advice}"
        other = known.setdefault(name.lower(), name)
        if other != name:
            yield path, f"{name!r} and {other!r} are one name for many a database: {advice}"
        elif any(name == earlier for earlier, _ in named[:place]):
            yield path, f"there are two {what}s of the name {name!r}: {advice}"


def _key(table: _Described) -> _Found:
    if not table.key:
        columns = ", ".join(repr(each.name) for each in table.properties if each.is_required)
        yield table.path, f"'x-key' is missing: name the columns that tell one record from another (of {columns})"
    for place, name in enumerate(table.key):
        at = (*table.at("x-key"), place)
        column = table.by_name.get(name)
        if column is None:
            yield at, _no_column(table, name)
        elif column.is_skipped:
            yield column.at("x-skip"), "a column of 'x-key' must be kept"
        elif not column.is_required:
            yield at, f"{name!r} is not required, and a column of the key must be: name it under 'required'"
        elif column.is_nullable:
            yield at, f"{name!r} may be null, and a column of the key must not: take null from its 'type'"
        elif column.sort[0] == "json":
            yield at, f"{name!r} holds JSON, and a column of the key must be of one plain type: give it a 'type'"


def _indexes(table: _Described) -> _Found:
    for number, columns in enumerate(table.content.get("x-indexes", ())):
        for place, name in enumerate(columns):
            if name not in table.by_name and name != table.content.get("x-rest"):
                yield (*table.at("x-indexes"), number, place), _no_column(table, name)
            elif name in table.by_name and table.by_name[name].is_skipped:
                yield table.by_name[name].at("x-skip"), "a column of 'x-indexes' must be kept"


def _no_column(table: _Described, name: str) -> str:
    names = ", ".join(repr(each.name) for each in table.properties if not each.is_skipped)
    return shortened(f"there is no column {name!r} in {table.name}: it has {names}", 400)


def _rest(table: _Described) -> _Found:
    for keyword in ("additionalProperties", "unevaluatedProperties"):
        if "x-rest" in table.content and table.items.content.get(keyword) is False:
            yield table.items.at(keyword), "false leaves nothing for 'x-rest' to keep: take one of them out"


def _reference(table: _Described, column: _Property, tables: Mapping[str, _Described]) -> _Found:
    if "x-references" not in column.content:
        return
    at, text = column.at("x-references"), column.content["x-references"]
    name, target = split_reference(text, tables)
    if not name:
        yield at, f"{text!r} names none of the tables: there are {', '.join(map(repr, tables))}"
        return
    parent = tables[name]
    if column.is_skipped:
        yield column.at("x-skip"), "a column with 'x-references' must be kept"
    elif len(parent.key) != 1:
        yield at, f"{name} has a key of {len(parent.key)} columns: a reference is to a key of one"
    elif target and target != parent.key[0]:
        yield at, f"{target!r} is not the key of {name}: that is {parent.key[0]!r}"
    elif (other := parent.by_name.get(parent.key[0])) is not None and other.sort != column.sort:
        advice = f"give {column.name!r} the type of {other.name!r} of {name}"
        yield at, f"{_kind(column)} cannot refer to {_kind(other)}: {advice}"
    elif column.sort[0] in ("json", "boolean"):
        yield at, f"a column of {column.sort[0]} cannot refer to anything"


def _kind(column: _Property) -> str:
    kind, epoch = column.sort
    return f"{kind} of {epoch}" if epoch else kind


def _epoch(column: _Property) -> _Found:
    if "x-epoch" not in column.content:
        return
    is_number = set(types(column.content)) - {"null"} in ({"integer"}, {"number"}, {"integer", "number"})
    if not is_number or column.content.get("format") != "date-time":
        yield column.at("x-epoch"), 'is for numbers: it needs "type": "integer" or "number", and "format": "date-time"'
