"""What is said to fit, COPY takes; the rest is mended, refused with its place, or left to the server."""

from __future__ import annotations

from typing import Any

import pytest

from aetl.database.postgresql_fit import Column, Unfit, all_fit, fit

NUL = "holds U+0000, which PostgreSQL cannot keep in a text"
HALF = "holds half of a surrogate pair, which is no Unicode text"


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("text", ""),
        ("text", "größe \U0001f600"),
        ("text", None),
        ("bigint", -(2**63)),
        ("bigint", 2**63 - 1),
        ("bigint", None),
        ("double precision", -0.5),
        ("boolean", False),
    ],
)
def test_what_a_column_takes_fits_as_it_is(type_: str, value: Any) -> None:
    columns = [Column("id", "text", True), Column("of", type_, False)]
    rows = [("a", value), ("b", None), ("c", value)]
    assert all_fit(columns, rows)
    assert [fit(columns, row) for row in rows] == rows


@pytest.mark.parametrize(
    ("type_", "value", "found"),
    [
        ("text", "a\0b", Unfit("/of", NUL)),
        ("text", "\ud800", Unfit("/of", HALF)),
        ("", "a\0b", Unfit("/of", NUL)),
        ("bigint", 2.0, 2),
        ("bigint", 2.5, 2.5),
        ("bigint", 2**63, 2**63),
        ("bigint", True, True),
        ("text", 5, 5),
        ("boolean", 1, 1),
        ("double precision", 10**400, 10**400),
        ("", "anything", "anything"),
        ("jsonb", "{}", "{}"),
    ],
)
def test_what_a_column_may_not_take_does_not_fit(type_: str, value: Any, found: Any) -> None:
    columns = [Column("id", "text", True), Column("of", type_, False)]
    assert not all_fit(columns, [("a", None), ("b", value)])
    assert fit(columns, ("b", value)) == (found if isinstance(found, Unfit) else ("b", found))
    mended = fit(columns, ("b", value))
    assert isinstance(mended, Unfit) or type(mended[1]) is type(found)


def test_nothing_does_not_fit_where_something_is_required() -> None:
    assert not all_fit([Column("id", "text", True)], [("a",), (None,)])


def test_no_rows_fit_anywhere() -> None:
    assert all_fit([Column("id", "", True)], [])
