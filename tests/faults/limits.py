"""Starts aetl with less than it has elsewhere: fewer rights, or no room to write."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.command import AETL, SECONDS

_PR_CAPBSET_DROP = 24
_DAC = (1, 2)
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what lets root write what is read-only."""


def run_limited(limit: Callable[[], None], *args: str | Path) -> subprocess.CompletedProcess[str]:
    """A whole run; `limit` is called in the process before aetl is."""
    return subprocess.run(
        [*AETL, *args], capture_output=True, text=True, check=False, timeout=SECONDS, preexec_fn=limit
    )


def without_roots_rights() -> None:
    """From here on the permissions of files hold for root, too."""
    if os.geteuid() == 0:
        for right in _DAC:
            if ctypes.CDLL(None, use_errno=True).prctl(_PR_CAPBSET_DROP, right, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "prctl")


def files_up_to(size: int) -> Callable[[], None]:
    """No file may become larger: as on a full disk, but with another error."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of that size, where one may be mounted."""
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root mounts a small file system, on Linux")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if done.returncode:
        pytest.skip(f"no small file system here: {done.stderr.decode()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
