"""The bytes that are hashed: one for each content, equal whatever a database made of numbers, different otherwise."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aetl.hashing import TableHash, canonical, digest_of_all
from aetl.models import Row, TableDigest
from tests.digests import as_lines, sha256

VALUE = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.text('"\\/\b\f\n\r\t\0\x1f\x7f[],é\u2028\ufffe\U0001f600', max_size=8)
)
ROWS = st.lists(st.tuples(VALUE, VALUE), max_size=8)


def of(*rows: Row, columns: tuple[str, ...] = ("a", "b")) -> str:
    table = TableHash(columns)
    table.add(rows)
    return table.digest().sha256


@given(rows=ROWS)
@example(rows=[(1e16, 1e-7), (1e300, -(2.0**63)), (2.0**63, 5e-324), (0.1, -0.0)])
def test_the_bytes_are_those_of_json(rows: list[Row]) -> None:
    assert canonical(rows) == as_lines(rows)
    assert of(*rows) == sha256([("a", "b"), *rows])


@given(rows=ROWS, cuts=st.lists(st.integers(0, 8)))
def test_the_pieces_make_no_difference(rows: list[Row], cuts: list[int]) -> None:
    table = TableHash(("a", "b"))
    for start, end in itertools.pairwise([0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]):
        table.add(rows[start:end])
    assert table.digest() == TableDigest(len(rows), of(*rows))


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), (0, -0.0), (-5, -5.0), (2**53, 2.0**53), (-(2**63), -(2.0**63)), (10**18, 1e18)],
)
def test_a_number_is_hashed_by_its_value(one: int, other: float) -> None:
    assert of((one, "x")) == of((other, "x"))


DIFFERENT: list[Any] = [
    *(None, True, False, 0, 1, -1, 0.1, 1.5, 10, 1e300, 2**53 - 1, 2**53 + 1, 2.0**53, 2**63 - 1, 2.0**63),
    *(float("inf"), float("-inf"), 5e-324),
    *("", " ", "null", "None", "true", "false", "0", "1", "1.0", "0.1", "Infinity", "a", "A", "a ", "a\n", "a\0"),
    *("\0", "\\u0000", "\\0", '"', '\\"', "[]", "é", "e\u0301", "\u00a0", "\ufeff"),
]


def test_no_two_values_are_the_same() -> None:
    digests = {of((value, "x")) for value in DIFFERENT} | {of(("x", value)) for value in DIFFERENT}
    assert len(digests) == 2 * len(DIFFERENT)


@given(rows=st.lists(st.tuples(VALUE, VALUE), min_size=1, max_size=6), data=st.data())
def test_any_change_of_one_value_changes_it(rows: list[Row], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, 1))
    value = data.draw(VALUE.filter(lambda each: not is_same(each, rows[place][column])))
    row = tuple(value if at == column else old for at, old in enumerate(rows[place]))
    assert of(*rows[:place], row, *rows[place + 1 :]) != of(*rows)


def is_same(one: Any, other: Any) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


@pytest.mark.parametrize(
    ("rows", "others"),
    [
        ([("ab", "c")], [("a", "bc")]),
        ([("a", "b"), ("c", "d")], [("a", "b")]),
        ([("a", "b"), ("c", "d")], [("c", "d"), ("a", "b")]),
        ([("a", "b"), ("a", "b")], [("a", "b")]),
        ([("a", "b")], []),
        ([('a","b', "c")], [("a", 'b","c')]),
        ([('a"]\n["b', "c")], [("a", "b"), ("b", "c")]),
    ],
)
def test_where_a_value_and_a_record_end_makes_a_difference(rows: list[Row], others: list[Row]) -> None:
    assert of(*rows) != of(*others)


def test_the_columns_make_a_difference() -> None:
    assert len({of(("x", "y"), columns=columns) for columns in [("a", "b"), ("b", "a"), ("a", "c")]}) == 3


def test_all_tables_together_have_a_digest_that_does_not_hang_on_their_order() -> None:
    one, other = TableDigest(2, "11"), TableDigest(0, "22")
    found = digest_of_all({"b": one, "a": other})
    assert (found.rows, found.sha256) == (2, sha256([("a", 0, "22"), ("b", 2, "11")]))
    assert found.sha256 == digest_of_all({"a": other, "b": one}).sha256
    assert found.sha256 != digest_of_all({"a": one, "b": other}).sha256
    assert list(found.tables) == ["b", "a"]


def test_json_could_be_read_again() -> None:
    row = ("é\n", None, True, 7, 2.5)
    assert json.loads(canonical([row])) == list(row)
