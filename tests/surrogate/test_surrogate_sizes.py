"""Scores by training size: nothing of what is scored on is seen, and nothing is done twice."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known_truth import noisy
from scipy import stats

import nasbench.surrogate.sizes as module
from nasbench._journal import line_of
from nasbench.errors import NasbenchError
from nasbench.space import CellSpace
from nasbench.stats import noise_ceiling, summarize
from nasbench.surrogate import score_sizes
from nasbench.surrogate.trials import MEASURES, REGIONS, Trial, TrialJournal
from nasbench.table import Table

MakeTable = Callable[..., Table]


@pytest.fixture
def table(make_table: MakeTable) -> Table:
    return make_table(noisy(65, 2, seed=0))


def test_more_rows_rank_better_and_all_figures_are_there(table: Table) -> None:
    found = score_sizes(table, [10, 40], draws=4, predictors=["ridge", "linear"])
    assert found.series == [("ridge", "one_hot,graph"), ("linear", "one_hot")]
    for one in found.series:
        few, many = (found.summary(one, size, "all", "kendall").mean for size in (10, 40))
        assert few < many
    described = found.describe()
    assert json.loads(json.dumps(described)) == described
    assert len(described["scores"]) == 4
    values = table.curves("valid_accuracy")[:, :, -1]
    assert described["ceilings"]["all"] == noise_ceiling(values).describe()
    half = values.mean(1) >= np.median(values.mean(1))
    assert found.ceilings["best half"] == noise_ceiling(values[half])


def test_measures_are_what_they_are_called(table: Table, monkeypatch: Any) -> None:
    """A predictor that says what the test tells it to: measures against scipy's and by hand."""
    rng = np.random.default_rng(0)
    column = table.column("valid_accuracy")
    told = np.full(table.space.size, 50.0)
    told[table.rows] = column + rng.normal(0, 2, len(column))
    monkeypatch.setattr(
        module, "mean_prediction", lambda members, x: module.to_scale("valid_accuracy", told)
    )
    found = score_sizes(table, [20], draws=1, predictors=["linear"], seed=5)
    order = np.random.default_rng(np.random.SeedSequence(5, spawn_key=(0,))).permutation(65)
    others = np.setdiff1d(np.arange(65), order[:20])
    truth, guess = column[others], told[table.rows[others]]
    expected = {
        "kendall": stats.kendalltau(truth, guess).statistic,
        "spearman": stats.spearmanr(truth, guess).statistic,
        "sparse_kendall": stats.kendalltau(np.round(truth, 1), np.round(guess, 1)).statistic,
        "mae": np.abs(truth - guess).mean(),
        "r2": 1 - ((truth - guess) ** 2).sum() / ((truth - truth.mean()) ** 2).sum(),
    }
    (trial,) = found.trials
    for measure, value in expected.items():
        assert trial.measures["all"][measure] == pytest.approx(value), measure
    half = truth >= np.median(truth)
    best = stats.kendalltau(truth[half], guess[half]).statistic
    assert trial.measures["best half"]["kendall"] == pytest.approx(best)
    kept = summarize([value]) if (value := trial.measures["all"]["mae"]) else None
    assert found.summary(found.series[0], 20, "all", "mae") == kept


def test_networks_that_were_fitted_on_are_not_scored_on(
    make_table: MakeTable, mini: CellSpace, monkeypatch: Any
) -> None:
    """Every cell trained for itself: of a class either no member is fitted on or none scored."""
    place = np.searchsorted(mini.representatives, mini.classes)
    metrics = {metric: values[place] for metric, values in noisy(65, 2, seed=0).items()}
    table = make_table(metrics, rows=np.arange(mini.size), sharing="none")
    sizes: list[int] = []
    agreement = module.agreement

    def spy(measured: Any, predicted: Any) -> Any:
        sizes.append(len(measured))
        return agreement(measured, predicted)

    monkeypatch.setattr(module, "agreement", spy)
    score_sizes(table, [30], draws=1, predictors=["linear"])
    order = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(0,))).permutation(mini.size)
    fresh = ~np.isin(mini.classes, mini.classes[order[:30]])
    assert sizes[0] == fresh.sum() < mini.size - 30


def test_a_journal_goes_on(table: Table, tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "kept" / "trials.jsonl"
    given = {"predictors": ["ridge"], "journal": path}
    first = score_sizes(table, [10], draws=2, **given)
    path.write_text(path.read_text() + '{"predictor": "ri')  # killed while it wrote
    done: list[int] = []
    trial = module._trial
    monkeypatch.setattr(module, "_trial", lambda *of: (done.append(of[4]), trial(*of))[1])
    again = score_sizes(table, [10], draws=3, **given)
    assert done == [2]
    assert again.trials[:2] == first.trials
    assert len(path.read_text().splitlines()) == 4
    with pytest.raises(NasbenchError, match="holds trials of another table, recipe or seed"):
        score_sizes(table, [10], draws=2, seed=1, **given)


@pytest.mark.parametrize(
    "text", [b"my thesis", b"one\ntwo", b'{"seed": 0}\n{"a', b"\0" * 99, b"\n"]
)
def test_files_of_others_keep_every_byte(table: Table, tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "trials.jsonl"
    path.write_bytes(text)
    with pytest.raises(NasbenchError, match=r"holds (trials of another|lines without checksums)"):
        score_sizes(table, [10], draws=1, predictors=["ridge"], journal=path)
    assert path.read_bytes() == text


TRIAL = Trial(
    *("ridge", "one_hot", 10, 0),
    {region: dict.fromkeys(MEASURES, 0.5) for region in REGIONS},
    *(1.0, 2.0),
)


def test_trials_are_kept_at_once_and_none_is_lost_to_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    kept = TrialJournal(path, {"seed": 0})
    texts = [path.read_bytes()]
    for draw in range(3):
        kept.add(replace(TRIAL, draw=draw))
        texts.append(path.read_bytes())
    kept.close()
    for cut in {*range(0, len(texts[-1]), 37), *(len(text) - 1 for text in texts)}:
        path.write_bytes(texts[-1][:cut])
        again = TrialJournal(path, {"seed": 0})
        again.close()
        whole = max((text for text in texts if len(text) <= cut), key=len, default=texts[0])
        assert path.read_bytes() == whole
        assert len(again.trials) == texts.index(whole)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    kept = TrialJournal(tmp_path / "trials.jsonl", {"seed": 0})
    for fd in os.listdir("/proc/self/fd"):
        if os.path.realpath(f"/proc/self/fd/{fd}") == str(tmp_path / "trials.jsonl"):
            with open("/dev/full", "wb") as full:
                os.dup2(full.fileno(), int(fd))
    with pytest.raises(NasbenchError, match=r"trials\.jsonl: No space left on device"):
        kept.add(TRIAL)
    kept.close()


@pytest.mark.parametrize(
    "change",
    [
        {"size": "10"},
        {"draw": -1},
        {"fit_seconds": math.nan},
        {"predict_seconds": None},
        {"measures": []},
        {"measures": {"all": dict.fromkeys(MEASURES, 0.5)}},
        {"measures": dict.fromkeys(REGIONS, dict.fromkeys(MEASURES, "x"))},
        {"measures": {region: {} for region in REGIONS}},
        {"further": 1},
        {"predictor": None},
    ],
)
def test_forged_trials_whose_checksum_is_right_are_told(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    path = tmp_path / "trials.jsonl"
    text = line_of({"seed": 0}) + line_of(asdict(TRIAL)) + line_of({**asdict(TRIAL), **change})
    path.write_bytes(text)
    with pytest.raises(NasbenchError, match=r"is damaged in line 3: its checksum is right"):
        TrialJournal(path, {"seed": 0})
    assert path.read_bytes() == text


def test_test_accuracy_changes_nothing(make_table: MakeTable) -> None:
    clean = noisy(65, 2, seed=0)
    found = []
    for name, poison in (("a", 1.0), ("b", np.nan)):
        metrics = {**clean, "test_accuracy": np.full((65, 2), poison)}
        scores = score_sizes(make_table(metrics, name=name), [20], draws=2, predictors=["ridge"])
        found.append([trial.measures for trial in scores.trials])
    assert found[0] == found[1]


def test_too_few_rows_are_told(make_table: MakeTable) -> None:
    table = make_table(noisy(21, 2, seed=0), rows=range(21))
    with pytest.raises(NasbenchError, match=r"known has 21 trained rows; .* takes 22"):
        score_sizes(table, [2])


@pytest.mark.parametrize(
    ("sizes", "given", "why"),
    [
        ([], {}, "training sizes are 2 to 45 of the 65 trained rows of known, .*, got none"),
        ([1, 20], {}, "training sizes are 2 to 45 of the 65 trained rows of known, .*, got 1, 20"),
        ([46], {}, "training sizes are 2 to 45 of the 65 trained rows of known, .*, got 46"),
        ([20], {"draws": 0}, "draws are 1 or more and a seed 0 or more, got 0 and 0"),
        ([20], {"predictors": ["rigde"]}, "unknown predictor 'rigde'; did you mean ridge"),
        ([20], {"features": [["early:5ep"]]}, "holds what is to be predicted"),
    ],
)
def test_bad_input_is_one_sentence(
    table: Table, sizes: list[int], given: dict[str, Any], why: str
) -> None:
    with pytest.raises(NasbenchError, match=why):
        score_sizes(table, sizes, **given)
