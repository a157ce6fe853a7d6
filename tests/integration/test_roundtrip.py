"""Whatever records are loaded, an export of the database is what was loaded."""

from __future__ import annotations

import gzip
import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from aetl.config import Settings
from aetl.pipeline import digest, export, load
from tests.digests import expected
from tests.exports import Record, encode, in_order, write
from tests.integration.databases import Kind

TEXT = st.text(max_size=12) | st.text("\"'\\\0\n{}[],:é\u2028\U0001f600", max_size=8)
TIME = st.sampled_from(["", "Z", "+05:30"]).flatmap(
    lambda offset: st.datetimes().map(lambda at: at.isoformat() + offset)
)
NULLABLE = st.none() | TEXT
SESSION = st.fixed_dictionaries({"id": TEXT, "started_at": TIME, "meta": NULLABLE})
EVENT = st.fixed_dictionaries(
    {
        "id": TEXT,
        "ts": TIME,
        "session_id": TEXT,
        "round": st.none() | st.integers(-(2**63), 2**63 - 1),
        "kind": TEXT,
        "role": TEXT,
        "content": TEXT,
        "raw_text": NULLABLE,
        "meta": NULLABLE,
    }
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, list[Record]]:
    """Documents that refer only to what they hold, their arrays in any order."""
    sessions = draw(st.lists(SESSION, max_size=5, unique_by=lambda each: each["id"]))
    ids = [each["id"] for each in sessions]
    events = draw(st.lists(EVENT, max_size=8, unique_by=lambda each: each["id"])) if sessions else []
    for each in events:
        each["session_id"] = draw(st.sampled_from(ids))
    turns = [each["id"] for each in events]
    pair = st.fixed_dictionaries({"child_id": st.sampled_from(turns), "parent_id": st.sampled_from(turns)})
    pairs = (
        draw(st.lists(pair, max_size=8, unique_by=lambda each: (each["child_id"], each["parent_id"]))) if turns else []
    )
    tables: list[tuple[str, list[Any]]] = [("sessions", sessions), ("events", events), ("event_parents", pairs)]
    return dict(draw(st.permutations(tables)))


PARTS = 4
"""So many tests are made of this one, which any worker may take."""


@pytest.mark.parametrize("part", range(PARTS))
# The functions' own fixtures are shared by all examples: each takes a folder for itself.
@settings(
    max_examples=max(60, settings().max_examples // 4) // PARTS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@given(document=documents(), compress=st.booleans(), indent=st.sampled_from([None, 2]))
async def test_an_export_of_what_was_loaded_is_what_was_loaded(
    kind: Kind, part: int, document: dict[str, list[Record]], compress: bool, indent: int | None
) -> None:
    if kind.differs("no NUL"):
        assume(r"\u0000" not in json.dumps(document))
        kind.query("DROP TABLE IF EXISTS event_parents, events, sessions, _aetl_rejects, _aetl_loads")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        container = Path(folder, "container")
        suffix = ".gz" if compress else ""
        write(container, 0, encode(document, compress=compress, indent=indent), suffix=suffix)
        options = Settings(
            container=str(container), database=kind.url if kind.dialect != "sqlite" else str(Path(folder, "local.db"))
        )
        (report,) = await load(options)
        assert (report.status, report.rejected) == ("loaded", 0)
        name = await export(options, gzip=compress)
        data = (container / name).read_bytes()
        assert in_order(json.loads(gzip.decompress(data) if compress else data)) == in_order(document)
        (again,) = await load(options)
        assert all(counts.unchanged == counts.read for counts in again.tables.values())
        copy = replace(options, database=str(Path(folder, "copy.db")))
        assert all(report.rejected == 0 for report in await load(copy))
        assert asdict(await digest(copy)) == asdict(await digest(options)) == expected(document)
