"""The user's guide in the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Annotated

import typer

from nasbench.cli.reference import commands
from nasbench.errors import NasbenchError, unknown

__all__ = ["GROUPS", "Topic", "register", "topics"]

GROUPS = {
    "tutorial": "To begin with",
    "how-to": "How to",
    "explanation": "How it works, and why",
    "reference": "To look up",
}
"""What topics are for, in the order in which they are listed."""
_GROUP = re.compile(r"\A<!-- ([a-z-]+) -->\n")
_COMMANDS = "Commands: all of them, with their options"


@dataclass(frozen=True, slots=True)
class Topic:
    """A page of the guide.

    Attributes:
        name: of its file, without `.md`.
        group: one of `GROUPS`, of the comment that is its first line; how-to without one.
        title: its heading.
        text: Markdown, without that comment; none of `commands`, which is written when shown.
    """

    name: str
    group: str
    title: str
    text: str


def topics() -> dict[str, Topic]:
    """The pages by name, group by group: every file of the guide's folder, and `commands`."""
    folder = resources.files("nasbench") / "guide"
    files = (file for file in folder.iterdir() if file.name.endswith(".md"))
    pages = [_page(f.name.removesuffix(".md"), f.read_text(encoding="utf-8")) for f in files]
    pages.append(Topic("commands", "reference", _COMMANDS, ""))
    order = list(GROUPS)
    pages.sort(key=lambda page: (order.index(page.group), page.name))
    return {page.name: page for page in pages}


def _page(name: str, text: str) -> Topic:
    marked = _GROUP.match(text)
    group = marked[1] if marked else "how-to"
    if group not in GROUPS:
        raise NasbenchError(f"the guide's page {name} is of group {group}, none of its own")
    text = text[marked.end() :] if marked else text
    return Topic(name, group, text.split("\n", 1)[0].lstrip("# "), text)


def _index(pages: Iterable[Topic]) -> str:
    """Which topics there are, group by group, as Markdown."""
    lists: Mapping[str, list[str]] = {group: [] for group in GROUPS}
    for page in pages:
        lists[page.group].append(f"- `nasbench guide {page.name}`: {page.title}")
    return "\n\n".join(f"## {GROUPS[of]}\n\n" + "\n".join(at) for of, at in lists.items() if at)


def complete_topic(incomplete: str) -> list[str]:
    """Topics of the guide."""
    return [name for name in topics() if name.startswith(incomplete)]


def guide(
    context: typer.Context,
    topic: Annotated[
        str | None, typer.Argument(help="Its name.", autocompletion=complete_topic)
    ] = None,
) -> None:
    """Show a topic of the user's guide, or which there are.

    Example: `nasbench guide tutorial`
    """
    from rich.console import Console
    from rich.markdown import Markdown

    pages = topics()
    if topic is None:
        text = _index(pages.values())
    elif topic == "commands":
        text = commands(context.find_root().command)
    elif topic in pages:
        text = pages[topic].text
    else:
        raise unknown("topic", topic, pages)
    console = Console()
    if console.is_terminal:
        console.print(Markdown(text))
    else:
        typer.echo(text.rstrip())


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(guide)
