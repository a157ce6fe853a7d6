"""Judges records: batches become rows for the database, or rejects with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aetl.canonical import UNFIT, wrong
from aetl.contract.explaining import best_explanation, pointer, shortened, slow_validator
from aetl.contract.keywords import Draft
from aetl.contract.rows import Rows
from aetl.contract.tables import Column
from aetl.contract.values import FORMATS, USUAL_DATE, USUAL_DATE_TIME
from aetl.models import Batch, CheckedBatch, Reject, Row

_INT64 = {"minimum": -(2**63), "exclusiveMaximum": 2**63}
_USUAL = {"date-time": USUAL_DATE_TIME, "date": USUAL_DATE}
_Kind = Mapping[str, Any]


@dataclass(frozen=True)
class Judge:
    """Holds the records of one table to their schema.

    `definitions` are the contract's, to which `$ref` refers.
    """

    rows: Rows
    schema: _Kind
    definitions: _Kind
    draft: Draft

    def check(self, batch: Batch) -> CheckedBatch:
        """Judges one batch: all at once, and record by record only where that fails."""
        records = batch.records
        positions = range(batch.first, batch.first + len(records))
        try:
            if batch.is_unicode and (self._glance.is_valid(records) or self._judge.is_valid(records)):
                rows = self.rows.of(records)
                return CheckedBatch(batch.table, len(records), rows, positions, (), self.rows.unknown(records))
        except UNFIT:
            pass
        good: list[Any] = []
        rows, good_positions, rejects = [], [], []
        for position, record in zip(positions, records, strict=True):
            found = self._row_or_fault(record)
            if isinstance(found, _Fault):
                text = json.dumps(record)
                rejects.append(Reject(batch.table, position, found.pointer, found.reason, text, found.kind))
            else:
                rows.append(found)
                good_positions.append(position)
                good.append(record)
        return CheckedBatch(batch.table, len(records), rows, good_positions, rejects, self.rows.unknown(good))

    def _row_or_fault(self, record: object) -> Row | _Fault:
        try:
            is_good = self._judge.is_valid([record])
        except UNFIT:
            is_good = False
        # The same verdict whatever stands beside a record: of a batch that is good, nobody asks for an explanation.
        if not is_good and (found := best_explanation(self._explain, record)) is not None:
            return _Fault(*found)
        assert isinstance(record, dict)  # a contract requires "type": "object" of every record
        if (no_json := wrong(record, is_kept=False)) is not None:
            return _Fault(pointer(no_json[0]), no_json[1])
        if not is_good and (fault := self._unexplained(record)) is not None:
            return fault
        try:
            return self.rows.of([record])[0]
        except UNFIT:
            path, reason, kind = self.rows.unfit(record)
            return _Fault(pointer(path), shortened(reason), kind)

    def _unexplained(self, record: Mapping[str, Any]) -> _Fault | None:
        """What the fast validator alone refuses."""
        try:
            for error in self._judge.iter_errors([record]):
                path = list(error.instance_path)[1:]
                value = record.get(path[0]) if len(path) == 1 else None
                if isinstance(value, int | float) and not -(2**63) <= value < 2**63:
                    return _Fault(pointer(path), f"{shortened(str(value))} is beyond 64 bits", "beyond 64 bits")
                return _Fault(pointer(path), shortened(error.message))
        except UNFIT as error:
            return _Fault("", shortened(str(error)))
        return None

    @cached_property
    def _judge(self) -> Any:
        """The fast validator of whole batches.

        Beside the contract it holds integers to 64 bits, which is as much as a database's integer keeps.
        """
        return self._batch_validator(lambda kind, _: kind)

    @cached_property
    def _glance(self) -> Any:
        """A validator that is quicker still, and also refuses what the judge would let pass: unusual date-times.

        It asks a pattern where the judge calls Python for every single value, which takes three times as long.
        """

        def with_pattern(kind: _Kind, column: Column) -> _Kind:
            if column.epoch is not None or (usual := _USUAL.get(kind.get("format", ""))) is None:
                return kind
            return {**kind, "format": "any", "allOf": [*kind.get("allOf", ()), {"pattern": usual}]}

        return self._batch_validator(with_pattern)

    def _batch_validator(self, adapt: Callable[[_Kind, Column], _Kind]) -> Any:
        columns = {column.key: column for column in self.rows.table.columns}
        properties = {}
        for key, kind in self.schema["properties"].items():
            column = columns.get(key)
            if column is not None and isinstance(kind, dict):
                kind = adapt(kind, column)
                if column.type == "integer":
                    kind = {"allOf": [kind, _INT64]}
            properties[key] = kind
        items = {**self.schema, "properties": properties}
        return self.draft.validator(
            {"type": "array", "items": items, **self.definitions}, formats=FORMATS, validate_formats=True
        )

    @cached_property
    def _explain(self) -> Any:
        """The slow validator, which says why one record is refused."""
        return slow_validator(self.draft.name, {**self.schema, **self.definitions}, FORMATS)


@dataclass(frozen=True)
class _Fault:
    """What is wrong with a record: JSON pointer, reason, and the kind of fault where the reason quotes a value."""

    pointer: str
    reason: str
    kind: str = ""
