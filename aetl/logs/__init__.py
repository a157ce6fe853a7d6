"""What a run says about itself: stages in a log file, without a secret in it."""

from __future__ import annotations

from aetl.logs.redaction import hide, redact
from aetl.logs.setup import set_up_logging
from aetl.logs.stages import log_this, traceback_once

__all__ = ["hide", "log_this", "redact", "set_up_logging", "traceback_once"]
