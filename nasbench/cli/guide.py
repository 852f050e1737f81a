"""The user's guide in the terminal."""

from __future__ import annotations

from importlib import resources
from typing import Annotated

import typer

from nasbench.errors import unknown

__all__ = ["register", "topics"]


def topics() -> dict[str, str]:
    """The first line of each topic of the guide, without its `#`, by name."""
    return {name: text.splitlines()[0].lstrip("# ") for name, text in sorted(_texts().items())}


def _texts() -> dict[str, str]:
    folder = resources.files("nasbench") / "guide"
    files = (file for file in folder.iterdir() if file.name.endswith(".md"))
    return {file.name.removesuffix(".md"): file.read_text(encoding="utf-8") for file in files}


def complete_topic(incomplete: str) -> list[str]:
    """Topics of the guide."""
    return [name for name in topics() if name.startswith(incomplete)]


def guide(
    topic: Annotated[
        str | None, typer.Argument(help="Its name.", autocompletion=complete_topic)
    ] = None,
) -> None:
    """Show a topic of the user's guide, or which there are.

    Example: `nasbench guide limits`
    """
    from rich.console import Console
    from rich.markdown import Markdown

    texts = _texts()
    if topic is not None and topic not in texts:
        raise unknown("topic", topic, texts)
    listed = "\n".join(f"- `nasbench guide {name}`: {head}" for name, head in topics().items())
    text = listed if topic is None else texts[topic]
    console = Console()
    if console.is_terminal:
        console.print(Markdown(text))
    else:
        typer.echo(text.rstrip())


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(guide)
