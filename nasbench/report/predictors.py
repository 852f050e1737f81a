"""How well predictors do by how much they were fitted on: a section with its tables and figures."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from nasbench._words import counted
from nasbench.report.figures import Drawing
from nasbench.report.sections import Section
from nasbench.report.text import TextTable, number_text
from nasbench.report.theme import COLOURS, FAINT, figure, series, styled
from nasbench.stats import Summary
from nasbench.table import direction

if TYPE_CHECKING:
    from nasbench.surrogate import SizeScores, Surrogate

__all__ = ["prediction_curve", "size_section", "size_table", "size_tables"]

FEWEST = 10
"""Draws; of fewer a bootstrap interval says little."""

MOST_PLACES = 400
"""Places in the order of predictions that a curve shows: more of them no figure tells apart."""

WIDEST = 48
"""Characters of a name of which two stand side by side in a legend."""

_OTHERS = {
    "spearman": "Spearman's ρ",
    "sparse_kendall": "sparse τ",
    "r2": "R²",
    "mae": "MAE",
    "coverage": "coverage",
}


def size_section(scores: SizeScores) -> Section:
    """All of it."""
    about = scores.about
    lead = (
        f"Predictors of {_words(scores)} (recipe {about['recipe']}) are fitted on few of the "
        f"{about['rows']:,} rows of {about['table']} and scored on all rows of other networks."
    )
    if usual := _usual(scores):
        one, several = f" The predictor sees {_told(usual)}.", f" Each sees {_told(usual)}"
        differ = any(features != usual for _, features in scores.series)
        several += ", but where its name says otherwise." if differ else "."
        lead += several if len(scores.series) > 1 else one
    drawings = [_curves(scores, region) for region in scores.ceilings]
    return Section("Predictors by training size", lead, drawings, size_tables(scores))


def _words(scores: SizeScores) -> str:
    return str(scores.about["metric"]).replace("_", " ")


def _far(scores: SizeScores) -> str:
    """What is said of rows that learnt next to nothing."""
    if direction(scores.about["metric"]) == "min":
        return f"more than twice the median {_words(scores).removeprefix('valid ')}"
    return f"less than half the median {_words(scores).removeprefix('valid ')}"


def size_tables(scores: SizeScores) -> list[TextTable]:
    """Kendall's tau by size; then the other measures, and the time, at each size."""
    return [
        *(size_table(scores, region) for region in scores.ceilings),
        *(_measures(scores, region) for region in scores.ceilings),
        _times(scores),
    ]


def size_table(scores: SizeScores, region: str) -> TextTable:
    """Kendall's tau of each predictor at each size, beside the seed-noise ceiling."""
    sizes, draws = scores.about["sizes"], scores.about["draws"]
    rows = []
    for one in scores.series:
        found = [scores.summary(one, size, region, "kendall") for size in sizes]
        rows.append((_name(scores, one), *(_with_interval(s, draws) for s in found)))
    ceiling = scores.ceilings[region]
    top = "–" if ceiling is None else number_text(ceiling.kendall, 3)
    of = "" if ceiling is None else f" of {counted(ceiling.seeds, 'seed')}"
    rows.append(("seed-noise ceiling", *[top] * len(sizes)))
    note = (
        f"Mean over {counted(draws, 'draw')} of the rows fitted on, from {FEWEST} draws on with "
        f"the bootstrap 95 % interval of the mean. Settings are tuned by cross-validation within "
        f"the rows fitted on. {scores.about['broken']:,} rows of {_far(scores)} count, too. The "
        f"ceiling is about what a perfect prediction could reach against the measured means{of}."
    )
    columns = ("predictor", *(f"{size:,} rows" for size in sizes))
    return TextTable(f"Kendall's τ, {_of(region)}", columns, rows, note)


def _with_interval(found: Summary, draws: int) -> str:
    if draws < FEWEST:
        return number_text(found.mean, 3)
    mean, low, high = (number_text(v, 3) for v in (found.mean, found.low, found.high))
    return f"{mean} [{low}, {high}]"


def _measures(scores: SizeScores, region: str) -> TextTable:
    rows = []
    for one in scores.series:
        for size in scores.about["sizes"]:
            found = [scores.summary(one, size, region, measure) for measure in _OTHERS]
            shown = (_with_interval(s, scores.about["draws"]) for s in found)
            rows.append((_name(scores, one), f"{size:,}", *shown))
    level = f"{100 * scores.about['level']:.0f} %"
    in_points = "accuracy" in scores.about["metric"]
    note = (
        f"Means over draws, with intervals as above. Sparse τ: measured and predicted are rounded "
        f"to 0.1{' %' * in_points} first. MAE: mean absolute error, in "
        f"{'points' if in_points else _words(scores)}. Coverage: the share of single trainings "
        f"within their {level} interval."
    )
    return TextTable(
        f"Other measures, {_of(region)}", ("predictor", "rows", *_OTHERS.values()), rows, note
    )


def _times(scores: SizeScores) -> TextTable:
    rows = []
    for one in scores.series:
        for size in scores.about["sizes"]:
            fit, predict = scores.seconds(one, size)
            rows.append((_name(scores, one), f"{size:,}", f"{fit:.2f}", f"{predict:.2f}"))
    note = "CPU seconds of one thread: tuning and fitting once; predicting the whole space."
    return TextTable("Time", ("predictor", "rows", "fit", "predict the space"), rows, note)


@styled
def _curves(scores: SizeScores, region: str) -> Drawing:
    """Kendall's tau over the number of rows fitted on, with intervals and the ceiling."""
    sizes = scores.about["sizes"]
    several = scores.about["draws"] >= FEWEST
    drawn, axes = figure(5.6, 3.4 + 0.11 * len(scores.series))
    shown = zip(scores.series, series(len(scores.series)), strict=True)
    for one, (colour, dash) in shown:
        found = [scores.summary(one, size, region, "kendall") for size in sizes]
        means = [s.mean for s in found]
        axes.plot(
            sizes, means, dash, color=colour, marker="o", markersize=3, label=_name(scores, one)
        )
        if several:
            low, high = [s.low for s in found], [s.high for s in found]
            axes.fill_between(sizes, low, high, color=colour, alpha=0.15, lw=0)
    ceiling = scores.ceilings[region]
    if ceiling is not None:
        axes.axhline(ceiling.kendall, color=FAINT, linestyle="--", linewidth=1)
        axes.annotate("seed-noise ceiling", (sizes[0], ceiling.kendall), fontsize=7.5, va="bottom")
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("rows fitted on")
    axes.set_ylabel("Kendall's τ")
    handles, labels = axes.get_legend_handles_labels()
    columns = 2 if max(map(len, labels)) <= WIDEST else 1
    drawn.legend(handles, labels, loc="outside lower left", ncols=columns, fontsize=8)
    caption = f"Mean over {counted(scores.about['draws'], 'draw')}"
    caption += "; bands: its bootstrap 95 % interval." if several else "."
    name = region.replace(" ", "-")
    return Drawing(f"predictors-{name}", f"Ranking {_of(region)}", caption, drawn)


def _of(region: str) -> str:
    return {"all": "all other rows", "best half": "best half of the other rows"}[region]


def _name(scores: SizeScores, one: tuple[str, str]) -> str:
    """The predictor, with what it sees where that is not what most see."""
    name, features = one
    return name if features == _usual(scores) else f"{name} ({_told(features)})"


def _usual(scores: SizeScores) -> str:
    """What most predictors see; nothing where one stands there with several features."""
    names, features = zip(*scores.series, strict=True)
    if len({*names}) < len(names):
        return ""
    return str(Counter(features).most_common(1)[0][0])


def _told(features: str) -> str:
    """Features as people read them; a table that is named by its path by the file's name."""
    return ", ".join(PurePath(f).stem if f.startswith("table:") else f for f in features.split(","))


@styled
def prediction_curve(fitted: Surrogate, metric: str) -> Drawing:
    """What a surrogate predicts, from the best to the worst, with where trainings would lie.

    Of the whole space where it can be listed, else of what it was fitted on.
    """
    space = fitted.space
    chosen = space.representatives if fitted.listable else fitted.trained_on
    predicted = fitted.predict(metric, chosen)
    order = np.argsort(predicted if direction(metric) == "min" else -predicted, kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, MOST_PLACES).astype(np.int64))
    shown = chosen[order[places]]
    low, high = fitted.interval(metric, shown)
    drawn, axes = figure()
    ranks = places + 1
    axes.fill_between(
        ranks, low, high, color=COLOURS[0], alpha=0.2, linewidth=0, label="90 % of trainings"
    )
    axes.plot(ranks, predicted[order[places]], color=COLOURS[0], label="predicted mean")
    axes.set_xlabel("place by prediction")
    axes.set_ylabel(f"{metric}, %" if metric.endswith("accuracy") else metric)
    drawn.legend(loc="outside lower left", ncols=2)
    of = f"All of {space.name}" if fitted.listable else "What it was fitted on"
    caption = (
        f"{of}, {len(order):,} architectures, best first; the band has nine in ten trainings with "
        f"a new seed, calibrated on rows that were left out of the fit."
    )
    return Drawing(f"predicted-{metric}", f"Predicted: {metric}", caption, drawn)
