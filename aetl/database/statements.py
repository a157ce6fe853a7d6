"""Reads the SQL of a database from its YAML file, and holds it against the contract's columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from aetl.errors import ConfigurationError
from aetl.yaml_text import NotYAML, read_yaml

PARAMETER = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")
_END = re.compile(r";(?:[\s;]|--[^\n]*+|/\*.*?\*/)*+\Z", re.DOTALL)
"""A statement's semicolon, with nothing but comments behind it."""
_OPEN = re.compile(r"\{(table|staging|key|alike|index|own|other|number)\}")
_LEDGER_TEXTS = (
    "pending", "is_older", "begin", "finish", "forget_failures", "reject", "history", "last_success", "truncate"
)  # fmt: skip
LEDGER = ("_aetl_loads", "_aetl_rejects")
"""aetl's own tables."""
_NEWER = ("failures",)
"""Statements that a ledger of somebody's own may be older than: then aetl's are taken."""


Table = TypeVar("Table")
ReadTable = Callable[[str, str, Mapping[str, Any], Sequence[str]], Table]
"""Makes a table's statements of the file's name, the table's name, its entry there and the contract's columns."""


@dataclass(frozen=True)
class Statements(Generic[Table]):
    """All statements of one database; those of the ledger take their parameters by name."""

    source: str
    tables: Mapping[str, Table]
    ledger_create: tuple[str, ...]
    ledger: Mapping[str, str]


def filled_in(statement: str, **names: str) -> str:
    """A statement that is about any table, for one: `{table}` and the like are replaced by what is given."""
    return _OPEN.sub(lambda found: names[found[1]], statement)


def quoted(name: str) -> str:
    """A table's or column's name, as SQL takes any."""
    return '"' + name.replace('"', '""') + '"'


Part = TypeVar("Part")


def in_schema(part: Part, schema: str) -> Part:
    """The same statements with a schema's quoted name wherever they leave it open: `{schema}` in the SQL file."""
    name = quoted(schema)
    if ":" in schema:  # what follows it would be taken for a parameter's name
        name = "U&" + name.replace("\\", r"\\").replace(":", r"\003A")
    return cast("Part", _filled(part, name))


def _filled(part: Any, quoted: str) -> Any:
    if isinstance(part, str):
        return part.replace("{schema}", quoted)
    if isinstance(part, tuple):
        return tuple(_filled(each, quoted) for each in part)
    if isinstance(part, Mapping):
        return {name: _filled(each, quoted) for name, each in part.items()}
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{each.name: _filled(getattr(part, each.name), quoted) for each in fields(part)})
    return part


def check_columns(
    statements: Statements[Any], table: str, statement: str, found: Iterable[str], columns: Sequence[str]
) -> None:
    """Raises ConfigurationError where a statement gives other columns than the contract has, or in another order."""
    if list(found) != list(columns):
        raise ConfigurationError(
            f"the SQL file {statements.source}: tables/{table}/{statement} must give the schema's "
            f"columns in order: {', '.join(columns)}",
            hint="Mend the file that --sql names.",
        )


def in_key_order(
    select: str, columns: Sequence[str], key: Sequence[str], collation: str, texts: Collection[str] | None = None
) -> str:
    """What `select` gives, by the key and then by the other columns, nulls first, so that any two databases agree.

    It is put around the statement, so that no SQL file of one's own must know of it. `texts` are the columns that take
    the collation, which must compare bytes; None means all, for a database that lets numbers have one.
    """
    terms = []
    for column in (*key, *(each for each in columns if each not in key)):
        quoted = column.replace('"', '""')
        collate = f" COLLATE {collation}" if texts is None or column in texts else ""
        terms.append(f'"{quoted}"{collate} NULLS FIRST')
    # On lines of its own: it may end in a comment.
    return f"SELECT * FROM (\n{_END.sub('', select).rstrip()}\n) AS records ORDER BY {', '.join(terms)}"


def read_statements(
    dialect: str,
    columns: Mapping[str, Sequence[str]],
    path: Path | None,
    read_table: ReadTable[Table],
    more: Sequence[str] = (),
) -> Statements[Table]:
    """The statements in `path`, or those that aetl ships for `dialect`, checked against the contract's columns.

    `more` are statements under `ledger` that only this dialect has. A file without `ledger` takes aetl's own, and so
    does one whose ledger is older than such a statement.

    Raises ConfigurationError that names file, table and statement.
    """
    own = f"yaml/sql/{dialect}.yaml"
    more = (*more, *_NEWER)
    content = _read(path or resources.files("aetl").joinpath(own), source := str(path or own))
    if not isinstance(content, dict) or not isinstance(content.get("tables"), dict):
        raise refuse(source, "it must hold 'tables'")
    tables, ledger = content["tables"], content.get("ledger")
    if "ledger" in content and not isinstance(ledger, dict):
        raise refuse(source, "'ledger' must be a mapping")
    if ledger is None or not ledger.keys() >= set(more):
        shipped = _read(resources.files("aetl").joinpath(own), own)["ledger"]
        ledger = shipped if ledger is None else {name: shipped[name] for name in more} | ledger
    for name in columns.keys() ^ tables.keys():
        missing, other = ("SQL", "schema") if name in columns else ("schema", "SQL")
        raise refuse(source, f"the {missing} file lacks the table {name!r} of the {other} file")
    for name in tables:
        if name.lower() in LEDGER:
            raise refuse(source, f"the table {name!r} would be aetl's own")
    return Statements(
        source,
        # In the file's order: parents come first there, so that a table is created after those that it refers to.
        {name: read_table(source, name, _mapping(source, name, tables[name]), columns[name]) for name in tables},
        texts(ledger, source, "ledger", "create"),
        {name: text(ledger, source, "ledger", name) for name in (*_LEDGER_TEXTS, *more)},
    )


def _read(path: Path | Traversable, source: str) -> Any:
    try:
        return read_yaml(path.read_text(encoding="utf-8")).content
    except NotYAML as error:
        reason = str(error)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
    raise ConfigurationError(f"the SQL file {source} cannot be read: {reason}", hint=_HINT)


_HINT = "Mend the file that --sql names; aetl's own yaml/sql/ has an example."


def refuse(source: str, reason: str) -> ConfigurationError:
    """The error that says what is wrong with a SQL file."""
    return ConfigurationError(f"the SQL file {source} cannot be used: {reason}", hint=_HINT)


def _mapping(source: str, name: str, entry: Any) -> Mapping[str, Any]:
    if not isinstance(entry, dict):
        raise refuse(source, f"tables/{name} must be a mapping")
    return entry


def text(entry: Mapping[str, Any], source: str, place: str, name: str) -> str:
    """A text of the file, or ConfigurationError that names file, place and name."""
    if not isinstance(entry.get(name), str):
        raise refuse(source, f"{place}/{name} must be a text")
    return str(entry[name])


def optional_text(entry: Mapping[str, Any], source: str, place: str, name: str) -> str | None:
    """The same where it may be missing."""
    return text(entry, source, place, name) if entry.get(name) else None


def texts(entry: Mapping[str, Any], source: str, place: str, name: str) -> tuple[str, ...]:
    """A list of texts, at least one."""
    found = entry.get(name)
    if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
        raise refuse(source, f"{place}/{name} must be a list of texts")
    return tuple(found)
