"""Makes docs/terminal.svg, the README's picture of a terminal: real commands over the example that docs/ ships.

    python tools/picture.py [--check]

writes it anew. With --check it changes nothing, and exits with 1 where the commands now print something else; figures,
sizes and times are left out of that comparison. Needs a system with pseudo-terminals.
"""

from __future__ import annotations

import html
import io
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs/terminal.svg"
COLUMNS = 80
COMMANDS = (
    "aetl load --container docs/example/nights --database example.db",
    "aetl status --container docs/example/nights --database example.db",
)
_FOREIGN = ("CHAT_DB_", "AZURE_", "PG", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_", "PYTHON")
_WEB_FONTS = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)
"""What a picture in a page may not load anyway; the reader's own fixed-width font takes their place."""

_TEXT = re.compile(r'(<text class="aetl-r\d+" )x="([\d.]+)"( y="[\d.]+" )textLength="([\d.]+)"([^>]*)>([^<]*)</text>')


def run(command: str, folder: Path) -> str:
    """What a command prints on a terminal; progress goes to stderr, and is gone when the command is done."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    environment |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, COLUMNS))
    arguments = [sys.executable, "-m", *shlex.split(command)]
    with subprocess.Popen(arguments, cwd=folder, env=environment, stdout=theirs, stderr=subprocess.PIPE) as process:
        os.close(theirs)
        printed = b""
        while chunk := _read(ours):
            printed += chunk
        assert process.stderr is not None
        said = process.stderr.read().decode()
    os.close(ours)
    if process.returncode != 0:
        raise SystemExit(f"{command}: exit code {process.returncode}: {said}")
    return printed.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux tells that the other end is closed
        return b""


def draw() -> str:
    """The picture: each command after its prompt, and what it printed."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "docs/example", Path(folder, "docs/example"))
        for command in COMMANDS:
            console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
            for line in run(command, Path(folder)).rstrip().split("\n"):
                console.print(Text.from_ansi(line.rstrip()), soft_wrap=True)
            console.print()
    picture = console.export_svg(title="aetl", code_format=_WEB_FONTS.sub("", CONSOLE_SVG_FORMAT), unique_id="aetl")
    return _TEXT.sub(_each_word, picture)


def _each_word(found: re.Match[str]) -> str:
    """A text of rich's as one text a word: not every viewer keeps the spaces before a word, or a text's length."""
    before, x, rest, length, after, content = found.groups()
    content = html.unescape(content)
    width = float(length) / len(content)
    return "".join(
        f'{before}x="{float(x) + width * word.start():g}"{rest}textLength="{width * len(word[0]):g}"{after}>'
        f"{html.escape(word[0], quote=False)}</text>"
        for word in re.finditer(r"\S+", content)
    )


def words(picture: str) -> list[str]:
    """The words that a picture shows; what differs from run to run is 0 in all."""
    text = html.unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)</text>", picture)))
    return re.sub(r"\d[\d.,:-]*", "0", text).split()


def main(arguments: list[str]) -> None:
    if arguments == ["--check"]:
        if words(PICTURE.read_text(encoding="utf-8")) != words(draw()):
            raise SystemExit("docs/terminal.svg is not what aetl prints now: run python tools/picture.py.")
    elif arguments:
        raise SystemExit(__doc__)
    else:
        PICTURE.write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
