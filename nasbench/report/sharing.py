"""What runs that share weights found, as tables, figures and a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from nasbench._files import write_json, write_text
from nasbench._names import printable
from nasbench._words import counted, rounded
from nasbench.report.figures import Drawing
from nasbench.report.paper import Paper
from nasbench.report.sections import Section, write_sections
from nasbench.report.share_brief import share_brief
from nasbench.report.text import TextTable, estimate_text, number_text
from nasbench.report.theme import COLOURS, FAINT, figure, series, styled
from nasbench.search.goal import Limit, SoftTarget
from nasbench.search.share_presets import PRESETS
from nasbench.search.shares import BETTER, Moment, Shares
from nasbench.search.sharing import JUDGED_IMAGES
from nasbench.stats import seed_agreement
from nasbench.table import trained_seeds

__all__ = ["share_figures", "share_tables", "write_shares"]


def share_tables(shares: Shares) -> list[TextTable]:
    """What each run chose, also for limits of their own, and how inherited losses rank."""
    found = [_choices(shares)]
    if any(shares.specialised.values()):
        found.append(_specialised(shares))
    if _judged(shares):
        found.append(_ranks(shares))
    return found


def share_figures(shares: Shares) -> dict[str, Callable[[], Drawing]]:
    """What can be drawn of runs, by name; nothing where no moment was judged."""
    drawn: dict[str, Callable[[], Drawing]] = {}
    if _judged(shares):
        drawn["ranks"] = partial(_over_epochs, shares)
    if any(m.probabilities is not None for of in shares.moments.values() for m in of):
        drawn["probabilities"] = partial(_probabilities, shares)
    return drawn


def write_shares(shares: Shares, out: Path, paper: Paper | None = None) -> Path:
    """Write a page, figures and the choices; gives the page.

    The page is `index.html`, with `report.md`, `report.tex` and `summary.json`; `choices.txt` has a
    line a run, as `nasbench build --only` and `nasbench search --start` read it.
    """
    write_json(out / "summary.json", shares.summary())
    write_text(out / "choices.txt", choice_lines(shares))
    drawings = [draw() for draw in share_figures(shares).values()]
    tables = share_tables(shares)
    ranks = tables[-1:] if _judged(shares) else []
    first = tables[: len(tables) - len(ranks)]
    sections = [Section(f"{shares.title}, {shares.space.name}", _lead(shares), (), first)]
    if drawings:
        lead = _LEAD_RANKS if ranks else _LEAD_SURE
        sections.append(Section("Over the training", lead, drawings, ranks))
    sections.append(Section("What was run", _protocol(shares)))
    return write_sections(
        sections, out, f"Shared weights: {shares.title}", share_brief(shares), paper=paper
    )


def choice_lines(shares: Shares) -> str:
    """A line a run: its architecture, and which one that is in a comment; none where it chose none.

    Example:
        >>> from nasbench.search.share_journal import ShareLine
        >>> from nasbench.search.sharing import SharedRun
        >>> from nasbench.space import get
        >>> line = ShareLine("step", "", {}, 0.0, 0.0, 3, 0)
        >>> print(choice_lines(Shares(get("nb201-mini"), None, {8: SharedRun({}, [line], "")})))
        3  # seed 8: |none~0|+|none~0|nor_conv_3x3~1|
        <BLANKLINE>
    """
    chosen = zip(shares.runs, shares.choices.tolist(), strict=True)
    return "".join(
        f"{one}  # seed {seed}: {printable(shares.space.string(one))}\n"
        for seed, one in chosen
        if one >= 0
    )


MOST_ROWS = 50
"""Of runs whose choices a page lists."""

_LEAD_RANKS = (
    "How inherited losses rank the same architectures as the table's validation accuracy does, at "
    "moments of the training. The strategy is not shown them, and they are not paid for."
)

_LEAD_SURE = "What the strategy was sure of at moments of the training; no table judges them."


def _judged(shares: Shares) -> bool:
    moments = [moment for of in shares.moments.values() for moment in of]
    return shares.table is not None and bool(moments)


def collapse(shares: Shares) -> str:
    """A sentence on choices that are mostly operations without weights; empty without any."""
    found = shares.collapsed()
    if not found:
        return ""
    one = len(found) == 1
    which = ", ".join(map(str, found[:10]))
    return (
        f"Collapse: of {counted(len(shares.runs), 'run')} {len(found)} (seed{'' if one else 's'} "
        f"{which}) chose an architecture of which two thirds or more of the operations have no "
        f"weights: skips, poolings, nothing."
    )


def _lead(shares: Shares) -> str:
    parts = []
    if shares.lookup is not None:
        regret = shares.mean_regret
        floor = shares.lookup.noise
        random = shares.lookup.one_draw.get("regret")
        parts.append(
            f"Mean regret of the choices {estimate_text(regret)} points (n = {regret.n}); one "
            f"architecture drawn at random has {number_text(random[0]) if random else '–'}"
            + (f", and seeds leave {floor.floor:.2f} uncertain." if floor else ".")
        )
    means = shares.by_supernet.values()
    if len(means) > 1:
        parts.append(
            f"The runs share {len(means)} supernets, by which their mean regret is "
            f"{number_text(min(means))} to {number_text(max(means))}; the interval is of draws on "
            f"these alone."
        )
    parts += [ending(shares), collapse(shares), discretising(shares)]
    return " ".join(filter(None, parts))


def ending(shares: Shares) -> str:
    """A sentence on runs that ended before their schedule did; empty without any."""
    early = shares.ended_early
    if not early:
        return ""
    after = [f"seed {seed} after {epoch}" for seed, epoch in islice(early.items(), 10)]
    if len(early) > len(after):
        after.append(f"{len(early) - len(after)} more")
    of = f"{len(early)} of {counted(len(shares.runs), 'run')}"
    epochs = counted(int(shares.spec["schedule"]["epochs"]), "epoch")
    return f"{of} ended before {epochs}: {', '.join(after)}."


def discretising(shares: Shares) -> str:
    """A sentence on what is lost from the mixture to the chosen path; empty without any."""
    last = [of[-1] for of in shares.moments.values() if of]
    gaps = [moment.gap for moment in last if moment.gap is not None]
    if not gaps:
        return ""
    said = (
        f"Discretisation gap: with the shared weights at the end the chosen paths have a "
        f"validation loss {np.mean(gaps):+.2f} beside their mixtures' ({min(gaps):+.2f} to "
        f"{max(gaps):+.2f}, n = {len(gaps)})."
    )
    values = [moment.eigenvalue for moment in last if moment.eigenvalue is not None]
    if values:
        said += (
            f" The dominant eigenvalue of the Hessian of the validation loss to the logits is "
            f"{rounded(float(np.mean(values)), 3)} there."
        )
    return said


def _specialised(shares: Shares) -> TextTable:
    """What was chosen for limits of their own, a row a run and limit."""
    rows = []
    for seed, chosen in shares.specialised.items():
        for limit, architecture in chosen.items():
            rank = shares.rank(architecture)
            worth = float("nan")
            if shares.lookup is not None:
                worth = float(shares.lookup.worth("valid_accuracy", np.asarray([architecture]))[0])
            shown = "–" if rank is None else f"{rank:,}"
            rows.append((f"{seed}", limit, f"{architecture}", shown, number_text(worth)))
    columns = ("seed", "limit", "architecture", "rank", "valid, %")
    note = "Each is evolved with the same shared weights; ranks are among all rows of the table."
    return TextTable("Specialised for each limit", columns, rows, note)


def _choices(shares: Shares) -> TextTable:
    rows = []
    for place, (seed, run) in enumerate(islice(shares.runs.items(), MOST_ROWS)):
        choice = int(shares.choices[place])
        rank, free = shares.rank(choice), shares.free_of_parameters[place]
        rows.append(
            (
                f"{seed}",
                "–" if choice < 0 else f"{choice}",
                "–" if rank is None else f"{rank:,}",
                number_text(float(shares.worth("valid_accuracy")[place])),
                number_text(float(shares.tested[place])),
                number_text(float(shares.regret[place])),
                "–" if free is None else f"{free} of {shares.operations}",
                f"{run.seconds:,.1f}",
            )
        )
    columns = (
        "seed",
        "architecture",
        "rank",
        "valid, %",
        "test, %",
        "regret, points",
        "no weights",
        "seconds",
    )
    priced = shares.spec["prices"]["kind"] == "table"
    seconds = (
        "Seconds are priced by the table: what was paid for training, scoring and single trainings"
        if priced
        else "Seconds are those that passes took here"
    )
    table = "No table judges them."
    if shares.table is not None:
        table = (
            f"Looked up in {shares.table.name} of {len(shares.table.rows):,} rows, means over its "
            f"seeds; test is looked up after the run."
        )
    if len(shares.runs) > MOST_ROWS:
        table += f" The first {MOST_ROWS} of {len(shares.runs):,} runs; summary.json has all."
    note = f"{table} {seconds}. Mean regret {estimate_text(shares.mean_regret)}. {collapse(shares)}"
    return TextTable(f"What {shares.title} chose", columns, rows, note.strip())


def _ranks(shares: Shares) -> TextTable:
    """Spearman's correlation at each moment, the mean over seeds, by scope."""
    rows = []
    for epoch in _epochs(shares):
        at = [m for of in shares.moments.values() for m in of if m.epoch == epoch]
        cells = [number_text(_mean(at, scope)) for scope, _ in BETTER]
        rows.append((f"epoch {epoch}", *cells, f"{len(at)}"))
    last = [estimate_text(shares.correlation(scope)) for scope, _ in BETTER]
    rows.append(("last", *last, f"{len(shares.runs)}"))
    agreement = _agreement(shares)
    if agreement is not None:
        rows.append(("two trainings of the table", number_text(agreement), "–", "–", "–"))
    columns = ("moment", *(scope for scope, _ in BETTER), "runs")
    n = len(next(of for of in shares.moments.values() if of)) and _sample_size(shares)
    note = (
        f"Spearman's rank correlation of inherited losses, on the first {JUDGED_IMAGES:,} "
        f"validation examples, with the table's validation accuracy, over {n} architectures that "
        f"are the same for every run. Means over seeds; intervals (95 %, bootstrap over seeds) "
        f"from ten on."
    )
    return TextTable("How inherited losses rank", columns, rows, note)


def _sample_size(shares: Shares) -> int:
    from nasbench.search.sharing import judged_sample

    return len(judged_sample(shares.space))


def _epochs(shares: Shares) -> list[int]:
    return sorted({moment.epoch for of in shares.moments.values() for moment in of})


def _mean(moments: list[Moment], scope: str) -> float:
    known = [m.correlations[scope] for m in moments if np.isfinite(m.correlations[scope])]
    return float(np.mean(known)) if known else float("nan")


def _agreement(shares: Shares) -> float | None:
    """Spearman's correlation between two trainings of the table; None of one seed."""
    if shares.table is None or shares.lookup is None:
        return None
    recipe = shares.lookup.report_recipe
    if not shares.table.has_seeds("valid_accuracy", recipe=recipe):
        return None
    seeds = trained_seeds(shares.table, "valid_accuracy", recipe=recipe)
    whole = seeds[np.isfinite(seeds).all(1)]
    return float(seed_agreement(whole)) if whole.shape[1] > 1 and len(whole) > 1 else None


@styled
def _over_epochs(shares: Shares) -> Drawing:
    """Rank correlation over epochs: each run faint, the mean of all."""
    drawn, axes = figure()
    epochs = _epochs(shares)
    for (scope, _), (colour, dash) in zip(BETTER, series(len(BETTER)), strict=True):
        for of in shares.moments.values():
            xs = [m.epoch for m in of]
            ys = [m.correlations[scope] for m in of]
            axes.plot(xs, ys, color=colour, alpha=0.2, linewidth=0.8)
        means = [
            _mean([m for of in shares.moments.values() for m in of if m.epoch == epoch], scope)
            for epoch in epochs
        ]
        axes.plot(epochs, means, color=colour, linestyle=dash, marker=".", label=scope)
    agreement = _agreement(shares)
    if agreement is not None:
        axes.axhline(agreement, color=FAINT, linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epochs of the shared weights")
    axes.set_ylabel("rank correlation with the table")
    handles, labels = axes.get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower left", ncols=3)
    line = " The level line is the agreement of two trainings." if agreement is not None else ""
    caption = f"Thin: single runs; thick: their mean, n = {len(shares.runs)}.{line}"
    return Drawing("ranks", "How inherited losses rank", caption, drawn)


@styled
def _probabilities(shares: Shares) -> Drawing:
    """The probabilities of the first run's choices, an axes a decision."""
    seed, moments = next(
        (s, [m for m in of if m.probabilities is not None]) for s, of in shares.moments.items()
    )
    held = [m.probabilities for m in moments if m.probabilities is not None]
    options = list(shares.space.decisions.items())[:12]
    drawn, first = figure(6.4, 1.5 * -(-len(options) // 3) + 0.6)
    first.remove()
    grid = drawn.subplots(-(-len(options) // 3), 3, sharex=True, sharey=True, squeeze=False)
    names = list(dict.fromkeys(name for _, choices in options for name in choices))[: len(COLOURS)]
    looks = dict(zip(names, series(len(names)), strict=True))
    for place, axes in enumerate(grid.flat):
        if place >= len(options):
            axes.set_axis_off()
            continue
        decision, choices = options[place]
        axes.set_title(decision)
        for choice, name in enumerate(choices):
            if name in looks:
                colour, dash = looks[name]
                ys = [float(of[place, choice]) for of in held]
                axes.plot(
                    [m.epoch for m in moments], ys, color=colour, linestyle=dash,
                    label=name if not place else None,
                )  # fmt: skip
    handles, labels = grid.flat[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower left", ncols=3)
    caption = f"Seed {seed}: the probability of each choice over the epochs, a panel a decision."
    return Drawing("probabilities", "What it is sure of", caption, drawn)


def _looked_up(columns: Mapping[str, Any]) -> str:
    """What stood in the place of shared weights."""
    where = f"Nothing was trained together: scores of {columns['name']}, columns of "
    where += f"{columns['table']['name']}, stand in the place of shared weights. "
    if "seeds" in columns:
        seeds = ", ".join(map(str, columns["seeds"]))
        return where + (
            f"Its supernets have seeds {seeds}; a run has the one that is its seed's in turn, and "
            f"pays for training and scoring as if it were its own."
        )
    return where + f"A score costs the {rounded(columns['seconds'], 3)} seconds that were measured."


def _protocol(shares: Shares) -> str:
    spec = shares.spec
    schedule, sharing, prices = spec["schedule"], spec["sharing"], spec["prices"]
    bounds = [str(Limit(**given)) for given in spec.get("limits", ())]
    bounds += [str(SoftTarget(**given)) for given in spec.get("targets", ())]
    kept = f" Choices keep {' and '.join(bounds)}." if bounds else ""
    preset = ""
    if spec.get("preset"):
        about = PRESETS[spec["preset"]].about if spec["preset"] in PRESETS else spec["preset"]
        preset = f" What was not set follows a published protocol: {about}."
    own = ", ".join(f"{k} = {v}" for k, v in spec["parameters"].items()) or "as they are by default"
    norm = {
        "batch": "by the statistics of the scored examples themselves",
        "recalibrated": "by statistics of training examples taken anew along each path",
        "running": "by running statistics, which mix those of all paths",
    }[sharing["norm"]]
    affine = "trained" if sharing["affine"] else "not trained"
    price = "Prices are measured seconds."
    if prices["kind"] == "table":
        price = (
            f"A path's training step costs {prices['path']:g} times what the table says, a "
            f"scored example {prices['score']:.2f} of a trained one, a mixture "
            f"{prices['mixture']:g} times the sum of its choices."
        )
    if spec.get("columns"):
        return f"{_looked_up(spec['columns'])} The strategy's parameters are {own}. {price}{kept}"
    return (
        f"{counted(schedule['epochs'], 'epoch')} of "
        f"{counted(schedule['steps_per_epoch'], 'step')} on {spec['task']['name']}, recipe "
        f"{spec['recipe']['name']}; the strategy's parameters are {own}. BatchNorm scores {norm}; "
        f"its scales inside cells are {affine}. Engine: {sharing['engine']}. {price}{kept}{preset} "
        f"Weights are trained on the training split, and everything that chooses is on the "
        f"validation split of the task."
    )
