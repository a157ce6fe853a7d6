"""Contracts drawn from a seed: several tables, every type of column, and names of every kind."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

KEY_KINDS = ("text", "text", "integer", "integer", "number", "date-time", "date", "s", "ms", "us", "ns")
EPOCHS = ("s", "ms", "us", "ns")
JSON_KINDS = ("object", "array", "any", "true", "mixed", "enum")
KINDS = ("text", "text", "integer", "number", "boolean", "date-time", "date", *EPOCHS, *JSON_KINDS)
ENUM = ("a", 1, 2.5, True, None, {"a": [1]})
MIXED = (["string", "integer"], ["object", "array"], ["boolean", "number"], ["string", "boolean", "array"])

NAMES = (
    "id", "kind", "ts", "order", "select", "Group", "USER", "table", "values", "rowid", "_rowid_", "oid",
    "position", "new", "old", "excluded", "main", "temp", "public", "records", "export", "schema",
    "with space", " before", "after ", "tab\there", "line\nbreak", 'double"quote', '"quoted"', "single'quote",
    "''", "back`tick", "``", "[brackets]", "]", "back\\slash", "colon:name", ":name", "::text", "per%cent",
    "%s", "%(name)s", "{table}", "{columns|, |{column}}", "{", "}}", "question?", "?1", "$1", "@p", "#", "--",
    "/*", "*/", ";", "a.b", "a,b", "(", ")", "=", "ключ", "straße", "STRASSE", "名前", "😀", "a\u0308", "\u00e4",
    "\u200b", "\u2028", "x" * 63, "é" * 31 + "x", "Tämä", "null", "true", "1", "0x", "-1", "__class__", "self",
    "column_0", "number", "target", "_aetl", "aetl_own", "item", "e\u0301", "\ufeff", "\x01", "\x7f", "as",
    "on", "default", "primary", "references", "check", "NOT", "current_user", "offset", "array", "json",
    "json_group_array", "pg_class", "json_array", "unnest", "aetl", "loads", "staging", "column", "false",
)  # fmt: skip
KEYS = ("", "nul\0", "~", "~1", "/", "a/b~0", "long " * 200, "\U0010ffff", "\ud7ff")
"""Further names that a record's property may have, and a column may not or need not."""


@dataclass(frozen=True)
class Property:
    """A property of a record, and the column that it becomes."""

    key: str
    name: str
    kind: str
    is_required: bool = True
    is_nullable: bool = False
    is_skipped: bool = False
    refers_to: str | None = None
    """The array of the table of whose key it is."""
    detail: Any = None
    """What a kind needs to know beside that."""


@dataclass(frozen=True)
class Described:
    """A table as a contract tells of it: `additional` is what stands under additionalProperties, if anything."""

    array: str
    name: str
    properties: tuple[Property, ...]
    key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...] = ()
    rest: str | None = None
    additional: Any = None

    def column(self, name: str) -> Property:
        return next(each for each in self.properties if each.name == name and not each.is_skipped)


@dataclass(frozen=True)
class Drawn:
    """A contract, and the schema that says it."""

    tables: tuple[Described, ...]
    required: tuple[str, ...]
    schema: Mapping[str, Any]


def draw_contract(chance: random.Random) -> Drawn:
    """A contract of one to four tables."""
    arrays: list[str] = []
    names: list[str] = []
    for _ in range(chance.choice((1, 2, 2, 3, 3, 4))):
        name = _name(chance, names)
        names.append(name)
        is_same = name not in arrays and chance.random() < 0.6
        arrays.append(name if is_same else _key(chance, arrays))
    keys = [_key_of(chance) for _ in arrays]
    singles = {array: key[0] for array, key in zip(arrays, keys, strict=True) if len(key) == 1}
    tables = [_table(chance, array, name, key, singles) for array, name, key in zip(arrays, names, keys, strict=True)]
    required = tuple(array for array in arrays if chance.random() < 0.6)
    return Drawn(tuple(tables), required, _schema(chance, tables, required))


def _name(chance: random.Random, taken: Collection[str]) -> str:
    while True:
        name = chance.choice(NAMES) if chance.random() < 0.8 else f"c{chance.randrange(100)}"
        if name.lower() not in {each.lower() for each in taken}:
            return name


def _key(chance: random.Random, taken: Collection[str]) -> str:
    return chance.choice([each for each in (*NAMES, *KEYS) if each not in taken])


def _key_of(chance: random.Random) -> list[str]:
    kinds = [chance.choice(KEY_KINDS) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
    return [*kinds[:-1], "boolean"] if len(kinds) > 1 and chance.random() < 0.15 else kinds


def _table(chance: random.Random, array: str, name: str, key: Sequence[str], singles: Mapping[str, str]) -> Described:
    properties: list[Property] = []
    for kind in key:
        parents = [each for each, other in singles.items() if other == kind and chance.random() < 0.2]
        properties.append(_property(chance, properties, kind, parents[0] if parents else None))
    names = tuple(each.name for each in properties)
    for _ in range(chance.choice((0, 1, 2, 4, 6, 8))):
        refers_to = chance.choice(list(singles)) if singles and chance.random() < 0.35 else None
        kind = chance.choice(KINDS) if refers_to is None else singles[refers_to]
        drawn = _property(chance, properties, kind, refers_to)
        is_nullable = chance.random() < 0.4
        properties.append(
            replace(
                drawn,
                is_required=chance.random() < 0.5,
                is_nullable=kind in ("any", "true") or (is_nullable if kind != "enum" else None in drawn.detail),
                is_skipped=refers_to is None and chance.random() < 0.08,
            )
        )
    taken = [each.name for each in properties]
    rest = _name(chance, taken) if chance.random() < 0.4 else None
    short = [
        each.name for each in properties if not each.is_skipped and (each.kind in KEY_KINDS or each.kind == "boolean")
    ]
    indexes = {
        tuple(chance.sample(short, min(len(short), chance.choice((1, 1, 2)))))
        for _ in range(chance.choice((0, 0, 1, 2)))
    }
    chance.shuffle(properties)
    additional = chance.choice(
        (None, True, {}, {"type": "string"}) if rest else (None, True, False, False, {"type": "string"})
    )
    return Described(array, name, tuple(properties), names, tuple(sorted(indexes)), rest, additional)


def _property(chance: random.Random, others: Sequence[Property], kind: str, refers_to: str | None) -> Property:
    name = _name(chance, [each.name for each in others])
    keys = [each.key for each in others]
    key = name if name not in keys and chance.random() < 0.6 else _key(chance, keys)
    detail: Any = None
    match kind:
        case "enum":
            detail = chance.sample(ENUM, chance.randint(1, 4))
        case "mixed":
            detail = chance.choice(MIXED)
        case "number":
            detail = chance.choice((["number"], ["integer", "number"]))
        case "s" | "ms" | "us" | "ns":
            detail = chance.choice((["integer"], ["number"]))
    return Property(key, name, kind, refers_to=refers_to, detail=detail)


def _schema(chance: random.Random, tables: Sequence[Described], required: Sequence[str]) -> dict[str, Any]:
    names = {each.array: each for each in tables}
    is_new = chance.random() < 0.4
    where = "$defs" if is_new else "definitions"
    definitions: dict[str, Any] = {}
    schema: dict[str, Any] = {"type": "object", "properties": {}, where: definitions}
    if is_new or chance.random() < 0.5:
        schema["$schema"] = (
            "https://json-schema.org/draft/2020-12/schema" if is_new else "http://json-schema.org/draft-07/schema#"
        )
    if required or chance.random() < 0.5:
        schema["required"] = list(required)
    for table in tables:
        properties = {}
        for each in table.properties:
            kind = _kind(chance, each)
            if chance.random() < 0.15:
                definitions[f"a/~{len(definitions)}"] = kind
                kind = {"$ref": f"#/{where}/a~1~0{len(definitions) - 1}"}
            properties[each.key] = _annotated(kind, each, names)
        items: dict[str, Any] = {"type": "object", "properties": properties}
        if needed := [each.key for each in table.properties if each.is_required]:
            items["required"] = needed
        if table.additional is not None:
            items["additionalProperties"] = table.additional
        described: dict[str, Any] = {"type": "array", "x-key": list(table.key), "items": items}
        if table.name != table.array or chance.random() < 0.2:
            described["x-table"] = table.name
        if indexes := [list(each) for each in table.indexes if each]:
            described["x-indexes"] = indexes
        if table.rest is not None:
            described["x-rest"] = table.rest
        schema["properties"][table.array] = described
    return schema


def _annotated(kind: Any, each: Property, tables: Mapping[str, Described]) -> Any:
    annotations: dict[str, Any] = {}
    if each.name != each.key:
        annotations["x-column"] = each.name
    if each.is_skipped:
        annotations["x-skip"] = True
    if each.refers_to is not None:
        parent = tables[each.refers_to]
        annotations["x-references"] = f"{parent.name}.{parent.key[0]}" if len(each.key) % 2 else parent.name
    if kind is True and not annotations:
        return True
    return {**({} if kind is True else kind), **annotations}


def _kind(chance: random.Random, each: Property) -> Any:
    types: list[str]
    more: dict[str, Any]
    match each.kind:
        case "any":
            return {}
        case "true":
            return True
        case "enum":
            return {"enum": each.detail}
        case "date-time" | "date":
            types, more = ["string"], {"format": each.kind}
        case "s" | "ms" | "us" | "ns":
            types, more = each.detail, {"format": "date-time", "x-epoch": each.kind}
        case "object":
            types, more = ["object"], {"properties": {"a": {"type": "integer"}}, "required": ["a"]}
        case "array":
            types, more = ["array"], {"items": {"type": ["integer", "string", "object", "array", "null", "boolean"]}}
        case "mixed" | "number":
            types, more = each.detail, {}
        case _:
            types, more = [{"text": "string"}.get(each.kind, each.kind)], {}
    types = [*types, "null"] if each.is_nullable else [*types]
    chance.shuffle(types)
    return {"type": types[0] if len(types) == 1 and chance.random() < 0.8 else types, **more}
