"""The two formats of the log: lines for people, JSON lines for machines, both without secrets."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Literal

from aetl.logs.outgoing import escape, outgoing, outgoing_json
from aetl.logs.redaction import redact

LogFormat = Literal["text", "json"]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class TextFormatter(logging.Formatter):
    """One line a record, in UTC; a traceback follows indented, so that no line of it looks like a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record, redacted."""
        message = record.getMessage()
        if not hasattr(record, "stage"):  # a stage's message says by itself where it comes from
            message = f"{record.name.removeprefix('aetl.')}: {message}"
        head = f"{_time(record)} {record.levelname:<5} [{record.process}] {outgoing(message)}"
        below = (escape(line) for text in self._details(record).values() for line in text.split("\n"))
        return "\n    ".join((head, *below))

    def _details(self, record: logging.LogRecord) -> dict[str, str]:
        # Not through record.exc_text where it can be helped: other handlers share it, and theirs is not redacted.
        details = {}
        if record.exc_info:
            details["exception"] = self.formatException(record.exc_info)
        elif record.exc_text:
            details["exception"] = record.exc_text
        if record.stack_info:
            details["stack"] = self.formatStack(record.stack_info)
        return {name: redact(text).rstrip("\n") for name, text in details.items()}


class JsonFormatter(TextFormatter):
    """One JSON object a line: time, level, logger, message, pid, the record's extras, `exception` if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record, each text in it redacted."""
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        for name, value in vars(record).items():
            if name not in _STANDARD:
                line[name] = value if isinstance(value, (int, float, type(None))) else str(value)
        return outgoing_json(line | self._details(record))


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
