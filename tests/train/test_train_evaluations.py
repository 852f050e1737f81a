"""Calibration, corruption, attacks and rates by group, held against sums done another way."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import nasbench as nb
from nasbench.building import Sampling, build_sample
from nasbench.building.retrain import retrain
from nasbench.building.spec import read_spec
from nasbench.errors import NasbenchError
from nasbench.search import Objective
from nasbench.table import direction
from nasbench.task import Signal, Split, Target, Task
from nasbench.train.evaluations import (
    check_evaluations,
    evaluated,
    expected_calibration_error,
    rates_by_group,
)
from nasbench.train.feed import prepare
from nasbench.train.harm import ATTACKS, STEP, corruptions
from nasbench.train.recipe import Recipe

RNG = np.random.default_rng


def _split(n: int, seed: int) -> Split:
    """Two numbers and a category; whoever is of group b is harder to tell."""
    rng = RNG(seed)
    group = np.arange(n) % 3 % 2
    labels = (np.arange(n) // 2) % 2
    numbers = rng.normal(size=(n, 2)) + np.where(group == 0, 2, 0.3)[:, None] * labels[:, None]
    inputs = np.column_stack([numbers, group]).astype(np.float32)
    return Split(inputs, labels.astype(np.int64), {"who": group.astype(np.int64)})


@pytest.fixture(scope="module")
def task() -> Task:
    return Task(
        "told",
        *(_split(n, seed) for seed, n in enumerate((60, 48, 90))),
        classes=("no", "yes"),
        signal=Signal("features", (3,), "float32", categories=(0, 0, 2)),
        groups={"who": ("a", "B+", "nobody")},
    )


class Linear(nn.Module):
    """Says yes where the numbers' sum is above one, surely or not."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, 1.0, 0.0]) * scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer = x @ self.weight
        return torch.stack([-answer, answer], 1)


@pytest.fixture(scope="module")
def found(task: Task) -> dict[str, float]:
    recipe = Recipe(1, evaluate=("calibration", "corruption", "attack", "groups"))
    data = prepare(task, recipe, torch.device("cpu"))
    return evaluated(Linear(1.0), data, task, recipe, RNG(0))


def test_calibration_is_the_sum_over_bins() -> None:
    rng = RNG(1)
    sure = rng.uniform(0.5, 1, 400)
    right = rng.random(400) < sure - 0.1
    bins = np.linspace(0, 1, 16)
    expected = 0.0
    for low, high in pairwise(bins):
        inside = (low <= sure) & ((sure < high) | (high == 1))
        if inside.any():
            expected += inside.mean() * abs(sure[inside].mean() - right[inside].mean())
    value, low, high = expected_calibration_error(sure, right, RNG(0))
    assert value == pytest.approx(expected)
    assert low <= value <= high
    assert 0.02 < high - low < 0.15
    assert np.isnan(expected_calibration_error(sure[:0], right[:0], RNG(0))).all()


def test_the_interval_of_a_gap_that_is_none_reaches_down_to_nothing() -> None:
    """Two groups that are alike: few examples alone set them apart."""
    rng, reach = RNG(2), []
    for _ in range(50):
        right, group = rng.random(60) < 0.7, np.arange(60) % 2
        *_, (value, low, high) = rates_by_group(right, group, 2, rng)
        assert 0 <= low <= value <= high <= 1
        reach.append(low == 0)
    assert np.mean(reach) > 0.85


def test_groups_are_counted_as_one_counts(task: Task, found: dict[str, float]) -> None:
    data = prepare(task, Recipe(1), torch.device("cpu"))
    for of, (x, y), split in (("valid", data.valid, task.valid), ("test", data.test, task.test)):
        yes = (x[:, :2].sum(1) > 0).numpy()
        right, group, sick = yes == y.numpy(), split.groups["who"], y.numpy() == 1
        for name, number in (("a", 0), ("b", 1)):
            here = group == number
            assert found[f"{of}_who_{name}_accuracy"] == pytest.approx(100 * right[here].mean())
            assert found[f"{of}_who_{name}_tpr"] == pytest.approx(100 * yes[here & sick].mean())
        rates = [found[f"{of}_who_{name}_tpr"] for name in "ab"]
        assert found[f"{of}_who_tpr_gap"] == pytest.approx(abs(rates[0] - rates[1]), abs=1e-4)
    assert not any("nobody" in name for name in found)  # nobody is of that group


def test_an_attack_does_to_a_line_what_geometry_says(task: Task, found: dict[str, float]) -> None:
    """Both numbers move by the step towards the line: those nearer than two steps are lost."""
    x, y = prepare(task, Recipe(1), torch.device("cpu")).valid
    margin = x[:, :2].sum(1) * (2 * y - 1)
    expected = 100 * (margin > 2 * STEP).float().mean().item()
    assert found["valid_fgsm_accuracy"] == pytest.approx(expected)
    assert found["valid_pgd_accuracy"] == pytest.approx(expected)
    span = torch.tensor([STEP, STEP, 0.0])
    for attack in ATTACKS.values():
        moved = attack(Linear(1.0), x, y, span, torch.Generator().manual_seed(0))
        assert ((moved - x).abs() <= span + 1e-6).all()


def test_what_corruption_may_touch() -> None:
    rng = torch.Generator().manual_seed(0)
    features = corruptions(Signal("features", (3,), "float32", categories=(0, 0, 2)))
    x = torch.ones(500, 3)
    assert (features["noise"](x, rng)[:, 2] == 1).all()
    assert features["missing"](x, rng).eq(0).float().mean() == pytest.approx(0.2, abs=0.04)
    tokens = corruptions(Signal("tokens", (5,), "uint16", vocabulary=9))
    words = torch.tensor([[2, 3, 4, 5, 0]] * 300)
    for harm in tokens.values():
        harmed = harm(words, rng)
        assert (harmed[:, 4] == 0).all()
        assert (harmed != words).any()
    swapped = tokens["swapped"](words, rng)
    assert (swapped.sort(1).values == words.sort(1).values).all()
    images = corruptions(Signal("image", (2, 8, 6)))
    x = torch.randn(20, 2, 8, 6, generator=rng)
    hidden = images["occlusion"](x, rng) == 0
    assert (hidden.sum((1, 2, 3)) == 2 * 4 * 3).all()
    assert images["blur"](torch.ones(1, 1, 4, 4), rng).allclose(torch.ones(1, 1, 4, 4))
    assert images["contrast"](x, rng).std() < 0.6 * x.std()
    sound = corruptions(Signal("audio", (1, 4, 8)))
    assert set(sound) == {"noise", "occlusion"}
    assert set(corruptions(Signal("audio", (1, 40), "float32"))) == {"noise"}
    assert sound["occlusion"](torch.randn(3, 1, 4, 8), rng).shape == (3, 1, 4, 8)


def test_all_figures_have_intervals_and_directions(found: dict[str, float]) -> None:
    plain = [name for name in found if not name.endswith(("_low", "_high"))]
    assert len(found) == 3 * len(plain)
    for name in plain:
        assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]
        less = name.endswith(("ece", "gap"))
        assert direction(name) == ("min" if less else "max")


def test_what_cannot_be_evaluated_is_refused(task: Task) -> None:
    words = Split(np.array([[2, 3], [3, 2]], np.uint16), np.array([0, 1]))
    text = Task("words", words, words, words, ("n", "y"), signal=Signal("tokens", vocabulary=4))
    price = Split(task.valid.inputs, task.valid.targets + 0.5)
    number = Task(
        "prices", price, price, price, target=Target("number", ("price",)), signal=task.signal
    )
    refused = {
        "evaluation attack moves numbers": (text, "attack"),
        "words has none": (text, "groups"),
        "is of classes": (number, "calibration"),
    }
    for words_of_it, (which, name) in refused.items():
        with pytest.raises(NasbenchError, match=words_of_it):
            check_evaluations(which, Recipe(1, evaluate=(name,)))
    for evaluate, why in (("calibrtion", "calibration"), (("groups", "groups"), "each once")):
        with pytest.raises(NasbenchError, match=why):
            Recipe(1, evaluate=evaluate)  # type: ignore[arg-type]


def test_a_table_has_them_and_a_search_trades_them(tmp_path: Path) -> None:
    rng = RNG(0)
    rows = {"x": rng.normal(size=(90, 2)).astype(np.float32), "y": np.arange(90) % 2}
    rows["x"][:, 0] += rows["y"]
    np.savez(tmp_path / "d.npz", x_train=rows["x"], y_train=rows["y"], sex=np.arange(90) // 2 % 2)
    (tmp_path / "r.toml").write_text(
        'space = "mlp"\nseeds = 2\n[task]\nsource = "npz"\npath = "d.npz"\nvalid = 0.3\n'
        'test_share = 0.3\ngroups = ["sex"]\n'
        '[recipe.r]\nepochs = 1\nbatch_size = 8\nevaluate = ["calibration", "groups"]\n'
    )
    spec = read_spec(tmp_path / "r.toml")
    table = build_sample(spec, tmp_path / "t.h5", Sampling(6, "random"), processes=1).table
    assert table.manifest["recipes"]["r"]["trained"]["evaluate"] == ["calibration", "groups"]
    assert table.primary() == "valid_accuracy"
    assert np.isfinite(table.values("valid_ece", table.rows)).all()
    assert retrain(table, 2, task=spec.task, processes=1).identical == 2
    goal = {"objectives": [Objective("valid_sex_tpr_gap")], "among_rows": True}
    compared = nb.compare(["nsga2"], table, budget_evaluations=5, seeds=range(2), **goal)
    assert len(compared.traces["nsga2"]) == 2
    assert compared.goal.objectives == (Objective("valid_sex_tpr_gap", maximize=False),)
