"""aetl brings a chatbot's JSON exports from an Azure Blob container into a SQL database, every export exactly once.

import asyncio
import aetl

settings = aetl.read_settings(container="https://ACCOUNT.blob.core.windows.net/CONTAINER")
reports = asyncio.run(aetl.load(settings))
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aetl.config import Settings as Settings
    from aetl.config import read_settings as read_settings
    from aetl.errors import AetlError as AetlError
    from aetl.errors import ConfigurationError as ConfigurationError
    from aetl.errors import ContainerError as ContainerError
    from aetl.errors import ContractError as ContractError
    from aetl.errors import DatabaseError as DatabaseError
    from aetl.errors import LoadRunning as LoadRunning
    from aetl.models import DatabaseDigest as DatabaseDigest
    from aetl.models import Export as Export
    from aetl.models import Finding as Finding
    from aetl.models import LoadReport as LoadReport
    from aetl.models import State as State
    from aetl.models import TableCounts as TableCounts
    from aetl.models import TableDigest as TableDigest
    from aetl.pipeline import digest as digest
    from aetl.pipeline import export as export
    from aetl.pipeline import load as load
    from aetl.pipeline import status as status
    from aetl.preflight import check as check
    from aetl.simulation.night import simulate as simulate

__version__ = "0.1.0"

# Imported when they are asked for: `aetl --help` needs none of asyncio, Azure and SQLite.
_HOMES = {
    "aetl.config": ("Settings", "read_settings"),
    "aetl.errors": (
        "AetlError", "ConfigurationError", "ContainerError", "ContractError", "DatabaseError", "LoadRunning"
    ),
    "aetl.models": ("DatabaseDigest", "Export", "Finding", "LoadReport", "State", "TableCounts", "TableDigest"),
    "aetl.pipeline": ("digest", "export", "load", "status"),
    "aetl.preflight": ("check",),
    "aetl.simulation.night": ("simulate",),
}  # fmt: skip
__all__ = [name for names in _HOMES.values() for name in names]

# Where the program that uses aetl sets up no log, Python would write warnings on its stderr.
logging.getLogger(__name__).addHandler(logging.NullHandler())

if not TYPE_CHECKING:  # a type checker would take every name for one that is there

    def __getattr__(name: str) -> Any:
        for home, names in _HOMES.items():
            if name in names:
                from importlib import import_module

                return getattr(import_module(home), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
