"""Samples of a space: the options of `nasbench build` that ask for one, and what it says of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasbench._limits import LARGEST_SEED, MOST_COUNTED
from nasbench._words import counted
from nasbench.cli.common import complete_proxy, emit, rows
from nasbench.cli.found import found_in, next_of

if TYPE_CHECKING:
    from nasbench.building import PartlyTrained

__all__ = ["By", "Complete", "Design", "Only", "Sample", "SampleSeed", "emit_sample"]


def complete_design(incomplete: str) -> list[str]:
    """How a sample can be drawn."""
    from nasbench.building import DESIGNS

    return [name for name in DESIGNS if name.startswith(incomplete)]


Sample = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_COUNTED,
        help="Train so many distinct architectures at the most, and not all. A larger sample, or "
        "the whole build, goes on from them.",
    ),
]
Complete = Annotated[
    bool,
    typer.Option(
        "--complete",
        help="Predict what the sample leaves out, each value marked as predicted. One in five is "
        "held out from all fits; if 40 or more are, training ends when it no longer improves "
        "tau on them. Devices are measured for all architectures, trained or not.",
    ),
]
Design = Annotated[
    str | None,
    typer.Option(
        help="Of the sample: random, stratified: spread by a proxy, or active: where models "
        "disagree. Active with --complete, else random.",
        autocompletion=complete_design,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        help="The zero-cost proxy that a stratified sample is spread by; FLOPs. Four fifths of "
        "the distinct architectures are scored first, each at one start on one batch.",
        autocompletion=complete_proxy,
    ),
]
SampleSeed = Annotated[
    int | None,
    typer.Option(min=0, max=LARGEST_SEED, help="Of the sample, its scores and its fits; 0."),
]


Only = Annotated[
    Path | None,
    typer.Option(
        help="Train only the architectures that a text file names, one a line: what searches "
        "chose, say, from scratch and with every seed.",
    ),
]


def emit_sample(made: PartlyTrained, recipe: str, as_json: bool) -> None:
    """Say what was trained, what is predicted and how well, why it ended, and what may follow."""
    from nasbench.building.rounds import BACK, FLAT

    table, outcome = made.table, made.outcome
    path, asked = table.path, outcome.sampling
    trained = len(outcome.trained)
    said = table.manifest.get("predicted")
    document = {
        "table": str(path),
        "sha256": table.sha256,
        "rows": len(table.rows),
        "rows_trained": trained,
        "rows_predicted": said["rows_predicted"] if said else 0,
        "sample": outcome.describe(),
    }
    design = f"{asked.design} by {asked.by}" if asked.by else asked.design
    if outcome.unscored:
        design += f"; {outcome.unscored:,} to choose from have no score and stand last"
    more = "a longer list, or without --only" if asked.these else "a larger --sample, or without it"
    kept = f"The trainings stay in {path}.build: the same command with {more}, goes on from them."
    ending = rows([*found_in(table), *next_of(table, recipe)])
    if said is None:
        text = f"{path}: {counted(trained, 'row')} ({design}), all trained. {kept}"
        emit(document, as_json, f"{text}\n{ending}")
        return
    last = outcome.rounds[-1]
    tau = last.kendall
    ceiling = (
        f"the noise of {counted(outcome.ceiling.seeds, 'seed')} leaves "
        f"{outcome.ceiling.kendall:.3f} to be "
        f"reached"
        if outcome.ceiling
        else "one seed does not tell what its noise leaves to be reached"
    )
    if outcome.stopped:
        why = (
            f"It stopped there: over {BACK} rounds tau rose by {last.gain:.3f}, no more than the "
            f"standard error of that, {last.noise:.3f}, {FLAT} rounds in succession. A larger "
            f"--sample holds out more, and sees smaller gains."
        )
    else:
        why = f"All {asked.size:,} that were asked for are trained."
    text = (
        f"{path}: {counted(trained, 'row')} trained ({design}), {said['rows_predicted']:,} "
        "predicted "
        f"from {len(outcome.fitted):,} of them\n"
        f"Kendall's tau {tau.value:.3f} [{tau.low:.3f}, {tau.high:.3f}] on {tau.n:,} random "
        f"architectures that no fit saw; {ceiling}\n"
        f"{why} {kept}\n"
        f"{ending}"
    )
    emit(document, as_json, text)
