"""What the documentation says: README.md, CONTRIBUTING.md, SECURITY.md and the pages of docs/, taken apart."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "aetl"
PATHS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PATHS}
_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
PROSE = "\n".join(_FENCED.sub("", text) for text in PAGES.values())
SPANS = [span.replace("\\|", "|") for span in re.findall(r"`([^`\n]+)`", PROSE)]


def blocks(*languages: str, page: str | None = None) -> list[str]:
    """The fenced blocks in these languages, of all pages or of one."""
    texts = PAGES.values() if page is None else [PAGES[page]]
    return [found[3] for text in texts for found in _FENCED.finditer(text) if found[2] in languages]


def headings(page: str) -> list[str]:
    return re.findall(r"^#+ (.*)$", without_comments(PAGES[page]), re.MULTILINE)


def section(title: str) -> str:
    """A chapter of any page, up to the next heading of any level; no two chapters have the same title."""
    pattern = rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)"
    found = [
        each
        for text in PAGES.values()
        for each in re.findall(pattern, without_comments(text), re.MULTILINE | re.DOTALL)
    ]
    assert len(found) == 1, f"{len(found)} chapters are called {title!r}"
    return str(found[0])


def section_blocks(title: str, language: str) -> list[str]:
    """The fenced blocks of a chapter in a language that `section` leaves in."""
    return [found[3] for found in _FENCED.finditer(section(title)) if found[2] == language]


def without_comments(text: str) -> str:
    """The same text without the blocks in which a comment looks like a heading."""
    return re.sub(r"^ *```(?:sh|yaml)\n.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def json_block(title: str) -> Any:
    found = re.search(r"^```json\n(.*?)^```$", section(title), re.MULTILINE | re.DOTALL)
    assert found is not None, f"the chapter {title!r} shows no JSON"
    return json.loads(found[1])


def table_rows(text: str) -> list[list[str]]:
    """The cells of the tables' rows, heads and rules left out."""
    rows = [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    rules = [number for number, row in enumerate(rows) if set("".join(row)) <= set("-: ")]
    return [row for number, row in enumerate(rows) if number not in rules and number + 1 not in rules]
