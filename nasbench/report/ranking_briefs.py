"""What stands on top of the pages of proxies, of predictors and of transfer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nasbench.report.again import command_line, sizes_command
from nasbench.report.briefs import made_by, made_from
from nasbench.report.doubts import FEW
from nasbench.report.sections import Brief
from nasbench.report.text import estimate_text, number_text
from nasbench.stats import Estimate
from nasbench.table import table_name
from nasbench.transfer import TransferEvaluation
from nasbench.validity.judgement import FITTED, Judgement

if TYPE_CHECKING:
    from nasbench.surrogate import SizeScores

__all__ = ["proxies_brief", "sizes_brief", "transfer_brief"]

SIZES = ("parameters", "flops")


def proxies_brief(found: Judgement) -> Brief:
    """Which score ranks best, over all and among the best, and what size alone would say."""
    target, validity = next(iter(found.validities.items()))
    answers, scopes = [], list(validity.scopes)
    for name, scope in validity.scopes.items():
        figures = scope.figures["spearman"]
        known = {of: one for of, one in figures.items() if math.isfinite(one.value)}
        if not known or name not in (scopes[0], scopes[-1]):
            continue
        best = _best(found, known)
        ceiling = scope.ceilings.get("spearman")
        left = f"; seed noise leaves {number_text(ceiling.value)} to be reached" if ceiling else ""
        said = (
            f"{best}: Spearman's ρ {estimate_text(known[best])} with {target} over "
            f"{scope.n:,} architectures{left}."
        )
        sizes = [f"{of} alone {number_text(known[of].value)}" for of in SIZES if of in known]
        said += f" For comparison: {', '.join(sizes)}." if sizes else ""
        said += _combined(found, known)
        answers.append(("Best proxy" if name == "all" else f"Among the {name}", said))
    partial = validity.scopes["all"].figures.get("partial", {})
    beyond = {of: one for of, one in partial.items() if math.isfinite(one.value)}
    if beyond:
        best = _best(found, beyond)
        said = f"{best}: ρ {estimate_text(beyond[best])} given parameters and FLOPs, the most."
        answers.append(("Beyond size", said))
    cannot = f"Other tasks and spaces: all of this is of {found.table.name}."
    if "spearman" not in validity.scopes["all"].ceilings:
        cannot = f"How much noise leaves to be reached: {target} has no two seeds. {cannot}"
    words = ["nasbench", "proxies", "report", table_name(found.table)]
    words += [word for metric in found.validities for word in ("--metric", metric)]
    words += ["--proxies", ",".join(found.facts), "--out", "DIR"]
    return Brief(answers, cannot, [command_line(words)], made_from([found.table]))


def _best(found: Judgement, known: Mapping[str, Estimate]) -> str:
    """The proxy with the highest figure; of combinations where no proxy by itself has one."""
    alone = [name for name in known if name in found.facts] or list(known)
    return max(alone, key=lambda name: known[name].value)


def _combined(found: Judgement, known: Mapping[str, Estimate]) -> str:
    """What the best combination of proxies reaches, and what saw trained networks."""
    free = [name for name in known if name not in found.facts and name != FITTED]
    said = ""
    if free:
        best = max(free, key=lambda name: known[name].value)
        said += f" Combined without training, {best}: {estimate_text(known[best])}."
    if FITTED in known:
        said += f" Fitted to trained networks, {FITTED}: {estimate_text(known[FITTED])}."
    return said


def sizes_brief(scores: SizeScores) -> Brief:
    """Which predictor ranks best of the fewest rows and of the most."""
    about, answers = scores.about, []
    region = next(iter(scores.ceilings))
    ceiling = scores.ceilings[region]
    for size, head in ((about["sizes"][0], "Of few rows"), (about["sizes"][-1], "Of many")):
        found = {one: scores.summary(one, size, region, "kendall") for one in scores.series}
        known = {one: of for one, of in found.items() if math.isfinite(of.mean)}
        if not known:
            continue
        best = max(known, key=lambda one: known[one].mean)
        tied = [one[0] for one, of in known.items() if one != best and of.high >= known[best].low]
        said = f"{best[0]} ranks best after {size:,} rows: Kendall's τ {known[best].mean:.3f}"
        said += f" (seed noise leaves {ceiling.kendall:.3f})." if ceiling else "."
        said += f" Intervals overlap with {', '.join(dict.fromkeys(tied))}." if tied else ""
        answers.append((head, said))
    cannot = f"Other tasks and spaces: all of this is of {about['table']}."
    made = f"From {about['table']} (SHA-256 {about['sha256'][:12]}…) by {made_by()}."
    return Brief(answers, cannot, [sizes_command(scores)], made)


def transfer_brief(found: TransferEvaluation) -> Brief:
    """How much regret a warm start saves over tasks, and how often it hurts."""
    n = len(found.held)
    saved = [
        f"{strategy} {estimate_text(pair.difference)} (p {pair.p:.2g})"
        for strategy, pair in found.over_tasks.items()
    ]
    hurts = len(list(found.hurts()))
    answers = [
        (
            "What is saved",
            f"Mean final regret of the warm search less the cold one, in points, over {n} tasks by "
            f"Wilcoxon's signed ranks: {', '.join(saved)}. Below 0 the warm search is better.",
        ),
        (
            "When it hurts",
            f"The warm search is worse by its whole interval in {hurts:,} comparisons."
            if hurts
            else "In no comparison is the warm search worse by its whole interval.",
        ),
    ]
    few = f" {n} are few for a test." if n < FEW else ""
    cannot = f"Whether it helps on a task that is like none of these {n}.{few}"
    words = ["nasbench", "transfer", "evaluate", "REPOSITORY", "--strategies"]
    words.append(",".join(found.over_tasks))
    if found.budget.evaluations is not None:
        words += ["--budget-evaluations", str(found.budget.evaluations)]
    if found.budget.seconds is not None:
        words += ["--budget-seconds", f"{found.budget.seconds:.15g}"]
    words += ["--seeds", str(len(found.seeds)), "--top", str(found.top)]
    landmarks = {len(held.landmarks) for held in found.held.values()}
    words += ["--landmarks", str(max(landmarks)), "--out", "DIR"] if landmarks else []
    tables = [task.table for task in found.repository.tasks.values()]
    return Brief(answers, cannot, [command_line(words)], made_from(tables))
