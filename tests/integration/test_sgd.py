"""Real conversations: three nights of exports made from the Schema-Guided Dialogue data set."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from aetl.config import Settings
from aetl.models import TableCounts
from aetl.pipeline import export, load
from tests.azurite import AzureContainer
from tests.exports import in_order
from tests.integration.databases import Kind, content


async def test_three_nights_from_azure(
    azure_container: AzureContainer, kind: Kind, sgd_exports: tuple[Path, Path, Path]
) -> None:
    newest: dict[str, dict[Any, Any]] = {"sessions": {}, "events": {}, "event_parents": {}}
    for path in sgd_exports:
        azure_container.upload(path.name, path.read_bytes())
        for table, records in json.loads(gzip.decompress(path.read_bytes())).items():
            newest[table] |= {each.get("id") or (each["child_id"], each["parent_id"]): each for each in records}
    settings = Settings(container=azure_container.url_with_sas("rlw"), database=kind.url)

    reports = await load(settings)
    assert [(report.blob, report.status) for report in reports] == [(path.name, "loaded") for path in sgd_exports]
    found = await content(kind)
    assert {table: len(records) for table, records in found.items()} == {
        "sessions": 2_098,
        "events": 38_768,
        "event_parents": 36_670,
    }
    assert found == in_order({table: list(records.values()) for table, records in newest.items()})
    assert await load(settings) == []

    name = await export(settings, gzip=True)
    written = json.loads(gzip.decompress(azure_container.client.download_blob(name).readall()))
    assert in_order(written) == found
    (again,) = await load(settings)
    assert again.tables == {table: TableCounts(len(each), 0, len(each)) for table, each in found.items()}

    (oldest,) = await load(settings, blob=sgd_exports[0].name)
    assert all(counts.unchanged == counts.read for counts in oldest.tables.values())
    assert await content(kind) == found
