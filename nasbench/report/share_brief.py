"""What stands on top of the page of runs that share weights."""

from __future__ import annotations

import math

import numpy as np

from nasbench._words import counted
from nasbench.report.again import share_command
from nasbench.report.briefs import made_from
from nasbench.report.doubts import FEW
from nasbench.report.sections import Brief
from nasbench.report.text import estimate_text, number_text
from nasbench.search.shares import Shares

__all__ = ["share_brief"]


def share_brief(shares: Shares) -> Brief:
    """What was chosen and how good that is, how inherited losses rank, what is left open."""
    answers = [("What was chosen", _chosen(shares))]
    ranks = shares.correlation()
    if math.isfinite(ranks.value):
        said = (
            f"Spearman's ρ {estimate_text(ranks)} with the table's validation accuracy at the end "
            f"of the training (n = {ranks.n})."
        )
        answers.append(("How inherited losses rank", said))
    tables = [shares.table] if shares.table is not None else []
    return Brief(answers, _open(shares), [share_command(shares)], made_from(tables))


def _chosen(shares: Shares) -> str:
    """The run whose choice is best by the table, and all of them beside one random draw."""
    n = counted(len(shares.runs), "run")
    regret = shares.regret
    if shares.table is None or not np.isfinite(regret).any():
        known = dict.fromkeys(one for one in shares.choices.tolist() if one >= 0)
        return f"{n} chose {', '.join(map(str, known)) or 'nothing'}; no table judges them."
    place = int(np.nanargmin(regret))
    choice = int(shares.choices[place])
    random = shares.lookup.one_draw.get("regret") if shares.lookup else None
    beside = f", where one drawn at random has {number_text(random[0])}" if random else ""
    return (
        f"Of {n} seed {list(shares.runs)[place]} has the best choice, architecture {choice} "
        f"({shares.space.string(choice)}): "
        f"{number_text(float(shares.worth('valid_accuracy')[place]))} % validation accuracy, "
        f"place {shares.rank(choice):,} of {len(shares.table.rows):,} rows. The mean regret of all "
        f"is {estimate_text(shares.mean_regret)} points (n = {shares.mean_regret.n}){beside}."
    )


def _open(shares: Shares) -> str:
    said = []
    if len(shares.runs) < FEW:
        said.append(f"{counted(len(shares.runs), 'run')}: only large differences show.")
    if shares.table is None:
        said.append("How good the choices are beside others: there is no table.")
    elif shares.lookup is not None and shares.lookup.noise is None:
        said.append(f"Without several seeds the noise of {shares.table.name} is not known.")
    of = shares.space.name if shares.table is None else shares.table.name
    return " ".join([*said, f"Other tasks and spaces: all of this is of {of}."])
