"""Reads a contract's file."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

from aetl.contract.deriving import IsGood
from aetl.contract.explaining import pointer
from aetl.errors import ConfigurationError

_MOST_CHARACTERS = 2**20
"""Some thousand columns; of much more, the check alone would take minutes."""


def read_schema(path: Path | None) -> Any:
    """What stands in the file, or in the one that aetl ships; raises ConfigurationError where that is no JSON."""
    source = str(path or "json/schema.json")
    try:
        file = path or resources.files("aetl").joinpath("json/schema.json")
        text = file.read_text(encoding="utf-8-sig")  # as some editors on Windows write it
        if len(text) > _MOST_CHARACTERS:
            raise ConfigurationError(
                f"the schema file {source} holds more than {_MOST_CHARACTERS:,} characters",
                hint="A contract describes tables and columns; name that file with --schema.",
            )
        return json.loads(text)
    except OSError as error:
        raise ConfigurationError(
            f"the schema file {source} cannot be read: {error.strerror}", hint="Name a readable file with --schema."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"the schema file {source} is not JSON: {error}", hint="Mend the file that --schema names."
        ) from error


def check_schema(schema: Any, source: str, is_good: IsGood) -> None:
    """Raises ConfigurationError with the place in `source` where the schema is not one that aetl can load by."""
    from aetl.contract.refusals import refusals  # not needed for aetl's own contract

    for path, reason in refusals(schema, is_good):
        raise ConfigurationError(
            f"the schema file {source} cannot be used: {pointer(path) or '/'}: {reason}",
            hint="Mend the file that --schema names; aetl's own json/schema.json is an example.",
        )
