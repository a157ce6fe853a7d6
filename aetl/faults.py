"""Sorts rejects by kind: an export with a thousand of them has, as a rule, three things wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from aetl.models import REFERS_TO_NOTHING, UNKNOWN_KEY, Fault, Reject, TableCounts

_MOST_KINDS = 100
"""So many kinds are told apart: every record may have a new key of its own."""
_MOST_TOLD = 5
ADD_THE_COLUMN = "Add it to the contract as a column (--schema), or have it left out of the export."


class Faults:
    """How often each kind of fault was met, and where first."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str, str], Fault] = {}

    def add(self, rejects: Iterable[Reject]) -> None:
        """Counts rejects."""
        for reject in rejects:
            kind = reject.table, reject.pointer, reject.kind or reject.reason
            if (known := self._kinds.get(kind)) is not None:
                self._kinds[kind] = replace(known, count=known.count + 1)
            elif len(self._kinds) < _MOST_KINDS:
                self._kinds[kind] = Fault(1, replace(reject, record=""))

    def in_order(self) -> list[Fault]:
        """One of each kind: causes before consequences, as what a refused record leaves behind refers to nothing."""
        return sorted(self._kinds.values(), key=lambda fault: fault.first.kind == REFERS_TO_NOTHING)


def in_words(faults: Sequence[Fault], tables: Mapping[str, TableCounts]) -> str:
    """The first of each kind and how many there are, up to a bound, as part of a line."""
    told = [f"{fault.first}{_how_many(fault, tables)}" for fault in faults[:_MOST_TOLD]]
    more = len(faults) - len(told)
    return "; ".join([*told, *([f"and {more} more kinds of fault"] if more else [])])


def _how_many(fault: Fault, tables: Mapping[str, TableCounts]) -> str:
    if is_unknown_key(fault):
        return f" (in {fault.count:,} of {tables[fault.first.table].read:,} records)"
    return f" (and {fault.count - 1:,} like it)" if fault.count > 1 else ""


def is_unknown_key(fault: Fault) -> bool:
    """Whether the contract lacks a column, as after a chatbot's upgrade: then more rejects let nothing more in."""
    return fault.first.reason.startswith(UNKNOWN_KEY)
