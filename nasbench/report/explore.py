"""A page to look around in a table: `nasbench explore`, `nb.explore`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from nasbench._files import check_folder, write_csv, write_text
from nasbench._words import counted, rounded
from nasbench.errors import NasbenchError
from nasbench.report.again import command_line
from nasbench.report.briefs import made_from
from nasbench.report.doubts import table_doubts
from nasbench.report.explore_data import MOST_ROWS, axes_of, explored
from nasbench.report.html import environment
from nasbench.report.judged import Judged
from nasbench.report.sections import Brief, cells_of
from nasbench.report.text import TextTable
from nasbench.table import Table, direction, load, table_name

__all__ = ["explore"]

TOP = 20
"""Rows of the table that is shown where scripts are off."""

SHOWN = 4
"""Its numbers."""


def explore(table: Table | str | Path, out: str | Path, *, recipe: str | None = None) -> Path:
    """Write a page to look around in a table: `index.html` in a folder, which needs no network.

    It filters, draws any two numbers with their Pareto front, shows an architecture's picture,
    curve, neighbours and place, two beside each other, and exports what is selected. Beside it
    are the best rows, `best.csv` and `best.tex`.

    Args:
        table: a name or path will do.
        out: the folder for the page.
        recipe: whose primary metric architectures are judged by; where left out, the recipe with
            the most epochs.

    Returns:
        The path of the page.

    Example:
        >>> import nasbench as nb, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     nb.explore("nb201-fashion16", folder).name
        'index.html'
    """
    folder = Path(out)
    check_folder(folder, "out")
    opened = load(table)
    chosen = opened.recipe(recipe) if recipe else _longest(opened)
    document, top = explored(opened, chosen), _top(opened, chosen)
    rendered = (
        environment()
        .get_template("explore.html")
        .render(
            title=f"{opened.name}: look around",
            brief=_brief(opened, chosen),
            top=top,
            files=FILES,
            data=_in_a_script(document),
            left=document["left"],
            hidden=document["of"] - document["rows"],
            most=MOST_ROWS,
            matters=bool(document["effects"]),
        )
    )
    page = folder / "index.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(page, rendered)
        write_text(folder / FILES["LaTeX"], top.latex("tab:best"))
        write_csv(folder / FILES["CSV"], top.columns, map(cells_of, top.rows))
    except OSError as error:
        raise NasbenchError(f"cannot write the page to {out}: {error.strerror}") from error
    return page


def _longest(table: Table) -> str | None:
    """The recipe of most epochs that judges something."""
    recipes = table.manifest["recipes"]
    known = [name for name in table.recipes if Judged.of(table, name)] or list(table.recipes)
    return max(known, key=lambda name: int(recipes[name]["epochs"]), default=None)


def _in_a_script(document: dict[str, Any]) -> Markup:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))  # in ASCII
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))


FILES = {"CSV": "best.csv", "LaTeX": "best.tex"}
"""The best rows, beside the page."""


def _brief(table: Table, recipe: str | None) -> Brief:
    words = ["nasbench", "explore", table_name(table)]
    words += ["--recipe", recipe] if recipe and len(table.recipes) > 1 else []
    made = command_line([*words, "--out", "DIR"])
    answers = [("Best architecture", _answer(table, recipe))]
    doubts = table_doubts(table, Judged.of(table, recipe))
    rounded = "Values are rounded to what is shown; the table has all digits."
    return Brief(answers, doubts, [made], f"{made_from([table])} {rounded}")


def _answer(table: Table, recipe: str | None) -> str:
    """Which row is the best, and which others noise does not tell from it."""
    judged = Judged.of(table, recipe)
    if judged is None:
        return f"{len(table.rows):,} rows; nothing says which of them is better."
    merit = np.nan_to_num(judged.sign * judged.column, nan=-np.inf)
    best = int(merit.argmax())
    architecture = int(table.rows[best])
    predicted = table.predicted(judged.metric, recipe=judged.recipe)[best]
    said = (
        f"The best of {counted(int(np.isfinite(judged.column).sum()), 'row')} by "
        f"{judged.words} of recipe {judged.recipe} is architecture "
        f"{architecture} ({table.space.string(architecture)}): {judged.text(judged.column[best])}"
        f"{', which is predicted, not trained' if predicted else ''}."
    )
    unknown = " How far seeds alone would scatter it is not known: no row has two."
    return said + (judged.beside_best() or unknown)


def _top(table: Table, recipe: str | None) -> TextTable:
    """The best rows as plain text, for readers without scripts."""
    axes = [axis for axis in axes_of(table, recipe) if np.isfinite(axis.values).any()]
    first = axes[0]
    sign = -1.0 if direction(first.name) == "min" else 1.0
    rows = np.argsort(-np.nan_to_num(sign * first.values, nan=-np.inf), kind="stable")[:TOP]
    others = [axis for axis in axes[1:] if not axis.name.endswith("_seconds")]
    # Costs, counts and proxies tell more beside the first than its losses do.
    shown = [first, *sorted(others, key=lambda axis: axis.kind == "trained")][:SHOWN]
    cells = [
        (
            str(table.rows[row]),
            *(_cell(axis.values[row], axis.predicted, row) for axis in shown),
            table.space.string(int(table.rows[row])),
        )
        for row in rows.tolist()
    ]
    heads = [f"{axis.name} ({axis.kind})" for axis in shown]
    note = f"By {first.name}. A star: predicted, not trained."
    columns = ("architecture", *heads, "string")
    return TextTable(f"The best {len(cells)}", columns, cells, note)


def _cell(value: float, predicted: Any, row: int) -> str:
    if not np.isfinite(value):
        return "–"
    return f"{rounded(value, 5)}{'*' if predicted is not None and predicted[row] else ''}"
