"""The commands that aetl has, and the calls of them that the documentation shows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click

from aetl.cli import aetl as program
from tests.documentation.pages import SPANS, blocks, section, table_rows


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
EVERY_OPTION = set(options_of(program)).union(
    program.context_settings["help_option_names"], *(options_of(command) for command in COMMANDS.values())
)


def own_options(name: str) -> dict[str, click.Parameter]:
    """The options of a command that the table of all commands' options does not explain."""
    options = options_of(COMMANDS[name])
    explained = COMMON if set(options) >= COMMON else {"--help"}
    return {option: each for option, each in options.items() if option not in explained}


def documented_options(title: str) -> set[str]:
    """The options in the first column of a chapter's table."""
    return {option for row in table_rows(section(title)) for option in re.findall(r"--[a-z-]+", row[0])}


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """Every call of aetl in the documentation with its arguments: in blocks for a shell, and in the text."""
    lines = [line for block in blocks("sh", "console", "crontab") for line in block.replace("\\\n", "").splitlines()]
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
