"""Finds which of some records refer to nothing, or only to records that do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from typing import Any

import yaml


class Closure:
    """Records by their numbers, what each offers to be referred to by, and what it wants that is not stored.

    A record is lost where nothing offers what it wants, and with it what it alone offered; all others stay, also those
    that refer to one another in a ring: what foreign keys would accept that are looked at in the end. Each record is
    looked at once, however long the chains are. Memory stays bounded: all of it lies in a temporary file.
    """

    def __init__(self) -> None:
        self._sql = _statements()
        # With no name, it is a file that is gone when it is closed: https://www.sqlite.org/inmemorydb.html#temp_db.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA journal_mode = OFF", "BEGIN", *self._sql["create"]):
            self._db.execute(statement)

    def offer(self, offers: Iterable[tuple[str, int]]) -> None:
        """Takes what records can be referred to by, and their numbers."""
        self._db.executemany(self._sql["offer"], offers)

    def want(self, wants: Iterable[tuple[str, int]]) -> None:
        """Takes what records refer to, as far as it is not stored, and their numbers."""
        self._db.executemany(self._sql["want"], wants)

    def lose(self, numbers: Iterable[int]) -> None:
        """Takes records that are lost for another reason."""
        self._db.executemany(self._sql["lose"], ((number,) for number in numbers))

    def settle(self) -> int:
        """Follows all that is lost to its end; how many records are."""
        for statement in self._sql.pop("index", ()):
            self._db.execute(statement)
        self._db.execute(self._sql["begin"])
        while self._db.execute(self._sql["is_left"]).fetchone()[0]:
            for statement in self._sql["step"]:
                self._db.execute(statement)
        count: int = self._db.execute(self._sql["count"]).fetchone()[0]
        return count

    def lost(self) -> Iterator[int]:
        """The numbers of the lost, in their order."""
        for (number,) in self._db.execute(self._sql["lost"]):
            yield number

    def close(self) -> None:
        """Gives the temporary file back."""
        self._db.close()


def _statements() -> dict[str, Any]:
    return dict(_read())


@cache
def _read() -> Any:
    return yaml.safe_load(resources.files("aetl").joinpath("yaml/sql/closure.yaml").read_text(encoding="utf-8"))
