"""Where the log goes, and how much of it."""

from __future__ import annotations

import logging
from contextlib import ExitStack, suppress
from pathlib import Path

from aetl.errors import ConfigurationError
from aetl.logs.formats import JsonFormatter, LogFormat, TextFormatter
from aetl.logs.rotation import RotatingLogFile

MAX_BYTES = 10 * 1024 * 1024
BACKUPS = 3

_present: ExitStack | None = None


def set_up_logging(log_file: Path, level: str | int, log_format: LogFormat) -> ExitStack:
    """Send all log records from `level` up, and warnings, to `log_file`: an unattended run leaves no other trace.

    The file rotates at 10 MiB, three older ones are kept. A second call replaces the first. Closing what it returns
    (`with`, or `.close()`, again and again if need be) puts everything back and closes the file.

    Raises ConfigurationError when the file cannot be opened or the level is not known.
    """
    global _present
    threshold = _number(level)
    try:
        handler = RotatingLogFile(log_file, max_bytes=MAX_BYTES, backups=BACKUPS)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"cannot open the log file {log_file}: {reason}",
            hint="Check that the folder exists and that this account may write to the file, "
            "or name another file with --log-file.",
        ) from error
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    if _present is not None:
        _present.close()

    root = logging.getLogger()
    undo = ExitStack()
    undo.callback(_close, handler)
    undo.callback(root.removeHandler, handler)
    root.addHandler(handler)
    _set_level(root, threshold, undo)
    # The SDK tells every request and its headers at INFO.
    sdk = max(threshold, logging.WARNING) if threshold > logging.DEBUG else threshold
    _set_level(logging.getLogger("azure"), sdk, undo)
    # It writes each statement's rows at DEBUG: other people's data, and more of it than the export.
    _set_level(logging.getLogger("aiosqlite"), max(threshold, logging.INFO), undo)
    logging.captureWarnings(True)
    undo.callback(logging.captureWarnings, False)
    _present = undo
    return undo


def _set_level(logger: logging.Logger, level: int, undo: ExitStack) -> None:
    undo.callback(logger.setLevel, logger.level)
    logger.setLevel(level)


def _close(handler: logging.Handler) -> None:
    with suppress(OSError):  # a full disk; the handler has told of it
        handler.close()


def _number(level: str | int) -> int:
    if isinstance(level, int):
        return level
    known = logging.getLevelNamesMapping()
    if level.upper() not in known:
        raise ConfigurationError(
            f"unknown log level {level!r}", hint="--log-level takes DEBUG, INFO, WARNING, ERROR or CRITICAL."
        )
    return known[level.upper()]
