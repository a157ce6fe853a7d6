"""What goes wrong with one export is that export's failure, as far as it can be told apart, and stops no other one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import aclosing

from aetl.container import Container
from aetl.errors import AetlError, ContainerError, ExportUnavailable, UnexpectedFailure
from aetl.logs import traceback_once
from aetl.models import Export

_LOG = logging.getLogger(__name__)


def is_panic(raised: BaseException) -> bool:
    """Whether a library in Rust, such as the validator, panicked (https://pyo3.rs/main/doc/pyo3/panic/struct.panicexception).

    That is no Exception, so that nobody goes on by mistake; but what it was about is one export.
    """
    return type(raised).__module__ == "pyo3_runtime"


def as_failure(raised: BaseException, export: Export) -> AetlError:
    """An error of aetl's as it is; anything else as UnexpectedFailure, with its traceback in the log."""
    if isinstance(raised, AetlError):
        return raised
    _LOG.error("%s: %s", export.name, type(raised).__name__, exc_info=traceback_once(raised))
    if isinstance(raised, MemoryError):
        return UnexpectedFailure("it needs more memory than there is", hint="Give this process more, or see the log.")
    return UnexpectedFailure(f"unexpected {type(raised).__name__}: {' '.join(str(raised).split())}")


async def as_its_own(error: AetlError, later: Sequence[Export], container: Container) -> AetlError:
    """The same as one export's failure, where the container refuses or fails at that one and gives another one.

    Two later ones are tried: of a server that is gone a run need not wait for all of them.
    """
    if not (isinstance(error, ContainerError) and error.ends_run):
        return error
    readable = [each for each in later if each.size and each.obstacle is None]
    for other in dict.fromkeys((*readable[:1], *readable[-1:])):
        if await _is_given(other, container):
            return ExportUnavailable(
                str(error), hint="Others can be read: look at this one, and who may read it; each load tries it again."
            )
    return error


async def _is_given(export: Export, container: Container) -> bool:
    """Whether the container gives an export's first bytes, or says of this one alone why it does not."""
    try:
        async with aclosing(container.read(export)) as stored:
            await anext(stored)
    except ContainerError as error:
        return not error.ends_run
    return True
