"""A SAS is read, never judged."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetl.container.sas import SAS, read_sas


@pytest.mark.parametrize("mark", ["", "?"])
def test_a_whole_sas(mark: str) -> None:
    token = f"{mark}st=2025-01-01T00%3A00%3A00Z&se=2025-06-30T12%3A00%3A00Z&sp=rl&sv=2022-11-02&sr=c&sig=ab%2Bc%3D"
    assert read_sas(token) == SAS(
        True, datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 6, 30, 12, tzinfo=UTC), frozenset("rl"), "a container"
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-06-30", datetime(2025, 6, 30, tzinfo=UTC)),
        ("2025-06-30T12:00Z", datetime(2025, 6, 30, 12, tzinfo=UTC)),
        ("2025-06-30T12:00:00.1234567Z", datetime(2025, 6, 30, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2025-06-30T12:00:00%2B02:00", datetime(2025, 6, 30, 10, tzinfo=UTC)),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_times_are_in_utc_and_may_lack_their_clock(text: str, moment: datetime | None) -> None:
    assert read_sas(f"se={text}&sig=x").expiry == moment


@pytest.mark.parametrize("token", ["", "?", "si=policy&sig=abc", "sig=", "nonsense", "&&=&"])
def test_what_a_sas_does_not_say_is_none(token: str) -> None:
    sas = read_sas(token)
    assert (sas.start, sas.expiry, sas.permissions) == (None, None, None)
    assert sas.is_signed == ("sig=abc" in token)


@given(st.text())
def test_no_text_makes_it_fail(token: str) -> None:
    read_sas(token)
