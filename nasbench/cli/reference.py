"""All commands with their options as one page, from what `--help` shows."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer

__all__ = ["commands", "each_command"]


def commands(root: Any) -> str:
    """The page of the guide on all commands, as Markdown.

    Args:
        root: the command `nasbench` itself.
    """
    head = (
        "# Commands: all of them, with their options\n\n"
        "`nasbench COMMAND --help` shows one. Most take `--json`: one document on stdout. Long "
        "work says on stderr how far it is. The exit status is 0, 2 with one sentence where an "
        "input is refused, 130 after Ctrl-C."
    )
    return "\n\n".join([head, *(_section(name, of) for name, of in each_command(root))])


def each_command(group: Any, before: str = "nasbench") -> Iterator[tuple[str, Any]]:
    """Every command by its whole name, `nasbench surrogate fit`; groups give theirs."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from each_command(command, f"{before} {name}")
        else:
            yield f"{before} {name}", command


def _section(name: str, command: Any) -> str:
    context = typer.Context(command, info_name=name)
    arguments = " ".join(command.collect_usage_pieces(context))
    records = (parameter.get_help_record(context) for parameter in command.params)
    options = [
        f"| {_cell(f'`{option}`')} | {_cell(about)} |"
        for option, about in filter(None, records)
        if option.startswith("-") and "--help" not in option
    ]
    said = [f"## {name}", f"`{name} {arguments}`", inspect.cleandoc(command.help or "")]
    if options:
        said.append("\n".join(["| option | |", "| --- | --- |", *options]))
    return "\n\n".join(said)


def _cell(text: str) -> str:
    """Text as a cell of a table: on one line, bars kept apart from those of the table."""
    return " ".join(text.split()).replace("|", "\\|")
