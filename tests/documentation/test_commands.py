"""The documentation's commands, options, defaults and exit codes are those of the code."""

from __future__ import annotations

import re

import click
import pytest
from click.shell_completion import _available_shells

from aetl.cli import aetl as program
from aetl.errors import AetlError
from tests.acceptance.command import succeed
from tests.documentation.commands import (
    COMMANDS,
    COMMON,
    EVERY_OPTION,
    command_lines,
    documented_options,
    options_of,
    own_options,
    parse,
)
from tests.documentation.pages import PAGES, SPANS, headings, section, table_rows

FOREIGN_OPTIONS = {"-k"} | {"--scale", "--large", "--only", "--rounds"}  # pytest's and the benchmark's
FOREIGN_OPTIONS |= {"-box", "-e", "-u", "--failed", "--output", "--put-md5", "--upgrade"}  # those of other programs


def exit_codes(kind: type[AetlError] = AetlError) -> set[int]:
    return {kind.exit_code}.union(*(exit_codes(each) for each in kind.__subclasses__()))


def test_every_command_has_its_chapter() -> None:
    chapters = [found[1] for page in PAGES for title in headings(page) if (found := re.fullmatch(r"aetl (.+)", title))]
    assert sorted(chapters) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_chapter_has_a_table_of_its_own_options_and_no_others(name: str) -> None:
    assert documented_options(f"aetl {name}") == set(own_options(name))


def test_what_all_commands_take_stands_in_one_table() -> None:
    assert documented_options("Options of every command") == COMMON


def test_the_programs_own_options_are_named() -> None:
    assert set(options_of(program)) <= {option for span in SPANS for option in re.findall(r"--[a-z-]+", span)}


def test_no_option_is_named_that_does_not_exist() -> None:
    named = {token for span in SPANS for token in re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", span)}
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


def test_the_shells_that_are_named_are_those_for_which_click_has_a_script() -> None:
    named = set(re.findall(r"(\w+)_source", section("Shell completion")))
    assert named == set(_available_shells)
    for shell in named:
        assert f"{shell}_complete" in succeed(env={"_AETL_COMPLETE": f"{shell}_source"})
