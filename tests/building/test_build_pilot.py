"""A pilot trains what it says, once; what it then says is what its figures were made of."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats
from small_builds import small_spec, trained

import nasbench as nb
from nasbench.building import BuildSpec, build, recommend
from nasbench.building.judgement import Reference, write_judgement
from nasbench.building.pilot import Sample, pilot
from nasbench.building.recommend import judge
from nasbench.errors import NasbenchError
from nasbench.space import Space
from nasbench.stats import Estimate
from nasbench.table import Dataset, write_table

pytestmark = pytest.mark.heavy

SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def candidates() -> BuildSpec:
    """Two recipes on six distinct cells."""
    spec = small_spec(seeds=SEEDS)
    base = spec.recipes["2ep"]
    return replace(spec, recipes={"one": replace(base, epochs=1), "two": base})


# Training.


def test_a_pilot_trains_what_a_build_trains(candidates: BuildSpec, tmp_path: Path) -> None:
    sample = pilot(candidates, tmp_path / "p.json", budget_seconds=600, cells=99, processes=1)
    assert sorted(sample.cells.tolist()) == candidates.space.representatives.tolist()
    table = build(candidates, tmp_path / "t.h5", processes=1)
    for name in ("one", "two"):
        for k, seed in enumerate(SEEDS):
            expected = table.values("valid_accuracy", sample.cells, recipe=name, seed=seed)
            assert sample.valid_accuracy[name][:, k].tolist() == expected.tolist()
        assert (sample.seconds[name] > 0).all()
    for metric in ("flops", "parameters"):
        assert sample.sizes[metric].tolist() == table.values(metric, sample.cells).tolist()


def test_a_pilot_goes_on_with_more_time_and_more_cells(
    candidates: BuildSpec, tmp_path: Path
) -> None:
    out = tmp_path / "p.json"
    with pytest.raises(NasbenchError, match=r"enough for 0 whole cells.*larger --budget"):
        pilot(candidates, out, budget_seconds=1e-6, cells=5, processes=1)
    assert 1 <= len(trained(out)) < 5 * 6
    fewer = pilot(candidates, out, budget_seconds=600, cells=5, processes=1)
    assert len(trained(out)) == 5 * 6
    more = pilot(candidates, out, budget_seconds=600, cells=6, processes=1)
    assert len(trained(out)) == len(set(trained(out))) == 6 * 6
    assert more.cells[:5].tolist() == fewer.cells.tolist()
    # What was spent counts: nothing is trained when the budget is smaller than that.
    again = pilot(candidates, out, budget_seconds=1e-6, cells=6, processes=1)
    assert again.about["spent_seconds"] == more.about["spent_seconds"]
    assert (again.valid_accuracy["two"] == more.valid_accuracy["two"]).all()


def test_whenever_it_ends_all_recipes_have_the_same_cells(
    candidates: BuildSpec, tmp_path: Path
) -> None:
    pilot(candidates, tmp_path / "p.json", budget_seconds=600, cells=6, processes=1)
    order = trained(tmp_path / "p.json")
    for end in range(0, 37, 6):
        begun = {name: {a for r, a, _ in order[:end] if r == name} for name in ("one", "two")}
        assert begun["one"] == begun["two"]


def test_samples_are_distinct_cells_that_the_seed_draws(tmp_path: Path) -> None:
    spec = small_spec(("none", "skip_connect", "nor_conv_1x1"), SEEDS, epochs=1)
    drawn = [
        pilot(
            spec, tmp_path / f"{n}.json", budget_seconds=600, cells=5, seed=seed, processes=1
        ).cells.tolist()
        for n, seed in enumerate((0, 0, 1))
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    for cells in drawn:
        assert len(set(spec.space.canonical(cells).tolist())) == 5
        assert set(cells) <= set(spec.space.representatives.tolist())


@pytest.mark.parametrize(
    ("seeds", "cells", "why"),
    [
        ((0, 1), 5, "needs 3 seeds or more"),
        (SEEDS, 4, "needs 5 distinct cells or more, got 4"),
    ],
)
def test_too_little_is_refused(
    candidates: BuildSpec, tmp_path: Path, seeds: tuple[int, ...], cells: int, why: str
) -> None:
    with pytest.raises(NasbenchError, match=why):
        pilot(replace(candidates, seeds=seeds), tmp_path / "p.json", budget_seconds=9, cells=cells)
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_overwritten(candidates: BuildSpec, tmp_path: Path) -> None:
    out = tmp_path / "p.json"
    out.write_text("mine")
    with pytest.raises(NasbenchError, match="is there already"):
        pilot(candidates, out, budget_seconds=9, cells=5)
    assert out.read_text() == "mine"


# What is said of a sample. Its truth is known here: accuracies are made up.


def made_up(
    space: Space, n: int, seed: int = 0, seconds: float = 1.0, **recipes: tuple[float, float, float]
) -> tuple[Sample, np.ndarray]:
    """A sample and the true values of its cells.

    Args:
        recipes: for each how much of the truth, of the cells' size and of noise is in its
            accuracies.
    """
    rng = np.random.default_rng(seed)
    cells = rng.permutation(space.representatives)[:n]
    size, alone = rng.normal(size=(2, n))
    truth = size + alone
    accuracy = {
        name: 80 + (a * truth + b * size)[:, None] + noise * rng.normal(size=(n, len(SEEDS)))
        for name, (a, b, noise) in recipes.items()
    }
    spec = replace(
        small_spec(seeds=SEEDS), space=space, recipes={name: nb.Recipe(1) for name in recipes}
    )
    cost = {name: np.full(n, seconds * 2**i) for i, name in enumerate(recipes)}
    sizes = {"flops": np.exp(size), "parameters": np.exp(size) + rng.normal(0, 1e-3, n)}
    return Sample(spec, cells, accuracy, cost, sizes, 2, 0.5, {"engine": "made up"}), truth


def reference_of(
    path: Path, space: Space, cells: np.ndarray, truth: np.ndarray, **more: Dataset
) -> Reference:
    """A table in which every architecture has a row of its own, other cells are missing."""
    values = np.full(space.size, np.nan)
    values[cells] = truth
    every = {"kind": "imported", "epochs": [9]}
    table = write_table(
        path,
        name="truth",
        space=space,
        rows=np.arange(space.size),
        sharing="none",
        recipes={"9ep": {"epochs": 9, "seeds": [5, 6]}},
        datasets={
            "recipe/9ep/valid_accuracy": Dataset(np.stack((values, values), 1)[..., None], every),
            "recipe/9ep/test_accuracy": Dataset(values, every),
            **more,
        },
    )
    return Reference(table, "9ep")


def test_figures_are_those_of_scipy(nb201: Space, tmp_path: Path) -> None:
    sample, truth = made_up(nb201, 80, a=(1, 0, 1))
    found = judge(sample, reference_of(tmp_path / "r.h5", nb201, sample.cells, truth))
    values = sample.valid_accuracy["a"]
    half = np.argsort(-truth)[:40]
    for scope, pick in (("all cells", np.arange(80)), ("better half", half)):
        of = found.candidates["a"].scopes[scope]
        pairs = scipy_stats.spearmanr(values[pick]).statistic[np.triu_indices(3, 1)]
        assert of.seeds.value == pytest.approx(pairs.mean())
        r = pairs.mean()
        assert of.reliability.value == pytest.approx(3 * r / (1 + 2 * r))
        assert of.reference is not None
        means = values[pick].mean(1)
        expected = scipy_stats.spearmanr(means, truth[pick]).statistic
        assert of.reference.value == pytest.approx(expected)
        assert of.reference.low < expected < of.reference.high
        assert of.reference.n == len(pick)
        alone = scipy_stats.spearmanr(sample.sizes["flops"][pick], truth[pick]).statistic
        assert found.sizes[scope]["flops"].value == pytest.approx(alone)
    candidate = found.candidates["a"]
    assert candidate.cpu_hours == pytest.approx(nb201.unique * 3 * (1 + 0.5) / 3600)
    assert candidate.hours == pytest.approx(candidate.cpu_hours / 2)
    assert candidate.valid_accuracy == pytest.approx(np.quantile(values.mean(1), (0.05, 0.5, 0.95)))
    assert candidate.scopes["best tenth"].seeds.n == 8
    assert math.isnan(candidate.scopes["best tenth"].seeds.low)
    assert found.reference_ceiling is not None  # its seeds agree in full
    assert found.reference_ceiling.value == pytest.approx(1)


def test_recommended_is_what_adds_to_sizes(nb201: Space, tmp_path: Path) -> None:
    """Accuracies that only tell sizes are the most reliable, the cheapest, and worth nothing."""
    sample, truth = made_up(nb201, 120, sizes=(0, 1, 0.1), truth=(1, 0, 0.8), noise=(1, 0, 3))
    reference = reference_of(tmp_path / "r.h5", nb201, sample.cells, truth)
    found = judge(sample, reference)
    assert found.recommended == "truth"
    only_sizes = found.candidates["sizes"].scopes["all cells"]
    assert only_sizes.reliability.value > 0.95
    assert only_sizes.partial is not None
    assert only_sizes.partial.low < 0 < only_sizes.partial.high
    assert found.compared.tolist() == sample.cells.tolist()
    assert judge(sample).recommended == "sizes"


def test_the_dear_are_not_recommended(nb201: Space) -> None:
    sample, _ = made_up(nb201, 100, cheap=(1, 0, 1), dear=(1, 0, 0.3))
    costs = {name: c.hours for name, c in judge(sample).candidates.items()}
    assert costs["dear"] == pytest.approx(2.5 / 1.5 * costs["cheap"])
    assert judge(sample).recommended == "dear"
    assert judge(sample, hours=1.2 * costs["cheap"]).recommended == "cheap"
    found = judge(sample, hours=0.5 * costs["cheap"])
    assert found.recommended is None
    assert "cheap is the cheapest" in found.reason


def test_of_equals_the_cheaper(nb201: Space) -> None:
    sample, _ = made_up(nb201, 100, cheap=(1, 0, 1), dear=(1, 0, 1))
    same = sample.valid_accuracy["cheap"]
    for order in (("cheap", "dear"), ("dear", "cheap")):
        twice = replace(sample, valid_accuracy=dict.fromkeys(order, same))
        assert judge(twice).recommended == "cheap"


@pytest.mark.parametrize(("n", "why"), [(16, "n = 8 in the better half"), (200, "for no recipe")])
def test_noise_is_not_recommended(nb201: Space, n: int, why: str) -> None:
    sample, _ = made_up(nb201, n, seed=1, noise=(0, 0, 1))
    found = judge(sample)
    assert found.recommended is None
    assert why in found.reason


def test_among_the_best_figures_are_those_of_the_truth(
    nb201: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said of noisy accuracies, beside what the truth that made them says."""
    # Each interval takes the time of a thousand samples.
    monkeypatch.setattr(
        recommend, "bootstrap_estimate", lambda f, *x: Estimate(float(f(*x)), math.nan, math.nan, 0)
    )
    names, n, samples = ("calm", "noisy", "wild"), 120, 100
    said: dict[tuple[str, str], list[list[float]]] = {}
    true: dict[tuple[str, str], list[list[float]]] = {}
    for seed in range(samples):
        sample, truth = made_up(nb201, n, seed, calm=(1, 0, 0.8), noisy=(1, 0, 1.5), wild=(1, 0, 3))
        found = judge(sample).candidates
        for name in names:
            values = sample.valid_accuracy[name]
            for scope, count in (("better half", n // 2), ("best tenth", n // 10)):
                of = found[name].scopes[scope]
                assert of.ceiling.n == count
                figures = [of.ceiling.value, of.reliability.value, of.seeds.value]
                said.setdefault((name, scope), []).append(figures)
                # Of its own best by the mean, and of those that are best in truth.
                own, best = (np.argsort(-x)[:count] for x in (values.mean(1), truth))
                reached = [
                    scipy_stats.spearmanr(values[pick].mean(1), truth[pick]).statistic
                    for pick in (own, best)
                ]
                pairs = scipy_stats.spearmanr(values[best]).statistic[np.triu_indices(3, 1)]
                true.setdefault((name, scope), []).append([*reached, pairs.mean()])
    for key, figures in said.items():
        (ceiling, reliability, seeds), (own, best, between) = (
            np.mean(x, axis=0) for x in (figures, true[key])
        )
        assert ceiling == pytest.approx(own, abs=0.05), key
        assert ceiling == pytest.approx(best, abs=0.05), key
        assert reliability == pytest.approx(best**2, abs=0.05), key
        assert seeds == pytest.approx(between, abs=0.05), key


def test_other_candidates_change_nothing_of_a_recipe(nb201: Space) -> None:
    both, _ = made_up(nb201, 60, a=(1, 0, 1), b=(1, 0, 3))
    alone = replace(both, valid_accuracy={"a": both.valid_accuracy["a"]})
    found, other = (judge(of).candidates["a"].describe() for of in (alone, both))
    assert found == other


def test_diverged_trainings_are_counted_and_left_out(nb201: Space, tmp_path: Path) -> None:
    sample, truth = made_up(nb201, 60, a=(1, 0, 1))
    holed = sample.valid_accuracy["a"].copy()
    holed[[3, 40], [0, 2]] = np.nan
    found = judge(
        replace(sample, valid_accuracy={"a": holed}),
        reference_of(tmp_path / "r.h5", nb201, sample.cells, truth),
    ).candidates["a"]
    assert found.diverged == 2
    assert found.scopes["all cells"].seeds.n == 58
    left = np.delete(np.arange(60), [3, 40])
    expected = scipy_stats.spearmanr(holed[left].mean(1), truth[left]).statistic
    assert found.scopes["all cells"].reference is not None
    assert found.scopes["all cells"].reference.value == pytest.approx(expected)


def test_cells_that_the_reference_lacks_are_not_compared(nb201: Space, tmp_path: Path) -> None:
    sample, truth = made_up(nb201, 60, a=(1, 0, 1))
    reference = reference_of(tmp_path / "r.h5", nb201, sample.cells[:50], truth[:50])
    found = judge(sample, reference)
    assert found.compared.tolist() == sample.cells[:50].tolist()
    assert found.candidates["a"].scopes["better half"].seeds.n == 25


def test_cells_of_which_the_reference_has_predictions_are_not_compared(
    nb201: Space, tmp_path: Path
) -> None:
    sample, truth = made_up(nb201, 60, a=(1, 0, 1))
    marked = np.isin(np.arange(nb201.size), sample.cells[50:]).astype(np.uint8)
    marks = {"predicted/9ep/valid_accuracy": Dataset(marked, {"kind": "derived"})}
    reference = reference_of(tmp_path / "r.h5", nb201, sample.cells, truth, **marks)
    assert judge(sample, reference).compared.tolist() == sample.cells[:50].tolist()
    of_seeds = reference.of_seeds(sample.cells)
    assert of_seeds is not None
    assert np.isnan(of_seeds).all(1).tolist() == [False] * 50 + [True] * 10


def test_a_metric_without_seeds_has_no_ceiling(nb201: Space, tmp_path: Path) -> None:
    sample, truth = made_up(nb201, 60, a=(1, 0, 1))
    reference = reference_of(tmp_path / "r.h5", nb201, sample.cells, truth)
    found = judge(sample, replace(reference, metric="test_accuracy"))
    assert found.reference_ceiling is None
    assert found.candidates["a"].scopes["all cells"].reference is not None


def test_a_reference_must_fit(nb201: Space, mini: Space, tmp_path: Path) -> None:
    sample, truth = made_up(nb201, 60, a=(1, 0, 1))
    reference = reference_of(tmp_path / "r.h5", nb201, sample.cells, truth)
    with pytest.raises(NasbenchError, match="is of space nb201, the candidates of nb201-mini"):
        reference.check(mini)
    with pytest.raises(NasbenchError, match="did you mean test_accuracy"):
        replace(reference, metric="tst_accuracy").check(nb201)


def test_all_of_it_is_written(nb201: Space, tmp_path: Path) -> None:
    sample, truth = made_up(nb201, 60, a=(1, 0, 1))
    holed = sample.valid_accuracy["a"].copy()
    holed[3, 0] = np.nan
    sample = replace(sample, valid_accuracy={"a": holed})
    found = judge(sample, reference_of(tmp_path / "r.h5", nb201, sample.cells, truth))
    write_judgement(found, tmp_path / "p.json")
    read = json.loads((tmp_path / "p.json").read_text())
    assert read["cells"] == sample.cells.tolist()
    assert read["recommended"] == found.recommended == "a"
    assert read["valid_accuracy"]["a"][3][0] is None
    assert read["valid_accuracy"]["a"][4] == holed[4].tolist()
    tenth = read["candidates"]["a"]["scopes"]["best tenth"]["partial"]
    assert tenth["low"] is None
    assert tenth["n"] == 6
    assert read["reference"]["sha256"] == found.reference.table.sha256  # type: ignore[union-attr]
