"""What an exception of Python's own means to whoever ran the command."""

from __future__ import annotations

import errno

import pytest

from aetl.cli.process import explain


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        ImportError("/x/library.abi3.so: failed to map segment from shared object"),
        ImportError("/x/library.so: cannot allocate memory in static TLS block"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
    ids=repr,
)
def test_too_little_memory_is_called_that(error: Exception) -> None:
    ending = explain(error)
    assert "not enough memory" in ending.message
    assert ending.exit_code == 1


@pytest.mark.parametrize("error", [ImportError("no module named x"), OSError(errno.EIO, "I/O error")], ids=repr)
def test_what_nobody_expected_is_called_that(error: Exception) -> None:
    assert explain(error).message.startswith("unexpected: ")
