"""Finds what a contract may not say: where it stands, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aetl.canonical import wrong
from aetl.contract.agreement import disagreements
from aetl.contract.annotations import wrong_annotations
from aetl.contract.deriving import IsGood
from aetl.contract.explaining import shortened
from aetl.contract.keywords import DRAFT_2020_12, Draft, draft_of, parts, unsupported
from aetl.contract.resolving import Path, WrongReference, merged

_Found = Iterator[tuple[Path, str]]


def refusals(schema: Any, is_good: IsGood) -> _Found:
    """Path and reason of what stands in a contract by which aetl cannot load.

    Not of all at once: what a later look is for only makes sense where an earlier one found nothing.
    """
    draft = draft_of(schema) if isinstance(schema, dict) else None
    if draft is None and isinstance(schema, dict):
        yield ("$schema",), "of JSON Schema, draft-07 and 2020-12 are supported: name one of them, or leave it out"
        return
    for look in (_no_schema, _structure, _unsupported, disagreements):
        found = False
        for path, reason in look(schema, draft, is_good):
            found = True
            yield path, reason
        if found:
            return


def _no_schema(schema: Any, draft: Draft | None, _: IsGood) -> _Found:
    """What is no JSON Schema at all."""
    from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker
    from jsonschema.exceptions import best_match

    if (found := wrong(schema)) is not None:  # what a validator could not even take in
        yield tuple(found[0]), found[1]
        return
    validator = Draft202012Validator if draft is DRAFT_2020_12 else Draft7Validator
    # Without formats: what is a regular expression here, Python would not tell.
    check = validator(validator.META_SCHEMA, format_checker=FormatChecker(formats=()))
    pieces: list[tuple[Path, Any]] = [((), schema)]
    elsewhere = "definitions" if draft is DRAFT_2020_12 else "$defs"  # where this draft knows no schemas
    if isinstance(schema, dict) and isinstance(schema.get(elsewhere), dict):
        pieces += [((elsewhere, name), piece) for name, piece in schema[elsewhere].items()]
    for path, piece in pieces:
        if (error := best_match(check.iter_errors(piece))) is not None:
            yield (*path, *error.absolute_path), shortened(error.message)


def _structure(schema: Any, _: Draft | None, __: IsGood) -> _Found:
    """What is no object with an array per table, or has a `$ref` that leads nowhere."""
    try:
        for _part in parts(schema):
            pass
        document = merged(schema, schema)
    except WrongReference as error:
        yield error.path, error.reason
        return
    if not isinstance(document, dict) or document.get("type") != "object" or not document.get("properties"):
        yield (), "must describe an object with an array per table under 'properties'"
        return
    for name, written in document["properties"].items():
        table = merged(schema, written)
        items = merged(schema, table.get("items")) if isinstance(table, dict) and table.get("type") == "array" else None
        if not isinstance(items, dict) or items.get("type") != "object" or not items.get("properties"):
            yield ("properties", name), "must be an array whose items are objects with the columns under 'properties'"
            continue
        for column, kind in items["properties"].items():
            if merged(schema, kind) is False:
                at = ("properties", name, "items", "properties", column)
                yield at, "false lets no value pass: leave the property out, and set additionalProperties to false"
    for missing in document.get("required", ()):
        if missing not in document["properties"]:
            yield ("required",), f"{missing!r} is not described under 'properties'"


def _unsupported(schema: Mapping[str, Any], draft: Draft | None, _: IsGood) -> _Found:
    assert draft is not None  # a contract that is an object has one
    for path, part, role in parts(schema):
        yield from unsupported(path, part, role, draft)
        yield from wrong_annotations(path, part, role)
