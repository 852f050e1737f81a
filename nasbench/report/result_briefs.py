"""What stands on top of the pages of single results: a run, a predictor, a choice, a file."""

from __future__ import annotations

import math
from functools import singledispatch
from typing import Any

import numpy as np

from nasbench._result import Facts
from nasbench._words import counted, rounded
from nasbench.report.briefs import dated, made_by, made_from, predicted
from nasbench.report.calls import choose_call, export_call, fit_call, score_call, search_call
from nasbench.report.doubts import elsewhere, parts
from nasbench.report.ranking_briefs import sizes_brief
from nasbench.report.sections import Brief
from nasbench.search import Run
from nasbench.search.choosing import ChosenArchitecture
from nasbench.surrogate import Score, SizeScores, Surrogate
from nasbench.table import Table, direction

__all__ = ["brief_of"]


@singledispatch
def brief_of(result: Any) -> Brief:
    """What the page of a result begins with.

    Raises:
        NotImplementedError: for a kind of result that has none: no page goes without.
    """
    raise NotImplementedError(f"the page of a {type(result).__name__} has no beginning")


brief_of.register(SizeScores, sizes_brief)


@brief_of.register
def _(result: Run) -> Brief:
    spec, done = result.spec, len(result.evaluations)
    table: Table | None = getattr(result.oracle, "table", None)
    values = ", ".join(f"{name} {rounded(of, 6)}" for name, of in result.values.items())
    said = (
        f"Architecture {result.best} ({result.oracle.space.string(result.best)}): {values}, the "
        f"best that {spec.strategy} with seed {spec.seed} saw in {counted(done, 'evaluation')}."
    )
    answers = [("Best architecture", said + _place(result, table))]
    cannot = "How other seeds would do: this is one run."
    if result.oracle.describe()["kind"] == "surrogate":
        cannot += " The run searched a predictor: nothing that it saw was trained."
    if table is not None:
        cannot = " ".join([cannot, *parts(table), elsewhere(table)])
    else:
        cannot += f" Other tasks and spaces: all of this is of {result.oracle.space.name}."
    tables = [table] if table is not None else []
    return Brief(answers, cannot, [search_call(result)], made_from(tables))


def _place(run: Run, table: Table | None) -> str:
    """Where the best stands among all that could have been found, if that is known."""
    if table is None or run.oracle.describe()["kind"] != "table":
        return ""
    goal = run.spec.goal
    column = run.oracle.column(goal.metric)  # type: ignore[attr-defined]
    known = column[np.isfinite(column)]
    value = run.values[goal.metric]
    better = int((known > value).sum() if goal.maximize else (known < value).sum())
    return f" That is place {better + 1:,} of {len(known):,} rows by {goal.metric}."


@brief_of.register
def _(result: Score) -> Brief:
    cannot = [elsewhere(result.table)]
    if result.ceiling is None:
        cannot.insert(0, f"How much noise leaves to be reached: {result.metric} has no two seeds.")
    answers = [(f"How well {result.metric} is predicted", predicted(result))]
    return Brief(answers, " ".join(cannot), [score_call(result)], made_from([result.table]))


@brief_of.register
def _(result: Surrogate) -> Brief:
    metric = result.primary
    rows = counted(len(result.trained_on), "row")
    tau = result.out_of_fold_kendall(metric)
    said = f"{metric} of {result.space.name}, from {rows} of {result.name}"
    said += f": Kendall's τ {tau:.2f} on folds that were left out." if math.isfinite(tau) else "."
    answers = [("What it predicts", said)]
    if result.listable:
        known = result.space.representatives
        found = result.predict(metric, known)
        place = int(found.argmin() if direction(metric) == "min" else found.argmax())
        best = int(known[place])
        low, high = (float(end[0]) for end in result.interval(metric, [best]))
        said = (
            f"Architecture {best} ({result.space.string(best)}): {metric} "
            f"{rounded(float(found[place]), 4)}, nine in ten between "
            f"{rounded(low, 4)} and {rounded(high, 4)}."
        )
        answers.append(("Best by prediction", said))
    cannot = (
        "How well it ranks rows that it has not seen: τ of the folds is of the settings that did "
        "best on them, and nb.score takes other rows. Nothing that is predicted was trained. Other "
        f"tasks and spaces: all of this is of {result.name}."
    )
    versions = result.document["versions"]
    of = f"{result.name} (SHA-256 {result.document['table']['sha256'][:12]}…)"
    made = (
        f"From {of}, fitted by nasbench-harness {versions['nasbench']} with XGBoost "
        f"{versions['xgboost']}; drawn by {made_by()}. Its file lists the rows that it was fitted "
        f"on, which are others where they were named one by one."
    )
    return Brief(answers, cannot, [fit_call(result)], made)


@brief_of.register
def _(result: ChosenArchitecture) -> Brief:
    table = result.among.table
    values = ", ".join(
        f"{name} {rounded(of, 6)} (reference {rounded(result.reference_values[name], 6)})"
        for name, of in result.values.items()
    )
    said = (
        f"Architecture {result.architecture} ({table.space.string(result.architecture)}): {values}."
        f" {result.kept:,} of {result.listed:,} rows keep the limits; the reference is "
        f"{result.reference}."
    )
    for of, shares in (("seeds", result.over_seeds), ("weights", result.over_weights)):
        if shares:
            share = 100 * shares.get(result.architecture, 0.0)
            said += f" With other {of} the pick is the same in {share:.0f} % of draws."
    cannot = [*parts(table), elsewhere(table)]
    if not result.over_seeds:
        cannot.insert(0, "Whether another training would be chosen: no metric has several seeds.")
    command = choose_call(result)
    return Brief([("What to take", said)], " ".join(cannot), [command], made_from([table]))


@brief_of.register
def _(result: Facts) -> Brief:
    from nasbench.building.exporting import Exported

    assert isinstance(result, Exported)  # the one kind that there is
    chosen, spec = result.chosen, result.chosen.spec
    string = spec.space.string(chosen.architecture)
    if result.test is not None:
        worth = f"trained, {result.test} on {result.test.n:,} test examples"
    elif result.trained:
        shown = (f"{name} {rounded(of, 4)}" for name, of in result.shown.items())
        worth = f"trained by a loop of one's own, which showed last {', '.join(shown)}"
    else:
        worth = "not trained"
    said = (
        f"Architecture {chosen.architecture} ({string}), {worth}. ONNX Runtime and PyTorch differ "
        f"by {result.largest_difference:.2g} at most on a batch of noise. {result.beside}"
    )
    cannot = "How fast it runs: nothing was timed."
    cannot += "" if result.test else " What it is worth: this file was not tested."
    cannot += f" Other inputs: all of this is of {spec.task.name}."
    of = f"From {dated(chosen.table)} by " if chosen.table else "By "
    seen = " to the same bits." if result.identical else ", but for what machines round otherwise."
    made = f"{of}{made_by()}. The same versions on a like machine give the same network{seen}"
    return Brief([("What is in the file", said.strip())], cannot, [export_call(result)], made)
