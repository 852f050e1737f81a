"""Fits and scores as a session calls them: `nb.fit` and `nb.score`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

from nasbench._defaults import DRAWS, PREDICTORS, SHARE
from nasbench._progress import Progress, shown
from nasbench.errors import BadValue
from nasbench.space import Architectures
from nasbench.surrogate.completed import check_completable, write_completed
from nasbench.surrogate.fitting import fit
from nasbench.surrogate.scoring import Score, score
from nasbench.surrogate.sizes import SizeScores, score_sizes
from nasbench.surrogate.surrogate import Surrogate
from nasbench.table import Table, load

__all__ = ["fit_table", "score_any"]

Features = Sequence[str]
"""What models see, such as `("one_hot", "graph")`."""


def fit_table(
    table: Table | str | Path,
    out: str | Path | None = None,
    *,
    recipe: str | None = None,
    train: float | Architectures | None = None,
    seed: int = 0,
    features: Features | None = None,
    metric: str | None = None,
    complete: str | Path | None = None,
) -> Surrogate:
    """Fit XGBoost on part of a table, and predict the rest into a table of the whole space.

    It predicts a metric and, where they are known, the seconds of training; test metrics are
    never among its targets.

    Args:
        table: to fit on; a name or path will do.
        out: a file to write the surrogate to, `.json`.
        recipe: to predict; may be left out where the table has one, or the metric is of none.
        train: how many rows to fit on, or which share of them where it is 1 or less; or these very
            architectures. Half by default; all with `complete`.
        seed: of the choice of rows, of folds and of the trees.
        features: what models see: `one_hot`, `adjacency`, `operations`, `path`, `graph`,
            `proxies`, `network`, `devices[:NAME]`, `early:RECIPE[@EPOCH]`, `table:TABLE[@RECIPE]`;
            the space's usual ones where left out.
        metric: of the recipe; or a cost, `<device>/<metric_unit>`, a count of the network or
            `proxy/<name>`. What `Table.primary` says where left out.
        complete: a table to write, `.h5`: what was fitted on, and the rest predicted.

    Example:
        >>> import nasbench as nb
        >>> fitted = nb.fit("nb201-fashion16", train=20, metric="parameters")
        >>> fitted.primary, len(fitted.trained_on)
        ('parameters', 20)
    """
    opened = load(table)
    new = out is not None and not Path(out).exists()
    new_table = complete is not None and not Path(complete).exists()
    if complete is not None:
        check_completable(opened, recipe, metric)
    chosen: Any = train
    if train is None:
        chosen = SHARE if complete is None else 1.0
    elif isinstance(train, int | float):
        # 1 is all rows: of one row nothing can be learnt.
        chosen = float(train) if train <= 1 else int(train)
    fitted = fit(opened, recipe=recipe, train=chosen, seed=seed, features=features, metric=metric)
    if out is not None:
        fitted.save(out, new=new)
    if complete is not None:
        write_completed(opened, fitted, Path(complete), new=new_table)
    return fitted


@overload
def score_any(
    what: Surrogate | str | Path,
    table: Table | str | Path,
    *,
    metric: str | None = None,
) -> Score: ...
@overload
def score_any(
    what: Table | str | Path,
    *,
    metric: str | None = None,
    sizes: Sequence[int],
    draws: int = DRAWS,
    predictors: Sequence[str] = PREDICTORS,
    features: Features | Sequence[Features | None] | None = None,
    recipe: str | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    progress: Progress | bool = True,
) -> SizeScores: ...
def score_any(
    what: Surrogate | Table | str | Path,
    table: Table | str | Path | None = None,
    *,
    metric: str | None = None,
    sizes: Sequence[int] | None = None,
    draws: int = DRAWS,
    predictors: Sequence[str] = PREDICTORS,
    features: Features | Sequence[Features | None] | None = None,
    recipe: str | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    progress: Progress | bool = True,
) -> Score | SizeScores:
    """Score a surrogate on rows it was not fitted on, or predictors by training size.

    Args:
        what: a surrogate or its file; with `sizes` a table, its name or its file.
        table: to score the surrogate on.
        metric: which prediction of the surrogate; with `sizes` what is predicted.
        sizes: rows to fit on, as in `(20, 50, 100)`; what follows is for them alone.
        draws: random choices of the rows.
        predictors: names of `nasbench.surrogate.PREDICTORS`.
        features: what they see, or several such lists to be compared.
        recipe: where the table has several.
        seed: of the draws.
        out: a folder that keeps fits as they are done; what it has is not done again.
        progress: shown in a terminal or notebook by a bar; False for none, or a function of one's
            own, called with what is done, how much of it, and how much there is.

    Example:
        >>> import nasbench as nb
        >>> fitted = nb.fit("nb201-fashion16", train=20, metric="parameters")
        >>> nb.score(fitted, "nb201-fashion16").trained_on
        20
    """
    if sizes is None:
        if table is None or isinstance(what, Table):
            raise BadValue("name a surrogate and a table, or a table and --sizes")
        surrogate = what if isinstance(what, Surrogate) else Surrogate.load(what)
        return score(surrogate, load(table), metric)
    if table is not None or isinstance(what, Surrogate):
        raise BadValue("with --sizes name one table: its rows are fitted on and scored")
    opened = load(what)
    with shown(progress) as tell:
        return score_sizes(
            opened,
            sizes,
            draws=draws,
            predictors=predictors,
            features=_lists(features),
            recipe=recipe,
            metric=metric,
            seed=seed,
            journal=None if out is None else Path(out) / "trials.jsonl",
            progress=lambda done, total: tell("fitting", done, total),
        )


def _lists(features: Any) -> list[Features | None]:
    """Lists of features; None stands for the space's usual one."""
    if features is None:
        return [None]
    return [features] if all(isinstance(one, str) for one in features) else list(features)
