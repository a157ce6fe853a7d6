"""Reads YAML that people wrote: plain values only, and never more of them than a person would write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, which every wheel brings; that in Python took a sixth of a run with nothing new."""
_MOST_CHARACTERS = 2**22
_MOST_VALUES = 100_000
_DEEPEST = 100


class NotYAML(ValueError):
    """The text is no YAML, or holds what only an attack holds; `str()` says which, and in which line."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a YAML text holds, and in which line, counted from 1, each name of its first two levels stands."""

    content: Any
    lines: Mapping[tuple[str, ...], int]


def read_yaml(text: str) -> Document:
    """The values in a YAML text; raises NotYAML.

    Aliases are followed, as YAML has them; where they nest, each level would make many times as many values, so the
    values are counted before they are made.
    """
    if len(text) > _MOST_CHARACTERS:
        raise NotYAML(f"more than {_MOST_CHARACTERS:,} characters")
    reason = ""
    try:
        if len(text) > _MOST_VALUES:  # a shorter text cannot hold so many
            _count_events(text)
        loader = _LOADER(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return Document(None, {})
            _count(root)
            return Document(loader.construct_document(root), _lines(root))
        finally:
            loader.dispose()
    except NotYAML as error:
        reason = str(error)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, AttributeError, OverflowError) as error:
        # Too long a number, too deep a nesting, a date that does not exist, a key that is a list.
        mark = getattr(error, "problem_mark", None)
        # libyaml may mean the line behind the last one.
        reason = f"line {min(mark.line, text.count(chr(10))) + 1} is not YAML" if mark else "it is not YAML"
    raise NotYAML(reason)  # outside: the error that was caught quotes the text, and the text may hold a secret


def _count_events(text: str) -> None:
    """Raises NotYAML for too many values before anything is made of them, which takes long."""
    for number, event in enumerate(yaml.parse(text, _LOADER)):
        if number > _MOST_VALUES:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise NotYAML(f"line {line} goes beyond {_MOST_VALUES:,} values")


def _count(root: yaml.Node) -> None:
    """Raises NotYAML for too many values, those behind aliases counted each time, and for too many levels."""
    sizes: dict[int, int] = {}
    # A stack of its own instead of recursion: (node, whether its children are counted).
    stack: list[tuple[yaml.Node, bool]] = [(root, False)]
    open_nodes: set[int] = set()
    while stack:
        node, is_done = stack.pop()
        children = _children(node)
        if is_done:
            open_nodes.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(child)] for child in children)
            if sizes[id(node)] > _MOST_VALUES:
                raise NotYAML(f"line {node.start_mark.line + 1} makes more than {_MOST_VALUES:,} values")
            continue
        if id(node) in sizes:
            continue
        if id(node) in open_nodes:
            raise NotYAML(f"line {node.start_mark.line + 1} holds itself")
        open_nodes.add(id(node))
        if len(open_nodes) > _DEEPEST:
            raise NotYAML(f"line {node.start_mark.line + 1} nests more than {_DEEPEST} levels")
        stack.append((node, True))
        stack.extend((child, False) for child in children)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return []


def _lines(root: yaml.Node) -> dict[tuple[str, ...], int]:
    lines: dict[tuple[str, ...], int] = {}
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        lines[(str(key.value),)] = key.start_mark.line + 1
        for inner, _ in value.value if isinstance(value, yaml.MappingNode) else ():
            lines[(str(key.value), str(inner.value))] = inner.start_mark.line + 1
    return lines
