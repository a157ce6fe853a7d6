"""What a run says about itself: stages in a log file, without a secret in it."""

from __future__ import annotations

from aetl.logs.outgoing import clean, cleaned, escape, outgoing, outgoing_json, outgoing_text
from aetl.logs.redaction import Confidential, hide, redact
from aetl.logs.setup import set_up_logging
from aetl.logs.stages import log_this, traceback_once

__all__ = [
    "Confidential",
    "clean",
    "cleaned",
    "escape",
    "hide",
    "log_this",
    "outgoing",
    "outgoing_json",
    "outgoing_text",
    "redact",
    "set_up_logging",
    "traceback_once",
]
