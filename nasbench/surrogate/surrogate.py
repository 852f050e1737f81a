"""The meta-learner: XGBoost on features of architectures, with what it cannot know."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench._files import atomic_path, write_text
from nasbench._result import Result
from nasbench.errors import DamagedFile, NasbenchError, Unsupported
from nasbench.space import Space, from_description
from nasbench.surrogate.document import ascending, check_document, hash_of, need, read_document
from nasbench.surrogate.features import LISTABLE, Features
from nasbench.surrogate.targets import from_scale
from nasbench.surrogate.trees import unpack_model
from nasbench.surrogate.uncertainty import Calibration, LocalSpread

if TYPE_CHECKING:
    import pandas as pd
    import xgboost

__all__ = ["Surrogate"]

Floats = NDArray[np.float64]


class Surrogate(Result):
    """Models of a recipe's last epoch, by metric, with their errors and the noise of seeds.

    A NAS benchmark made of such models follows Zela et al., "Surrogate NAS Benchmarks and How
    to Create Them", ICLR 2022. Differences: the trees are tuned on what was trained, intervals
    are calibrated, and noise depends on the accuracy, pooled between seeds within
    architectures, where theirs comes from an ensemble's members.

    Attributes:
        document: all there is to it, plain JSON values.
        space: of its architectures.
        features: what its models see.
        trained_on: the architectures it was fitted on, ascending.

    Args:
        document: as `fit` makes it.

    Raises:
        ValueError: naming what is not sound: a document may come from anyone.

    Example:
        >>> import nasbench as nb
        >>> fitted = nb.fit("policy-cartpole", train=20, metric="parameters")
        >>> low, high = fitted.interval("parameters", [5])
        >>> bool(low <= fitted.predict("parameters", [5]) <= high)
        True
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        check_document(document)
        self.document = document
        self.space: Space = from_description(document["space"])
        self.features = Features.from_description(self.space, document["features"])
        rows = document.get("trained_on")
        self.trained_on = ascending(rows, self.space, "rows it was fitted on")
        need(len(self.trained_on), "rows it was fitted on")
        width = self.features.of(self.trained_on[:1]).shape[1]
        self._models: dict[str, list[xgboost.Booster]] = {}
        self._noise: dict[str, LocalSpread] = {}
        self._calibrations: dict[str, Calibration] = {}
        for metric, said in document["metrics"].items():
            self._models[metric] = [unpack_model(text, width) for text in said["members"]]
            self._noise[metric] = LocalSpread.from_description(said["seed_noise"])
            self._calibrations[metric] = Calibration.from_description(said["calibration"])

    def __repr__(self) -> str:
        metric = self.primary
        return (
            f"<Surrogate of {metric}, fitted on {len(self.trained_on):,} rows of {self.name}; "
            f"Kendall's tau {self.out_of_fold_kendall(metric):.3f} on folds that were left out>"
        )

    def frame(self, architectures: ArrayLike | None = None) -> pd.DataFrame:
        """A row an architecture: its number, its string, and every metric that is predicted.

        Args:
            architectures: of the space; those that stand for its classes where left out.

        Raises:
            Unsupported: where all of a space too large to list are asked for.
        """
        import pandas as pd

        if architectures is None:
            self.space.check_listable("a prediction of each architecture")
        chosen = self.space.representatives if architectures is None else architectures
        rows = self.space.check(np.atleast_1d(np.asarray(chosen)))
        seen = self.space.canonical(rows)
        found = {metric: self.predict(metric, seen) for metric in self.metrics}
        strings = [self.space.string(one) for one in rows.tolist()]
        return pd.DataFrame({"architecture": rows, "string": strings, **found})

    @property
    def name(self) -> str:
        """The name of the table it was fitted on."""
        return str(self.document["table"]["name"])

    @property
    def recipe(self) -> str:
        """The recipe it predicts."""
        return str(self.document["recipe"])

    @property
    def epochs(self) -> int:
        """The recipe's epochs: it predicts their end."""
        return int(self.document["epochs"])

    @property
    def primary(self) -> str:
        """The metric among them by which architectures are judged."""
        return next(
            (m for m in self._models if not m.endswith("_seconds")), next(iter(self._models))
        )

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it predicts."""
        return tuple(self._models)

    def out_of_fold_kendall(self, metric: str) -> float:
        """Kendall's tau on rows that it was fitted on, each predicted by the other folds.

        The better of the settings that were tried, so a little more than on new rows; NaN where
        all measured values are equal.
        """
        found = self.document["metrics"][metric]["kendall_out_of_fold"]
        return math.nan if found is None else float(found)

    @cached_property
    def sha256(self) -> str:
        """The hash of the document; `save` writes it beside, `load` checks it."""
        return hash_of(self.document)

    def predict(self, metric: str, architectures: ArrayLike) -> Floats:
        """The predicted mean of a metric over seeds, float64 `[n]`."""
        return from_scale(metric, self._members(metric, architectures).mean(0))

    def disagreement(self, metric: str, architectures: ArrayLike) -> Floats:
        """Standard deviation between the ensemble's members, float64 `[n]`.

        On the scale of fits (see `nasbench.surrogate.targets`); larger where a training would
        tell the models more.
        """
        return np.asarray(self._members(metric, architectures).std(0))

    def interval(
        self, metric: str, architectures: ArrayLike, level: float = 0.9
    ) -> tuple[Floats, Floats]:
        """The ends, `[n]` each, between which a training with a new seed is with that probability.

        Calibrated on cells that were not fitted on, see `Calibration`.
        """
        scaled = self._members(metric, architectures).mean(0)
        low, high = self._calibrations[metric].interval(scaled, level)
        return from_scale(metric, low), from_scale(metric, high)

    def seed_std(self, metric: str, values: ArrayLike) -> Floats:
        """Standard deviation between seeds of architectures with these means; 0 if not known."""
        return self._noise[metric].at(values)

    @property
    def listable(self) -> bool:
        """Whether the space is small enough for `predict_all`; `predict_one` has no limit."""
        return self.space.size <= LISTABLE

    def predict_one(self, architecture: int, training_seed: int | None = None) -> dict[str, float]:
        """Every metric of one architecture of a space of any size; NaN where it cannot be built.

        Args:
            architecture: of the space; what is predicted is that of its class.
            training_seed: as in `predict_all`, with noise of its own for each class.
        """
        seen = int(self.space.canonical(architecture))
        if not self.space.allowed(seen):
            return dict.fromkeys(self._models, math.nan)
        found = {}
        for number, metric in enumerate(self._models):
            predicted = self.predict(metric, [seen])
            if training_seed is not None and not metric.endswith("_seconds"):
                key = np.random.SeedSequence(training_seed, spawn_key=(number, seen))
                noise = np.random.default_rng(key).standard_normal(1)
                predicted = self._with_noise(metric, predicted, noise)
            found[metric] = float(predicted[0])
        return found

    def predict_all(self, training_seed: int | None = None) -> dict[str, Floats]:
        """Every metric of every architecture, float64 `[space.size]` each.

        Those that rules of the space forbid have NaN.

        Args:
            training_seed: None gives means; a number adds the noise of a training with that
                seed to all but seconds: the same number gives the same noise, and
                architectures of one class share it.

        Raises:
            Unsupported: where the space is too large, see `predict_one`.
        """
        if not self.listable:
            raise Unsupported(
                f"{self.space.name} has {self.space.size:,} architectures: {LISTABLE:,} are the "
                f"most that are predicted as a whole"
            )
        standing, classes = self.space.representatives, self.space.classes
        place = np.minimum(np.searchsorted(standing, classes), len(standing) - 1)
        buildable = standing[place] == classes
        found = {}
        for number, (metric, predicted) in enumerate(self._means.items()):
            if training_seed is not None and not metric.endswith("_seconds"):
                key = np.random.SeedSequence(training_seed, spawn_key=(number,))
                noise = np.random.default_rng(key).standard_normal(len(predicted))
                predicted = self._with_noise(metric, predicted, noise)
            found[metric] = np.where(buildable, predicted[place], np.nan)
        return found

    def _with_noise(self, metric: str, predicted: Floats, noise: Floats) -> Floats:
        """Trainings around predicted means `[n]`, by standard normal noise `[n]`."""
        drawn = predicted + self.seed_std(metric, predicted) * noise
        return np.clip(drawn, 0, 100) if metric.endswith("accuracy") else drawn

    @cached_property
    def _means(self) -> dict[str, Floats]:
        """What `predict` says of each class; the noise of every seed is around it."""
        return {metric: self.predict(metric, self.space.representatives) for metric in self._models}

    def _members(self, metric: str, architectures: ArrayLike) -> Floats:
        """What each member predicts, on the scale of fits: float64 `[members, n]`."""
        if metric not in self._models:
            raise NasbenchError(f"this surrogate predicts {', '.join(self._models)}, not {metric}")
        seen = self.features.of(architectures)
        found = [model.inplace_predict(seen) for model in self._models[metric]]
        return np.asarray(found, dtype=np.float64)

    def save(self, path: str | Path, *, new: bool = False) -> None:
        """Write it whole, as one JSON document; one that is `new` takes no other file's place."""
        document = {**self.document, "sha256": self.sha256}
        with atomic_path(Path(path), new=new) as partial:
            write_text(partial, json.dumps(document, sort_keys=True, allow_nan=False))

    @classmethod
    def load(cls, path: str | Path) -> Surrogate:
        """The surrogate that `save` wrote, checked before XGBoost sees it.

        Raises:
            NasbenchError: for anything else, also where the file's author knew the format.
        """
        document = read_document(Path(path))
        try:
            return cls(document)
        except NasbenchError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            why = str(error) if type(error) is ValueError else "an entry is missing"
            raise DamagedFile(f"{path} is not a surrogate of this project: {why}") from error
