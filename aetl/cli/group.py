"""Groups of commands: their help is whole, and a mistyped name gets a suggestion."""

from __future__ import annotations

import re

import click
from click.shell_completion import CompletionItem


class Commands(click.Group):
    """A group whose help gives the first sentence of each command, however long it is."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Click would cut the sentences off to have one line each."""
        rows = [(name, _first_sentence(command.help or "")) for name, command in sorted(self.commands.items())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class RunUnlessTold(Commands):
    """Takes `aetl` and `aetl --option` as `aetl run`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Where a shell asks how a line may go on, nothing is not yet run.
        if not (args or ctx.resilient_parsing) or (args and args[0].startswith("-") and args[0] not in _OWN):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """How a line may go on: by a command, or by an option of `aetl run`."""
        items = super().shell_complete(ctx, incomplete)
        if not incomplete.startswith("-"):
            return items
        known = {item.value for item in items}
        run = self.commands["run"]
        more = run.shell_complete(click.Context(run, ctx, info_name="run"), incomplete)
        return items + [item for item in more if item.value not in known]


_OWN = ("-h", "--help", "--version")


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]
