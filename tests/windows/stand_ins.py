"""Stands in for a program of Windows, records how it was called and answers as it is told."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.windows import wine

# The launcher that pip puts before a script to make an .exe of it.
LAUNCHER = wine.PREFIX / "drive_c/Python311/Lib/site-packages/pip/_vendor/distlib/t64.exe"
SCRIPT = """\
import json, pathlib, shutil, sys, time
with pathlib.Path({calls!r}).open("a", encoding="utf-8") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if "/XML" in sys.argv:
    shutil.copy(sys.argv[sys.argv.index("/XML") + 1], {calls!r} + ".xml")
code, text, seconds = {answers!r}.get(sys.argv[1] if len(sys.argv) > 1 else "", {other!r})
time.sleep(seconds)
sys.stdout.buffer.write(text)
sys.exit(code)
"""


@dataclass(frozen=True)
class Answer:
    """An exit code, what is printed before it, and how long that takes."""

    code: int = 0
    text: bytes = b""
    seconds: float = 0.0


@dataclass
class StandIn:
    """The calls of a program that was stood in for, and the file that the last /XML named, once that is over."""

    calls: list[list[str]] = field(default_factory=list)
    definition: bytes = b""


@contextlib.contextmanager
def stand_in(
    program: str, answers: Mapping[str, Answer] | None = None, other: Answer | None = None
) -> Iterator[StandIn]:
    """Replaces a program in system32 meanwhile; answers go by its first argument, and any `other` gets that one."""
    path = wine.SYSTEM32 / program
    original, log = path.with_name(f"{program}.original"), path.with_name(f"{program}.calls")
    definition = log.with_name(f"{log.name}.xml")
    for left in (log, definition):
        left.unlink(missing_ok=True)
    script = SCRIPT.format(
        calls=wine.windows_path(log),
        answers={argument: _told(answer) for argument, answer in (answers or {}).items()},
        other=_told(other or Answer()),
    )
    put_back()
    path.rename(original)
    try:
        path.write_bytes(_executable(script))
        yield (stood := StandIn())
    finally:
        put_back()
    if log.exists():
        stood.calls.extend(map(json.loads, log.read_text(encoding="utf-8").splitlines()))
        log.unlink()
    if definition.exists():
        stood.definition = definition.read_bytes()
        definition.unlink()


def put_back() -> None:
    """Gives back the programs for which tests that were killed left something standing in."""
    for original in wine.SYSTEM32.glob("*.original"):
        original.replace(original.with_suffix(""))


def _told(answer: Answer) -> tuple[int, bytes, float]:
    return answer.code, answer.text, answer.seconds


def _executable(script: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("__main__.py", script)
    return LAUNCHER.read_bytes() + f"#!{wine.PYTHON}\r\n".encode() + archive.getvalue()
