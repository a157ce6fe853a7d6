"""What one database calls types and how it says each operation: yaml/sql/*.yaml, and what --sql puts in its place."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from aetl.errors import ConfigurationError
from aetl.yaml_text import NotYAML, read_yaml

_HINT = "Mend the file that --sql names; docs/tables.md says what it may hold."
_END = re.compile(r"(?:[\s;]|--[^\n]*+|/\*.*?\*/)*+\Z", re.DOTALL)
"""A statement's semicolon, and blanks and comments around it."""


@dataclass(frozen=True)
class Dialect:
    """A database's words: `types` by the contract's, `operations` as templates, `ledger` as statements by their names.

    `creates` are tables' own templates of `create`. `source` names the file that somebody may have to mend.
    """

    source: str
    types: Mapping[str, str]
    operations: Mapping[str, str]
    creates: Mapping[str, str]
    ledger: Mapping[str, str]
    ledger_create: tuple[str, ...]
    migrations: Mapping[int, tuple[str, ...]]
    changed: frozenset[str]
    """The operations that are not aetl's own."""
    more: Mapping[str, Any]
    """The rest: `quote`, `identity`, `types` as aetl ships them, and what only some databases have."""

    @property
    def is_own(self) -> bool:
        """Whether somebody has said otherwise how tables are made."""
        return bool(self.creates) or "create" in self.changed or self.types != self.more["types"]

    def quoted(self, name: str) -> str:
        """A table's or column's name as SQL takes any."""
        mark: str = self.more["quote"]
        return f"{mark}{name.replace(mark, mark * 2)}{mark}"


def read_dialect(name: str, tables: Collection[str], path: Path | None = None) -> Dialect:
    """The dialect that aetl ships by this name, with what the file at `path` says otherwise.

    Raises ConfigurationError that names file and place.
    """
    own, shared = _shipped(name), _shipped("ledger")
    changed = {} if path is None else _changes(_read(path, str(path)), str(path), own, tables)
    return Dialect(
        source=f"yaml/sql/{name}.yaml" if path is None else str(path),
        types=own["types"] | (changed.get("types") or {}),
        operations={key: _whole(text) for key, text in (own["operations"] | (changed.get("operations") or {})).items()},
        creates={table: _whole(entry["create"]) for table, entry in (changed.get("tables") or {}).items()},
        ledger={key: text for key, text in (shared | own["ledger"]).items() if isinstance(text, str)},
        ledger_create=tuple(shared["create"]),
        migrations={version: tuple(texts) for version, texts in shared["migrate"].items()},
        changed=frozenset(changed.get("operations") or ()),
        more={key: value for key, value in own.items() if key not in ("operations", "ledger")},
    )


def _whole(text: str) -> str:
    """A statement without the semicolon and the comment that it may end in: others are put behind it, or around it."""
    return _END.sub("", text)


def _shipped(name: str) -> dict[str, Any]:
    content: dict[str, Any] = _read(resources.files("aetl").joinpath(f"yaml/sql/{name}.yaml"), f"yaml/sql/{name}.yaml")
    return content


def _read(path: Path | Traversable, source: str) -> Any:
    try:
        return read_yaml(path.read_text(encoding="utf-8")).content
    except NotYAML as error:
        reason = str(error)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
    raise ConfigurationError(f"the SQL file {source} cannot be read: {reason}", hint=_HINT)


def _changes(content: Any, source: str, own: Mapping[str, Any], tables: Collection[str]) -> Mapping[str, Any]:
    """What a file of somebody's own says, where it says nothing but what there is to be said."""
    parts = {
        "types": ("a type of the contract's", own["types"]),
        "operations": ("an operation", own["operations"]),
        "tables": ("a table of the contract", tables),
    }
    for part, entry in _mapping(content or [], source, "").items():
        if part not in parts:
            raise refuse(source, f"{part!r} is none of {', '.join(parts)}")
        what, known = parts[part]
        for name, value in _mapping(entry, source, part).items():
            if name not in known:
                raise refuse(source, f"{part}/{name} is not {what}: those are {', '.join(known)}")
            if part == "tables":
                told = _mapping(value, source, f"tables/{name}").keys()
                if list(told) != ["create"]:
                    more = "; leave out what an earlier aetl wanted there" if {"upsert", "select"} & told else ""
                    raise refuse(source, f"tables/{name} may hold 'create', and nothing else{more}")
                value = value["create"]
            if not isinstance(value, str) or not value.strip():
                raise refuse(source, f"{part}/{name} must be a text")
    found: Mapping[str, Any] = content
    return found


def _mapping(entry: Any, source: str, place: str) -> Mapping[str, Any]:
    if entry is None:
        return {}
    if not isinstance(entry, dict):
        raise refuse(source, f"{place or 'the file'} must be a mapping")
    return entry


def refuse(source: str, reason: str) -> ConfigurationError:
    """The error that says what is wrong with a SQL file."""
    return ConfigurationError(f"the SQL file {source} cannot be used: {reason}", hint=_HINT)
