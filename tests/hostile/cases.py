"""A case: the bytes of an export, and what must become of it; and short ways to write one down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations

from tests.exports import TABLES, Document, make_export

Arrays = Mapping[str, bytes]
"""The text of each table's array, without its brackets."""
Place = tuple[str, int, str]
"""Table, position and JSON pointer of a reject."""

FAULT = b"\xb6"
"""Stands in front of the byte that the message must name, and is taken out. (No UTF-8 text holds it alone.)"""

GOOD = make_export(2, events=2)


@dataclass(frozen=True)
class Case:
    """The bytes of an export, and what must become of it.

    `says` is how its failure begins, None where there is nothing to fail of. With `rejects` it is loaded all the same
    under --max-rejects all, and those are kept. `kept` are the records that it brings in wherever it is loaded.
    """

    name: str
    data: bytes
    says: str | None
    suffix: str = ""
    rejects: Sequence[Place] = ()
    kept: Document = field(default_factory=lambda: GOOD)
    warns: Sequence[str] = ()
    order: Sequence[str] = TABLES
    is_thorough: bool = False

    @property
    def is_in_expected_order(self) -> bool:
        """Whether its arrays stand parents first, as everybody expects."""
        return list(self.order) == sorted(self.order, key=TABLES.index)


def malformed(name: str, document: bytes, says: str, *, suffix: str = "") -> Case:
    """An export of which no record can be trusted; `{byte}` in `says` stands for the place of FAULT."""
    data, byte = _without_fault(document)
    return Case(name, data, says.replace("{byte}", str(byte)), suffix)


def malformed_in_any_order(name: str, arrays: Arrays, says: str) -> Iterator[Case]:
    for order, document in _in_any_order(arrays):
        data, byte = _without_fault(document)
        yield _ordered(Case(name, data, says.replace("{byte}", str(byte))), order)


def rejected(name: str, arrays: Arrays, *rejects: str, says: str, kept: Document = GOOD) -> Iterator[Case]:
    """An export with rejects, each written as `events[1]/round`; `says` follows the first one in the message."""
    places = [_place(each) for each in rejects]
    for order, document in _in_any_order(arrays):
        yield _ordered(Case(name, document, f"{rejects[0]}: {says}", rejects=places, kept=kept), order)


def accepted(name: str, arrays: Arrays, kept: Document) -> Iterator[Case]:
    """An export that only looks wrong."""
    for order, document in _in_any_order(arrays):
        yield _ordered(Case(name, document, None, kept=kept), order)


def text(value: object) -> bytes:
    """A value as most chatbots write it."""
    return json.dumps(value).encode()


def arrays_of(document: Document) -> dict[str, bytes]:
    return {table: text(records)[1:-1] for table, records in document.items()}


def with_record(table: str, record: bytes) -> dict[str, bytes]:
    """A good export with one more record in the middle of one array, at position 1."""
    first, *rest = map(text, GOOD[table])
    return arrays_of(GOOD) | {table: b", ".join([first, record, *rest])}


def with_records(**more: Sequence[object]) -> dict[str, list[object]]:
    """A good export with more records at the ends of its arrays."""
    return {table: [*GOOD[table], *more.get(table, ())] for table in TABLES}


def document_of(arrays: Arrays) -> bytes:
    return b"{%b}" % b", ".join(b'"%b": [%b]' % (name.encode(), array) for name, array in arrays.items())


def _in_any_order(arrays: Arrays) -> Iterator[tuple[tuple[str, ...], bytes]]:
    for order in permutations(arrays):
        yield order, document_of({table: arrays[table] for table in order})


def _ordered(case: Case, order: tuple[str, ...]) -> Case:
    """The reverse of the expected order is for every day, the expected one too unless no record counts anyway."""
    expected = tuple(sorted(order, key=TABLES.index))
    is_malformed = case.says is not None and not case.rejects
    every_day = (expected[::-1],) if is_malformed else (expected, expected[::-1])
    name = case.name if order == expected else f"{case.name} ({', '.join(order)})"
    return replace(case, name=name, order=order, is_thorough=order not in every_day)


def _without_fault(document: bytes) -> tuple[bytes, int]:
    return document.replace(FAULT, b"", 1), document.find(FAULT)


def _place(reject: str) -> Place:
    table, _, rest = reject.partition("[")
    position, _, pointer = rest.partition("]")
    return table, int(position), pointer


WHOLE = document_of(arrays_of(GOOD))
