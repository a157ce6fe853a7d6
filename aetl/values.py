"""What each setting may be: a check per name, and a reason where a value is something else."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from aetl.addresses import check_connection_string, check_container, check_database, check_sas
from aetl.errors import ConfigurationError

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
FORMATS = ("text", "json")
CHANGES = ("apply", "refuse")
DAY = 86_400
"""Seconds; a longer pause or silence is a mistake, and no timer takes every number."""


def _text(value: object) -> str:
    if isinstance(value, str | os.PathLike):
        text = os.fspath(value)
        if isinstance(text, str) and "\0" not in text:
            return text
    raise ConfigurationError(f"must be a text, and is {_kind(value)}", hint="Put the value in quotes.")


def _address(check: Callable[[str], str]) -> Callable[[object], str]:
    return lambda value: check(_text(value))


def _path(value: object) -> Path:
    return Path(_text(value))


def _choice(choices: tuple[str, ...], adapt: Callable[[str], str]) -> Callable[[object], str]:
    def check(value: object) -> str:
        if isinstance(value, str) and adapt(value) in choices:
            return adapt(value)
        raise ConfigurationError(
            f"must be one of {', '.join(choices)}, and is {_kind(value)}", hint="Write one of them."
        )

    return check


def _number(what: str, fits: Callable[[float], bool], *, whole: bool = False) -> Callable[[object], float]:
    def check(value: object) -> float:
        number: float = math.nan
        if isinstance(value, str) and len(value) < 40:
            with suppress(ValueError):
                number = int(value) if whole else float(value)
        elif isinstance(value, int) or (isinstance(value, float) and not whole):
            number = math.nan if isinstance(value, bool) else value
        if not fits(number):  # neither does NaN
            raise ConfigurationError(f"must be {what}, and is {_kind(value)}", hint="Write a number without a unit.")
        return number if whole else float(number)

    return check


def _kind(value: object) -> str:
    if isinstance(value, bool | float | int | str):
        shown = repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "a huge number"
        return shown if len(shown) <= 40 else f"{shown[:30]}..."
    return {list: "a list", dict: "a mapping", type(None): "empty"}.get(type(value), f"a {type(value).__name__}")


_CHECKS: Mapping[str, Callable[[object], object]] = {
    "container": _address(check_container),
    "sas": _address(check_sas),
    "connection_string": _address(check_connection_string),
    "database": _address(check_database),
    "schema": _path,
    "sql": _path,
    "changes": _choice(CHANGES, str),
    "log_file": _path,
    "log_level": _choice(LEVELS, str.upper),
    "log_format": _choice(FORMATS, str),
    "timeout": _number(f"a number of seconds above 0 and up to {DAY}", lambda number: 0 < number <= DAY),
    "retries": _number("a whole number from 0 to 100", lambda number: 0 <= number <= 100, whole=True),
    "pause": _number(f"a number of seconds from 0 to {DAY}", lambda number: 0 <= number <= DAY),
}


def checked(name: str, value: object, source: str) -> Any:
    """The value of a setting as its type; raises ConfigurationError that says where it was given, never a secret."""
    reason = None
    try:
        return _CHECKS[name](value)
    except ConfigurationError as error:
        reason = error
    # Outside: what is raised inside carries what went before along with it.
    raise ConfigurationError(f"{source}: {reason}", hint=reason.hint)
