"""What the README says holds: its commands, options, codes, settings, files and examples are those of the code."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import aetl
from aetl.cli import aetl as program
from aetl.cli.display import report_as_json
from aetl.errors import AetlError
from aetl.models import Finding, LoadReport, TableCounts

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "aetl"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROSE = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
SPANS = [span.replace("\\|", "|") for span in re.findall(r"`([^`\n]+)`", PROSE)]

FOREIGN_OPTIONS = {"-k", "--scale", "--large", "--only", "--rounds"}  # pytest's and the benchmark's
REFERENCE = {"etl_job.py", "run_manually.bat", "run_tests.bat"}  # of etl_flow: the README says where they have gone
MADE_LATER = ("/srv/", "./", "my-", "global.log", "backup_", "path/")  # what a reader or a run makes
NO_FILES = {"/quiet", "/purge", "/aetl"}  # options of the batch files, and the task's path in Task Scheduler


def blocks(*languages: str) -> list[str]:
    """The fenced blocks in these languages."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    return [text for language, text in found if language in languages]


def section(title: str) -> str:
    """A chapter, up to the next heading of any level."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", _outside_code(README), re.MULTILINE | re.DOTALL)
    assert found is not None, f"the README has no chapter {title!r}"
    return found[1]


def _outside_code(text: str) -> str:
    """The same text without lines of code that look like headings."""
    return re.sub(r"^```sh\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def json_block(title: str) -> Any:
    found = re.search(r"^```json\n(.*?)^```$", section(title), re.MULTILINE | re.DOTALL)
    assert found is not None, f"the chapter {title!r} shows no JSON"
    return json.loads(found[1])


def table_rows(text: str) -> list[list[str]]:
    """The cells of the tables' rows, heads and rules left out."""
    rows = [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    rules = [number for number, row in enumerate(rows) if set("".join(row)) <= set("-: ")]
    return [row for number, row in enumerate(rows) if number not in rules and number + 1 not in rules]


def options_of(command: click.Command) -> dict[str, click.Parameter]:
    """Every option of a command, with its parameter."""
    context = click.Context(command)
    return {name: each for each in command.get_params(context) for name in each.opts if isinstance(each, click.Option)}


def commands_of(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below a group by its whole name, those of groups within it too."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands_of(command, *path, name)
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands_of(program))
COMMON = set.intersection(*(set(options) for options in map(options_of, COMMANDS.values()) if "--container" in options))
EVERY_OPTION = set(options_of(program)).union(*(options_of(command) for command in COMMANDS.values()))


def own_options(name: str) -> dict[str, click.Parameter]:
    """The options of a command that the table of all commands' options does not explain."""
    options = options_of(COMMANDS[name])
    explained = COMMON if set(options) >= COMMON else {"--help"}
    return {option: each for option, each in options.items() if option not in explained}


def documented_options(title: str) -> set[str]:
    """The options in the first column of a chapter's table."""
    return {option for row in table_rows(section(title)) for option in re.findall(r"--[a-z-]+", row[0])}


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """Every call of aetl in the README with its arguments: in blocks for a shell, and in the text."""
    lines = [line for block in blocks("sh", "console", "crontab") for line in block.splitlines()]
    for line in (*lines, *SPANS):
        lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        tokens: list[str] = []
        for token in (*lexer, ";"):
            if token and set(token) <= set("();<>|&"):
                if (arguments := _arguments(tokens)) is not None:
                    yield line, arguments
                tokens = []
            else:
                tokens.append(token)


def _arguments(tokens: list[str]) -> list[str] | None:
    match tokens:
        case ["python", "-m", "aetl", *arguments]:
            return arguments
        case [name, *arguments] if name.removeprefix(".venv/bin/") == "aetl":
            return arguments
        case [name, *arguments] if re.fullmatch(r"tools/run_manually\.(sh|bat)", name):
            return ["run", *arguments]
    return None


def parse(arguments: list[str]) -> None:
    """Has click parse a command line without running it; raises click.UsageError."""
    if arguments in (["--help"], ["--version"]):
        return
    if not arguments or arguments[0].startswith("-"):
        arguments = ["run", *arguments]
    group: click.Group = program
    name, rest = arguments[0], arguments[1:]
    while isinstance(command := group.commands.get(name), click.Group) and rest:
        group, name, rest = command, rest[0], rest[1:]
    if command is None:
        raise click.UsageError(f"no command {name!r}")
    if not isinstance(command, click.Group):
        with command.make_context(name, rest):
            pass


def exit_codes(kind: type[AetlError] = AetlError) -> set[int]:
    return {kind.exit_code}.union(*(exit_codes(each) for each in kind.__subclasses__()))


def test_every_command_has_its_chapter() -> None:
    chapters = set(re.findall(r"^### aetl (\w+(?: \w+)*)$", README, re.MULTILINE))
    assert chapters == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_chapter_has_a_table_of_its_own_options_and_no_others(name: str) -> None:
    assert documented_options(f"aetl {name}") == set(own_options(name))


def test_what_all_commands_take_stands_in_one_table() -> None:
    assert documented_options("Options of every command") == COMMON


def test_the_programs_own_options_are_named() -> None:
    assert set(options_of(program)) <= {option for span in SPANS for option in re.findall(r"--[a-z-]+", span)}


def test_no_option_is_named_that_does_not_exist() -> None:
    named = {token for span in SPANS for token in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", span)}
    assert named - FOREIGN_OPTIONS - {"-m"} <= EVERY_OPTION


@pytest.mark.parametrize(
    ("name", "option"),
    [(name, option) for name in COMMANDS for option in sorted(own_options(name))],
)
def test_a_default_stands_in_the_table_as_it_is_in_the_code(name: str, option: str) -> None:
    default = own_options(name)[option].default
    row = next(" ".join(row) for row in table_rows(section(f"aetl {name}")) if option in row[0])
    said = re.search(r"default (\w+|\.)", row)
    assert (said and said[1]) == (str(default) if isinstance(default, int | str) and default is not False else None)


def test_every_call_of_aetl_parses() -> None:
    calls = list(command_lines())
    called = [" ".join(arguments) for _, arguments in calls]
    assert [name for name in COMMANDS if not any(f"{call} ".startswith(f"{name} ") for call in called)] == []
    for line, arguments in calls:
        try:
            parse(arguments)
        except click.UsageError as error:
            pytest.fail(f"{line}: {error.format_message()}")


def test_the_table_of_exit_codes_is_that_of_the_errors() -> None:
    documented = [int(row[0]) for row in table_rows(section("Exit codes"))]
    assert documented == sorted(exit_codes() | {0, 3, 130, 143})


def test_every_setting_and_variable_is_in_the_configurations_table() -> None:
    content = yaml.safe_load((PACKAGE / "yaml/config.yaml").read_text(encoding="utf-8"))
    settings = {*content, *content["environment"]}
    rows = table_rows(section("Configuration"))
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row[0])} == settings
    assert set(content["environment"].values()) <= {name for row in rows for name in re.findall(r"`(\w+)`", row[2])}


def test_the_example_of_a_configuration_file_is_understood(tmp_path: Path) -> None:
    (own,) = blocks("yaml")[:1]
    Path("own.yaml").write_text(own, encoding="utf-8")
    settings = aetl.read_settings(Path("own.yaml"), environ={"MY_CONTAINER_URL": str(tmp_path)})
    expected = yaml.safe_load(own)
    assert settings.container == str(tmp_path)
    for name in expected.keys() - {"environment"}:
        assert str(getattr(settings, name)) == str(type(getattr(settings, name))(expected[name]))


def named_files() -> set[str]:
    spans = {span.replace("\\", "/") for span in SPANS if re.fullmatch(r"[\w.\\/-]+", span)}
    diagram = {
        word for block in blocks("text") for word in re.findall(r"(?:[\w-]+/)*[\w-]+(?:\.(?:py|yaml|json)|/)", block)
    }
    files = {span for span in spans if re.search(r"\.(py|sh|bat|yaml|json|toml|md)$", span) or "/" in span}
    copied = {word for block in blocks("sh") for word in re.findall(r"^cp (\S+)", block, re.MULTILINE)}
    linked = set(re.findall(r"\]\((?!#|https?:)([^)]+)\)", README))
    return (
        {each for each in files | diagram | copied | linked if not each.startswith(MADE_LATER)} - REFERENCE - NO_FILES
    )


def test_every_file_that_is_named_exists() -> None:
    named = named_files()
    assert {"tools/run_manually.sh", "tools/run_tests.bat", "pipeline.py", "json/schema.json"} <= named
    assert [each for each in sorted(named) if not ((ROOT / each).exists() or (PACKAGE / each).exists())] == []


def test_every_link_within_the_readme_has_its_heading() -> None:
    headings = re.findall(r"^#+ (.*)$", _outside_code(README), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
    links = set(re.findall(r"\]\(#([^)]+)\)", README))
    assert links
    assert links <= anchors


def test_the_two_commands_stand_before_everything_else() -> None:
    order = [README.index(each) for each in ("tools/run_manually.sh", "tools/run_tests.sh", "aetl load --dry-run")]
    assert order == sorted(order)
    assert order[-1] < README.index("\n## The way the data goes")


def test_the_diagram_names_the_stages_in_the_order_of_the_layers() -> None:
    (diagram,) = blocks("text")
    stages = ["container/", "compression.py", "records.py", "contract.py", "database/"]
    places = [diagram.index(stage) for stage in stages]
    assert places == sorted(places)


def _keys(value: Any) -> Any:
    """The shape of JSON: objects by their keys, arrays by their first element."""
    if isinstance(value, dict):
        return {name: _keys(each) for name, each in value.items()}
    return [_keys(value[0])] if isinstance(value, list) else None


@pytest.fixture
def container() -> Path:
    """The folder ./container with one export, as a simulated night leaves it."""
    asyncio.run(aetl.simulate(aetl.Settings(), sessions=2))
    return Path("container")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    program(list(arguments), prog_name="aetl", standalone_mode=False)
    return json.loads(capsys.readouterr().out)


def _of_one_table(content: Any) -> Any:
    """What a command printed, with the one table that the README shows."""
    for load in content["loads"]:
        load["tables"] = {"events": load["tables"]["events"]}
    return content


def test_json_of_load_has_the_shape_that_is_shown(container: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = printed(capsys, "load", "--json", "--container", str(container), "--database", "new.db")
    assert _keys(_of_one_table(content)) == _keys(json_block("aetl load"))


def test_json_of_run_has_the_shape_of_load(capsys: pytest.CaptureFixture[str]) -> None:
    assert _keys(_of_one_table(printed(capsys, "run", "--json", "--sessions", "1"))) == _keys(json_block("aetl load"))


def test_json_of_export_has_the_shape_that_is_shown(container: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = printed(capsys, "export", "--json", "--gzip", "--container", str(container))
    assert _keys(content) == _keys(json_block("aetl export"))
    pattern = re.sub(r"\d", r"\\d", re.escape(json_block("aetl export")["blob"]))
    assert re.fullmatch(pattern, content["blob"])


def test_json_of_status_has_the_shape_that_is_shown(container: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(aetl.export(aetl.Settings(container=str(container))))
    content = printed(capsys, "status", "--json", "--container", str(container))
    assert _keys(_of_one_table(content)) == _keys(json_block("aetl status"))


@pytest.fixture
def digested() -> Any:
    """The content that the chapter on digests shows, loaded into chat.db; its table of sessions as lines of bytes."""
    lines = blocks("jsonl")[0].encode()
    columns, *rows = map(json.loads, lines.splitlines())
    sessions = [dict(zip(columns, row, strict=True)) for row in reversed(rows)]
    Path("shown").mkdir()
    content = {"sessions": sessions, "events": [], "event_parents": []}
    Path("shown/backup_1.json").write_text(json.dumps(content), encoding="utf-8")
    asyncio.run(aetl.load(aetl.Settings(container="shown", database="chat.db")))
    return lines


def test_json_of_digest_is_what_is_shown_and_what_the_lines_hash_to(
    digested: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = json_block("aetl digest")
    assert printed(capsys, "digest", "--json", "--database", "chat.db") == shown
    assert hashlib.sha256(digested).hexdigest() == shown["tables"]["sessions"]["sha256"]
    (total,) = blocks("jsonl")[1:]
    assert hashlib.sha256(total.encode()).hexdigest() == shown["sha256"]
    assert [json.loads(line) for line in total.splitlines()] == [
        [name, each["rows"], each["sha256"]] for name, each in sorted(shown["tables"].items())
    ]


def test_the_way_from_one_database_to_another_ends_with_equal_digests(
    container: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = next(block for block in blocks("sh") if "diff before.txt -" in block)  # the other one is of PostgreSQL
    said = []
    for line in calls.splitlines():
        program(shlex.split(re.split("[>|]", line)[0])[1:], prog_name="aetl", standalone_mode=False)
        said.append(capsys.readouterr().out)
    assert said[0] == said[-1] and "sessions" in said[0]


def test_json_of_check_has_the_shape_that_is_shown(container: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = printed(capsys, "check", "--json", "--container", str(container))
    assert content["findings"][0] == json_block("aetl check")["findings"][0]
    assert set(json_block("aetl check")["findings"][0]) == {each.name for each in dataclasses.fields(Finding)}


def test_a_failed_load_has_the_key_that_the_text_names() -> None:
    report = LoadReport("backup_1.json", "1", "failed", tables={"events": TableCounts()}, error="why")
    assert report_as_json(report).keys() - json_block("aetl load")["loads"][0].keys() == {"error"}
    assert "A failed load also has `error`" in section("aetl load")


def test_json_of_a_failure_has_the_keys_that_the_text_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AetlError):
        program(["load", "--json"], prog_name="aetl", standalone_mode=False)
    error = json.loads(capsys.readouterr().out)["error"]
    named = re.search(r'`"error": {(.*?)}`', section("aetl load"))
    assert named is not None
    assert re.findall(r'"(\w+)"', named[1]) == list(error)


@pytest.mark.parametrize("source", blocks("python"))
def test_the_examples_in_python_run(source: str, container: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(source, "README.md", "exec"), {"__name__": "__main__"})
    with closing(sqlite3.connect("chat.db")) as database:
        assert database.execute("SELECT count(*) FROM events").fetchone() == (4,)
    assert "events 4 4 0 0" in capsys.readouterr().out
    assert len(list(container.glob("backup_*.json.gz"))) == 1


def test_there_is_an_example_in_python() -> None:
    assert len(blocks("python")) == 1


def test_the_names_of_the_python_interface_are_public() -> None:
    named = {name for span in SPANS for name in re.findall(r"\baetl\.([A-Za-z]\w*)(?=\(|$)", span)}
    named |= {name for block in blocks("python") for name in re.findall(r"\baetl\.(\w+)", block)}
    assert {"load", "export", "digest", "simulate", "read_settings", "Settings", "AetlError"} <= named
    assert named - {"log", "env", "exe"} <= set(aetl.__all__)


@pytest.mark.parametrize("query", blocks("sql"))
def test_the_examples_in_sql_run_on_a_database_with_rejects(query: str, container: Path) -> None:
    broken = {"sessions": [{"id": "1", "started_at": "yesterday", "meta": None}], "events": [], "event_parents": []}
    (container / "backup_broken.json").write_text(json.dumps(broken), encoding="utf-8")
    settings = aetl.Settings(container=str(container), database="chat.db")
    reports = asyncio.run(aetl.load(settings, max_rejects=None))
    assert [report.rejected for report in reports] == [0, 1]
    with closing(sqlite3.connect("chat.db")) as database:
        assert database.execute(query).fetchall()


def test_there_is_a_query_for_the_ledger_and_one_for_the_rejects() -> None:
    queries = " ".join(blocks("sql"))
    assert "FROM _aetl_loads" in queries and "FROM _aetl_rejects" in queries


def test_the_table_that_is_added_as_an_example_loads(container: Path) -> None:
    schema = json.loads((PACKAGE / "json/schema.json").read_text(encoding="utf-8"))
    added = json_block("Adding a table or a column")
    schema["properties"] |= added
    schema["required"] += added
    Path("my-schema.json").write_text(json.dumps(schema), encoding="utf-8")
    sql = (PACKAGE / "yaml/sql/sqlite.yaml").read_text(encoding="utf-8")
    # As the text says: under tables, after the others, which is before what follows them.
    head, mark, rest = sql.partition("\n# The ledger")
    assert mark
    (table,) = (block for block in blocks("yaml") if "feedback" in block)
    Path("my-sql.yaml").write_text(f"{head}\n{table}{mark}{rest}", encoding="utf-8")

    (night,) = container.glob("backup_*.json")
    content = json.loads(night.read_text(encoding="utf-8"))
    event = content["events"][0]["id"]
    content["feedback"] = [
        {"id": "1", "event_id": event, "score": 5},
        {"id": "2", "event_id": event, "score": "five"},
        {"id": "3", "event_id": "nobody", "score": 1},
    ]
    night.write_text(json.dumps(content), encoding="utf-8")
    settings = aetl.Settings(
        container=str(container), database="new.db", schema=Path("my-schema.json"), sql=Path("my-sql.yaml")
    )
    (report,) = asyncio.run(aetl.load(settings, max_rejects=None))
    assert (report.status, report.tables["feedback"]) == ("loaded", TableCounts(3, 1, 0, 2))
    with closing(sqlite3.connect("new.db")) as database:
        assert database.execute("SELECT * FROM feedback").fetchall() == [("1", event, 5)]
        reasons = database.execute("SELECT pointer FROM _aetl_rejects ORDER BY position").fetchall()
    assert reasons == [("/score",), ("/event_id",)]


def test_a_column_that_is_not_required_is_null_for_exports_without_it(container: Path) -> None:
    assert "it is NULL for them" in section("Adding a table or a column").replace("\n", " ")
    schema = json.loads((PACKAGE / "json/schema.json").read_text(encoding="utf-8"))
    schema["properties"]["sessions"]["items"]["properties"]["language"] = {"type": ["string", "null"]}
    Path("my-schema.json").write_text(json.dumps(schema), encoding="utf-8")
    sql = yaml.safe_load((PACKAGE / "yaml/sql/sqlite.yaml").read_text(encoding="utf-8"))
    sessions = sql["tables"]["sessions"]
    sessions["create"] = sessions["create"].replace("meta TEXT", "meta TEXT, language TEXT")
    for name in ("upsert", "insert"):
        sessions[name] = sessions[name].replace(", meta)", ", meta, language)").replace(":meta)", ":meta, :language)")
    sessions["select"] = sessions["select"].replace("meta", "meta, language")
    Path("my-sql.yaml").write_text(yaml.safe_dump(sql, sort_keys=False), encoding="utf-8")
    settings = aetl.Settings(
        container=str(container), database="new.db", schema=Path("my-schema.json"), sql=Path("my-sql.yaml")
    )
    (report,) = asyncio.run(aetl.load(settings))
    assert report.tables["sessions"] == TableCounts(2, 2)
    with closing(sqlite3.connect("new.db")) as database:
        assert database.execute("SELECT DISTINCT language FROM sessions").fetchall() == [(None,)]


def test_the_parts_of_the_reference_are_all_accounted_for() -> None:
    parts = {name for row in table_rows(section("Where the parts of etl_flow have gone")) for name in row[0].split("`")}
    assert {"etl_job.py", "helper_functions", "json", "logs", "scheduling", "yaml"} <= parts


def test_the_places_to_add_a_database_or_a_container_are_as_told() -> None:
    database = (PACKAGE / "database/__init__.py").read_text(encoding="utf-8")
    assert "_MODULES" in section("Adding a database") and re.search(r"^_MODULES = ", database, re.MULTILINE)
    assert "open_database(url, purpose, columns, sql)" in section("Adding a database")
    assert "`open_database(url, purpose, columns, sql)`" in database
    assert "open_container(settings)" in section("Adding a container")
    assert "open_container(settings)" in (PACKAGE / "container/__init__.py").read_text(encoding="utf-8")
