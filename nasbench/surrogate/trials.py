"""Fits of predictors that were scored, and the file that keeps them as they are done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nasbench.errors import NasbenchError

__all__ = ["Trial", "TrialJournal"]


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


class TrialJournal:
    """Trials in a file: the first line says of what they are, then one line a trial.

    Half a line that a kill left at the end is dropped.

    Args:
        path: of the file, which is made; None keeps nothing.
        header: what the trials are of; a file of another is refused.

    Attributes:
        trials: by predictor, features, size and draw.
    """

    def __init__(self, path: Path | None, header: Mapping[str, Any]) -> None:
        self._path = path
        self.trials: dict[tuple[str, str, int, int], Trial] = {}
        if path is None:
            return
        first = json.dumps(header, sort_keys=True)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            told, whole, _ = (path.read_text(encoding="utf-8") if path.exists() else "").rpartition(
                "\n"
            )
            lines = told.split("\n") if whole else [first]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        except OSError as error:
            raise NasbenchError(f"cannot write {path}: {error.strerror}") from error
        if lines[0] != first:
            raise NasbenchError(
                f"{path} holds trials of another table, recipe or seed: give another folder"
            )
        try:
            trials = [Trial(**json.loads(line)) for line in lines[1:]]
        except (ValueError, TypeError) as error:
            raise NasbenchError(f"{path} is damaged: remove it") from error
        for trial in trials:
            self.trials[trial.predictor, trial.features, trial.size, trial.draw] = trial

    def add(self, trial: Trial) -> None:
        """Append a trial."""
        if self._path is not None:
            with self._path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(json.dumps(asdict(trial)) + "\n")
