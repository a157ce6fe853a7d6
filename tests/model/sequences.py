"""Sequences of what happens to a container and a database, drawn from a seed."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.exports import FIRST_NIGHT, blob_name
from tests.model.model import CHAT, NUMBER, TREE, Document, Table, Version

NIGHTS = 5


@dataclass(frozen=True)
class Write:
    """An export appears, or takes the place of the one of that name.

    `created` is in milliseconds after the first night.
    """

    name: str
    created: int
    document: Document
    damage: str = ""
    indent: int | None = None
    is_ascii: bool = True
    """Whether what is not ASCII is escaped, as half a surrogate pair must be."""

    @property
    def version(self) -> Version:
        return self.name, self.created

    @property
    def readable(self) -> Document | None:
        """The document, if there is one to be read."""
        return None if self.damage else self.document

    def data(self) -> bytes:
        document: Any = dict(self.document)
        match self.damage:
            case "lacks a table":
                document.popitem()
            case "is an array":
                document = [document]
            case "holds no array":
                document[next(iter(document))] = {}
        written = as_json(document, self.indent, self.is_ascii)
        if any("\ud800" <= character <= "\udfff" for character in written):
            written = as_json(document, self.indent)
        text = written.encode()
        if self.damage == "is cut":
            text = text[: len(text) // 2]
        data = gzip.compress(text, 1) if self.name.endswith(".gz") else text
        return {"is empty": b"", "is cut as stored": data[: len(data) // 2]}.get(self.damage, data)

    def take_place(self, folder: Path) -> None:
        path = folder / f"{self.name}.new"
        path.write_bytes(self.data())
        moment = int(FIRST_NIGHT.timestamp()) * 1_000_000_000 + self.created * 1_000_000
        os.utime(path, ns=(moment, moment))
        path.replace(folder / self.name)


@dataclass(frozen=True)
class Remove:
    """An export goes."""

    name: str


@dataclass(frozen=True)
class Load:
    """A run of `aetl load`; killed after so many seconds where `killed` says so."""

    most: int | None = 0
    latest: bool = False
    blob: str | None = None
    killed: float | None = None


Step = Write | Remove | Load


@dataclass(frozen=True)
class Sequence:
    """Steps with one of the two contracts."""

    tables: dict[str, Table]
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps))


_QUOTED_NUMBER = re.compile(f'"{NUMBER.pattern}"')


def as_json(value: Any, indent: int | None = None, is_ascii: bool = True) -> str:
    """JSON text in which `"<1e0>"` has become 1e0."""
    return _QUOTED_NUMBER.sub(r"\1", json.dumps(value, indent=indent, ensure_ascii=is_ascii))


def draw(seed: int, *, kills: bool) -> Sequence:
    """The sequence of a seed."""
    chance = random.Random(seed)
    drawing = _Drawing(chance, CHAT if chance.random() < 0.6 else TREE)
    steps: list[Step] = []
    there: list[str] = []
    taken: set[Version] = set()
    for _ in range(chance.randint(1, 7)):
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
            if there and chance.random() < 0.08:
                name = chance.choice(there)
                steps.append(Remove(name))
                there.remove(name)
                continue
            write = drawing.write(steps)
            while write.version in taken:
                write = replace(write, created=write.created + 1)
            taken.add(write.version)
            there = [*dict.fromkeys((*there, write.name))]
            steps.append(write)
        load = Load(chance.choice((0, 0, 1, 2, 5, None, None, None)))
        if there and chance.random() < 0.15:
            load = replace(load, blob=chance.choice(there))
        elif chance.random() < 0.1:
            load = replace(load, latest=True)
        if kills and chance.random() < 0.3:
            steps.append(replace(load, killed=chance.uniform(0, 0.08)))
        steps.append(load)
    return Sequence(drawing.tables, tuple(steps))


_TEXTS = ("", "a", "b", "B", "a ", "ä", "a\u0308", "𝄞", '"', "\\", "},{", "\u2028", "x" * 300)
_TIMES = ("2025-03-01T02:00:00Z", "2025-03-01T02:00:00+00:00", "2025-03-01T02:00:00.5", "2025-03-01T02:00:00+10:30")
_WHOLE = ("<0>", "<1>", "<1.0>", "<1e0>", "<10e-1>", "<-1>", "<9223372036854775807>", "<-9223372036854775808>")
_AMOUNTS = ("<0>", "<-0.0>", "<0.1>", "<1e-1>", "<1>", "<1.0>", "<1.5>", "<15e-1>", "<123456789.125>", "<5e-324>")
_UNFIT: dict[str, tuple[Any, ...]] = {
    "text": (None, 5, True, ["a"], {}, "\ud800", "a\udc00b", "\0", "nul\0"),
    "time": (None, 5, "", "yesterday", "2025-13-01T00:00:00Z", "2025-02-30T00:00:00Z", "\ud800"),
    "whole": (True, "1", "<1.5>", "<9223372036854775808>", "<-9223372036854775809>", "<1e19>", [], "\udfff"),
    "flag": (0, "true", "<1>"),
    "amount": (None, "1", False, "<-1>", "<-0.5>", {}),
    "label": (None, 5, "bad", "bad", "\ud83d", "\0"),
}


class _Drawing:
    """Draws exports whose records meet each other often: there are few keys and few values."""

    def __init__(self, chance: random.Random, tables: dict[str, Table]) -> None:
        self.chance = chance
        self.tables = tables
        self.unfit = chance.choice((0.0, 0.02, 0.1))
        self.strange = chance.choice((0.0, 0.0, 0.1))
        """How many values break the contract, and how many keys are not there."""
        self.keys = chance.choice((2, 4, 9))

    def write(self, before: list[Step]) -> Write:
        chance = self.chance
        earlier = [step for step in before if isinstance(step, Write)]
        name = blob_name(chance.randrange(NIGHTS), chance.choice(("", "", ".gz")))
        created = chance.choice((len(earlier), chance.randrange(NIGHTS))) * 3_600_000
        if earlier and chance.random() < 0.25:
            document = self._repaired(chance.choice(earlier).document)
        else:
            document = self._document()
        damages = ("is cut", "lacks a table", "is an array", "holds no array", "is empty", "is cut as stored")
        return Write(
            name,
            created,
            document,
            chance.choice(damages) if chance.random() < 0.06 else "",
            chance.choice((None, None, 2)),
            chance.random() < 0.5,
        )

    def _document(self) -> Document:
        counts = {name: self.chance.choice((0, 1, 2, 4, 8, 14)) for name in self.tables}
        document = {name: [self._record(name) for _ in range(count)] for name, count in counts.items()}
        if self.chance.random() < 0.08:
            self._fill(document)
        return self._shuffled(document)

    def _shuffled(self, document: dict[str, list[Any]]) -> Document:
        names = list(document)
        self.chance.shuffle(names)
        return {name: document[name] for name in names}

    def _fill(self, document: dict[str, list[Any]]) -> None:
        """Adds many good records, each under a key of its own, so that there are several batches."""
        count = self.chance.choice((300, 1_100, 2_100))
        for name in list(self.tables)[:2]:
            table, fit = self.tables[name], []
            for number in range(count):
                record = {column: self._value(kind) for column, kind in table.columns.items()}
                for column in table.key:
                    record[column] = f"<{1000 + number}>" if table.columns[column] == "whole" else f"f{number}"
                for column, target in table.references.items():
                    own = self.tables[target].columns[self.tables[target].key[0]]
                    record[column] = f"<{1000 + number}>" if own == "whole" else f"f{number}"
                fit.append(record)
            document[name] += fit
            self.chance.shuffle(document[name])

    def _repaired(self, document: Document) -> Document:
        """The same export with some records taken out, drawn anew or once more."""
        found: dict[str, list[Any]] = {}
        for name, records in document.items():
            found[name] = [each for each in records if self.chance.random() < 0.8 or len(records) > 100]
            found[name] += [self._record(name) for _ in range(self.chance.randrange(3))]
            if records and self.chance.random() < 0.3:
                found[name].append(self.chance.choice(records))
            if self.chance.random() < 0.5:
                self.chance.shuffle(found[name])
        return self._shuffled(found)

    def _record(self, name: str) -> Any:
        if self.chance.random() < self.unfit / 3:
            return self.chance.choice((None, 5, "a", [], {}, [{}], True))
        table = self.tables[name]
        record = {column: self._value(kind) for column, kind in table.columns.items()}
        for column in (*table.key, *table.references):
            target = table.references.get(column, name)
            own = self.tables[target].columns[self.tables[target].key[0]]
            if column in table.references or column == table.key[0]:
                record[column] = self._key(target, own)
        for column, kind in table.columns.items():
            if column in table.references and kind.endswith("?") and self.chance.random() < 0.4:
                record[column] = None
            if self.chance.random() < self.unfit / 4:
                record[column] = self.chance.choice(_UNFIT[kind.removesuffix("?")])
        if self.chance.random() < self.unfit / 3:
            del record[self.chance.choice(list(record))]
        if self.chance.random() < self.unfit / 6:
            record["more"] = 1
        items = list(record.items())
        if self.chance.random() < 0.2:
            self.chance.shuffle(items)
        return dict(items)

    def _key(self, table: str, kind: str) -> str:
        is_missing = self.chance.random() < self.strange
        number = self.chance.randrange(self.keys) + 50 * is_missing
        if kind == "whole":
            return self.chance.choice((f"<{number}>", f"<{number}>", f"<{number}.0>", f"<{number}e0>"))
        if self.chance.random() < 0.03:
            return self.chance.choice(_TEXTS)
        return f"{table[0]}{number}"

    def _value(self, kind: str) -> Any:
        if kind.endswith("?") and self.chance.random() < 0.3:
            return None
        match kind.removesuffix("?"):
            case "time":
                return self.chance.choice(_TIMES[: self.chance.choice((1, 4))])
            case "whole":
                return self.chance.choice(_WHOLE)
            case "flag":
                return self.chance.random() < 0.5
            case "amount":
                return self.chance.choice(_AMOUNTS)
            case _:
                return self.chance.choice(_TEXTS[: self.chance.choice((2, 3, 13))])


def smaller(sequence: Sequence) -> Iterator[Sequence]:
    """Sequences with a little less in them, those with much less first."""
    steps = sequence.steps
    for at in range(len(steps)):
        yield replace(sequence, steps=steps[:at] + steps[at + 1 :])
    for at, step in enumerate(steps):
        if not isinstance(step, Write):
            continue
        for name, records in step.document.items():
            size = len(records)
            while size:
                for first in range(0, len(records), size):
                    kept = [*records[:first], *records[first + size :]]
                    less = replace(step, document={**step.document, name: kept})
                    yield replace(sequence, steps=(*steps[:at], less, *steps[at + 1 :]))
                size //= 2
