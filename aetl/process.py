"""How a command lives in its process: signals, one line on stderr, the exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click

from aetl.errors import AetlError
from aetl.logs import redact
from aetl.logs.stages import traceback_once

_T = TypeVar("_T")
_INTERRUPTED = 130
_TERMINATED = 143


class Terminated(BaseException):
    """SIGTERM came, and what ran was rolled back."""


def run_async(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Runs a coroutine to its end; SIGTERM cancels it as Ctrl-C does, so that its transaction is rolled back.

    Raises Terminated, or KeyboardInterrupt, once that is done.
    """
    import asyncio
    import signal

    is_terminated = False

    async def cancellable() -> _T:
        task = asyncio.current_task()
        assert task is not None

        def terminate() -> None:
            nonlocal is_terminated
            is_terminated = True
            task.cancel()

        if sys.platform != "win32":  # where SIGTERM ends a process without asking
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
        return await coroutine

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        if is_terminated:
            raise Terminated from None
        raise


def say(line: str) -> None:
    """One line on stderr, without secrets."""
    click.echo(redact(f"aetl: {' '.join(line.split())}"), err=True)


def log_failure(error: Exception) -> None:
    """The failure's traceback to the log, unless a stage has written it there already."""
    if not isinstance(error, click.ClickException):
        logging.getLogger(__name__).error("%s", error, exc_info=traceback_once(error))


def end_with(command: Callable[[], int | None]) -> None:
    """Runs a command and ends the process with its exit code; see errors.py for the codes."""
    os.umask(0o077)  # what a load writes is nobody else's to read
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console that cannot show a character must not end a load
    sys.exit(_exit_code(command))


def _exit_code(command: Callable[[], int | None]) -> int:
    try:
        return command() or 0
    except (click.exceptions.Abort, KeyboardInterrupt):
        say("interrupted; what was not finished is rolled back")
        return _INTERRUPTED
    except Terminated:
        say("terminated; what was not finished is rolled back")
        return _TERMINATED
    except click.ClickException as error:
        command_path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "aetl"
        say(f"error: {error.format_message().rstrip('.')}. See {command_path} --help.")
        return error.exit_code
    except AetlError as error:
        say(f"error: {error.line}")
        return error.exit_code
    except Exception as error:
        say(f"error: unexpected: {type(error).__name__}: {error}. The log file has the details.")
        return AetlError.exit_code
