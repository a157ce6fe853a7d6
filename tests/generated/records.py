"""Records drawn for a contract, which meet each other often: there are few keys."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from tests.generated.contracts import KEY_KINDS, Described, Drawn, Property
from tests.generated.values import DATES, EPOCHS, FLOATS, LONG, ODD_RECORDS, TEXTS, TIMES, UNFIT, WHOLE, Spelled

Records = Mapping[str, Sequence[Any]]
"""The arrays of an export, in their order."""


class Drawing:
    """Draws the exports of one contract."""

    def __init__(self, chance: random.Random, drawn: Drawn) -> None:
        self.chance = chance
        self.drawn = drawn
        self.unfit = chance.choice((0.0, 0.0, 0.02, 0.1))
        self.strange = chance.choice((0.0, 0.0, 0.1))
        """How many values break the contract, and how many keys are not there."""
        self.keys = chance.choice((2, 4, 9))

    def records(self) -> dict[str, list[Any]]:
        """All arrays of an export."""
        counts = {each.array: self.chance.choice((0, 1, 2, 4, 8, 14)) for each in self.drawn.tables}
        if self.chance.random() < 0.05:
            counts[self.chance.choice(list(counts))] = self.chance.choice((150, 300, 1_200))
        found = {
            each.array: [self._record(each, place) for place in range(counts[each.array])]
            for each in self.drawn.tables
            if each.array in self.drawn.required or self.chance.random() < 0.9
        }
        return self._shuffled(found)

    def changed(self, records: Records) -> dict[str, list[Any]]:
        """The same with some records taken out, drawn anew, changed or once more."""
        tables = {each.array: each for each in self.drawn.tables}
        found: dict[str, list[Any]] = {}
        for array, before in records.items():
            kept = [each for each in before if self.chance.random() < 0.8]
            for place, each in enumerate(kept):
                if isinstance(each, dict) and self.chance.random() < 0.2:
                    kept[place] = self._with_others(tables[array], each)
            found[array] = [*kept, *(self._record(tables[array], place) for place in range(self.chance.randrange(4)))]
            if before and self.chance.random() < 0.3:
                found[array].append(self.chance.choice(before))
            if self.chance.random() < 0.5:
                self.chance.shuffle(found[array])
        return self._shuffled(found)

    def _shuffled(self, records: dict[str, list[Any]]) -> dict[str, list[Any]]:
        names = list(records)
        self.chance.shuffle(names)
        return {name: records[name] for name in names}

    def _with_others(self, table: Described, record: Mapping[str, Any]) -> dict[str, Any]:
        """A record with other values outside of its key."""
        changed = dict(record)
        for each in table.properties:
            if each.name not in table.key or each.is_skipped:
                self._put(changed, each, 0)
        return changed

    def _record(self, table: Described, place: int) -> Any:
        chance = self.chance
        if chance.random() < self.unfit / 3:
            return chance.choice(ODD_RECORDS)
        record: dict[str, Any] = {}
        for each in table.properties:
            self._put(record, each, place)
        while chance.random() < 0.15:
            key = chance.choice(
                ("more", "And More", "", "nul\0", "~", "__proto__", "x-rest", *(e.name for e in table.properties))
            )
            if key not in {each.key for each in table.properties}:
                record[key] = (
                    chance.choice(TEXTS)
                    if table.additional == {"type": "string"} and chance.random() < 0.9
                    else self._json(3)
                )
        if chance.random() < 0.2:
            items = list(record.items())
            chance.shuffle(items)
            record = dict(items)
        return record

    def _put(self, record: dict[str, Any], each: Property, place: int) -> None:
        chance = self.chance
        record.pop(each.key, None)
        if chance.random() < self.unfit / 4:
            if chance.random() < 0.7:
                unfit = UNFIT.get({"true": "any"}.get(each.kind, each.kind), UNFIT["integer"])
                record[each.key] = chance.choice(unfit)
            return
        if not each.is_required and chance.random() < 0.25:
            return
        if each.is_nullable and chance.random() < 0.25:
            record[each.key] = None
            return
        record[each.key] = self._value(each, place)

    def _value(self, each: Property, place: int) -> Any:
        chance = self.chance
        if each.kind in KEY_KINDS and (chance.random() < 0.4 or each.refers_to):
            number = chance.randrange(self.keys) + 50 * (chance.random() < self.strange)
            return self._numbered(each.kind, number if place < 50 else place)
        match each.kind:
            case "text":
                return chance.choice(TEXTS if chance.random() < 0.98 else LONG[:1])
            case "integer":
                return Spelled(chance.choice(WHOLE))
            case "number":
                return Spelled(chance.choice((*WHOLE, *FLOATS)))
            case "boolean":
                return chance.random() < 0.5
            case "date-time":
                return chance.choice(TIMES)
            case "date":
                return chance.choice(DATES)
            case "s" | "ms" | "us" | "ns":
                return Spelled(chance.choice(EPOCHS[each.kind]))
            case "object":
                return {
                    **{f"k{chance.randrange(9)}": self._json(2) for _ in range(chance.randrange(3))},
                    "a": Spelled(chance.choice(WHOLE)),
                }
            case "array":
                return [
                    chance.choice((1, "a", None, True, Spelled("-0.0"), self._deep(), {"b": self._json(2)}))
                    for _ in range(chance.randrange(4))
                ]
            case "mixed":
                return self._of_type(chance.choice(each.detail))
            case "enum":
                return chance.choice(
                    [*each.detail, *([Spelled("1e0")] if 1 in each.detail and True not in each.detail else [])]
                )
            case _:
                return self._json(3)

    def _numbered(self, kind: str, number: int) -> Any:
        match kind:
            case "text":
                return f"k{number}"
            case "date-time":
                return f"2025-03-01T00:{number // 60 % 60:02}:{number % 60:02}Z"
            case "date":
                return f"{2000 + number}-01-01"
            case "number":
                return Spelled(self.chance.choice((f"{number}", f"{number}.0", f"{number}e0", f"{number}.25")))
        return Spelled(self.chance.choice((f"{number}", f"{number}", f"{number}.0", f"{number}e0")))

    def _of_type(self, kind: str) -> Any:
        match kind:
            case "string":
                return self.chance.choice(TEXTS)
            case "integer":
                return Spelled(self.chance.choice((*WHOLE, "9223372036854775808", "1e20")))
            case "number":
                return Spelled(self.chance.choice((*WHOLE, *FLOATS)))
            case "boolean":
                return self.chance.random() < 0.5
            case "array":
                return [self._json(2)]
        return {"b": self._json(2)}

    def _json(self, depth: int) -> Any:
        chance = self.chance
        kind = chance.choice(
            ("string", "number", "boolean", "null", "array", "object") if depth else ("string", "number")
        )
        match kind:
            case "null":
                return None
            case "array":
                return (
                    self._deep()
                    if chance.random() < 0.1
                    else [self._json(depth - 1) for _ in range(chance.randrange(4))]
                )
            case "object":
                keys = (*TEXTS, "a", "b", "nul\0", "B")
                return {chance.choice(keys): self._json(depth - 1) for _ in range(chance.randrange(4))}
        return self._of_type(kind)

    def _deep(self) -> Any:
        """So many arrays and objects within one another; 500 and more are too many."""
        depth = self.chance.choice((3, 40, 300, 600 if self.unfit else 4))
        pairs = [self.chance.choice((("[", "]"), ('{"a":', "}"))) for _ in range(depth)]
        return Spelled("".join(opened for opened, _ in pairs) + "1" + "".join(closed for _, closed in reversed(pairs)))
