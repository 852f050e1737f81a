"""The meta-learner: XGBoost on architecture features, fitted on part of a table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import ArrayLike, NDArray

import nasbench
from nasbench.errors import NasbenchError
from nasbench.space import CellSpace, Space, from_description
from nasbench.table import Table, atomic_path

__all__ = ["Surrogate", "features", "fit"]

FORMAT = "nasbench-surrogate"
VERSION = 1
PARAMETERS = {"n_estimators": 500, "max_depth": 6, "learning_rate": 0.05, "tree_method": "hist"}
TARGETS = ("valid_accuracy", "train_seconds")


def features(space: Space, architectures: ArrayLike) -> NDArray[np.float32]:
    """What the models see of architectures: float32 `[n, features]`.

    One-hot decisions, and for cells the path encoding. Architectures of one class are the
    same network, so each is seen as the one that stands for its class.
    """
    canonical = space.canonical(np.atleast_1d(np.asarray(architectures)))
    one_hot = space.one_hot(canonical)
    if not isinstance(space, CellSpace):
        return one_hot
    return np.concatenate((one_hot, space.path_encoding(canonical)), axis=1)


class Surrogate:
    """Models of a recipe's last epoch, by metric, with a noise model.

    Chen & Guestrin, "XGBoost: A Scalable Tree Boosting System", KDD 2016; its use as a NAS
    benchmark follows Zela et al., "Surrogate NAS Benchmarks", ICLR 2022. The noise of a
    training is normal with the standard deviation that seeds have within an architecture,
    pooled over the rows it was fitted on.

    Attributes:
        document: all there is to it, plain JSON values.
        space: of its architectures.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.space: Space = from_description(document["space"])
        self._models: dict[str, xgboost.XGBRegressor] = {}
        for metric, text in document["models"].items():
            model = xgboost.XGBRegressor()
            model.load_model(bytearray(text.encode()))
            self._models[metric] = model

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
    def trained_on(self) -> NDArray[np.int64]:
        """The architectures it was fitted on."""
        return np.asarray(self.document["trained_on"], dtype=np.int64)

    @cached_property
    def sha256(self) -> str:
        """The hash of the document; `save` writes it beside, `load` checks it."""
        return _hash(self.document)

    def predict(self, metric: str, architectures: ArrayLike) -> NDArray[np.float64]:
        """The predicted mean of a metric, float64 `[n]`."""
        if metric not in self._models:
            raise NasbenchError(f"this surrogate predicts {', '.join(self._models)}, not {metric}")
        seen = features(self.space, architectures)
        predicted: NDArray[np.float64] = self._models[metric].predict(seen).astype(np.float64)
        return predicted

    def predict_all(self, training_seed: int | None = None) -> dict[str, NDArray[np.float64]]:
        """Every metric of every architecture, float64 `[space.size]` each.

        Args:
            training_seed: None gives means; a number adds the noise of a training with that
                seed to all but seconds: the same number gives the same noise, and
                architectures of one class share it.
        """
        classes = self.space.classes
        representatives = self.space.representatives
        place = np.searchsorted(representatives, classes)
        found = {}
        for number, metric in enumerate(self._models):
            predicted = self.predict(metric, representatives)
            if metric == "train_seconds":
                predicted = np.maximum(predicted, 0)
            elif training_seed is not None:
                key = np.random.SeedSequence(training_seed, spawn_key=(number,))
                noise = np.random.default_rng(key).standard_normal(len(representatives))
                predicted = predicted + self.document["noise_std"][metric] * noise
                if metric.endswith("accuracy"):
                    predicted = np.clip(predicted, 0, 100)
            found[metric] = predicted[place]
        return found

    def save(self, path: str | Path) -> None:
        """Write it whole, as one JSON document."""
        with atomic_path(Path(path)) as partial:
            text = json.dumps({**self.document, "sha256": self.sha256}, sort_keys=True)
            partial.write_text(text)

    @classmethod
    def load(cls, path: str | Path) -> Surrogate:
        """The surrogate that `save` wrote; raises NasbenchError for anything else."""
        try:
            document = json.loads(Path(path).read_bytes())
            if document["format"] != FORMAT:
                raise ValueError(f"its format is {document['format']!r}")
            if document["version"] != VERSION:
                raise NasbenchError(
                    f"{path} has surrogate format {document['version']}, "
                    f"this release reads format {VERSION}"
                )
            if document.pop("sha256") != _hash(document):
                raise NasbenchError(f"{path} is damaged: it does not have the hash it states")
            return cls(document)
        except OSError as error:
            raise NasbenchError(f"cannot open surrogate {path}: {error.strerror}") from error
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
            xgboost.core.XGBoostError,
        ) as error:
            if isinstance(error, NasbenchError):
                raise
            raise NasbenchError(f"{path} is not a surrogate of this project") from error


def _hash(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def fit(
    table: Table,
    *,
    recipe: str | None = None,
    train: float | int = 0.5,
    seed: int = 0,
) -> Surrogate:
    """Fit a surrogate on a random part of a table; test accuracy is never among its targets.

    Args:
        table: to fit on.
        recipe: to predict; may be left out where the table has one.
        train: how many rows, or which share of them, to fit on.
        seed: of the choice of rows and of the trees; 0 or more.
    """
    if seed < 0:
        raise NasbenchError(f"the seed of a surrogate is 0 or more, got {seed}")
    if isinstance(train, float) and not 0 < train <= 1:
        raise NasbenchError(f"the share of rows to fit on is above 0 and at most 1, got {train}")
    recipe = table.recipe(recipe)
    rows = table.rows.astype(np.int64)
    known = np.isfinite(table.column("valid_accuracy", recipe=recipe))
    candidates = rows[known]
    n = train if isinstance(train, int) else round(train * len(candidates))
    if not 2 <= n <= len(candidates):
        raise NasbenchError(
            f"a surrogate is fitted on 2 to {len(candidates)} rows of {table.name}, got {n}"
        )
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    chosen = np.sort(rng.choice(candidates, size=n, replace=False))
    seen = features(table.space, chosen)
    models, noise = {}, {}
    for metric in TARGETS:
        if metric not in table.metrics[recipe]:
            continue
        measured = table.values(metric, chosen, recipe=recipe)
        finite = np.isfinite(measured)
        if not finite.any():
            continue
        model = xgboost.XGBRegressor(**PARAMETERS, random_state=seed, n_jobs=1)
        model.fit(seen[finite], measured[finite])
        models[metric] = model.get_booster().save_raw("json").decode()
        noise[metric] = _noise_std(table, metric, recipe, chosen)
    document = {
        "format": FORMAT,
        "version": VERSION,
        "space": dict(table.space.describe()),
        "table": {"name": table.name, "sha256": table.sha256},
        "recipe": recipe,
        "epochs": table.manifest["recipes"][recipe]["epochs"],
        "parameters": {**PARAMETERS, "seed": seed},
        "trained_on": chosen.tolist(),
        "noise_std": noise,
        "versions": {"nasbench": nasbench.__version__, "xgboost": xgboost.__version__},
        "models": models,
    }
    return Surrogate(document)


def _noise_std(table: Table, metric: str, recipe: str, chosen: NDArray[np.int64]) -> float:
    """Standard deviation between seeds within an architecture, pooled; 0 where seeds are one."""
    if not table.has_seeds(metric, recipe=recipe):
        return 0.0
    last = table.curves(metric, recipe=recipe)[table.row_of[chosen], :, -1].astype(np.float64)
    seeds = np.isfinite(last).sum(1)
    several = last[seeds > 1]
    if not len(several):
        return 0.0
    spread = several - np.nanmean(several, axis=1, keepdims=True)
    return float(np.sqrt(np.nansum(spread**2) / (seeds[seeds > 1] - 1).sum()))
