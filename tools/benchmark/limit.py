"""LIMIT: a process that has every row as a ready tuple and only runs executemany into a new file, or one with rows.

    python -m tools.benchmark.limit EXPORT DATABASE

Prints the seconds that inserts, commit and close took, and nothing else is in them. Everything else is a ratio to this.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from tools.benchmark.reference import COLUMNS, INSERT, connect


def read_rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows as tuples; never all records as dicts beside them, which would take twice the memory."""
    tables = msgspec.json.decode(path.read_bytes(), type=dict[str, list[msgspec.Raw]])
    return {
        table: [itemgetter(*columns)(msgspec.json.decode(record)) for record in tables.pop(table)]
        for table, columns in COLUMNS.items()
    }


def main(export: Path, database: Path) -> None:
    rows = read_rows(export)
    connection = connect(database)
    gc.collect()
    gc.freeze()
    began = time.perf_counter()
    connection.execute("BEGIN")
    for table, statement in INSERT.items():
        connection.executemany(statement, rows[table])
    connection.execute("COMMIT")
    connection.close()
    print(json.dumps({"seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
