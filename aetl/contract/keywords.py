"""Which of JSON Schema a contract may use, in draft-07 and in 2020-12.

What is not here is refused rather than ignored: a contract that is not held to is worse than none. The keywords that
begin with x- stand in json/contract.schema.json.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jsonschema_rs

from aetl.contract.resolving import SAYS_NOTHING, Path, chain, target

Role = Literal["document", "array", "record", "column", "value"]
"""What a schema is about: the export, an array of records, one of these, a property of it, or something within that."""

_OF_ROLE: Mapping[Role, frozenset[str]] = {
    "document": frozenset(("type", "required", "properties", "additionalProperties")),
    "array": frozenset(("type", "items")),
}
_IN_BOTH = frozenset((
    "type", "enum", "const", "format", "pattern", "minLength", "maxLength", "multipleOf",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "required", "properties", "patternProperties", "additionalProperties", "propertyNames",
    "minProperties", "maxProperties", "items", "contains", "minItems", "maxItems", "uniqueItems",
    "allOf", "anyOf", "oneOf", "not", "if", "then", "else",
))  # fmt: skip
_REASONS = {
    "format": "of the formats only date-time and date are supported",
    "additionalProperties": "must be true or missing: tables that are not described are skipped with a warning",
}
_AT_TOP = ("$schema", "$id")

_ONE = ("additionalProperties", "propertyNames", "additionalItems", "items", "contains", "not", "if", "then", "else")
_NAMED = ("properties", "patternProperties", "dependencies", "dependentSchemas")
_SEVERAL = ("allOf", "anyOf", "oneOf", "items", "prefixItems")


@dataclass(frozen=True)
class Draft:
    """A version of JSON Schema: its name, its validator of whole batches, and what it has to say of values."""

    name: str
    validator: Callable[..., jsonschema_rs.Draft7Validator | jsonschema_rs.Draft202012Validator]
    keywords: frozenset[str]
    is_reference_alone: bool
    """Whether what stands beside a `$ref` does not count."""


DRAFT_7 = Draft(
    "draft-07",
    jsonschema_rs.Draft7Validator,
    _IN_BOTH | {"dependencies", "additionalItems"},
    is_reference_alone=True,
)
DRAFT_2020_12 = Draft(
    "2020-12",
    jsonschema_rs.Draft202012Validator,
    _IN_BOTH | {"prefixItems", "minContains", "maxContains", "dependentRequired", "dependentSchemas"},
    is_reference_alone=False,
)
_DRAFTS = {
    "http://json-schema.org/draft-07/schema": DRAFT_7,
    "https://json-schema.org/draft-07/schema": DRAFT_7,
    "https://json-schema.org/draft/2020-12/schema": DRAFT_2020_12,
}


def draft_of(schema: Mapping[str, Any]) -> Draft | None:
    """The draft that a contract's `$schema` names (draft-07 unless told); None where that is another one."""
    named = schema.get("$schema", "http://json-schema.org/draft-07/schema#")
    return _DRAFTS.get(named.removesuffix("#")) if isinstance(named, str) else None


def parts(root: Mapping[str, Any]) -> Iterator[tuple[Path, Any, Role]]:
    """Every schema that records are held to, with what each `$ref` leads to: path, schema and role, each once.

    Raises WrongReference.
    """
    seen: set[tuple[Path, Role]] = set()
    waiting: list[tuple[Path, Any, Role]] = [((), root, "document")]
    while waiting:
        path, schema, role = waiting.pop()
        if (path, role) in seen:
            continue
        seen.add((path, role))
        yield path, schema, role
        if not isinstance(schema, dict):
            continue  # true or false
        if "$ref" in schema:
            if role != "value":  # within a value, a schema may hold itself
                all(chain(root, schema, path))
            waiting.append((*target(root, schema["$ref"], (*path, "$ref")), role))
        waiting += [((*path, *below), part, part_role) for below, part, part_role in reversed([*_below(schema, role)])]


def _below(schema: Mapping[str, Any], role: Role) -> Iterator[tuple[Path, Any, Role]]:
    if role in ("document", "record"):
        inner: Role = "array" if role == "document" else "column"
        for name, part in schema.get("properties", {}).items():
            yield ("properties", name), part, inner
    if role == "array" and "items" in schema:
        yield ("items",), schema["items"], "record"
    if role in ("document", "array"):
        return
    for keyword in _ONE:
        if keyword in schema and not isinstance(schema[keyword], list):
            yield (keyword,), schema[keyword], "value"
    for keyword in _NAMED:
        if keyword != "properties" or role != "record":
            for name, part in schema.get(keyword, {}).items():
                if not isinstance(part, list):
                    yield (keyword, name), part, "value"
    for keyword in _SEVERAL:
        if isinstance(schema.get(keyword), list):
            for number, part in enumerate(schema[keyword]):
                yield (keyword, number), part, "value"


def unsupported(path: Path, schema: Any, role: Role, draft: Draft) -> Iterator[tuple[Path, str]]:
    """Path and reason of everything in one schema of a contract that a load would not hold records to."""
    if not isinstance(schema, dict):
        return
    known = _OF_ROLE.get(role, draft.keywords)
    is_reference = "$ref" in schema
    for keyword in schema:
        if keyword.startswith("x-") or keyword == "$ref":
            continue
        if path and keyword in _AT_TOP and not str(schema[keyword]).startswith("#"):
            yield (*path, keyword), f"{keyword!r} is only supported at the top: it would change what the rest means"
        if keyword in SAYS_NOTHING:
            continue
        if keyword not in known:
            reason = _REASONS.get(keyword, f"{keyword!r} is not supported here")
            other = DRAFT_7 if draft is DRAFT_2020_12 else DRAFT_2020_12
            if keyword in other.keywords and role not in _OF_ROLE:
                reason = f"{keyword!r} is of {other.name}, and this contract of {draft.name}: '$schema' says which"
            yield (*path, keyword), reason
        elif is_reference and (draft.is_reference_alone or role not in ("column", "value")):
            yield (*path, keyword), f"{keyword!r} does not count beside '$ref': write it where that leads to"
    if role == "document" and schema.get("additionalProperties", True) is not True:
        yield (*path, "additionalProperties"), _REASONS["additionalProperties"]
    if role not in _OF_ROLE:
        if schema.get("format", "date") not in ("date-time", "date"):
            yield (*path, "format"), _REASONS["format"]
        yield from _wrong_patterns(path, schema)


def _wrong_patterns(path: Path, schema: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    found: list[tuple[Path, str]] = [(("pattern",), schema["pattern"])] if "pattern" in schema else []
    found += [(("patternProperties", pattern), pattern) for pattern in schema.get("patternProperties", ())]
    for below, pattern in found:
        try:
            jsonschema_rs.Draft7Validator({"pattern": pattern})
        except ValueError as error:
            why = str(error).splitlines()[0]
            yield (*path, *below), f"{pattern!r} is not a regular expression as JSON Schema means it ({why})"
