"""Tables of a report, as Markdown and LaTeX; the page renders the same rows."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench._names import printable
from nasbench._words import counted, rounded
from nasbench.report.latex import latex_table
from nasbench.stats import Estimate
from nasbench.table import Table, origins, predictions, trained_seeds
from nasbench.table.metrics import of_measuring

if TYPE_CHECKING:
    from nasbench.surrogate import Score

__all__ = [
    "TextTable",
    "build_facts",
    "decimals",
    "device_table",
    "estimate_text",
    "first_words",
    "markdown_text",
    "number_text",
    "predictor_table",
]

# What HTML, a table's cell, a link, code or a formula would begin with; GitHub renders them all.
_MARKDOWN = {"&": "&amp;", "<": "&lt;", "\\": "&#92;", "$": "&#36;", "|": "\\|", "`": "\\`"}


def first_words(text: str, most: int = 180) -> tuple[str, str]:
    """The sentences of a caption that fit into so many letters, one at the least; and the rest.

    Example:
        >>> first_words("Regret in points. It is the mean over runs.", 20)
        ('Regret in points.', 'It is the mean over runs.')
    """
    ends = [found.start() + 1 for found in re.finditer(r"\.(?= [A-Z“\d])", text)]
    end = max((end for end in ends if end <= most), default=min(ends, default=len(text)))
    return (text, "") if len(text) <= most else (text[:end], text[end:].strip())


def markdown_text(text: str) -> str:
    """A stranger's text in Markdown: shown as it is written, on one line.

    Example:
        >>> print(markdown_text("<b>|[x](http://y)"))
        &lt;b>\\|[x]\\(http://y)
    """
    escaped = "".join(_MARKDOWN.get(letter, letter) for letter in printable(text))
    return escaped.replace("](", "]\\(")


@dataclass(frozen=True, slots=True)
class TextTable:
    """Rows of text under columns.

    Attributes:
        title: what it shows.
        columns: their heads; the first column holds names, the others figures.
        rows: as many cells each as there are columns.
        note: what a reader must know of the figures.
        prose: the cells are words, to be set from the left and broken into lines.
        more: how the figures came about, which a page folds and a caption leaves out.
        best: places (row, column) of cells that are set bold.
        reference: rows that stand for comparison, below all others in any order.

    Names and words may be a stranger's: each is put on one line of printable letters.

    Example:
        >>> table = TextTable("Found", ("name", "points"), [("mine", "1.5")], "One run.")
        >>> table.markdown().splitlines()[2:5]
        ['| name | points |', '| --- | ---: |', '| mine | 1.5 |']
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str
    prose: bool = False
    more: str = ""
    best: frozenset[tuple[int, int]] = frozenset()
    reference: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if not self.more:
            note, more = first_words(self.note)
            object.__setattr__(self, "note", note)
            object.__setattr__(self, "more", more)
        for name, value in (
            ("title", printable(self.title)),
            ("columns", tuple(map(printable, self.columns))),
            ("rows", [tuple(map(printable, row)) for row in self.rows]),
            ("note", printable(self.note)),
            ("more", printable(self.more)),
        ):
            object.__setattr__(self, name, value)

    @property
    def words(self) -> str:
        """All that is said of the figures."""
        return f"{self.note} {self.more}".strip()

    def markdown(self) -> str:
        """As a Markdown table with its note below."""
        rule = ["---", *["---" if self.prose else "---:"] * (len(self.columns) - 1)]
        rows = [
            [
                f"**{markdown_text(cell)}**" if (n, c) in self.best else markdown_text(cell)
                for c, cell in enumerate(row)
            ]
            for n, row in enumerate(self.rows)
        ]
        lines = [[*map(markdown_text, self.columns)], rule, *rows]
        body = "\n".join("| " + " | ".join(row) + " |" for row in lines)
        return f"### {markdown_text(self.title)}\n\n{body}\n\n{markdown_text(self.words)}\n"

    def plain(self) -> str:
        """In columns for a terminal, which has no bold letters: its best cells have a star."""
        rows = [
            [f"{cell} *" if (row, at) in self.best else cell for at, cell in enumerate(cells)]
            for row, cells in enumerate(self.rows)
        ]
        lines = [self.columns, *rows]
        widths = [max(len(line[c]) for line in lines) for c in range(len(self.columns))]
        body = "\n".join(
            "  ".join(
                cell.rjust(width) if number else cell.ljust(width)
                for number, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )
        words = self.words.replace("Bold: ", "With a star: ") if self.best else self.words
        note = f"\n\n{fill(words, 100)}" if words else ""
        return f"{self.title}\n\n{body}{note}\n"

    def latex(self, label: str = "") -> str:
        """As a LaTeX table, see `latex_table`."""
        return latex_table(self, label)


def estimate_text(of: Estimate, digits: int = 2) -> str:
    """A figure with its interval, where it has one."""
    if math.isnan(of.low):
        return number_text(of.value, digits)
    value, low, high = (number_text(v, digits) for v in (of.value, of.low, of.high))
    return f"{value} [{low}, {high}]"


def number_text(value: float, digits: int = 2) -> str:
    """Such as 1.23, .45, -.67; correlations are written without a zero."""
    if math.isnan(value):
        return "–"
    rounded = round(value, digits) + 0.0  # without the sign of what rounds to nothing
    return re.sub(r"^(-?)0\.", r"\1.", f"{rounded:,.{digits}f}")


def decimals(value: float, digits: int = 3) -> int:
    """How many decimals show so many digits of a figure; 2 at the least."""
    if not math.isfinite(value) or value == 0:
        return 2
    return max(2, digits - 1 - math.floor(math.log10(abs(value))))


def build_facts(table: Table, recipe: str | None) -> TextTable:
    """What was built, on what, at what cost."""
    manifest = table.manifest
    space = table.space
    rows = [
        ("space", f"{space.name}: {space.size:,} architectures, {counted(len(table.rows), 'row')}"),
        ("sharing", _SHARING.get(manifest["sharing"], manifest["sharing"])),
    ]
    task = manifest.get("task")
    if task:
        facts = [", ".join(f"{n:,} {name}" for name, n in task.get("splits", {}).items())]
        kind = task.get("signal", {}).get("kind", "images")
        facts += [f"{kind} {' × '.join(map(str, task['shape']))}"] if "shape" in task else []
        facts += [f"hash {task['hash'][:12]}"] if "hash" in task else []
        rows.append(("task", "; ".join(filter(None, [task["name"], *facts]))))
    for source in origins(manifest):
        rows.append(("imported", f"{source.get('name')} ({source.get('kind')})"))
        rows += [(key, source[key]) for key in ("licence", "citation") if key in source]
    rows += [("predicted", _predicted(said)) for said in predictions(manifest)]
    for name, described in manifest["recipes"].items():
        settings = described.get("trained", {})
        shown = ", ".join(
            f"{key.replace('_', ' ')} {_setting(value)}" for key, value in settings.items() if value
        )
        seeds = ", ".join(map(str, described["seeds"]))
        shown = shown or f"epochs {described['epochs']}"
        rows.append((f"recipe {name}", f"{shown}; {f'seeds {seeds}' if seeds else 'no seeds'}"))
    if (
        recipe
        and "train_seconds" in table.metrics.get(recipe, ())
        and table.has_seeds("train_seconds", recipe=recipe)
    ):
        last = trained_seeds(table, "train_seconds", recipe=recipe)
        known = last[~np.isnan(last)]
        took = float(known.sum())
        spent = f"{took / 3600:,.2f} hours" if took >= 360 else f"{rounded(took, 3)} seconds"
        rows.append(("cost", f"{counted(known.size, 'training')}, {spent} of training"))
    hardware = manifest.get("hardware")
    if hardware:
        rows.append(
            (
                "hardware",
                f"{hardware.get('processor')}, {hardware.get('cores')} cores, "
                f"{hardware.get('system')}",
            )
        )
    if "engine" in manifest:
        rows.append(("engine", manifest["engine"]))
    if "versions" in manifest:
        rows.append(("versions", ", ".join(f"{k} {v}" for k, v in manifest["versions"].items())))
    rows.append(("table", f"{table.name}, SHA-256 {table.sha256[:16]}…"))
    return TextTable("What was built", ("", ""), rows, "", prose=True)


_SHARING = {
    "canonical": "architectures that are the same network share a row",
    "none": "every architecture has a row of its own",
}


def _setting(value: object) -> str:
    """Of a recipe; a user's function by its name, not its text, and sizes and options as words."""
    if not isinstance(value, Mapping):
        return str(value)
    if "function" in value:
        return f"{value['function']} of {value.get('file')}"
    return "(" + ", ".join(f"{name} {one}" for name, one in value.items()) + ")"


def _predicted(said: Mapping[str, Any]) -> str:
    """That values of a surrogate table are no measurements."""
    return (
        f"{said['rows_predicted']:,} rows of recipe {said['recipe']} were not trained: their "
        f"values are XGBoost's, fitted on {said['rows_fitted']:,} of the "
        f"{said['rows_trained']:,} others"
    )


def device_table(table: Table) -> TextTable:
    """Medians of what running costs, with how each figure came about.

    What a model says of an architecture is the same on every runtime, and stands there once.
    """
    rows: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for device in table.devices:
        for metric, kind in table.manifest["devices"][device]["kinds"].items():
            column = table.device_column(device, metric)
            known = column[column == column]
            if not len(known) or of_measuring(metric):
                continue
            ordered = sorted(known.tolist())
            shown = tuple(rounded(ordered[i]) for i in (0, len(ordered) // 2, -1))
            alike = known.tobytes().hex() if kind == "estimated" else device
            rows.setdefault((metric, kind, (*shown, alike)), []).append(device)
    cells = [
        (f"{', '.join(devices)}: {metric}", kind, *shown[:-1])
        for (metric, kind, shown), devices in rows.items()
    ]
    note = "Over the rows of the table. Estimated figures come from a stated model, not a counter."
    return TextTable("Devices", ("metric", "kind", "least", "median", "most"), cells, note)


def predictor_table(score: Score) -> TextTable:
    """How well the predictor does, beside what seed noise leaves to be done."""
    found, ceiling = score.agreement, score.ceiling

    accuracy = score.metric.endswith("accuracy")

    def row(name: str, key: str) -> tuple[str, str, str, str]:
        digits = ".3g" if key == "mae" and not accuracy else ".3f"  # in the unit of the metric
        low, high = score.intervals[key]
        top = getattr(ceiling, key, None)
        return (
            name,
            f"{getattr(found, key):{digits}}",
            f"[{low:{digits}}, {high:{digits}}]",
            "–" if top is None else f"{top:{digits}}",
        )

    points = ", points" if accuracy else ""
    rows = [
        row("R²", "r2"),
        row("Kendall's τ", "kendall"),
        row("Spearman's ρ", "spearman"),
        row(f"mean absolute error{points}", "mae"),
        ("coverage of 90 % intervals", f"{score.coverage:.3f}", "–", "–"),
    ]
    seeds = f"the mean of {counted(ceiling.seeds, 'seed')}" if ceiling else "the measured values"
    note = (
        f"XGBoost, fitted on {score.trained_on:,} rows, scored on {found.n:,} others; bootstrap "
        f"95 % intervals over architectures. The ceiling is about what a perfect prediction could "
        f"reach against {seeds}: for R² their reliability, for rank correlations what follows from "
        f"the agreement of the seeds' ranks. Coverage: the share of single trainings within their "
        f"interval."
    )
    columns = ("measure", "value", "95 % interval", "seed-noise ceiling")
    return TextTable("The predictor", columns, rows, note)
