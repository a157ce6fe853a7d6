"""Follows `$ref` within a contract: to `#/definitions/...` and `#/$defs/...`, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

Path = tuple[str | int, ...]
"""Where something stands in a contract, from its root."""

_LOCAL = re.compile(r"#/(?:definitions|\$defs)/")
SAYS_NOTHING = frozenset(
    ("$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly")
) | {"definitions", "$defs"}
"""Keywords that no value can break."""


class WrongReference(Exception):
    """A `$ref` that leads nowhere, or to itself; `path` is where it stands."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason


def target(root: Mapping[str, Any], reference: str, path: Path) -> tuple[Path, Any]:
    """What a `$ref` at `path` means, and where that stands (RFC 6901, 6)."""
    if not _LOCAL.match(reference):
        raise WrongReference(
            path,
            f"{reference!r} is not supported: a reference begins with '#/definitions/' or '#/$defs/'",
        )
    found: Any = root
    steps: list[str | int] = []
    for part in unquote(reference[2:]).split("/"):
        step: str | int = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and re.fullmatch("0|[1-9][0-9]{0,8}", part):
            step = int(part)
        try:
            found = found[step]
        except (LookupError, TypeError):
            raise WrongReference(path, f"{reference!r} leads to nothing in this file") from None
        steps.append(step)
    return tuple(steps), found


def chain(root: Mapping[str, Any], schema: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """A schema, and then what its `$ref` leads to, as far as that goes; raises WrongReference where it has no end."""
    seen = set()
    while True:
        yield path, schema
        if not isinstance(schema, dict) or "$ref" not in schema:
            return
        at = (*path, "$ref")
        path, schema = target(root, schema["$ref"], at)
        if path in seen:
            raise WrongReference(at, "leads back to itself, so that it has no type")
        seen.add(path)


def merged(root: Mapping[str, Any], schema: Any, path: Path = ()) -> Any:
    """A schema with what its `$ref` means written out; what stands beside a `$ref` counts before it."""
    links = [link for _, link in chain(root, schema, path)]
    if len(links) > 1 and links[-1] is True:
        links[-1] = {}  # which says the same, and lets count what stands beside the `$ref`
    if len(links) == 1 or not isinstance(links[-1], dict):
        return links[-1]
    result: dict[str, Any] = {}
    for link in reversed(links):
        result |= link
    del result["$ref"]
    return result


def written_out(root: Mapping[str, Any], schema: Any) -> Any:
    """The same where it says as much as schema and `$ref` together, and else the schema as it stands."""
    links = [link for _, link in chain(root, schema, ())]
    if any(
        keyword not in SAYS_NOTHING and not keyword.startswith(("x-", "$ref"))
        for link in links[:-1]
        for keyword in link
    ):
        return schema
    return merged(root, schema)
