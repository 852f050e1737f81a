"""What every page begins with, whatever it is of: looked for in its text and beside it."""

from __future__ import annotations

import ast
import html
import re
import shlex
from pathlib import Path

import typer

from nasbench import __version__
from nasbench.cli import app
from nasbench.cli.reference import each_command
from nasbench.report.sections import Brief

ANY_BRIEF = Brief([("A", "a")], "b", ["c"], "d")
"""For pages of which something else is asked."""

COMMANDS = dict(each_command(typer.main.get_command(app)))


def check_beginning(page: Path, day: str = "") -> list[str]:
    """Check a page's beginning, and the links of its figures and tables; gives the commands.

    Args:
        page: with its folder, as it was written.
        day: of the table that it is of, where that has one.
    """
    text = page.read_text(encoding="utf-8")
    top = text.partition("<main")[0]
    heads = [html.unescape(head) for head in re.findall(r"<dt>(.*?)</dt>", top)]
    said = [html.unescape(words) for words in re.findall(r"<dd>(.*?)</dd>", top, re.S)]
    assert heads[-2:] == ["What this cannot tell", "Make it again"], page
    assert len(heads) > 2, "no answer comes first"
    for words in said[:-1]:
        assert words.endswith((".", ". ")), words
    assert re.search(r"\d", said[0]), "answers are made from the data"
    assert f"nasbench-harness {__version__} with numpy" in said[-1]
    assert day in said[-1]
    commands = re.findall(r'<code class="command">(.*?)</code>', top)
    for command in map(html.unescape, commands):
        _check_command(command)
    assert not re.search(r"&lt;(?:Run|Score|Surrogate|Chosen|Exported)", text), "no repr"
    links = re.findall(r'<a href="([^"#:]+)"', text)
    assert links
    assert all((page.parent / html.unescape(link)).is_file() for link in links)
    for figure in re.findall(r"<figure.*?</figure>", text, re.S):
        assert ".pdf" in figure
    beside = [link for link in links if link.startswith(("tables/", "best."))]
    assert len(beside) == 2 * text.count("<thead>") + 2 * text.count('class="prose facts"')
    return [html.unescape(command) for command in commands]


def _check_command(command: str) -> None:
    """Of Python, that it is a call; else that there is such a command with such options."""
    if command.startswith("nb."):
        assert isinstance(ast.parse(command, mode="eval").body, ast.Call)
        return
    words = shlex.split(command)
    name = next(of for of in (" ".join(words[:3]), " ".join(words[:2])) if of in COMMANDS)
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options, command
