"""Fuzzes records and contract, guided by the coverage of aetl's own code.

Needs atheris, which no extra of aetl installs: .venv/bin/python -m pip install atheris

    python tools/fuzz.py --seconds 120
    python tools/fuzz.py --seconds 600 --corpus corpus     keeps what reached new code, and goes on from there
    python tools/fuzz.py --reproduce crash-...             runs one find again

What it holds the code to: whatever the bytes, and however they are cut, there are batches or ExportMalformed with one
line that names a place; the same ones for every cut; what json.loads refuses is refused, and what it takes gives its
values. Each batch is judged: rows and rejects add up, a verdict does not depend on the neighbours, and a reject keeps
the record. A find stops it and is written to crash-<hash>; keep it as a case in tests/hostile.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

try:
    import atheris
except ImportError:
    sys.exit("atheris is missing: python -m pip install atheris")

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

with atheris.instrument_imports(include=["aetl"]):
    from aetl.contract import Contract
    from aetl.errors import ExportMalformed
    from aetl.models import Batch
    from aetl.records import Records

CONTRACT = Contract.read()
SEEDS = (
    b'{"sessions": [{"id": "s0", "started_at": "2025-03-01T02:00:00+00:00", "meta": null}], "events": [{"id": "e0", '
    b'"ts": "2025-03-01T02:00:00Z", "session_id": "s0", "round": 1, "kind": "k", "role": "r", "content": "},{", '
    b'"raw_text": "\\ud83d\\ude00", "meta": null}], "event_parents": [{"child_id": "e0", "parent_id": "e0"}]}',
    b'\xef\xbb\xbf{"x": [{"a": [1e9, -0.5, true]}, {}], "events": [], "event_parents": [], "sessions": [ ]}\n',
    b'{"id": "s0", "started_at": "2025-03-01T02:00:00+00:00", "meta": null}, {"id": "", "meta": "y"}',
    b'{"sessions":[{"id":1},{"id":2},{"id":3}],"events":[1,"\\ud800",null,[[]]],"event_parents":[{"a":NaN}]}',
)
WORDS = (
    '"sessions":[', '"events":[', '"event_parents":[', '"id":', '"started_at":', '"meta":', '"round":', "},{", "]}",
    "],", "null", "true", "1e999", "NaN", "-Infinity", "9223372036854775808", "\\\\ud800", "\\\\u0000",
    '"2025-03-01T02:00:00Z"',
)  # fmt: skip


def cuts(document: bytes, at: Sequence[int]) -> Iterator[bytes]:
    edges = [0, *sorted(place % (len(document) + 1) for place in at), len(document)]
    return (document[a:b] for a, b in pairwise(edges))


def read(chunks: Iterator[bytes]) -> dict[str, list[Any]] | str:
    records = Records(CONTRACT.arrays, required=CONTRACT.required)
    found: dict[str, list[Any]] = {table: [] for table in CONTRACT.tables}

    def take(batch: Batch) -> None:
        assert batch.first == len(found[batch.table])
        found[batch.table] += batch.records

    try:
        for chunk in chunks:
            for batch in records.feed(chunk):
                take(batch)
        for batch in records.close():
            take(batch)
    except ExportMalformed as error:
        message = str(error)
        assert "\n" not in message and ("byte " in message or "lacks the table" in message), message
        return message
    return found


def expected(document: bytes) -> dict[str, Any] | None:
    """What json.loads makes of it; None where that is refused, or one of the exceptions that Records documents."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        text = document.decode("utf-8-sig")
        pairs = json.loads(text, parse_constant=refuse, object_pairs_hook=list)
        content = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return None
    keys = [key for key, _ in pairs] if isinstance(content, dict) else []
    if any(keys.count(table) != 1 or not isinstance(content[table], list) for table in CONTRACT.tables):
        return None
    return {table: content[table] for table in CONTRACT.tables}


def judge(table: str, records: list[Any]) -> None:
    together = CONTRACT.check(Batch(table, 0, records))
    assert together.read == len(records) == len(together.rows) + len(together.rejects)
    assert len(together.positions) == len(together.rows)
    for reject in together.rejects:
        assert "\n" not in str(reject).replace("\\n", "") or "\n" in str(records[reject.position])
        assert repr(json.loads(reject.record)) == repr(records[reject.position])
        str(reject).encode()
    # Half a surrogate pair is told here beside another reject, else by the database.
    alone = [place for place, record in enumerate(records) if CONTRACT.check(Batch(table, 0, [record])).rows]
    differing = set(alone) ^ set(together.positions)
    assert all("\\ud" in json.dumps(records[place]) for place in differing)


def one(data: bytes) -> None:
    at, document = data[1:4], data[4:]
    if kind := data[:1].rstrip(b"\0") and data[0] % 4:  # the contract is reached more often where a document is begun
        arrays = [document if number == kind else b"" for number in (1, 2, 3)]
        document = b'{"sessions":[%b],"events":[%b],"event_parents":[%b]}' % tuple(arrays)
    whole = read(iter([document]))
    assert repr(read(cuts(document, at))) == repr(whole)
    if not (0 in document[:4] or document[:2] in (b"\xff\xfe", b"\xfe\xff")):
        wanted = expected(document)
        assert (repr(whole) == repr(wanted)) if wanted is not None else isinstance(whole, str)
    if not isinstance(whole, str):
        for table, records in whole.items():
            judge(table, records)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=int, default=120, help="how long (default 120)")
    arguments.add_argument("--corpus", type=Path, help="a folder for inputs that reach new code")
    arguments.add_argument("--reproduce", type=Path, help="a file to run once")
    options = arguments.parse_args()
    if options.reproduce is not None:
        one(options.reproduce.read_bytes())
        return
    with tempfile.TemporaryDirectory() as folder:
        corpus = options.corpus or Path(folder, "corpus")
        corpus.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(SEEDS):
            (corpus / f"seed-{number}").write_bytes(bytes([number == 2, 16, 64, 128]) + seed)
        words = Path(folder, "words")
        words.write_text("".join(f'"{word.replace(chr(34), chr(92) + chr(34))}"\n' for word in WORDS))
        # libFuzzer ends the process itself, so the folder stays behind in the system's temporary one.
        atheris.Setup(
            [
                sys.argv[0], f"-max_total_time={options.seconds}", f"-dict={words}", "-max_len=4096", "-timeout=20",
                "-print_final_stats=1", str(corpus),
            ],
            one,
        )  # fmt: skip
        atheris.Fuzz()


if __name__ == "__main__":
    main()
