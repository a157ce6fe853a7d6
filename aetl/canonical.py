"""Spells JSON so that equal values are equal texts: what is kept of objects and arrays, and what is hashed.

Keys are sorted, there are no blanks, and a text escapes only what JSON asks for. A number is written by its value, as
JSON has but one kind of them: a whole one that fits into 64 bits has no fraction (1.0 is 1, and -0.0 is 0); any other
is the nearest double, in the fewest digits that mean it (Python's repr()).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(order="sorted")
_encode, _encode_lines = _encoder.encode, _encoder.encode_lines
_DEEPEST = 500
_TOO_DEEP = f"is nested more than {_DEEPEST} deep"
NO_UNICODE = "holds half of a surrogate pair, which is no Unicode text"
UNFIT = (ValueError, OverflowError, RecursionError)
"""What a value raises that has no text."""
_MAYBE_SPELLED_OTHERWISE = re.compile(rb"[.]0|[0-9]e|[0-9]{19}")
"""What msgspec writes where a number is whole and a float, has an exponent, or may be beyond 64 bits."""


def canonical(value: Any) -> bytes:
    """A JSON value as its one text.

    Raises what UNFIT names: of half of a surrogate pair, NaN, an integer that no double holds, or arrays and objects
    that are nested more than 500 deep, which not everybody who reads it could.
    """
    (text,) = canonical_texts([value])
    return text.encode()


def canonical_texts(values: Sequence[Any]) -> list[str]:
    """The same of many values, in a third of the time, as texts."""
    together = _encode_lines(values)
    texts = together.decode().split("\n")[:-1]
    if len(together) > 2 * _DEEPEST:
        for place, text in enumerate(texts):
            if (
                len(text) > 2 * _DEEPEST
                and text.count("[") + text.count("{") > _DEEPEST
                and _is_too_deep(values[place])
            ):
                raise RecursionError("nested too deeply")
    if _MAYBE_SPELLED_OTHERWISE.search(together):
        for place, text in enumerate(texts):
            if _MAYBE_SPELLED_OTHERWISE.search(text.encode()):
                texts[place] = _encode(_by_value(values[place])).decode()
    return texts


def number(value: float) -> int | msgspec.Raw:
    """A float as msgspec writes it by its value."""
    if value.is_integer() and -(2**63) <= value < 2**63:
        return int(value)
    return msgspec.Raw(json.dumps(value).encode())  # msgspec has exponents of its own: 1e20 for 1e+20


def _by_value(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return {key: _by_value(each) for key, each in value.items()}
    if kind is list:
        return list(map(_by_value, value))
    if kind is int and not -(2**63) <= value < 2**63:
        value, kind = float(value), float
    if kind is not float:
        return value
    if not math.isfinite(value):
        raise ValueError(f"{value} is no JSON number")
    return number(value)


def wrong(value: Any, *, is_kept: bool = True, depth: int = 0) -> tuple[Sequence[str | int], str] | None:
    """Where in a value from json.loads something is that has no text, and why.

    Of what is not kept only that is told for which whole records are refused: what is no Unicode, or no number.
    """
    waiting: list[tuple[tuple[Any, ...], Any, int]] = [((), value, depth)]
    while waiting:
        path, each, depth = waiting.pop()
        if isinstance(each, dict):
            if not all(map(_is_unicode, each)):
                return _steps((path, next(key for key in each if not _is_unicode(key)))), NO_UNICODE
            waiting += [((path, key), below, depth + 1) for key, below in reversed(each.items())]
        elif isinstance(each, list):
            waiting += [((path, place), below, depth + 1) for place, below in reversed([*enumerate(each)])]
        elif isinstance(each, str) and not _is_unicode(each):
            return _steps(path), NO_UNICODE
        elif isinstance(each, float if not is_kept else int | float) and not _is_finite(each):
            return _steps(path), "is a larger number than any database keeps"
        if is_kept and depth == _DEEPEST and isinstance(each, dict | list):
            return _steps(path), _TOO_DEEP
    return None


def _is_too_deep(value: Any) -> bool:
    found = wrong(value)
    return found is not None and found[1] == _TOO_DEEP


def _steps(path: tuple[Any, ...]) -> list[str | int]:
    """A path as a list: on the way it is a chain of pairs, so that a deep one costs no more than a flat one."""
    steps: list[str | int] = []
    while path:
        path, step = path
        steps.insert(0, step)
    return steps


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
