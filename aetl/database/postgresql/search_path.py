"""The one schema that aetl works in: found once at the start, and named in every statement from then on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import asyncpg

from aetl.database.postgresql.session import Connection, fetch
from aetl.errors import ConfigurationError, DatabaseInaccessible, DatabaseNotOurs
from aetl.sql import LEDGER, Statements

_MARK = re.compile(r"aetl ledger (\d+)")
"""The comment on the ledger: whose it is, and its version."""
SIMULATION = "aetl_simulation"

_ENTRY = re.compile(r'\s*(?:"(?P<quoted>(?:[^"]|"")*)"|(?P<bare>[^",\s](?:[^",]*[^",\s])?))\s*(?:,|\Z)')
"""One name of a search path: https://www.postgresql.org/docs/18/runtime-config-client.html#GUC-SEARCH-PATH."""
_SYSTEM = re.compile(r"pg_|information_schema\Z")
"""The schemas that PostgreSQL keeps for itself, those of temporary tables among them."""
_CHOOSE = "Name one with ?search_path= in the URL."


def check_encoding(session: asyncpg.Record, name: str) -> None:
    """Raises DatabaseInaccessible where the database cannot hold every text."""
    if session["encoding"] != "UTF8":
        raise DatabaseInaccessible(
            f"the database {name} is encoded in {session['encoding']}, which cannot hold every text",
            hint="Create one with ENCODING 'UTF8' TEMPLATE template0.",
        )


async def find_schema(
    connection: Connection, name: str, session: asyncpg.Record, path: str | None, statements: Statements
) -> str:
    """The schema to work in, of those that `path` names, or else the session's own search path.

    It is the first one with a ledger of aetl's, wherever another schema may have come before it since then; without any
    ledger the first one there is, as PostgreSQL itself would have it. Raises ConfigurationError for a path that cannot
    be meant, DatabaseInaccessible without a schema to work in, DatabaseNotOurs where it cannot be told which is meant.
    """
    meant = list(_names(path if path is not None else session["path"], session["user"], name))
    if not (named := [spellings for spellings in meant if not _SYSTEM.match(spellings[0])]):
        raise ConfigurationError(
            f"the search_path {_listed(meant)} of the database {name} names no schema where tables can stay",
            hint=_CHOOSE,
        )
    every = [spelling for spellings in named for spelling in spellings]
    rows = await fetch(connection, statements.ledger["schemas"], {"names": every})
    there = list(_in_order(named, {row["name"]: row for row in rows}))
    usable = [row for row in there if row["may_use"]]
    with_ledger = [row for row in there if _is_ledger(row)]
    if not (usable or with_ledger):
        raise DatabaseInaccessible(
            f"the database {name} has no schema to work in: of the search_path, {_listed(named)}, none "
            + ("may be used by this role" if there else "exists"),
            hint="Create the schema, or grant USAGE on it, or name another one with ?search_path= in the URL.",
        )
    found = (with_ledger or usable)[0]
    if not found["may_use"]:
        raise DatabaseInaccessible(
            f"the database {name} has its ledger in the schema {found['name']}, which this role may not use any more",
            hint=f"Grant USAGE on the schema {found['name']}, or name another one with ?search_path= in the URL.",
        )
    if usable[0] is not found and (apart := await _tables_there(connection, usable[0]["name"], statements)):
        raise DatabaseNotOurs(
            f"the database {name} has its ledger in the schema {found['name']}, but {', '.join(sorted(apart))} also in"
            f" {usable[0]['name']}, which comes first in the search path: it cannot be told which tables are meant",
            hint=f"Name the one that is meant, such as ?search_path={found['name']}, in the URL.",
        )
    schema: str = found["name"]
    return schema


def _in_order(named: Sequence[Sequence[str]], rows: Mapping[str, asyncpg.Record]) -> Iterator[asyncpg.Record]:
    """What is known of each schema that exists, the one with a ledger where there is one in either spelling."""
    for spellings in named:
        found = [rows[each] for each in spellings if each in rows]
        yield from sorted(found, key=_is_ledger, reverse=True)[:1]


def _is_ledger(row: asyncpg.Record) -> bool:
    return _MARK.fullmatch(row["ledger"] or "") is not None


def _names(path: str, user: str, name: str) -> Iterator[Sequence[str]]:
    """The spellings of each schema in a search path, the likeliest first.

    PostgreSQL reads a name without quotes as one in small letters; in a URL `Sch` is meant as it stands where there is
    no `sch`.
    """
    end = 0
    while end < len(path):
        if (found := _ENTRY.match(path, end)) is None:
            raise ConfigurationError(
                f"the search_path {path!r} of the database {name} cannot be understood",
                hint='It is a name such as ?search_path=chat in the URL; "a,b" with quotes is one name, a,b two.',
            )
        end = found.end()
        if text := found["bare"]:
            yield (user,) if text == "$user" else tuple(dict.fromkeys((text.lower(), text)))
        elif text := found["quoted"].replace('""', '"'):
            yield (user,) if text == "$user" else (text,)


def _listed(meant: Sequence[Sequence[str]]) -> str:
    return ", ".join(spellings[-1] for spellings in meant)


async def ledger_version(connection: Connection, name: str, schema: str, statements: Statements) -> int:
    """The version of the ledger in the schema, 0 without one.

    Raises DatabaseNotOurs where the tables there are somebody else's, or a newer aetl's.
    """
    (about,) = await fetch(connection, statements.ledger["schemas"], {"names": [schema]})
    if about["is_there"]:
        found = _MARK.fullmatch(about["ledger"] or "")
        if found is None:
            raise DatabaseNotOurs(
                f"the table _aetl_loads in the schema {schema} of the database {name} was not made by aetl"
            )
        if (version := int(found[1])) > statements.version:
            raise DatabaseNotOurs(
                f"the database {name} has a ledger of version {version}, newer than this aetl knows",
                hint="Upgrade aetl.",
            )
        return version
    if there := await _tables_there(connection, schema, statements):
        raise DatabaseNotOurs(
            f"the table {', '.join(sorted(there))} in the schema {schema} of the database {name} was not made by aetl",
            hint="Name another database, or another schema with ?search_path= in the URL.",
        )
    return 0


async def _tables_there(connection: Connection, schema: str, statements: Statements) -> set[str]:
    """Which of the contract's tables exist in a schema."""
    parameters = {"schema": schema, "names": list(statements.tables)}
    return {row["table"] for row in await fetch(connection, statements.ledger["columns"], parameters)}


async def make_simulation(connection: Connection, name: str, statements: Statements) -> None:
    """Makes the simulation's schema anew; raises DatabaseNotOurs where it holds more than a simulation."""
    rows = await fetch(connection, statements.ledger["simulation_relations"])
    others = {row["relname"] for row in rows} - {*statements.tables, *LEDGER}
    if others:
        raise DatabaseNotOurs(
            f"the schema {SIMULATION} of the database {name} holds more than a simulation: {', '.join(sorted(others))}",
            hint="Move it elsewhere, or name another database with --database; this one was left as it was.",
        )
    async with connection.transaction():
        for each in ("simulation_drop", "simulation_create"):
            await connection.execute(statements.ledger[each])
