"""Scores of many architectures: their order, their draws, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

import nasbench as nb
from nasbench import proxy
from nasbench.errors import NasbenchError, Unsupported
from nasbench.proxy import registry, score
from nasbench.proxy.scoring import Scores
from nasbench.space import CellSpace
from nasbench.train import Recipe
from nasbench.train.feed import prepare

MINI = nb.space("nb201-mini")
assert isinstance(MINI, CellSpace)


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test decorates is its own."""
    monkeypatch.setattr(registry, "_decorated", {})


RECIPE = Recipe(epochs=1, channels=2, cells=1, train_images=300)
SOME = ["grad_norm", "nwot", "synflow", "params"]


def scores(architectures: object, names: list[str] = SOME, **options: object) -> Scores:
    given = {"batch_size": 16, "hardware": "cpu", **options}
    return score(MINI, architectures, nb.task("digits"), RECIPE, names, **given)  # type: ignore[arg-type]


def test_order_draws_and_repeats() -> None:
    together = scores([93, 7, 93, 31], draws=2)
    for name in SOME:
        values = together.values[name]
        assert values.dtype == np.float64
        assert values.shape == (4, 2)
        assert np.array_equal(values[0], values[2], equal_nan=True)
    for place, architecture in enumerate((93, 7)):
        apart = scores([architecture], draws=2)
        for name in SOME:
            found = together.values[name][place]
            assert apart.values[name][0] == pytest.approx(found, rel=1e-4, nan_ok=True)
    grad_norm, params = together.values["grad_norm"], together.values["params"]
    assert (grad_norm[:, 0] != grad_norm[:, 1]).all()
    assert (params[:, 0] == params[:, 1]).all()


def test_a_task_of_another_signal_is_refused_by_name() -> None:
    with pytest.raises(Unsupported, match="task banking77 is made of 32 tokens"):
        score(MINI, [0], nb.task("banking77"), RECIPE, SOME, hardware="cpu")


def test_all_proxies_leave_the_global_generator() -> None:
    before = torch.get_rng_state()
    scores([7, 31], list(proxy.names()))
    assert torch.equal(torch.get_rng_state(), before)


def test_who_stands_beside_changes_nothing_but_rounding() -> None:
    nothing = MINI.index("|none~0|+|none~0|none~1|")
    given = [93, nothing, 7, 31]
    together, alone = (scores(given, list(proxy.names()), group=n) for n in (4, 1))
    for name, values in together.values.items():
        assert alone.values[name] == pytest.approx(values, rel=0.01, nan_ok=True), name
    told = [(name, place, reason) for name, place, _, reason in together.reasons]
    assert [(name, place, reason) for name, place, _, reason in alone.reasons] == told


def test_more_draws_begin_with_the_same_and_seeds_differ() -> None:
    two, three = (scores([93, 31], ["nwot"], draws=draws).values["nwot"] for draws in (2, 3))
    assert np.array_equal(two, three[:, :2])
    other = scores([93, 31], ["nwot"], seed=1).values["nwot"]
    assert (other[:, 0] != two[:, 0]).all()


def test_what_else_is_asked_changes_nothing() -> None:
    alone = scores([93, 31], ["zen"]).values["zen"]
    every = [name for name in proxy.names() if name != "ntk_condition"]
    assert np.array_equal(scores([93, 31], every).values["zen"], alone)


def test_a_class_has_one_value_unless_dead_edges_count() -> None:
    dead = MINI.index("|nor_conv_3x3~0|+|skip_connect~0|none~1|")
    live = MINI.canonical(dead)
    assert dead != live
    values = scores([dead, live], ["params", "nwot"]).values
    assert values["params"][0] == values["params"][1]
    assert values["nwot"][0] == values["nwot"][1]
    values = scores([dead, live], ["params", "nwot"], live=False).values
    assert values["params"][0] > values["params"][1]
    assert values["nwot"][0] > values["nwot"][1]


def test_missing_values_have_reasons() -> None:
    nothing = MINI.index("|none~0|+|none~0|none~1|")
    found = scores([93, nothing, nothing], ["synflow", "jacob_cov", "l2_norm"], draws=2)
    for name in ("synflow", "jacob_cov"):
        assert np.isfinite(found.values[name][0]).all()
        assert np.isnan(found.values[name][1:]).all()
    assert np.isfinite(found.values["l2_norm"]).all()
    places = {(name, place, draw) for name, place, draw, _ in found.reasons}
    assert places == {(n, p, d) for n in ("synflow", "jacob_cov") for p in (1, 2) for d in (0, 1)}
    assert {reason for *_, reason in found.reasons} == {
        "nothing of the image reaches the logits",
        "the logits do not depend on the pixels of some image",
    }


def test_what_does_not_depend_on_the_draw_is_missing_in_all() -> None:
    @proxy.proxy(better="low", name="undefined", random=False)
    def undefined(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
        return float("nan")

    found = scores([93], ["undefined"], draws=3)
    assert np.isnan(found.values["undefined"]).all()
    said = "the value is not a number"
    assert found.reasons == [("undefined", 0, draw, said) for draw in range(3)]


def test_the_batch_is_of_the_training_images_as_the_trainer_sees_them() -> None:
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    @proxy.proxy(better="high", name="looks")
    def looks(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
        assert network.training
        seen.append((images, labels))
        return 0.0

    scores([93], ["looks"], draws=2)
    images, labels = prepare(nb.task("digits"), RECIPE, torch.device("cpu")).train
    rows = {row.numpy().tobytes(): int(label) for row, label in zip(images, labels, strict=True)}
    for drawn, own in seen:
        assert len({row.numpy().tobytes() for row in drawn}) > 14  # digits has a few twins
        for row, label in zip(drawn, own.tolist(), strict=True):
            assert rows[row.numpy().tobytes()] == label
    assert not torch.equal(seen[0][0], seen[1][0])


def test_seconds_are_kept_apart() -> None:
    found = scores([93, 31], ["snip", "plain", "zico"])
    assert found.seconds.keys() == {"shared", "snip", "plain", "zico"}
    assert all(seconds >= 0 for seconds in found.seconds.values())
    # Its two passes are its own; what the others do with the shared one is next to nothing.
    assert found.seconds["zico"] > found.seconds["plain"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", proxy.names())
def test_cuda_ranks_as_the_cpu_does(name: str) -> None:
    """Starts and batches are the same; rounding is not, nor how many stand side by side."""
    found = [scores(MINI.representatives, [name], hardware=h).values[name] for h in ("cpu", "cuda")]
    cpu, cuda = (values[:, 0] for values in found)
    known = np.isfinite(cpu)
    assert np.isfinite(cuda).tolist() == known.tolist()
    if name in ("params", "flops", "l2_norm"):
        assert cuda == pytest.approx(cpu, rel=1e-6)
    assert scipy.stats.spearmanr(cpu[known], cuda[known]).statistic > 0.95


def test_nothing_to_score() -> None:
    found = scores([], draws=3)
    assert all(values.shape == (0, 3) for values in found.values.values())
    assert found.reasons == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 3}, "batch_size must be 4 or more, got 3"),
        ({"seed": -1}, "seed must be 0 or more, got -1"),
        ({"draws": 0}, "draws must be 1 or more"),
        ({"group": 0}, "group must be 1 or more, got 0"),
        ({"batch_size": 301}, "fewer than the batch of 301: score with a smaller batch size"),
        ({"hardware": "abacus"}, "there is no hardware 'abacus'"),
        ({"names": ["nwott"]}, "did you mean nwot"),
    ],
)
def test_refusals(options: dict[str, object], said: str) -> None:
    with pytest.raises(NasbenchError, match=said):
        scores([93], **options)


def test_architectures_of_other_spaces_are_refused() -> None:
    for wrong in ([MINI.size], [-1], [1.5]):
        with pytest.raises(NasbenchError):
            scores(wrong)
