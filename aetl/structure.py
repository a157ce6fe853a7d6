"""Finds where JSON values end, whatever they hold, in bytes that arrive piece by piece.

Only the structure counts here: strings with their escapes, and brackets by their depth. Whether what stands between two
delimiters is JSON is for a parser to say.
"""

from __future__ import annotations

import re

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_FLAT = rb'[\[{](?:[^"\[\]{}]++|' + _STRING + rb")*+[\]}]"
_BETWEEN_DELIMITERS = re.compile(rb'(?:[^"\[\]{},:]++|' + _STRING + rb"|" + _FLAT + rb")*+", re.DOTALL)
_BETWEEN_BRACKETS = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb"|" + _FLAT + rb")*+", re.DOTALL)
_REST_OF_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)

_QUOTE, _BACKSLASH = b'"\\'
_OPENING = b"[{"


class Structure:
    """Walks through the values of an array or an object once, however often the bytes stop in between.

    It keeps its place relative to a start that the caller names, so the caller may drop bytes before that start.
    """

    __slots__ = ("_depth", "_in_string", "position")

    def __init__(self, position: int = 0) -> None:
        self.position = position
        self._depth = 0
        self._in_string = False

    def find(self, buffer: bytearray, start: int) -> int:
        """The index of the next `,` `:` `]` or `}` outside all strings and nested brackets, or -1 if none is there yet.

        The search begins behind the delimiter found last. What a pattern gives up (a string that has not ended yet, an
        array or object that turns out not to be flat) is looked at again, but no byte more than three times in all.
        """
        at = start + self.position
        found = -1
        while at < len(buffer):
            if self._in_string:
                at = _end(_REST_OF_STRING, buffer, at)
                # A backslash here is the buffer's last byte: what it escapes is still to come.
                if at == len(buffer) or buffer[at] == _BACKSLASH:
                    break
                self._in_string = False
                at += 1
            at = _end(_BETWEEN_BRACKETS if self._depth else _BETWEEN_DELIMITERS, buffer, at)
            if at == len(buffer):
                break
            byte = buffer[at]
            at += 1
            if byte == _QUOTE:
                self._in_string = True
            elif byte in _OPENING:
                self._depth += 1
            elif self._depth:
                self._depth -= 1
            else:
                found = at - 1
                break
        self.position = at - start
        return found


def _end(pattern: re.Pattern[bytes], buffer: bytearray, at: int) -> int:
    match = pattern.match(buffer, at)
    assert match is not None, "every pattern here also matches nothing"
    return match.end()
