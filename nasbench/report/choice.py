"""One architecture that was chosen, beside what it was chosen from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nasbench._words import counted, rounded
from nasbench.report.clouds import MOST_POINTS, cloud
from nasbench.report.figures import Drawing
from nasbench.report.text import TextTable
from nasbench.report.theme import COLOURS, figure, styled
from nasbench.search.choosing import ChosenArchitecture

__all__ = ["choice_scatter", "choice_table"]


def choice_table(found: ChosenArchitecture) -> TextTable:
    """The pick beside the reference, a row a metric."""
    rows = [
        (name, rounded(value, 6), rounded(found.reference_values[name], 6), _gain(found, name))
        for name, value in found.values.items()
    ]
    space = found.among.table.space
    note = (
        f"Chosen: architecture {found.architecture}, {space.string(found.architecture)}. The "
        f"reference: {found.reference}, {space.string(found.reference)}. {found.kept:,} of "
        f"{found.listed:,} rows keep the limits; a gain is a share of what the reference has."
    )
    title = f"The choice on {found.among.table.name}"
    return TextTable(title, ("metric", "pick", "reference", "gain"), rows, note)


def _gain(found: ChosenArchitecture, name: str) -> str:
    gain = found.gains.get(name, math.nan)
    return "–" if math.isnan(gain) else f"{100 * gain:+.1f} %"


@styled
def choice_scatter(found: ChosenArchitecture) -> Drawing:
    """What keeps the limits by the first two metrics that are weighed, with pick and reference."""
    among = found.among
    y_name, x_name = among.weighed[:2]
    kept = np.flatnonzero(among.kept)
    y, x = among.means[kept, 0], among.means[kept, 1]

    def about(x: float, y: float) -> str:
        return f"{y_name} {rounded(y, 5)}, {x_name} {rounded(x)}"

    def tip(place: int) -> str:
        one = among.architecture(int(kept[place]))
        values = about(float(x[place]), float(y[place]))
        return f"{among.table.space.string(one)}\narchitecture {one}\n{values}"

    drawn, axes = figure()
    tips = {"rows": cloud(axes, x, y, tip, about)}
    marks: dict[str, tuple[int, dict[str, Any]]] = {
        "reference": (found.reference, {"marker": "s", "color": COLOURS[2]}),
        "pick": (found.architecture, {"marker": "D", "color": COLOURS[1]}),
    }
    for name, (one, look) in marks.items():
        at = among.means[among.place(one)]
        axes.scatter([at[1]], [at[0]], s=36, zorder=3, gid=name, label=name, **look)
        tips[name] = [f"{name}\n{among.table.space.string(one)}\narchitecture {one}"]
    axes.set_xlabel(x_name)
    axes.set_ylabel(y_name)
    drawn.legend(loc="outside lower left", ncols=2)
    caption = f"{counted(len(kept), 'row')} with the limits kept."
    caption += (
        " The stronger the colour, the more architectures." if len(kept) > MOST_POINTS else ""
    )
    return Drawing("choice", "What was chosen from", caption, drawn, tips)
