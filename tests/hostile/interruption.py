"""Ends a coroutine at a chosen await, as Ctrl-C, SIGTERM or a failure may at any."""

from __future__ import annotations

import asyncio
import gc
import types
from collections.abc import Coroutine, Generator
from typing import Any


class Broken(Exception):
    """Something that nobody foresaw."""


@types.coroutine
def interrupted(coroutine: Coroutine[Any, Any, Any], after: int, how: str) -> Generator[Any, Any, bool]:
    """The coroutine, whose await number `after` ends in a cancellation or, done what it awaits, in an exception.

    Gives whether it had so many: what breaks within one export is that export's failure, and the coroutine goes on.
    """
    steps = 0
    try:
        awaited = coroutine.send(None)
        while True:
            steps += 1
            if steps == after and how == "a cancellation":
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            error: BaseException | None = None
            try:
                yield awaited
            except BaseException as raised:
                error = raised
            if steps == after and how == "an exception":
                error = Broken()
            awaited = coroutine.send(None) if error is None else coroutine.throw(error)
    except StopIteration:
        return steps >= after


def run_interrupted(coroutine: Coroutine[Any, Any, Any], after: int, how: str) -> bool:
    """Whether it was interrupted before its end."""

    async def run() -> bool:
        return await interrupted(coroutine, after, how)

    try:
        return asyncio.run(run())
    except (Broken, asyncio.CancelledError):
        return True
    finally:
        gc.collect()  # of a cursor that an error's traceback still knows, which would hold its lock in this process
