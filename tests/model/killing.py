"""Loads in a process of their own that is killed."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from contextlib import suppress
from multiprocessing.connection import Connection

import aetl

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.model.killing", "aetl.pipeline", "aetl.database.sqlite", "asyncpg"])


def load_and_be_killed(settings: aetl.Settings, most: int | None, latest: bool, blob: str | None, after: float) -> bool:
    """Kills a load so many seconds after its beginning; gives whether it had not come to its end by then."""
    here, there = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_load, args=(there, settings, most, latest, blob))
    process.start()
    with here, there:
        here.recv()
        process.join(after)
        process.kill()
        process.join()
    return process.exitcode == -signal.SIGKILL


def _load(begun: Connection, settings: aetl.Settings, most: int | None, latest: bool, blob: str | None) -> None:
    begun.send(None)
    with suppress(aetl.AetlError):
        asyncio.run(aetl.load(settings, max_rejects=most, latest=latest, blob=blob))
