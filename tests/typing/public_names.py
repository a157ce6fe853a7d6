"""What a type checker makes of the public names: mypy reads this, nothing runs it.

`warn_unused_ignores` holds each expected error: where mypy no longer reports it, the comment is an error itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import assert_type

import aetl


async def what_is_right() -> None:
    settings = aetl.read_settings(
        Path("own.yaml"),
        {"CHAT_DB_URL": "local.db"},
        container=Path("exports"),
        sas=None,
        connection_string="AccountName=a",
        database="local.db",
        schema="schema.json",
        sql=Path("sql.yaml"),
        log_file="global.log",
        log_level="debug",
        log_format="json",
        timeout=30,
        retries=4,
        pause=0.5,
    )
    assert_type(settings, aetl.Settings)
    assert_type(settings.container, str | None)
    assert_type(settings.timeout, float)
    assert_type(settings.schema, Path | None)
    reports = await aetl.load(settings, latest=True, max_rejects=None)
    assert_type(reports, list[aetl.LoadReport])
    assert_type(reports[0].tables, Mapping[str, aetl.TableCounts])
    assert_type(await aetl.export(settings, gzip=True), str)
    digest = await aetl.digest(settings)
    assert_type(digest, aetl.DatabaseDigest)
    assert_type(digest.tables, Mapping[str, aetl.TableDigest])
    state = await aetl.status(settings, 5)
    assert_type(state, aetl.State)
    assert_type(state.last_success, datetime | None)
    assert_type(state.waiting, Sequence[aetl.Export] | None)
    assert_type(await aetl.check(settings), list[aetl.Finding])
    assert_type(await aetl.simulate(settings, sessions=20), list[aetl.LoadReport])
    try:
        raise aetl.LoadRunning("x")
    except aetl.AetlError as error:
        assert_type(error.exit_code, int)
        assert_type(error.hint, str)


async def what_is_wrong(settings: aetl.Settings) -> None:
    aetl.read_settings(contaner="exports")  # type: ignore[call-arg]
    aetl.read_settings(retries="4")  # type: ignore[arg-type]
    aetl.read_settings(log_format="xml")  # type: ignore[arg-type]
    aetl.Settings(contaner="exports")  # type: ignore[call-arg]
    settings.container = "exports"  # type: ignore[misc]
    await aetl.load(settings, max_reject=0)  # type: ignore[call-arg]
    await aetl.load("exports")  # type: ignore[arg-type]
    aetl.no_such_name  # type: ignore[attr-defined]  # noqa: B018 - mypy alone reads it
