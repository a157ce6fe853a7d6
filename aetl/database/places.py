"""Tells a record's place in an export's array from its rank among those of it that were taken."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence


class Places:
    """Remembers the gaps that rejects leave, so that memory does not grow with the records; ranks count from 0.

    `counts` says how many came at a time: as many fit into memory when they are read back.
    """

    __slots__ = ("_gaps", "_next", "counts")

    def __init__(self) -> None:
        self.counts = array("q")
        self._gaps = array("q")
        self._next = 0

    def note(self, positions: Sequence[int]) -> None:
        """Takes the places, which grow, of the next records."""
        if not positions:
            return
        self.counts.append(len(positions))
        following = positions[-1] + 1
        if following - self._next != len(positions):
            taken = set(positions)
            self._gaps.extend(each for each in range(self._next, following) if each not in taken)
        self._next = following

    def of(self, rank: int) -> int:
        """The place of the record with this rank."""
        position, before = rank, -1
        while position != before:
            before, position = position, rank + bisect_right(self._gaps, position)
        return position
