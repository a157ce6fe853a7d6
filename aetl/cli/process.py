"""How a command lives in its process: signals, one line on stderr, the exit code."""

from __future__ import annotations

import errno
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NamedTuple, TypeVar

import click

from aetl.errors import AetlError
from aetl.logs import outgoing, outgoing_text
from aetl.logs.stages import traceback_once

_T = TypeVar("_T")
_SWITCH_INTERVAL = 0.001
"""Seconds after which a thread that waits for Python's lock gets it. SQLite's thread needs it for a moment before and
after each statement, and several batches are cut and checked in the 5 ms that Python would have it wait."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What database, container and log say of a full disk has become an error of aetl's: what is left is the output's."""
_INTERRUPTED = 130
_TERMINATED = 143
_OF_SEVERAL = re.compile(r"\((Did you mean [^()]*\?)\)$")
"""click puts it into brackets where it has more than one guess."""


class Terminated(BaseException):
    """SIGTERM came, and what ran was rolled back."""


class Interrupted(BaseException):
    """Ctrl-C came, and what ran was rolled back. (Of a KeyboardInterrupt click makes an empty line on stderr.)"""


class Ending(NamedTuple):
    """Why a command ended before its end: what is said of it, and the exit code."""

    message: str
    hint: str
    exit_code: int

    @property
    def line(self) -> str:
        """Message and hint as one line."""
        stop = "" if self.message.endswith("?") else "."
        return " ".join((f"{self.message}{stop} {self.hint}" if self.hint else self.message).split())


def run_async(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Runs a coroutine to its end; SIGTERM or Ctrl-C cancels it, so that its transaction is rolled back.

    Raises Terminated, or KeyboardInterrupt, once that is done.
    """
    import asyncio

    sys.setswitchinterval(_SWITCH_INTERVAL)
    received: int | None = None
    # Windows ends a process on SIGTERM without asking; on Ctrl-C asyncio itself cancels. Others may ignore Ctrl-C.
    numbers = [] if sys.platform == "win32" else [signal.SIGTERM]
    if numbers and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        numbers.append(signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}

    async def cancellable() -> _T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def end(number: int, frame: FrameType | None) -> None:
            nonlocal received
            received = number
            _ignore_signals()
            with suppress(RuntimeError):  # the loop is closed: it was over when the signal came
                loop.call_soon_threadsafe(task.cancel)

        # Not the loop's own handlers: where it takes one away, the next signal kills before anything is rolled back.
        for number in numbers:
            signal.signal(number, end)
        return await coroutine

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        if received is None:
            raise
        raise (Terminated if received == signal.SIGTERM else KeyboardInterrupt) from None
    finally:
        if received is None:
            for number, handler in before.items():
                signal.signal(number, handler)


def _ignore_signals() -> None:
    """What is ending ends: a second Ctrl-C would break off the rollback, or leave the database's thread waiting."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def say(line: str) -> None:
    """One line on stderr, without secrets and without what a terminal would obey."""
    with suppress(OSError):  # nobody reads it any more
        click.echo(outgoing(f"aetl: {' '.join(line.split())}"), err=True)


def show(text: str) -> None:
    """Text on stdout, without secrets and without what a terminal would obey."""
    write(outgoing_text(text))


def write(text: str) -> None:
    """What may go out as it is, on stdout; one that its reader has closed, as `head` does, is no reason to stop."""
    try:
        click.echo(text)
    except BrokenPipeError:
        forget_stdout()


def forget_stdout() -> None:
    """Sends nowhere what is still to come, and what Python would write out at its end."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class _Warnings(logging.Handler):
    """Says on stderr what aetl warns of in the log; that a stage was cancelled is said otherwise.

    Where somebody watches, it also says what is waited for: such records have `waits_for`.
    """

    def __init__(self, *, is_watched: bool) -> None:
        super().__init__()
        self._is_watched = is_watched

    def emit(self, record: logging.LogRecord) -> None:
        if self._is_watched and hasattr(record, "waits_for"):
            say(record.getMessage())
        if record.levelno == logging.WARNING and not hasattr(record, "stage"):
            say(f"warning: {record.getMessage()}")


@contextmanager
def warnings_said(*, quiet: bool) -> Iterator[None]:
    """Shows the operator what the log warns of: whatever was not as it should be, so also where --quiet is given."""
    handler = _Warnings(is_watched=not quiet and sys.stderr is not None and sys.stderr.isatty())
    logger = logging.getLogger("aetl")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def log_failure(error: Exception) -> None:
    """The failure's traceback to the log, unless a stage has written it there already."""
    if not isinstance(error, click.ClickException):
        logging.getLogger(__name__).error("%s", error, exc_info=traceback_once(error))


def explain(error: BaseException) -> Ending:
    """What an error, or an interruption, means to whoever ran the command; see errors.py for the codes."""
    if isinstance(error, Terminated):
        return Ending("terminated; what was not finished is rolled back", "", _TERMINATED)
    if isinstance(error, Interrupted | KeyboardInterrupt | click.exceptions.Abort):
        return Ending("interrupted; what was not finished is rolled back", "", _INTERRUPTED)
    if isinstance(error, click.ClickException):
        command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "aetl"
        message = _OF_SEVERAL.sub(r"\1", error.format_message().rstrip("."))
        return Ending(message, f"See {command} --help.", error.exit_code)
    if isinstance(error, AetlError):
        return Ending(str(error), error.hint, error.exit_code)
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        reason = error.strerror
        hint = "Free some space where the output goes, or send it elsewhere; what was loaded stays loaded."
        return Ending(f"the output cannot be written: {reason}", hint, AetlError.exit_code)
    if _lacks_memory(error):
        hint = "Give this process more; what was not finished is rolled back."
        return Ending("there is not enough memory for aetl", hint, AetlError.exit_code)
    return Ending(f"unexpected: {type(error).__name__}: {error}", AetlError.hint, AetlError.exit_code)


def _lacks_memory(error: BaseException) -> bool:
    """Whether the system gave no memory: to Python, for a thread's stack, or for a library that was to be loaded."""
    words = ("can't start new thread", "failed to map segment", "cannot allocate memory")
    is_told = any(each in str(error).lower() for each in words)
    return isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM or is_told


def end_with(command: Callable[[], int | None]) -> None:
    """Runs a command and ends the process with its exit code."""
    os.umask(0o077)  # what a load writes is nobody else's to read
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console that cannot show a character must not end a load
    sys.exit(_exit_code(command))


def _exit_code(command: Callable[[], int | None]) -> int:
    try:
        signal.signal(signal.SIGTERM, _terminate)
        return command() or 0
    except BrokenPipeError:  # while it showed its help
        forget_stdout()
        return AetlError.exit_code
    except (Exception, KeyboardInterrupt, Interrupted, Terminated) as error:
        if not isinstance(error, Exception):
            _ignore_signals()
        ending = explain(error)
        say(f"error: {ending.line}" if ending.hint else ending.line)
        if isinstance(error, OSError):
            forget_stdout()  # the disk that it goes to may be full
        return ending.exit_code


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated
