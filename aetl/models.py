"""What flows through the pipeline: plain frozen data, no behaviour that does I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

Row = tuple[Any, ...]
"""One record's values in the order of the contract's columns."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why an export cannot be read, as said behind its name, and what to do about it."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Export:
    """One export as the container lists it.

    `size` is in bytes as stored; `created` is in UTC. `etag` changes with every version of the content. `obstacle` is
    what the listing itself tells of why it cannot be read; `md5` the hash of its stored bytes, where it tells one.
    `is_simulated` tells a simulation's from a chatbot's.
    """

    name: str
    etag: str
    size: int
    created: datetime
    obstacle: Obstacle | None = None
    is_simulated: bool = False
    md5: bytes | None = None


@dataclass(frozen=True, slots=True)
class OtherBlobs:
    """What lies in a container that holds no export: how many blobs or files, and the name of one of them.

    Where there are very many, not all are counted: `is_all` is false then.
    """

    count: int
    example: str
    is_all: bool = True

    def __str__(self) -> str:
        some = f"{self.count:,}" if self.is_all else f"more than {self.count:,}"
        name = self.example if len(self.example) <= 100 else f"{self.example[:100]}..."
        return f"{some} with other names, such as {name!a}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Some hundred or thousand records of one table in the order of the export.

    `first` is the position of the first one in its array, counted from 0. A record is whatever JSON value stood there:
    whether it is an object that the contract accepts is not known yet. `is_unicode` is False where a text of theirs may
    hold half of a surrogate pair.
    """

    table: str
    first: int
    records: Sequence[Any]
    is_unicode: bool = True


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that breaks the contract: where it stood, the JSON pointer within it, the reason, and the whole of it.

    `record` is JSON text. `kind` tells one kind of fault at a pointer from another, where the reason, which quotes a
    value, is another one each time.
    """

    table: str
    position: int
    pointer: str
    reason: str
    record: str
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.table}[{self.position}]{self.pointer}: {self.reason}"


UNKNOWN_KEY = "unknown key"
"""How the reason of a reject begins that has a key for which the contract knows no column."""
REFERS_TO_NOTHING = "refers to nothing"
"""The kind of a reject that may follow from another one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault in an export: how often it was met, and the first such reject, without its record."""

    count: int
    first: Reject


@dataclass(frozen=True, slots=True)
class CheckedBatch:
    """A batch that the contract has judged: `read` records became rows for the database, or rejects.

    `positions` says for each row where its record stood in the table's array; `unknown` are the keys for which the
    contract has no column, and which it lets pass, with the number of records that hold each.
    """

    table: str
    read: int
    rows: Sequence[Row]
    positions: Sequence[int]
    rejects: Sequence[Reject] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableCounts:
    """What became of one table's records: `read` is always `loaded + unchanged + rejected`."""

    read: int = 0
    loaded: int = 0
    unchanged: int = 0
    rejected: int = 0

    def __add__(self, other: TableCounts) -> TableCounts:
        return TableCounts(
            self.read + other.read,
            self.loaded + other.loaded,
            self.unchanged + other.unchanged,
            self.rejected + other.rejected,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What writing some records of one table came to, with those rejects that only the database could find."""

    table: str
    counts: TableCounts
    rejects: Sequence[Reject] = ()


Status = Literal["loaded", "failed", "pending"]


@dataclass(frozen=True, slots=True)
class LoadReport:
    """One export's row in the ledger: `status` says whether it is in; `error` and `exit_code` why it is not.

    `bytes` are those read from the container, `seconds` the load's whole time. `pending` only occurs in a dry run.
    `skipped` are the export's keys that are no tables of the contract, `unknown_keys` a table's keys that are none of
    its columns, with the number of records that held each (None where an older aetl did not count): what they held is
    not in the database. `faults` say what is wrong with the rejects; the ledger keeps these themselves instead.
    `contract` is the hash of the contract by which it came in, `changes` what the load changed of the tables to fit it.
    """

    blob: str
    etag: str
    status: Status
    load_id: int | None = None
    bytes: int = 0
    seconds: float = 0.0
    tables: Mapping[str, TableCounts] = field(default_factory=dict)
    finished_at: datetime | None = None
    error: str | None = None
    exit_code: int = 0
    skipped: Sequence[str] = ()
    unknown_keys: Mapping[str, Mapping[str, int | None]] = field(default_factory=dict)
    faults: Sequence[Fault] = ()
    contract: str | None = None
    changes: Sequence[str] = ()

    @property
    def rejected(self) -> int:
        """The number of rejects over all tables."""
        return sum(counts.rejected for counts in self.tables.values())

    @property
    def is_all_rejected(self) -> bool:
        """Whether there were records and not one is in: that is no success, however many rejects were allowed."""
        return self.status == "loaded" and self.rejected == sum(counts.read for counts in self.tables.values()) > 0


CLOCKS_DIFFER = timedelta(minutes=5)
"""As far may the clock of the machine that loads be before that of the one that watches."""


@dataclass(frozen=True, slots=True)
class EarlyEnd:
    """How a run that began at `began` (UTC) ended, where the ledger does not tell; no `error` where it never did."""

    began: datetime
    error: str | None = None
    exit_code: int | None = None
    command: str | None = None

    def __str__(self) -> str:
        run = f"the run of {self.began:%Y-%m-%d %H:%M} UTC"
        if self.error is None:
            return f"{run} never ended: it was killed, or the machine was"
        return f"{run} ended early: {self.error}"


@dataclass(frozen=True, slots=True)
class State:
    """How things stand: the last loads, newest first, when the last success was (UTC), and the exports that wait.

    `failed` are the exports whose last load failed, at most a hundred; `ended_early` is how the last run ended, where
    that is not in the ledger.
    """

    loads: Sequence[LoadReport]
    last_success: datetime | None
    waiting: Sequence[Export] | None
    failed: Sequence[LoadReport] = ()
    ended_early: EarlyEnd | None = None


@dataclass(frozen=True, slots=True)
class TableDigest:
    """How many records a table holds, and a SHA-256 over them as hexadecimal digits; hashing.py says of which bytes."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class DatabaseDigest:
    """The digest of each table as of one moment, in the contract's order, and that of all of them together."""

    rows: int
    sha256: str
    tables: Mapping[str, TableDigest]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `aetl check`: what was looked at, how it is, and what to do about it."""

    level: Literal["ok", "warning", "failure"]
    subject: str
    message: str
    advice: str = ""
