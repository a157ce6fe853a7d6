"""Says in words why a record is refused, and where: what the fast validator refused, looked at by jsonschema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from aetl.models import UNKNOWN_KEY

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

_NAMING = ("additionalProperties", "dependencies", "dependentRequired", "required")
"""Keywords whose reason names a key, and not a value: another key is another kind of fault."""
_FORMATS = {"date-time": "an ISO 8601 date-time", "date": "a date such as 2025-03-01"}
_JUDGED = {"pattern": "does not match", "multipleOf": "is not a multiple of"}


def slow_validator(draft: str, schema: Mapping[str, Any], formats: Mapping[str, Callable[[object], bool]]) -> Validator:
    """A validator of the draft with that name, which tells all that is wrong with a record."""
    from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker
    from jsonschema.validators import extend

    checker = FormatChecker(formats=())
    for name, is_good in formats.items():
        checker.checks(name)(is_good)
    base = {"draft-07": Draft7Validator, "2020-12": Draft202012Validator}[draft]
    # By itself it takes patterns for Python's, which some of them keep busy for ever, and divides floats.
    own = {**{each: _judged(each) for each in _JUDGED}, **_OF_KEYS}
    validator = extend(base, own)  # type: ignore[no-untyped-call]
    made: Validator = validator(schema, format_checker=checker)
    return made


def best_explanation(validator: Validator, record: Any) -> tuple[str, str, str] | None:
    """JSON pointer, reason and kind of what is most likely wrong with a record; None where nothing is found."""
    from jsonschema.exceptions import best_match

    try:
        error = best_match(validator.iter_errors(record))
    except RecursionError:
        return "", "is nested too deeply", ""
    if error is None:
        return None
    return pointer(error.absolute_path), _reason(error), "" if error.validator in _NAMING else str(error.validator)


def _reason(error: ValidationError) -> str:
    if error.validator == "format":
        return f"{shortened(repr(error.instance))} is not {_FORMATS[str(error.validator_value)]}"
    return shortened(error.message)


def _judged(keyword: str) -> Callable[..., Iterator[ValidationError]]:
    """A keyword of the slow validator that comes to the fast one's verdict."""

    def check(_: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        from jsonschema.exceptions import ValidationError

        with suppress(ValueError):  # half a surrogate pair, which is told by itself
            if not _alone(keyword, value).is_valid(instance):
                yield ValidationError(f"{instance!r} {_JUDGED[keyword]} {value!r}")

    return check


@lru_cache(maxsize=100)
def _alone(keyword: str, value: Any) -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator({keyword: value})


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for pattern, schema in patterns.items():
            for key, value in instance.items():
                if _matches(pattern, key):
                    yield from validator.descend(value, schema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    if not isinstance(instance, dict):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", ())
    others = [key for key in instance if key not in named and not any(_matches(each, key) for each in patterns)]
    if value is False and others:
        yield ValidationError(f"{UNKNOWN_KEY}{'s' * (len(others) > 1)} {', '.join(map(repr, others))}")
    if isinstance(value, dict):
        for key in others:
            yield from validator.descend(instance[key], value, path=key)


def _matches(pattern: str, key: str) -> bool:
    with suppress(ValueError):
        return _alone("pattern", pattern).is_valid(key)
    return False


_OF_KEYS = {"patternProperties": _pattern_properties, "additionalProperties": _additional_properties}


def shortened(text: str, most: int = 200) -> str:
    """A text of no more than so many characters: the reject keeps the whole record beside its reason."""
    # Half surrogates could not be written anywhere.
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 :]}"


def pointer(path: Iterable[str | int]) -> str:
    """An RFC 6901 JSON pointer."""
    return "".join("/" + shortened(str(part).replace("~", "~0").replace("/", "~1")) for part in path)
