"""The SQL file is held against the contract before anything is done with it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from aetl.contract import Contract
from aetl.database import statements
from aetl.database.sqlite import statements as sqlite_statements
from aetl.database.statements import in_key_order
from aetl.errors import ConfigurationError

Statements = sqlite_statements.Statements
COLUMNS = Contract.read().columns
SHIPPED: dict[str, Any] = yaml.safe_load(resources.files("aetl").joinpath("yaml/sql/sqlite.yaml").read_text("utf-8"))


def read_statements(path: Path | None = None, columns: Mapping[str, Sequence[str]] = COLUMNS) -> Statements:
    return statements.read_statements("sqlite", columns, path, sqlite_statements.read_table)


def with_change(tmp_path: Path, change: Callable[[Any], object]) -> Path:
    content = copy.deepcopy(SHIPPED)
    change(content)
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def test_the_shipped_file_and_the_shipped_contract_agree() -> None:
    found = read_statements()
    assert list(found.tables) == ["sessions", "events", "event_parents"]
    assert found.source == "yaml/sql/sqlite.yaml"
    assert {name: len(table.indexes) for name, table in found.tables.items()} == {
        "sessions": 0,
        "events": 2,
        "event_parents": 1,
    }


def test_a_copy_of_it_is_the_same(tmp_path: Path) -> None:
    own = read_statements(with_change(tmp_path, lambda content: None))
    shipped = read_statements()
    assert (own.tables, own.ledger, own.ledger_create) == (shipped.tables, shipped.ledger, shipped.ledger_create)


def test_a_file_without_a_ledger_takes_aetls_own(tmp_path: Path) -> None:
    own, shipped = read_statements(with_change(tmp_path, lambda it: it.pop("ledger"))), read_statements()
    assert (own.ledger, own.ledger_create) == (shipped.ledger, shipped.ledger_create)


def test_names_become_places_in_the_row() -> None:
    found = read_statements(columns={**COLUMNS, "sessions": ("meta", "id", "started_at")})
    assert "VALUES (?2, ?3, ?1)" in found.tables["sessions"].insert
    assert found.tables["sessions"].key == (1,)
    assert found.tables["events"].parents == {2: "SELECT EXISTS (SELECT 1 FROM sessions WHERE id = ?1)"}
    bare = found.tables["sessions"].bare
    assert bare is not None
    assert bare.insert.endswith("VALUES (?2, ?3, ?1)")
    assert bare.insert_many.startswith(f"{bare.insert}, (?5, ?6, ?4), ")
    assert bare.insert_many.count("(?") == bare.many > 1


@pytest.mark.parametrize("end", ["", "\n;", "\n ;\n", "\n;; -- x; y\n/* z\n;*/ --"], ids=ascii)
def test_the_key_orders_first_and_then_the_other_columns(tmp_path: Path, end: str) -> None:
    def change(content: Any) -> None:
        content["tables"]["sessions"] |= {
            "key": ["started_at", "id"],
            "place": None,
            "select": f"SELECT * FROM s -- all{end}",
        }

    table = read_statements(with_change(tmp_path, change)).tables["sessions"]
    head = "SELECT * FROM (\nSELECT * FROM s -- all\n) AS records ORDER BY "
    assert in_key_order(table.select, table.columns, ["started_at", "id"], "X") == (
        f'{head}"started_at" COLLATE X NULLS FIRST, "id" COLLATE X NULLS FIRST, "meta" COLLATE X NULLS FIRST'
    )
    assert in_key_order(table.select, table.columns, ["started_at", "id"], "X", {"id"}) == (
        f'{head}"started_at" NULLS FIRST, "id" COLLATE X NULLS FIRST, "meta" NULLS FIRST'
    )


def test_a_columns_name_is_quoted() -> None:
    ordered = in_key_order("SELECT", ("id", 'a"b', "c; --"), ["id"], "X", ())
    assert ordered.endswith('ORDER BY "id" NULLS FIRST, "a""b" NULLS FIRST, "c; --" NULLS FIRST')


def test_what_only_looks_like_a_name_stays(tmp_path: Path) -> None:
    def change(content: Any) -> None:
        content["tables"]["sessions"]["insert"] = "SELECT '12:30', '%H:%M', x::text, :id, :started_at, :meta, :id"

    found = read_statements(with_change(tmp_path, change))
    assert found.tables["sessions"].insert == "SELECT '12:30', '%H:%M', x::text, ?1, ?2, ?3, ?1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda it: it.update(ledger=[]), "'ledger' must be a mapping"),
        (lambda it: it.pop("tables"), "must hold 'tables'"),
        (lambda it: it.update(tables=[]), "must hold 'tables'"),
        (lambda it: it["tables"].pop("events"), "the SQL file lacks the table 'events' of the schema file"),
        (lambda it: it["tables"].update(more={}), "the schema file lacks the table 'more' of the SQL file"),
        (lambda it: it["tables"].update(events=3), "tables/events must be a mapping"),
        (lambda it: it["tables"]["events"].pop("select"), "tables/events/select must be a text"),
        (lambda it: it["tables"]["events"].update(create=["x"]), "tables/events/create must be a text"),
        (lambda it: it["tables"]["events"].pop("key"), "tables/events/key must be a list of texts"),
        (lambda it: it["tables"]["events"].update(key=[]), "tables/events/key must be a list of texts"),
        (lambda it: it["tables"]["events"].update(key=["nr"]), "tables/events/key names 'nr'"),
        (lambda it: it["tables"]["events"].update(indexes="x"), "tables/events/indexes must be a list of texts"),
        (
            lambda it: it["tables"]["sessions"].update(upsert="SELECT :id, :meta"),
            "upsert and the schema file differ in started_at",
        ),
        (
            lambda it: it["tables"]["sessions"].update(insert="SELECT :id, :meta, :started_at, :nr"),
            "insert and the schema file differ in nr",
        ),
        (lambda it: it["tables"]["events"].update(parents={"nr": "SELECT 1"}), "parents must be a mapping of columns"),
        (lambda it: it["tables"]["events"].update(parents={"session_id": 1}), "parents/session_id must be a text"),
        (lambda it: it["ledger"].pop("pending"), "ledger/pending must be a text"),
        (lambda it: it["ledger"].update(create=[]), "ledger/create must be a list of texts"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused_with_the_place(
    tmp_path: Path, change: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_statements(with_change(tmp_path, change))
    assert message in str(caught.value)
    assert "own.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        (b"tables: [", "cannot be read: line 1 is not YAML"),
        (b"\xff\xfe", "cannot be read: it is not UTF-8"),
        (b"a: \x07", "cannot be read: it is not YAML"),
        (b"- 1", "cannot be used: it must hold"),
        (b"", "cannot be used: it must hold"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "own.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=rf"own\.yaml {message}"):
        read_statements(path)


@pytest.mark.parametrize("name", ["_aetl_loads", "_AETL_Rejects"])
def test_no_table_may_be_aetls_own(name: str, tmp_path: Path) -> None:
    path = with_change(tmp_path, lambda it: it["tables"].update({name: it["tables"].pop("sessions")}))
    columns = {name: COLUMNS["sessions"], **{each: COLUMNS[each] for each in COLUMNS if each != "sessions"}}
    with pytest.raises(ConfigurationError, match=f"{name}.* aetl's own"):
        read_statements(path, columns)
