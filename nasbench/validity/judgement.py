"""What a table says of the zero-cost scores in it: how well they rank what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench._progress import Progress, silent
from nasbench._result import Result
from nasbench._words import counted
from nasbench.errors import NasbenchError, unknown
from nasbench.stats import Estimate, seed_agreement
from nasbench.stats.interval import FEWEST
from nasbench.table import Table
from nasbench.validity.combine import COMBINATIONS, combine, fitted
from nasbench.validity.correlation import agreement_of_scores, bootstrap
from nasbench.validity.measures import RankTarget, Validity, validate
from nasbench.validity.scores import about_score, scores_of
from nasbench.validity.targets import every_target, is_valid, targets_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FITTED", "Judgement", "ScoreOrigin", "judge"]

FITTED = "ridge"
"""The combination that is fitted to trained architectures."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScoreOrigin:
    """How a score came about.

    Attributes:
        kind: computed or imported, as the table says.
        better: whether `high` or `low` values speak for a network; empty where nobody says, and
            high ones are taken to.
        paper: who proposed it; empty where nobody says.
        mode: BatchNorm's mode, dtype, what of the batch is used; empty where nobody says.
        draws: starts and batches that it is the mean of; 0 where nobody says.
        seconds: of one architecture and draw, the passes apart that several proxies share; NaN
            where it was not measured.
        missing: architectures with a row and without a score.
        repeats: Spearman's correlation between two draws, the mean over pairs; None of one.
    """

    kind: str
    better: str
    paper: str
    mode: str
    draws: int
    seconds: float
    missing: int
    repeats: Estimate | None

    def describe(self) -> dict[str, Any]:
        """By name; plain JSON values."""
        seconds = self.seconds if np.isfinite(self.seconds) else None
        repeats = self.repeats.describe() if self.repeats else None
        return {**asdict(self), "seconds": seconds, "repeats": repeats}


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Judgement(Result):
    """How the scores of a table rank what the table measured.

    Attributes:
        table: judged.
        facts: of each proxy.
        scores: of each row, the higher the better, `[rows]`: the proxies, then combinations.
        fitted_to: the target that `FITTED` was fitted to, cross-fitted; empty without it.
        validities: by target, the one that counts most first.
        agreement: Spearman's correlation of each two proxies.
        shared_seconds: of one architecture and draw, for what several proxies share; NaN where
            it was not measured.

    Example:
        >>> from nasbench.table import load
        >>> nothing = Judgement(load("nb201-fashion16"), {}, {}, "", {}, {}, float("nan"))
        >>> nothing.describe()["table"], nothing.describe()["proxies"]
        ('nb201-fashion16', {})
    """

    table: Table
    facts: Mapping[str, ScoreOrigin]
    scores: Mapping[str, Floats]
    fitted_to: str
    validities: Mapping[str, Validity]
    agreement: Mapping[tuple[str, str], Estimate]
    shared_seconds: float

    def __repr__(self) -> str:
        metric, found = next(iter(self.validities.items()))
        figures = found.scopes["all"].figures["spearman"]
        best = max(self.facts, key=lambda name: figures[name].value)
        return (
            f"<Judgement of {counted(len(self.facts), 'proxy', 'proxies')} by {metric} of "
            f"{self.table.name}: {best} first, Spearman's rho {figures[best].value:.3f}>"
        )

    def frame(self) -> pd.DataFrame:
        """A row a metric, scope, measure and score: `value` with the interval `low` to `high`."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "metric": metric,
                    "scope": scope,
                    "n": of.n,
                    "measure": measure,
                    "score": name,
                    "value": figure.value,
                    "low": figure.low,
                    "high": figure.high,
                }
                for metric, found in self.validities.items()
                for scope, of in found.scopes.items()
                for measure, figures in of.figures.items()
                for name, figure in figures.items()
            ]
        )

    def describe(self) -> dict[str, Any]:
        """All figures by name; plain JSON values."""
        return {
            "table": self.table.name,
            "sha256": self.table.sha256,
            "proxies": {name: fact.describe() for name, fact in self.facts.items()},
            "combinations": [name for name in self.scores if name not in self.facts],
            "fitted_to": self.fitted_to,
            "shared_seconds": self.shared_seconds if np.isfinite(self.shared_seconds) else None,
            "metrics": {name: found.describe() for name, found in self.validities.items()},
            "agreement": [
                {"proxies": list(pair), **found.describe()}
                for pair, found in self.agreement.items()
            ],
        }


def judge(
    table: Table,
    *,
    proxies: Sequence[str] = (),
    metrics: Sequence[str] = (),
    combined: Sequence[str] = (),
    progress: Progress = silent,
) -> Judgement:
    """Say how well the scores of a table rank each of its metrics and costs.

    Args:
        table: with `proxy/<name>`.
        proxies: names; all of the table's where left out.
        metrics: `<recipe>/<metric>` or `<device>/<metric_unit>`; where left out, the accuracies
            of every recipe at its last epoch and every cost of every device, those apart that
            too few architectures have to be ranked by.
        combined: the proxies that combinations are made of; all where left out.
        progress: called with which metric is looked at.

    Example:
        >>> import numpy as np
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from nasbench.space import get
        >>> from nasbench.table import Dataset, write_table
        >>> rng = np.random.default_rng(0)
        >>> accuracy = rng.normal(80, 5, (65, 1, 1))
        >>> noisy = accuracy[:, 0, 0] + rng.normal(0, 2, 65)
        >>> trained = Dataset(accuracy, {"kind": "trained", "epochs": [1]})
        >>> with TemporaryDirectory() as folder:
        ...     table = write_table(
        ...         Path(folder) / "T.h5", name="toy", space=get("nb201-mini"), sharing="canonical",
        ...         rows=get("nb201-mini").representatives,
        ...         recipes={"1ep": {"epochs": 1, "seeds": [0]}},
        ...         datasets={
        ...             "recipe/1ep/valid_accuracy": trained,
        ...             "proxy/mine": Dataset(noisy, {"kind": "computed", "better": "high"}),
        ...         },
        ...     )
        ...     found = judge(table)
        >>> len(found.validities)
        1
    """
    chosen = scores_of(table, proxies)
    _check_scored(table, chosen)
    targets = targets_of(table, metrics)
    scores = dict(chosen)
    for name in combined:
        if name not in chosen:
            raise unknown("proxy to combine", name, chosen)
    parts = {name: chosen[name] for name in combined or chosen}
    fitted_to = ""
    if len(parts) > 1:
        scores |= {name: combine(parts, how) for name, how in COMBINATIONS.items()}
        # Never to a test accuracy: whoever selects by the fit would have seen it.
        valid = next((make for name, make in every_target(table).items() if is_valid(name)), None)
        fit_to = valid() if valid else None
        fit = _fit(table, parts, fit_to) if fit_to else None
        if fit_to is not None and fit is not None:
            scores[FITTED], fitted_to = fit, fit_to.name
    sizes = _sizes(table)
    validities = {}
    for done, (name, target) in enumerate(targets.items()):
        progress("comparing", done, len(targets))
        validities[name] = validate(scores, target, sizes)
    progress("comparing", len(targets), len(targets))
    return Judgement(
        table=table,
        facts={name: _fact(table, name) for name in chosen},
        scores=scores,
        fitted_to=fitted_to,
        validities=validities,
        agreement=agreement_of_scores(chosen),
        shared_seconds=_shared_seconds(table.manifest),
    )


def _check_scored(table: Table, scores: Mapping[str, Floats]) -> None:
    """Refuse proxies that score no architecture: beside them none could be ranked by all."""
    some = [name for name, values in scores.items() if np.isfinite(values).any()]
    if len(some) < len(scores):
        rest = f": judge the others, --proxies {','.join(some)}" if some else ""
        none = ", ".join(name for name in scores if name not in some)
        raise NasbenchError(f"no architecture of {table.name} has a score by {none}{rest}")


def _fit(table: Table, parts: Mapping[str, Floats], target: RankTarget) -> Floats | None:
    """The fitted combination, over the rows that have all parts; None of too few rows."""
    columns = np.stack(list(parts.values()), axis=1)
    known = np.isfinite(columns).all(axis=1)
    if not known.any():
        return None
    groups = table.space.classes[table.rows]
    found = np.full(len(columns), np.nan)
    try:
        rng = np.random.default_rng(0)
        found[known] = fitted(columns[known], target.values[known], groups[known], rng)
    except NasbenchError:  # too few are trained: the other combinations need none
        return None
    return found


def _sizes(table: Table) -> Floats | None:
    """Parameters and FLOPs, `[rows, 2]`: counted, else as proxies; None where neither is there."""
    datasets = table.manifest["datasets"]
    for names in (("network/parameters", "network/flops"), ("proxy/params", "proxy/flops")):
        if all(name in datasets for name in names):
            return np.stack([table.column(n.removeprefix("network/")) for n in names], axis=1)
    return None


def _fact(table: Table, name: str) -> ScoreOrigin:
    about = about_score(table, name)
    repeats = None
    if f"proxy_draws/{name}" in table.manifest["datasets"]:
        draws = table.dataset(f"proxy_draws/{name}").values.astype(np.float64)
        draws = draws[np.isfinite(draws).all(1)]
        if draws.shape[1] > 1 and len(draws) >= FEWEST:
            (repeats,) = bootstrap(lambda d: seed_agreement(d)[None], draws)
    return ScoreOrigin(
        kind=about.get("kind", "imported"),
        better=about.get("better", ""),
        paper=_text(about, "paper"),
        mode=_text(about, "mode"),
        draws=about["draws"] if type(about.get("draws")) is int else 0,
        seconds=about.get("seconds", np.nan),
        missing=int(np.isnan(table.column(f"proxy/{name}")).sum()),
        repeats=repeats,
    )


def _text(about: Mapping[str, Any], key: str) -> str:
    """A sentence of the manifest; a stranger's may hold anything."""
    found = about.get(key, "")
    return found if isinstance(found, str) else ""


def _shared_seconds(manifest: Mapping[str, Any]) -> float:
    """What the scoring of this table, or of one that it was joined from, says."""
    for of in (manifest, *manifest.get("sources", ())):
        scoring = of.get("scoring")
        seconds = scoring.get("seconds") if isinstance(scoring, dict) else None
        found = seconds.get("shared") if isinstance(seconds, dict) else None
        if isinstance(found, float):
            return found
    return float("nan")
