"""What differs between a contract's tables and those that are there: what is changed, refused, or only told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from aetl.contract.tables import Column, ColumnType, Reference, Table
from aetl.database.changes import Change, Differences, FoundColumn, FoundTable, compare
from aetl.errors import TablesDiffer
from aetl.sql import Statements, read_dialect

PARENT = Table("p", "p", (Column("id", "id", "text", is_mandatory=True, admits_null=False),), ("id",))
TABLE = Table(
    "t",
    "t",
    (
        Column("id", "id", "text", is_mandatory=True, admits_null=False),
        Column("n", "n", "integer", is_mandatory=False, admits_null=True),
        Column("of", "of", "text", is_mandatory=False, admits_null=True),
    ),
    ("id",),
    (Reference("of", "p", "id"),),
    (("n", "id"), ("of",)),
)
TEXT = FoundColumn("TEXT", {"text", "json"}, is_mandatory=True, has_default=False)
WHOLE = FoundColumn("BIGINT", {"integer"}, is_mandatory=False, has_default=False)
THERE = FoundTable(
    {"id": TEXT, "n": WHOLE, "of": replace(TEXT, is_mandatory=False)},
    ("id",),
    {frozenset({"id"})},
    {"one": ("n", "id"), "two": ("of",)},
)
PARENT_THERE = FoundTable({"id": TEXT}, ("id",), {frozenset({"id"})})


def statements(*tables: Table, sql: Path | None = None) -> Statements:
    by_name = {table.name: table for table in (PARENT, *tables)}
    return Statements(read_dialect("sqlite", by_name, sql), by_name)


def differences(table: Table, there: FoundTable | None, sql: Path | None = None) -> Differences:
    found = {"p": PARENT_THERE} | ({"t": there} if there is not None else {})
    return compare(statements(table, sql=sql), found)


def with_column(column: Column, at: int = 3) -> Table:
    return replace(TABLE, columns=(*TABLE.columns[:at], column, *TABLE.columns[at:]))


def test_what_is_alike_is_left_alone() -> None:
    found = differences(TABLE, THERE)
    assert found == Differences([], [], [])
    found.refuse(statements(TABLE), may_change=False)


@pytest.mark.parametrize(
    ("table", "there", "change", "statement"),
    [
        (TABLE, None, "table t: added", None),
        (
            with_column(Column("m", "m", "text", is_mandatory=False, admits_null=False)),
            THERE,
            "table t: added the column m",
            "ALTER TABLE `t` ADD COLUMN `m` TEXT",
        ),
        (
            with_column(Column("m", "m", "integer", is_mandatory=True, admits_null=False, default=7)),
            THERE,
            "table t: added the column m",
            "ALTER TABLE `t` ADD COLUMN `m` BIGINT NOT NULL DEFAULT 7",
        ),
        (
            with_column(Column("m", "m", "text", is_mandatory=True, admits_null=False)),
            replace(THERE, is_empty=True),
            "table t: added the column m",
            "ALTER TABLE `t` ADD COLUMN `m` TEXT NOT NULL",
        ),
        (
            TABLE,
            replace(THERE, columns={"id": TEXT, "n": WHOLE}, indexes={"x": ("n", "id"), "y": ("of",)}),
            "table t: added the column of",
            "ALTER TABLE `t` ADD COLUMN `of` TEXT REFERENCES `p` (`id`) ON DELETE CASCADE",
        ),
        (
            TABLE,
            replace(THERE, indexes={"x": ("id", "n"), "y": ("of",)}),
            "table t: added an index of n, id",
            "CREATE INDEX `t_n_id` ON `t` (`n`, `id`)",
        ),
    ],
)
def test_what_can_be_added_is_and_that_is_said(
    table: Table, there: FoundTable | None, change: str, statement: str | None
) -> None:
    found = differences(table, there)
    (only,) = found.changes
    assert (found.refusals, only.done) == ([], change)
    own = statements(table)
    assert only.statement(own) == (own.of("t", "create") if statement is None else statement)
    found.refuse(own, may_change=True)
    with pytest.raises(TablesDiffer) as caught:
        found.refuse(own, may_change=False)
    assert only.whole(own) in caught.value.hint and "\n" not in caught.value.hint


def test_an_index_is_told_by_its_columns_and_not_by_its_name() -> None:
    assert differences(TABLE, replace(THERE, indexes={"x": ("of",), "y": ("n", "id"), "z": ("of",)})).changes == []
    assert differences(replace(TABLE, indexes=(("id",), ("n",), ("n",))), THERE).changes == [Change("t", index=("n",))]


def of_type(type_: ColumnType, *, is_mandatory: bool = False) -> Table:
    other = Column("n", "n", type_, is_mandatory=is_mandatory, admits_null=not is_mandatory)
    return replace(TABLE, columns=(TABLE.columns[0], other, TABLE.columns[2]))


KEYLESS = replace(THERE, primary_key=(), keys=set())
REFUSED: Sequence[tuple[Table, FoundTable, str, str]] = [
    (of_type("text"), THERE, "the column n is BIGINT, and by the contract text", "`n` TEXT"),
    (
        of_type("integer"),
        replace(THERE, columns={**THERE.columns, "n": replace(WHOLE, is_mandatory=True)}),
        "the column n is NOT NULL, and by the contract it may be missing or null",
        "`n` BIGINT, ",
    ),
    (
        with_column(Column("m", "m", "text", is_mandatory=True, admits_null=False)),
        THERE,
        "the column m is missing, and by the contract no record may be without it, nor has it a default",
        "ALTER TABLE `t` ADD COLUMN `m` TEXT",
    ),
    (
        TABLE,
        replace(THERE, primary_key=("id", "n"), keys={frozenset({"id", "n"})}),
        "its key is id, n, and by the contract it is id",
        "PRIMARY KEY (`id`)",
    ),
    (TABLE, KEYLESS, "it has no key, and by the contract it is id", "PRIMARY KEY (`id`)"),
    (
        TABLE,
        replace(THERE, columns={**THERE.columns, "more": TEXT}),
        "the column more is NOT NULL without a default, and the contract does not know it",
        "ADD COLUMN `more` TEXT; ",
    ),
]


@pytest.mark.parametrize(("table", "there", "reason", "sql"), REFUSED, ids=[each[2] for each in REFUSED])
def test_what_only_people_can_decide_is_refused_with_the_sql(
    table: Table, there: FoundTable, reason: str, sql: str
) -> None:
    found = differences(table, there)
    (only,) = found.refusals
    assert str(only) == f"table t: {reason}"
    assert sql in only.sql and "\n" not in only.sql
    with pytest.raises(TablesDiffer, match=r"the contract's: table t: ") as caught:
        found.refuse(statements(table), may_change=True)
    assert caught.value.exit_code == 5 and caught.value.ends_run
    assert only.sql in caught.value.hint


def test_the_first_of_several_is_told_with_their_number() -> None:
    with pytest.raises(TablesDiffer, match=r"table t: the column n is BIGINT.*\(1 more: `aetl check` tells all\)"):
        differences(of_type("text"), KEYLESS).refuse(statements(TABLE), may_change=True)


def test_any_key_will_do_that_tells_records_apart() -> None:
    there = replace(THERE, primary_key=("n",), keys={frozenset({"id"}), frozenset({"n"})})
    assert differences(TABLE, there).refusals == []


def test_what_the_contract_does_not_know_stays_and_is_told() -> None:
    there = replace(
        THERE,
        columns={**THERE.columns, "more": WHOLE, "own": replace(TEXT, has_default=True)},
        indexes={**THERE.indexes, "own_index": ("own",)},
    )
    found = differences(TABLE, there)
    assert (found.changes, found.refusals) == ([], [])
    assert found.remarks == [
        "table t: the column more is none of the contract's; it stays, NULL in new records",
        "table t: the column own is none of the contract's; it stays, its default in new records",
        "table t: the index own_index is none of the contract's; it stays",
    ]


def test_who_writes_a_tables_create_answers_for_its_types(tmp_path: Path) -> None:
    sql = tmp_path / "own.yaml"
    sql.write_text("tables: {t: {create: 'CREATE TABLE t (id, n, of)'}}")
    strict = replace(THERE, columns={**THERE.columns, "n": replace(TEXT, type="uuid")})
    assert differences(TABLE, strict, sql).refusals == []
    (only,) = differences(TABLE, KEYLESS, sql).refusals
    assert only.sql == ""
