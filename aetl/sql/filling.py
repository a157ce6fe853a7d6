"""Fills a statement's template: SQL in which names and lists of names stand in braces.

    {table}                            one name, or whatever else the caller gives
    {columns}                          a list's items with commas between them
    {columns|, |{column} {type}}       the same, each item written as behind the second bar, with `, ` between them

It knows no conditions: of an empty list nothing is left. What is to stand otherwise for another kind of table is
another statement. (Jinja2 says more than is needed here and takes 130 ms to begin: a tenth of a small load.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Item: TypeAlias = Mapping[str, str]
Names: TypeAlias = Mapping[str, str | Sequence[Item]]
"""What stands for a template's names: a text that is SQL already, or a list of such texts by their names."""

_OPEN = re.compile(r"\{(\w+)(?:\|([^|{}]*)\|((?:[^{}]|\{\w+\})*))?\}")
_OF_ITEM = re.compile(r"\{(\w+)\}")


class NotFilled(ValueError):
    """A template asks for something that is not there; the message says what."""


def fill(template: str, names: Names) -> str:
    """The statement of a template; raises NotFilled where it names what `names` does not have."""

    def filled(found: re.Match[str]) -> str:
        name, separator, item = found.groups()
        value = _of(names, name)
        if isinstance(value, str):
            if item is not None:
                raise NotFilled(f"{{{name}}} is one name and no list")
            return value
        if item is None:
            return ", ".join(each["column"] for each in value)
        return separator.join(_fill_item(item, each, names) for each in value)

    return _OPEN.sub(filled, template)


def _fill_item(template: str, item: Item, names: Names) -> str:
    return _OF_ITEM.sub(lambda found: _text(item, names, found[1]), template)


def _text(item: Item, names: Names, name: str) -> str:
    value = item[name] if name in item else _of(names, name)
    if not isinstance(value, str):
        raise NotFilled(f"{{{name}}} is a list, and stands inside of another one")
    return value


def _of(names: Names, name: str) -> str | Sequence[Item]:
    if name not in names:
        raise NotFilled(f"nothing is known by {{{name}}}: there are {', '.join(sorted(names))}")
    return names[name]
