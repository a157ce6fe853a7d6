"""The one way out: whatever aetl says on a stream, in a log, in the ledger or in an error has come through here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aetl.logs.redaction import redact


class _Escapes(dict[int, str | int]):
    """A table for str.translate: a terminal obeys control characters, and a reader is misled by those of direction.

    Letters, signs and spaces of every language stay; what has no shape of its own (categories Cc, Cf, Cs, Co, Cn, Zl,
    Zp) is written as repr() writes it.
    """

    def __missing__(self, code: int) -> str | int:
        character = chr(code)
        escaped = (not character.isprintable() and not character.isspace()) or code < 0x20 or code in _LINE_ENDS
        self[code] = repr(character)[1:-1] if escaped else code
        return self[code]


_LINE_ENDS = (0x85, 0x2028, 0x2029)
_ESCAPES = _Escapes()


def escape(text: str) -> str:
    """The text with every character escaped that a terminal would obey, so that it stays on its line; idempotent."""
    return text if text.isprintable() else text.translate(_ESCAPES)


def outgoing(text: str) -> str:
    """The text as it may go out on one line: without secrets, and with nothing that a terminal would obey."""
    return escape(redact(text))


def outgoing_text(text: str) -> str:
    """The same for a text of several lines, whose line ends and tabs are aetl's own."""
    return "\n".join("\t".join(map(escape, line.split("\t"))) for line in redact(text).split("\n"))


def outgoing_json(content: Any, *, ascii_only: bool = False) -> str:
    """Content as JSON on one line, each text in it without secrets, and no raw character that a terminal would obey.

    Redacted before and not after it is JSON: a pattern that takes a quote along would break it.
    """
    together = "\0".join(_texts(content))
    if redact(together) != together:  # which is seldom, and each text by itself takes long
        content = _redacted(content)
    text = json.dumps(content, ensure_ascii=ascii_only)
    return text if text.isprintable() else "".join(map(_json_escape, text))


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield str(key)
            yield from _texts(value)
    elif isinstance(content, list | tuple):
        for each in content:
            yield from _texts(each)


def _redacted(content: Any) -> Any:
    if isinstance(content, str):
        return redact(content)
    if isinstance(content, dict):
        # A name of aetl's own, or a table's: whoever reads it by name finds it, whatever the password is.
        return {key if key.isidentifier() else redact(key): _redacted(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_redacted(each) for each in content]
    return content


def _json_escape(character: str) -> str:
    return json.dumps(character)[1:-1] if _ESCAPES[ord(character)] != ord(character) else character


@contextmanager
def cleaned() -> Iterator[None]:
    """What is raised inside is raised without secrets."""
    try:
        yield
    except Exception as error:
        clean(error)
        raise


def clean(error: BaseException) -> None:
    """Takes secrets out of an exception and all that it was raised from, so that a caller may print any of it.

    A library's exception keeps its type and its traceback; one whose text cannot be changed is let go.
    """
    chain = _chain(error)
    for each in chain:
        if not _holds_secret(each):
            continue
        each.args = tuple(redact(str(part)) if redact(repr(part)) != repr(part) else part for part in each.args)
        for name, value in [*vars(each).items()]:
            if isinstance(value, str):
                setattr(each, name, redact(value))
            elif name == "__notes__":
                each.__notes__ = [redact(note) for note in value]
    for each in chain:
        if each.__cause__ is not None and _holds_secret(each.__cause__):
            each.__cause__ = None
        if each.__context__ is not None and _holds_secret(each.__context__):
            each.__context__ = None


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and not any(each is other for other in chain):
            chain.append(each)
            waiting += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
    return chain


def _holds_secret(error: BaseException) -> bool:
    text = "\n".join((str(error), repr(error), *getattr(error, "__notes__", ())))
    return redact(text) != text
