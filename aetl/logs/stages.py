"""The decorator that turns each call of a function into a stage of the log."""

from __future__ import annotations

import functools
import inspect
import logging
import time
from collections.abc import AsyncIterator, Callable, Generator
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, overload

from aetl.logs.outgoing import clean

P = ParamSpec("P")
R = TypeVar("R")

# Not time.monotonic: before Python 3.13 that one ticks every 15 ms on Windows.
clock = time.perf_counter

_LOGGED = "_aetl_traceback_logged"


@overload
def log_this(func: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def log_this(
    *, level: int = logging.DEBUG, of: Callable[..., str] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def log_this(
    func: Callable[..., Any] | None = None, /, *, level: int = logging.DEBUG, of: Callable[..., str] | None = None
) -> Any:
    """Log the start and the end of each call, so that no function has to write log messages itself.

    It takes functions, coroutine functions, generator functions and async generator functions. A generator's stage
    begins with its first item and counts the time spent in the generator, not in its consumer; it is iterated only
    (send and throw do not reach it, so put a contextmanager decorator below this one, not above).

    `level` is that of the start and of a good end; failures are errors, cancellations warnings. An error with a true
    `is_about_data` is told in full elsewhere: it has this level too, and no traceback. Arguments are not
    logged, they may be secret: `of` gets them all and says in a few words what the call works on. Durations are in
    seconds. Whatever the function raises is raised on unchanged.
    """

    def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
        name = f"{func.__module__.removeprefix('aetl.')}.{func.__qualname__}"
        log = logging.getLogger(func.__module__)

        def stage(args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Stage:
            return _Stage(log, level, name, _text(of, args, kwargs) if of else None)

        return functools.wraps(func)(_staged(func, stage))

    return decorate if func is None else decorate(func)


def traceback_once(error: BaseException) -> BaseException | None:
    """Give `error` as a record's `exc_info` for the first time, and None from then on, so that it is logged once.

    Where it is about data, no line of Python explains it: then always None.
    """
    # vars() and not setattr: an exception may be a frozen dataclass, but each has a __dict__.
    if _LOGGED in vars(error) or getattr(error, "is_about_data", False):
        return None
    vars(error)[_LOGGED] = True
    return error


def _text(of: Callable[..., str], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    try:
        return of(*args, **kwargs)
    except Exception as error:  # a log line is no reason for a call to fail
        return f"({type(error).__name__} in of)"


def _staged(func: Callable[..., Any], stage: Callable[[tuple[Any, ...], dict[str, Any]], _Stage]) -> Callable[..., Any]:
    async def stream(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        with stage(args, kwargs) as it:
            source = func(*args, **kwargs)
            it.items = 0
            try:
                while True:
                    try:
                        with it.watch:
                            item = await anext(source)
                    except StopAsyncIteration:
                        return
                    it.items += 1
                    yield item
            finally:
                await source.aclose()

    def iterate(*args: Any, **kwargs: Any) -> Generator[Any, None, Any]:
        with stage(args, kwargs) as it:
            source = func(*args, **kwargs)
            it.items = 0
            try:
                while True:
                    try:
                        with it.watch:
                            item = next(source)
                    except StopIteration as end:
                        return end.value
                    it.items += 1
                    yield item
            finally:
                source.close()

    async def run(*args: Any, **kwargs: Any) -> Any:
        with stage(args, kwargs) as it, it.watch:
            return await func(*args, **kwargs)

    def call(*args: Any, **kwargs: Any) -> Any:
        with stage(args, kwargs) as it, it.watch:
            return func(*args, **kwargs)

    if inspect.isasyncgenfunction(func):
        return stream
    if inspect.isgeneratorfunction(func):
        return iterate
    return run if inspect.iscoroutinefunction(func) else call


class _Watch:
    """Adds up the seconds between its entries and exits."""

    __slots__ = ("_since", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._since = clock()

    def __exit__(self, *_: object) -> None:
        self.seconds += clock() - self._since


class _Stage:
    """One call: a record when it is entered, one when it is left. `items` stays None where there are none to count."""

    __slots__ = ("fields", "items", "level", "log", "title", "watch")

    def __init__(self, log: logging.Logger, level: int, name: str, of: str | None) -> None:
        self.log, self.level = log, level
        self.title = f"{name} {of}" if of else name
        self.fields: dict[str, object] = {"stage": name, "of": of} if of else {"stage": name}
        self.items: int | None = None
        self.watch = _Watch()

    def __enter__(self) -> _Stage:
        self.log.log(self.level, "%s: started", self.title, extra=self.fields | {"event": "start"})
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if isinstance(error, Exception):
            clean(error)  # it goes on to a caller, who may print it
        outcome, level, reason = _judge(error, self.level)
        fields = self.fields | {"event": "end", "outcome": outcome, "seconds": round(self.watch.seconds, 6)}
        counted = ""
        if self.items is not None:
            fields["items"] = self.items
            counted = ", 1 item" if self.items == 1 else f", {self.items} items"
        if reason:
            fields["error"] = reason
        self.log.log(
            level,
            "%s: %s %s %.3f s%s%s",
            self.title,
            outcome,
            "in" if outcome == "done" else "after",
            self.watch.seconds,
            counted,
            f": {reason}" if reason else "",
            extra=fields,
            exc_info=traceback_once(error) if isinstance(error, Exception) else None,
        )


def _judge(error: BaseException | None, level: int) -> tuple[str, int, str]:
    if error is None:
        return "done", level, ""
    if isinstance(error, GeneratorExit):
        return "stopped", level, ""
    message = str(error)
    reason = f"{type(error).__name__}: {message}" if message else type(error).__name__
    if isinstance(error, Exception):
        return "failed", level if getattr(error, "is_about_data", False) else max(level, logging.ERROR), reason
    # asyncio.CancelledError, KeyboardInterrupt, SystemExit: wanted by somebody, and asyncio needs no import to know it.
    return "cancelled", max(level, logging.WARNING), reason
