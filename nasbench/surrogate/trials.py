"""Fits of predictors that were scored, and the file that keeps them as they are done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nasbench._journal import Journal, Kind, integer, number

__all__ = ["MEASURES", "REGIONS", "Trial", "TrialJournal"]

MEASURES = ("kendall", "spearman", "sparse_kendall", "r2", "mae", "coverage")
REGIONS = ("all", "best half")

_TRIALS = Kind("trials of another table, recipe or seed", "give another folder or remove it")


@dataclass(frozen=True, slots=True)
class Trial:
    """One predictor, fitted once and scored on the rows that are left.

    Attributes:
        predictor: its name.
        features: what it sees, joined by commas.
        size: rows fitted on.
        draw: which random order of the rows they are the first of.
        measures: by region, then by name of `MEASURES`.
        fit_seconds: CPU time of tuning and fitting.
        predict_seconds: CPU time of predicting every architecture of the space.
    """

    predictor: str
    features: str
    size: int
    draw: int
    measures: dict[str, dict[str, float]]
    fit_seconds: float
    predict_seconds: float

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Trial:
        """The trial whose fields were written as JSON; ValueError and its like for others."""
        trial = cls(**values)
        integer(trial.size, 1)
        integer(trial.draw)
        number(trial.fit_seconds, 0)
        number(trial.predict_seconds, 0)
        if type(trial.predictor) is not str or type(trial.features) is not str:
            raise TypeError
        if sorted(trial.measures) != sorted(REGIONS):
            raise ValueError
        for found in trial.measures.values():
            # A measure may be NaN: of a predictor that says the same of all, say.
            if sorted(found) != sorted(MEASURES) or set(map(type, found.values())) != {float}:
                raise ValueError
        return trial


class TrialJournal:
    """Trials in a file: the first line says what they belong to, then one line a trial.

    Args:
        path: of the file, which is made; None keeps nothing.
        header: what the trials belong to; a file of another is refused.

    Attributes:
        trials: by predictor, features, size and draw.
    """

    def __init__(self, path: Path | None, header: Mapping[str, Any]) -> None:
        self.trials: dict[tuple[str, str, int, int], Trial] = {}
        self._file: Journal | None = None
        if path is None:
            return
        self._file = Journal(path, header, _TRIALS, sync=True)
        for trial in self._file.read(Trial.from_json):
            self.trials[trial.predictor, trial.features, trial.size, trial.draw] = trial

    def add(self, trial: Trial) -> None:
        """Append a trial: it is on disk when this returns."""
        if self._file is not None:
            self._file.add(asdict(trial))

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
