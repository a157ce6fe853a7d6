"""In which order tables are filled: those first that others refer to, and together those that refer to one another."""

from __future__ import annotations

from collections.abc import Mapping, Set


def in_groups(refers_to: Mapping[str, Set[str]]) -> list[tuple[str, ...]]:
    """The tables, each by what it refers to, in groups: a table, or those that refer to one another in a ring."""
    below = {name: set(others) & refers_to.keys() for name, others in refers_to.items()}
    for _ in below:  # so long a way at most: what they refer to refers to others
        for others in below.values():
            others.update(*[below[each] for each in others])
    left, groups = list(below), []
    while left:
        name = next(each for each in left if all(each in below[other] for other in below[each] & set(left)))
        group = tuple(each for each in left if each == name or (each in below[name] and name in below[each]))
        groups.append(group)
        left = [each for each in left if each not in group]
    return groups
