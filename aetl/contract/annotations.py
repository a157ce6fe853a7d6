"""Holds the keywords that begin with x- to json/contract.schema.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from aetl.contract.explaining import shortened
from aetl.contract.keywords import Role
from aetl.contract.resolving import Path

if TYPE_CHECKING:
    from jsonschema import Draft7Validator


def wrong_annotations(path: Path, schema: Any, role: Role) -> Iterator[tuple[Path, str]]:
    """Path and reason of every such keyword in a schema that is misspelt, misplaced or has a wrong value."""
    if not isinstance(schema, dict):
        return
    own = {keyword: value for keyword, value in schema.items() if keyword.startswith("x-")}
    known = _keywords()
    for keyword in own:
        if keyword not in known[role]:
            yield (*path, keyword), _advice(keyword, role, known)
    for error in _validator(role).iter_errors(own):
        if error.absolute_path:  # else it is one of those above
            yield (*path, *error.absolute_path), shortened(error.message)


def _advice(keyword: str, role: Role, known: Mapping[Role, list[str]]) -> str:
    for other, keywords in known.items():
        if keyword in keywords:
            where = {"array": 'beside the array\'s "items"', "column": "in a property of its records"}[other]
            return f"{keyword!r} belongs {where}"
    close = get_close_matches(keyword, [each for keywords in known.values() for each in keywords], 1)
    if close:
        return f"{keyword!r} is unknown: did you mean {close[0]!r}?"
    here = f"here there are {', '.join(known[role])}" if known[role] else "there are none here"
    return f"{keyword!r} is unknown: of the keywords that begin with x-, {here}"


@cache
def _contract_schema() -> Any:
    return json.loads(resources.files("aetl").joinpath("json/contract.schema.json").read_text(encoding="utf-8"))


@cache
def _keywords() -> Mapping[Role, list[str]]:
    """The keywords of each role."""
    definitions = _contract_schema()["definitions"]
    roles: tuple[Role, ...] = ("document", "array", "record", "column", "value")
    return {role: list(definitions[role].get("properties", ())) for role in roles}


@cache
def _validator(role: Role) -> Draft7Validator:
    from jsonschema import Draft7Validator

    return Draft7Validator({"$ref": f"#/definitions/{role}", "definitions": _contract_schema()["definitions"]})
