"""What a contract may not say is refused with the place where it stands, and with what to do about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from aetl.contract import Contract
from aetl.errors import ConfigurationError

STRING = {"type": "string"}
KEY = {"k": {"type": "integer"}}
DRAFT_2020_12 = "https://json-schema.org/draft/2020-12/schema"


def table(
    columns: Mapping[str, Any] | None = None,
    items: Mapping[str, Any] | None = None,
    beside: Mapping[str, Any] | None = None,
) -> Any:
    """A table with the key `k` and these columns, all required; `beside` stands beside `items`."""
    properties = {**KEY, **(columns or {})}
    record = {"type": "object", "required": list(properties), "properties": properties}
    return {"type": "array", "x-key": ["k"], "items": {**record, **(items or {})}, **(beside or {})}


def contract(*, more: Mapping[str, Any] | None = None, **tables: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(tables), "properties": tables, **(more or {})}


def of(
    columns: Mapping[str, Any] | None = None,
    items: Mapping[str, Any] | None = None,
    beside: Mapping[str, Any] | None = None,
) -> Any:
    """A contract with the one table t."""
    return contract(t=table(columns, items, beside))


def refusal(schema: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Contract(schema, "own.json")
    message = str(caught.value)
    assert message.startswith("the schema file own.json cannot be used: /")
    assert "\n" not in message
    return message.removeprefix("the schema file own.json cannot be used: ")


COLUMNS = "/properties/t/items/properties/"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "/: [] is not of type 'object', 'boolean'"),
        (True, "/: must describe an object"),
        ({}, "/: must describe an object"),
        ({"type": "array"}, "/: must describe an object"),
        ({"type": "object", "properties": {}}, "/: must describe an object"),
        ({"type": "objekt"}, "/type: "),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "/$schema: of JSON Schema, draft-07 and 2020-12 are"),
        ({"$schema": 7}, "/$schema: "),
        (contract(t={"type": "object"}), "/properties/t: must be an array"),
        (contract(t=True), "/properties/t: must be an array"),
        (contract(t={"type": "array", "items": {"type": "object"}}), "/properties/t: must be an array"),
        (contract(t={"type": "array", "items": [{"type": "object"}]}), "/properties/t: must be an array"),
        (of({"a": False}), f"{COLUMNS}a: false lets no value pass"),
        (of({"a\ud800": STRING}, {"required": ["k"]}), f"{COLUMNS}a\\ud800: holds half of a surrogate pair"),
        (of({"a": {**STRING, "description": "\ud800"}}), f"{COLUMNS}a/description: holds half of a surrogate pair"),
        (of({"a": {"maximum": float("inf")}}), f"{COLUMNS}a/maximum: is a larger number"),
        ({**of(), "required": ["u"]}, "/required: 'u' is not described under 'properties'"),
        ({**of(), "additionalProperties": False}, "/additionalProperties: must be true"),
        ({**of(), "minProperties": 1}, "/minProperties: 'minProperties' is not supported"),
        (of(beside={"minItems": 1}), "/properties/t/minItems: 'minItems' is not supported here"),
    ],
)
def test_a_contract_describes_an_object_with_arrays_of_objects(bad: Any, message: str) -> None:
    assert refusal(bad).startswith(message)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (of({"a": {**STRING, "pattern": "("}}), f"{COLUMNS}a/pattern: '(' is not a regular"),
        (of({"a": {**STRING, "pattern": "a\\Z"}}), f"{COLUMNS}a/pattern: 'a\\\\Z' is not a regular"),
        (of(items={"propertyNames": {"pattern": "(?i)a"}}), "/properties/t/items/propertyNames/pattern: "),
        (of(items={"patternProperties": {"(": True}}), "/properties/t/items/patternProperties/(: "),
        (of({"a": {**STRING, "format": "email"}}), f"{COLUMNS}a/format: of the formats only date-time and date are"),
        (of({"a": {"items": {"format": "uri"}}}), f"{COLUMNS}a/items/format: of the formats only"),
        (of({"a": {**STRING, "maxLenght": 3}}), f"{COLUMNS}a/maxLenght: 'maxLenght' is not supported here"),
        (of({"a": {**STRING, "contentEncoding": "base64"}}), f"{COLUMNS}a/contentEncoding: "),
        (of({"a": {"items": {"properties": {"b": {"foo": 1}}}}}), f"{COLUMNS}a/items/properties/b/foo: "),
        (of({"a": {"not": {"anyOf": [True, {"foo": 1}]}}}), f"{COLUMNS}a/not/anyOf/1/foo: "),
        (of(items={"dependencies": {"a": {"foo": True}}}), "/properties/t/items/dependencies/a/foo: "),
        (of({"a": {"$id": "http://x/"}}), f"{COLUMNS}a/$id: '$id' is only supported at the top"),
        (of({"a": {"$schema": DRAFT_2020_12}}), f"{COLUMNS}a/$schema: '$schema' is only supported at the top"),
        (of({"a": {"items": {"unevaluatedItems": False}}}), f"{COLUMNS}a/items/unevaluatedItems: "),
        (
            of({"a": {"prefixItems": [STRING]}}),
            f"{COLUMNS}a/prefixItems: 'prefixItems' is of 2020-12, and this contract of draft-07: '$schema' says which",
        ),
        (
            {**of(items={"dependencies": {}}), "$schema": DRAFT_2020_12},
            "/properties/t/items/dependencies: 'dependencies' is of draft-07, and this contract of 2020-12",
        ),
        ({**of({"a": {"items": [STRING]}}), "$schema": DRAFT_2020_12}, f"{COLUMNS}a/items: "),
    ],
)
def test_a_keyword_that_records_are_not_held_to_is_refused(bad: Any, message: str) -> None:
    assert refusal(bad).startswith(message)


def referring(reference: str, **definitions: Any) -> Any:
    return {**of({"a": {"$ref": reference}}), "definitions": definitions, "$defs": definitions}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (referring("http://127.0.0.1:9/"), f"{COLUMNS}a/$ref: 'http://127.0.0.1:9/' is not supported"),
        (referring("#"), f"{COLUMNS}a/$ref: '#' is not supported: a reference begins with '#/definitions/'"),
        (referring("#/properties/t"), f"{COLUMNS}a/$ref: "),
        (referring("#/definitions/b"), f"{COLUMNS}a/$ref: '#/definitions/b' leads to nothing in this file"),
        (referring("#/definitions/b/type/x", b=STRING), f"{COLUMNS}a/$ref: "),
        (referring("#/definitions/b", b={"$ref": "#/definitions/b"}), "/definitions/b/$ref: leads back to itself"),
        (
            referring("#/definitions/b", b={"$ref": "#/$defs/c"}, c={"$ref": "#/definitions/b"}),
            "/$defs/c/$ref: leads back to itself, so that it has no type",
        ),
        (referring("#/definitions/b", b={"type": "strng"}), "/definitions/b/type: "),
        (referring("#/$defs/b", b={"type": "strng"}), "/definitions/b/type: "),
        ({**of({"a": {"$ref": "#/$defs/b"}}), "$defs": {"b": {"type": "strng"}}}, "/$defs/b/type: "),
        (referring("#/definitions/b", b={"format": "uri"}), "/definitions/b/format: of the formats only"),
        (
            {**of({"a": {"$ref": "#/$defs/b", "maxLength": 3}}), "$defs": {"b": STRING}},
            f"{COLUMNS}a/maxLength: 'maxLength' does not count beside '$ref': write it where that leads to",
        ),
        (
            {**contract(t={"$ref": "#/$defs/t", "minItems": 3}), "$defs": {"t": table()}},
            "/properties/t/minItems: 'minItems' is not supported here",
        ),
        (
            {**contract(t={"$ref": "#/$defs/t"}), "$defs": {"t": {"$ref": "#/$defs/t"}}},
            "/$defs/t/$ref: leads back to itself",
        ),
        ({**contract(t={"$ref": "#/$defs/t"}), "$defs": {"t": table(beside={"x-key": ["b"]})}}, "/$defs/t/x-key/0: "),
        (
            {"$ref": "#/definitions/all", "definitions": {"all": contract(t=table(beside={"x-key": []}))}},
            "/definitions/all/",
        ),
    ],
)
def test_what_a_reference_means_is_refused_where_it_stands(bad: Any, message: str) -> None:
    assert refusal(bad).startswith(message)


NOTES = table({"s": STRING})


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (of(beside={"x-tabel": "u"}), "/properties/t/x-tabel: 'x-tabel' is unknown: did you mean 'x-table'?"),
        (of({"a": {**STRING, "x-colum": "b"}}), f"{COLUMNS}a/x-colum: 'x-colum' is unknown: did you mean 'x-column'?"),
        (
            of({"a": {**STRING, "x-foo": 1}}),
            f"{COLUMNS}a/x-foo: 'x-foo' is unknown: of the keywords that begin with x-",
        ),
        ({**of(), "x-foo": 1}, "/x-foo: 'x-foo' is unknown"),
        (of(items={"x-key": ["k"]}), "/properties/t/items/x-key: 'x-key' belongs beside the array's \"items\""),
        (of({"a": {**STRING, "x-key": ["k"]}}), f"{COLUMNS}a/x-key: 'x-key' belongs beside the array's"),
        (of(beside={"x-skip": True}), "/properties/t/x-skip: 'x-skip' belongs in a property of its records"),
        (of({"a": {"items": {"x-skip": True}}}), f"{COLUMNS}a/items/x-skip: 'x-skip' belongs in a property"),
        (of(beside={"x-key": "k"}), "/properties/t/x-key: 'k' is not of type 'array'"),
        (of(beside={"x-key": []}), "/properties/t/x-key: [] should be non-empty"),
        (of(beside={"x-key": ["k", "k"]}), "/properties/t/x-key: ['k', 'k'] has non-unique elements"),
        (of(beside={"x-key": [1]}), "/properties/t/x-key/0: 1 is not of type 'string'"),
        (of(beside={"x-indexes": ["k"]}), "/properties/t/x-indexes/0: 'k' is not of type 'array'"),
        (of(beside={"x-indexes": [[]]}), "/properties/t/x-indexes/0: [] should be non-empty"),
        (of(beside={"x-table": 1}), "/properties/t/x-table: 1 is not of type 'string'"),
        (of({"a": {**STRING, "x-skip": "yes"}}), f"{COLUMNS}a/x-skip: 'yes' is not of type 'boolean'"),
        (of({"a": {"type": "integer", "x-epoch": "min"}}), f"{COLUMNS}a/x-epoch: 'min' is not one of ['s', 'ms'"),
        (
            {**of({"a": {"$ref": "#/$defs/a"}}), "$defs": {"a": {**STRING, "x-foo": 1}}},
            "/$defs/a/x-foo: 'x-foo' is unknown",
        ),
    ],
)
def test_a_misspelt_keyword_or_a_wrong_value_is_refused(bad: Any, message: str) -> None:
    assert refusal(bad).startswith(message)


def keyed_by(column: Mapping[str, Any], required: tuple[str, ...] = ("a",)) -> Any:
    return of({"a": column}, {"required": list(required)}, beside={"x-key": ["a"]})


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            contract(t={"type": "array", "items": {"type": "object", "required": ["k"], "properties": KEY}}),
            "/properties/t: 'x-key' is missing: name the columns that tell one record from another (of 'k')",
        ),
        (of(beside={"x-key": ["b"]}), "/properties/t/x-key/0: there is no column 'b' in t: it has 'k'"),
        (
            of({"a": {**STRING, "x-column": "b"}}, beside={"x-key": ["k", "a"]}),
            "/properties/t/x-key/1: there is no column 'a' in t: it has 'k', 'b'",
        ),
        (keyed_by(STRING, ()), "/properties/t/x-key/0: 'a' is not required"),
        (keyed_by({"type": ["string", "null"]}), "/properties/t/x-key/0: 'a' may be null"),
        (keyed_by({"type": "object"}), "/properties/t/x-key/0: 'a' holds JSON"),
        (keyed_by({}), "/properties/t/x-key/0: 'a' holds JSON"),
        (keyed_by({**STRING, "x-skip": True}), f"{COLUMNS}a/x-skip: a column of 'x-key' must be kept"),
        (of(beside={"x-rest": "r", "x-key": ["r"]}), "/properties/t/x-key/0: there is no column 'r'"),
        (of(beside={"x-indexes": [["k"], ["k", "z"]]}), "/properties/t/x-indexes/1/1: there is no column 'z' in t"),
        (
            of({"a": {**STRING, "x-skip": True}}, beside={"x-indexes": [["a"]]}),
            f"{COLUMNS}a/x-skip: a column of 'x-indexes' must be kept",
        ),
        (
            of(items={"additionalProperties": False}, beside={"x-rest": "r"}),
            "/properties/t/items/additionalProperties: false leaves nothing for 'x-rest' to keep",
        ),
    ],
)
def test_keys_and_indexes_are_of_columns_that_serve(bad: Any, message: str) -> None:
    assert refusal(bad).startswith(message)


def child(reference: str, column: Mapping[str, Any] | None = None, **parents: Any) -> Any:
    kind = {**({"type": "integer"} if column is None else column), "x-references": reference}
    return contract(**parents, t=table({"a": kind}))


PAIR = table({"b": STRING}, beside={"x-key": ["k", "b"]})
TEXTS = table({"b": STRING}, beside={"x-key": ["b"]})
FLAGS = table({"b": {"type": "boolean"}}, beside={"x-key": ["b"]})
EPOCH = {"type": "integer", "format": "date-time", "x-epoch": "s"}
AT = f"{COLUMNS}a/x-references: "


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (child("u"), f"{AT}'u' names none of the tables: there are 't'"),
        (child("u.k"), f"{AT}'u.k' names none of the tables"),
        (child("p", p=PAIR), f"{AT}p has a key of 2 columns: a reference is to a key of one"),
        (child("p.k", p=TEXTS), f"{AT}'k' is not the key of p: that is 'b'"),
        (child("p", p=TEXTS), f"{AT}integer cannot refer to text: give 'a' the type of 'b' of p"),
        (child("p", {"type": "boolean"}, p=FLAGS), f"{AT}a column of boolean cannot refer to anything"),
        (child("p", {}, p=TEXTS), f"{AT}json cannot refer to text"),
        (
            child("p", {"type": "string", "format": "date-time"}, p=table({"b": EPOCH}, beside={"x-key": ["b"]})),
            f"{AT}date-time cannot refer to date-time of x-epoch",
        ),
        (
            child("p", {**EPOCH, "x-epoch": "ns"}, p=table({"b": EPOCH}, beside={"x-key": ["b"]})),
            f"{AT}date-time of x-epoch ns cannot refer to date-time of x-epoch: ",
        ),
        (child("t", {"type": "integer", "x-skip": True}), f"{COLUMNS}a/x-skip: a column with 'x-references' must be"),
        (of({"a": {**EPOCH, "type": "string"}}), f"{COLUMNS}a/x-epoch: is for numbers: it needs"),
        (of({"a": {"type": "integer", "x-epoch": "s"}}), f"{COLUMNS}a/x-epoch: is for numbers: it needs"),
        (of({"a": {"type": "integer", "default": "1"}}), f"{COLUMNS}a/default: is no value that the property may have"),
    ],
)
def test_references_are_to_a_key_of_one_column_and_of_the_same_type(bad: Any, message: str) -> None:
    assert refusal(bad).startswith(message)


NAMES = [
    ("_aetl_x", "names that begin with _aetl_ are aetl's own"),
    ("_AETL_x", "names that begin with _aetl_ are aetl's own"),
    ("a\0b", r"'a\x00b' is no name that a database takes"),
    ("Other", "'Other' and 'other' are one name for many a database"),
    ("other", "there are two {}s of the name 'other'"),
]


@pytest.mark.parametrize(("name", "reason"), NAMES)
def test_a_name_is_one_that_every_database_takes(name: str, reason: str) -> None:
    column = refusal(of({"other": STRING, "a": {**STRING, "x-column": name}}))
    assert column.startswith(f"{COLUMNS}a/x-column: ")
    assert column.endswith(f"{reason.format('column')}: give it another with 'x-column'")
    told = refusal(contract(other=table(), t=table(beside={"x-table": name})))
    assert told.startswith("/properties/t/x-table: ")
    assert told.endswith(f"{reason.format('table')}: give it another with 'x-table'")


def test_a_name_that_a_property_has_is_no_different() -> None:
    assert refusal(of({"_aetl_x": STRING})).startswith(f"{COLUMNS}_aetl_x: names that begin with _aetl_")
    assert refusal(of({"": STRING})) == f"{COLUMNS}: a column's name must not be empty: give it another with 'x-column'"
    assert refusal(of({"a": {**STRING, "x-column": ""}})).startswith(f"{COLUMNS}a/x-column: ")
    assert refusal(contract(a=table(), A=table())).startswith("/properties/A: 'A' and 'a' are one name")


@pytest.mark.parametrize("name", ["", "_aetl_x", "K"])
def test_the_name_of_the_rest_is_one_too(name: str) -> None:
    assert refusal(of(beside={"x-rest": name})).startswith("/properties/t/x-rest: ")


@pytest.mark.parametrize("name", ["a", "group", 'say "x"', "a b", "é", "x" * 64, "a.b", "%", ";--", "-", "sqlite_x"])
def test_any_other_name_will_do(name: str) -> None:
    assert list(Contract(contract(t=table({name: STRING}, beside={"x-table": name})), "own.json").tables) == [name]


def test_an_advised_name_helps() -> None:
    own = Contract(of({"": {**STRING, "x-column": "nameless"}, "K": {**STRING, "x-column": "other_k"}}), "own.json")
    assert own.tables["t"].names == ("k", "nameless", "other_k")


def test_a_schema_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text(resources.files("aetl").joinpath("json/schema.json").read_text("utf-8"), encoding="utf-8-sig")
    assert Contract.read(path).hash == Contract.read().hash


def test_the_shipped_contract_would_pass_the_check_that_it_is_spared() -> None:
    text = resources.files("aetl").joinpath("json/schema.json").read_text(encoding="utf-8")
    shipped, checked = Contract.read(), Contract(json.loads(text), "json/schema.json")
    assert (checked.tables, checked.hash) == (shipped.tables, shipped.hash)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"{", "is not JSON"), (b"\xff", "is not JSON"), (b"[]", "cannot be used")],
    ids=["missing", "cut", "not UTF-8", "no object"],
)
def test_a_schema_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "own.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=rf"own\.json {message}"):
        Contract.read(path)


def editor() -> jsonschema.Draft7Validator:
    """What an editor does with contract.schema.json."""
    text = resources.files("aetl").joinpath("json/contract.schema.json").read_text(encoding="utf-8")
    jsonschema.Draft7Validator.check_schema(json.loads(text))
    return jsonschema.Draft7Validator(json.loads(text))


@pytest.mark.parametrize(
    ("schema", "places"),
    [
        (
            of(
                {"a": {"type": "integer", "x-column": "c", "x-references": "t"}, "b": True},
                beside={"x-indexes": [["k"]]},
            ),
            [],
        ),
        (of({"x-foo": STRING}), []),
        (of(beside={"x-tabel": "u"}), ["properties", "t"]),
        (of(beside={"x-key": "k"}), ["properties", "t", "x-key"]),
        (of(items={"x-key": ["k"]}), ["properties", "t", "items"]),
        (of({"a": {**STRING, "x-epoch": "min"}}), ["properties", "t", "items", "properties", "a"]),
    ],
)
def test_an_editor_marks_a_wrong_keyword_too(schema: Any, places: list[str]) -> None:
    errors = [list(error.absolute_path) for error in editor().iter_errors(schema)]
    assert all(error[: len(places)] == places for error in errors)
    if errors:
        refusal(schema)
    else:
        Contract(schema, "own.json")


def test_the_patterns_for_unknown_keywords_name_those_that_there_are() -> None:
    text = resources.files("aetl").joinpath("json/contract.schema.json").read_text(encoding="utf-8")
    definitions = json.loads(text)["definitions"]
    for role in ("array", "column"):
        keywords = [keyword.removeprefix("x-") for keyword in definitions[role]["properties"]]
        assert list(definitions[role]["patternProperties"]) == [f"^x-(?!(?:{'|'.join(keywords)})$)"]
