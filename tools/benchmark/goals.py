"""What issues 5 and 7 say that aetl must and would like to reach, and how each figure follows from the results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tools.benchmark.results import Results, seconds_of

LOADS = ("azurite", "folder", "gzip", "again", "increment")


class Missing(Exception):
    """A case that a figure needs was not measured."""


@dataclass(frozen=True)
class Goal:
    """`figure` gives a number, and raises Missing. `must` and `aim` are limits of it; only `at_least` from below."""

    what: str
    unit: str
    figure: Callable[[Results], float]
    must: float
    aim: float | None = None
    at_least: bool = False


def _seconds(name: str) -> Callable[[Results], float]:
    def figure(results: Results) -> float:
        if (seconds := seconds_of(results, name)) is None:
            raise Missing(name)
        return seconds

    return figure


def _ratio(name: str, to: str, less: str | None = None) -> Callable[[Results], float]:
    """The time of a case as a multiple of another's, after that of a third was taken off."""

    def figure(results: Results) -> float:
        off = _seconds(less)(results) if less else 0.0
        return (_seconds(name)(results) - off) / _seconds(to)(results)

    return figure


def _speed(name: str, to: str) -> Callable[[Results], float]:
    def figure(results: Results) -> float:
        rows, rows_to = results[name].case.rows, results[to].case.rows
        assert rows and rows_to
        return (rows / _seconds(name)(results)) / (rows_to / _seconds(to)(results))

    return figure


def _peak(*names: str) -> Callable[[Results], float]:
    """The largest of the cases that were measured."""

    def figure(results: Results) -> float:
        peaks = [results[name].peak for name in names if name in results and results[name].is_measured]
        if not peaks:
            raise Missing(", ".join(names))
        return max(peaks)

    return figure


GOALS = (
    Goal("load from Azurite, new database", "x LIMIT", _ratio("azurite", "limit"), 0.85, 0.7),
    Goal("load from a folder", "x LIMIT", _ratio("folder", "limit"), 0.75, 0.6),
    Goal("load from .json.gz in Azurite", "x LIMIT", _ratio("gzip", "limit"), 0.9, 0.75),
    Goal("load again, all known", "x LIMIT", _ratio("again", "limit"), 0.45, 0.3),
    # Start-up is that of the same command with the same container, where nothing is new.
    Goal("1 % into a 10 times larger database, less start-up", "x LIMIT", _ratio("increment", "limit", "start"), 0.03),
    Goal("peak memory of a load, the largest", "MB", _peak(*LOADS), 140, 100),
    Goal("export", "x sqlite3 shell", _ratio("export", "shell"), 1.0, 0.5),
    Goal("PostgreSQL: first load", "x psql \\copy", _ratio("pg-load", "pg-copy"), 0.5, 0.4),
    Goal("PostgreSQL: load again, all known", "x psql \\copy", _ratio("pg-again", "pg-copy"), 0.5),
    Goal("PostgreSQL: export", "x psql \\copy", _ratio("pg-export", "pg-copy-out"), 1.0),
    Goal("PostgreSQL: peak memory of a load", "MB", _peak("pg-load", "pg-again", "pg-increment"), 140),
    Goal("aetl --help", "s", _seconds("help"), 0.35, 0.15),
    Goal("nothing new among the blobs in a folder", "s", _seconds("nothing-new"), 3.0, 1.0),
    Goal("nothing new among the blobs in a folder", "MB", _peak("nothing-new"), 120),
)  # fmt: skip
GOALS_OF_LARGE = (
    Goal("ten times the size: rows per second", "x the smaller", _speed("azurite", "tenth"), 0.85, 1.0, at_least=True),
    Goal("ten times the size: peak memory", "x the smaller", lambda it: _peak("azurite")(it) / _peak("tenth")(it), 1.1),
)
