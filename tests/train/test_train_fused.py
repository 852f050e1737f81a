"""The fused engine against ordinary networks and the reference trainer, network by network.

Stated tolerances: gradients agree with float64 autograd within 1e-5 in relative L2 norm (or
twice what the ordinary network in float32 is off by, where that is more), computed in float64
within 1e-10. Whole trainings magnify rounding and are therefore compared in float64: losses
agree within 1e-5, accuracies are equal.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from seldom import seldom
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import nasbench as nb
from nasbench.building import BuildSpec, build
from nasbench.errors import NasbenchError
from nasbench.network import network, started
from nasbench.network.cell import CellNetwork
from nasbench.network.side_by_side import side_by_side
from nasbench.network.start import initialize
from nasbench.space import SHIFT, CellSpace
from nasbench.task import Task
from nasbench.train import CURVES, Recipe, Record, engine, fused, reference
from nasbench.train.engine import ENGINES, make_trainer, pick_engine
from nasbench.train.feed import Prepared, batch_of, prepare
from nasbench.train.fused import FusedTrainer, group_size
from nasbench.train.order import epoch_order
from nasbench.train.reference import ReferenceTrainer

pytestmark = pytest.mark.heavy

CPU = torch.device("cpu")
ALL = Recipe(
    epochs=3, train_images=50, valid_images=25, test_images=25, channels=3, cells=1,
    batch_size=20, crop_padding=2, flip=True, label_smoothing=0.1,
)  # fmt: skip
"""All that a recipe can ask for; an epoch has batches of 20, 20 and 10 images."""


@pytest.fixture(
    scope="module",
    params=[
        "cpu",
        pytest.param(
            "cuda",
            marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
        ),
    ],
)
def hardware(request: pytest.FixtureRequest) -> Iterator[str]:
    tf32 = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield request.param
    torch.backends.cudnn.allow_tf32 = tf32


@pytest.fixture(scope="module")
def digits() -> Task:
    return nb.task("digits")


def without_clock(record: Record) -> dict[str, bytes]:
    curves = {name: record.curves[name].tobytes() for name in CURVES if "seconds" not in name}
    return {**curves, "test": np.float32(record.test_accuracy).tobytes()}


# Gradients.


def layout(nets: Sequence[CellNetwork]) -> list[Tensor]:
    """For each network, where its weights are among all of the stacked module's."""
    marked = copy.deepcopy(list(nets))
    start = 0
    for net in marked:
        for parameter in net.parameters():
            numbers = torch.arange(start, start + parameter.numel(), dtype=parameter.dtype)
            parameter.data = numbers.view(parameter.shape)
            start += parameter.numel()
    held = torch.cat([p.detach().flatten() for p in side_by_side(marked).parameters()]).long()
    place = held.argsort()
    assert torch.equal(held[place], torch.arange(start))  # every weight is there, and once
    return list(place.split([sum(p.numel() for p in net.parameters()) for net in nets]))


def alone(
    net: CellNetwork, x: Tensor, y: Tensor, dtype: torch.dtype
) -> tuple[float, Tensor, float]:
    """Loss and gradients of an ordinary network, and a ReLU's input that is nearest to zero."""
    net = copy.deepcopy(net).to(dtype)
    nearest = [np.inf]

    def look(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        size = given[0].detach().abs()
        nearest.append(float(size[size > 0].min()) if (size > 0).any() else np.inf)

    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_pre_hook(look)
    loss = F.cross_entropy(net(x.to(dtype)), y, label_smoothing=0.1)
    loss.backward()
    return loss.item(), gradients(net), min(nearest)


def gradients(net: nn.Module) -> Tensor:
    parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in net.parameters()]
    return torch.cat([part.flatten() for part in parts]).cpu().double()


def perturbed(net: CellNetwork, generator: torch.Generator) -> CellNetwork:
    """BatchNorm and shifts away from where they start, so that their gradients differ."""
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim == 1:
                parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return net


FIVE = CellSpace("five", 5, ("none", "skip_connect", "nor_conv_1x1", "avg_pool_3x3"))
TWO = CellSpace("two", 4, ("none", "nor_conv_3x3"))
NOTHING = 0
SHIFTS = [
    TWO.index("|none~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_3x3~2|"),
    TWO.index("|none~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_3x3~2|"),
]
GROUPS = {
    "nb201": (nb.space("nb201"), []),
    "three nodes": (nb.space("nb201-mini"), [NOTHING]),
    "five nodes": (FIVE, []),
    "few operations": (TWO, [NOTHING, *SHIFTS]),
}
"""Spaces, and cells that are in each of their groups beside random ones."""
LARGE = ("nb201", "five nodes")
"""Networks of the other spaces see images of their own as well."""


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    ("group", "trial"),
    seldom({(group, 1) for group in LARGE}, product(GROUPS, range(2))),
)
def test_gradients_equal_float64_autograd(
    hardware: str, group: str, trial: int, dtype: torch.dtype
) -> None:
    space, special = GROUPS[group]
    rng, generator = np.random.default_rng(trial), torch.Generator().manual_seed(trial)
    inputs, classes, n = int(rng.choice([1, 3])), int(rng.choice([2, 10])), int(rng.integers(8, 14))
    height, width, channels = (int(rng.integers(low, low + 4)) for low in (4, 4, 1))
    cells = int(rng.integers(1, 3))
    architectures = [*space.sample(rng, int(rng.integers(1, 6))).tolist(), *special]
    networks = len(architectures)
    nets = []
    for architecture in architectures:
        graph = space.live_graph(architecture)
        net = CellNetwork(graph, inputs=inputs, classes=classes, channels=channels, cells=cells)
        initialize(net, trial, architecture)
        nets.append(perturbed(net, generator))
    # Odd trials: each network sees images of its own.
    seen = networks if trial % 2 else 1
    x = torch.randn(seen, n, inputs, height, width, generator=generator)
    y = torch.randint(classes, (seen, n), generator=generator)
    joined = side_by_side(nets).to(hardware, dtype)
    logits = joined(x.transpose(0, 1).flatten(1, 2).to(hardware, dtype)).cpu()
    losses = torch.stack(
        [F.cross_entropy(logits[:, k], y[k % seen], label_smoothing=0.1) for k in range(networks)]
    )
    losses.sum().backward()
    found = gradients(joined)
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    for k, (net, place) in enumerate(zip(nets, layout(nets), strict=True)):
        loss, exact, nearest = alone(net, x[k % seen], y[k % seen], torch.float64)
        assert losses[k].item() == pytest.approx(loss, rel=tolerance)
        error = float((found[place] - exact).norm() / exact.norm())
        # Where nothing of the image reaches the output, BatchNorm of constants magnifies rounding.
        same = dtype == torch.float64
        rounded = exact if same else alone(net, x[k % seen], y[k % seen], dtype)[1]
        usual = float((rounded - exact).norm() / exact.norm())
        # A ReLU's input within rounding of zero may fall on the other side of it.
        flipped = dtype == torch.float32 and nearest < 1e-6
        assert error < max(tolerance, 2 * usual) or flipped, f"{architectures[k]}: {error:.1e}"


def test_the_cells_above_are_special() -> None:
    assert not TWO.live_graph(NOTHING).edges
    for architecture in SHIFTS:
        assert SHIFT in {edge.operation for edge in TWO.live_graph(architecture).edges}


# The images.


@pytest.mark.parametrize("seeds", [[4, 4, 4], [4, 0, 4]])
@pytest.mark.parametrize("recipe", [ALL, replace(ALL, crop_padding=0), replace(ALL, flip=False)])
def test_networks_see_what_the_reference_shows_them(
    digits: Task, recipe: Recipe, seeds: list[int]
) -> None:
    data = prepare(digits, recipe, CPU)
    x, _ = data.train
    batches = list(fused._Batches(data, recipe, seeds).epoch(2))
    assert [len(images) for images, _ in batches] == [20, 20, 10]
    for number, (images, labels) in enumerate(batches):
        assert images.shape[1] == (1 if len(set(seeds)) == 1 else len(seeds))
        for k, seed in enumerate(seeds):
            order = epoch_order(recipe, len(x), seed, 2)
            chosen = slice(20 * number, 20 * (number + 1))
            expected, expected_labels = batch_of(data, order, chosen, recipe)
            k %= images.shape[1]
            assert torch.equal(images[:, k : k + 1], expected)
            assert torch.equal(labels[:, k], expected_labels)


def test_images_of_several_channels_keep_them_together() -> None:
    x = torch.arange(5 * 3 * 2 * 4.0).view(5, 3, 2, 4)
    data = Prepared((x, torch.arange(5)), (x, torch.arange(5)), (x, torch.arange(5)))
    recipe = Recipe(epochs=1, batch_size=5)
    for images, labels in fused._Batches(data, recipe, [0, 1]).epoch(0):
        assert torch.equal(images[:, :3], x[labels[:, 0]])
        assert torch.equal(images[:, 3:], x[labels[:, 1]])


# Whole trainings.


@pytest.fixture
def in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both trainers' networks and images in float64, where rounding has no time to grow."""
    for module in (fused, reference):
        monkeypatch.setattr(module, "started", lambda *args: started(*args).double())
        monkeypatch.setattr(module, "prepare", prepare_in_float64)


def prepare_in_float64(task: Task, recipe: Recipe, hardware: torch.device) -> Prepared:
    data = prepare(task, recipe, hardware)
    splits = ((x.double(), y) for x, y in (data.train, data.valid, data.test))
    return Prepared(*splits)


def assert_close(record: Record, other: Record) -> None:
    assert (record.architecture, record.seed) == (other.architecture, other.seed)
    for name in set(CURVES) - {"train_seconds"}:
        np.testing.assert_allclose(record.curves[name], other.curves[name], rtol=1e-5)
    assert record.test_accuracy == other.test_accuracy


@pytest.mark.parametrize(
    ("recipe", "seeds"),
    [(ALL, [3, 0]), (replace(ALL, nesterov=False, weight_decay=0.1, cells=2, epochs=2), [3])],
    ids=["images of their own", "the same images"],
)
@pytest.mark.usefixtures("in_float64")
def test_trainings_are_the_reference_s(
    nb201: CellSpace, digits: Task, hardware: str, recipe: Recipe, seeds: list[int]
) -> None:
    cells = np.random.default_rng(0).choice(nb201.representatives, 3)
    records = [
        list(trainer.train(nb201, cells, digits, recipe, seeds))
        for trainer in (FusedTrainer(hardware), ReferenceTrainer(hardware))
    ]
    assert len(records[0]) == 3 * len(seeds)
    for one, other in zip(*records, strict=True):
        assert_close(one, other)


@pytest.mark.usefixtures("in_float64")
def test_who_trains_beside_a_network_does_not_matter(
    nb201: CellSpace, digits: Task, hardware: str
) -> None:
    a, b, c, d = np.random.default_rng(1).choice(nb201.representatives, 4, replace=False)
    found: dict[int, list[Record]] = {}
    for cells in ([a], [a, b], [b, c, a], [d, c, b, a]):
        for record in FusedTrainer(hardware).train(nb201, cells, digits, ALL, [0]):
            found.setdefault(record.architecture, []).append(record)
    assert [len(records) for records in found.values()] == [4, 3, 2, 1]
    for first, *others in found.values():
        for other in others:
            assert_close(first, other)


def test_an_epoch_in_float32_is_the_reference_s(mini: CellSpace, digits: Task) -> None:
    # Three steps: rounding has not grown yet.
    cells = mini.representatives[5:45:16]
    records = [
        list(trainer.train(mini, cells, digits, ALL, [3]))
        for trainer in (FusedTrainer("cpu"), ReferenceTrainer("cpu"))
    ]
    for one, other in zip(*records, strict=True):
        for name in ("train_loss", "valid_loss"):
            assert one.curves[name][0] == pytest.approx(other.curves[name][0], rel=1e-3)


def test_mixed_precision_is_near(mini: CellSpace, digits: Task, hardware: str) -> None:
    cells = mini.representatives[5:45:16]
    recipe = replace(ALL, epochs=1)
    full, mixed = (
        list(FusedTrainer(hardware, mixed_precision=on).train(mini, cells, digits, recipe, [3]))
        for on in (False, True)
    )
    for one, other in zip(mixed, full, strict=True):
        loss, exact = one.curves["train_loss"][0], other.curves["train_loss"][0]
        assert loss == pytest.approx(exact, rel=0.03)
        assert loss != exact


def test_the_same_bits_again(mini: CellSpace, digits: Task, hardware: str) -> None:
    cells = mini.representatives[20:60:8]
    runs = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        runs.append(list(FusedTrainer(hardware).train(mini, cells, digits, ALL, [0, 1])))
    for one, other in zip(*runs, strict=True):
        assert without_clock(one) == without_clock(other)


@pytest.mark.slow
def test_an_epoch_reads_nothing_from_the_hardware(
    mini: CellSpace, digits: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The meta device has no values: to read one there is an error."""
    read = []

    def means(sums: Tensor, n: int) -> np.ndarray:
        assert sums.is_meta
        read.append(n)
        return np.zeros(sums.shape)

    monkeypatch.setattr(fused, "_means", means)
    monkeypatch.setattr(torch, "autocast", lambda *args, enabled: nullcontext())
    data = prepare(digits, ALL, CPU)
    there = ((x.to("meta"), y.to("meta")) for x, y in (data.train, data.valid, data.test))
    nets = [network(mini, int(cell), digits, ALL) for cell in mini.representatives[20:60:8]]
    assert len(list(fused.training(nets, Prepared(*there), ALL, [0, 1, 2, 3, 4]))) == 3
    assert read == [50, 25, 50, 25, 50, 25, 25]


# Divergence.


def breaking(k: int, step: int, channels: int) -> Callable[[Sequence[CellNetwork]], nn.Module]:
    """`side_by_side`, but network `k`'s stem is NaN from the training step `step` on."""

    def broken(nets: Sequence[CellNetwork]) -> nn.Module:
        joined = side_by_side(nets)
        steps = 0

        def look(module: nn.Module, given: Any) -> None:
            nonlocal steps
            if module.training and steps == step:
                first = next(module.parameters())
                assert first.shape[0] == len(nets) * channels
                with torch.no_grad():
                    first[k * channels : (k + 1) * channels] = torch.nan
            steps += module.training

        joined.register_forward_pre_hook(look)
        return joined

    return broken


@pytest.mark.parametrize(
    ("step", "epoch"), [pytest.param(0, 1, marks=pytest.mark.slow), (2, 1), (8, 3)]
)
def test_a_network_that_diverges_hurts_no_other(
    mini: CellSpace,
    digits: Task,
    hardware: str,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    epoch: int,
) -> None:
    """An epoch has three steps."""
    cells = mini.representatives[20:60:8]
    healthy = list(FusedTrainer(hardware).train(mini, cells, digits, ALL, [0]))
    monkeypatch.setattr(fused, "side_by_side", breaking(3, step, ALL.channels))
    records = list(FusedTrainer(hardware).train(mini, cells, digits, ALL, [0]))
    for number, (record, whole) in enumerate(zip(records, healthy, strict=True)):
        if number != 3:
            assert record.diverged == 0
            assert without_clock(record) == without_clock(whole)
            continue
        assert record.diverged == epoch
        assert np.isnan(record.test_accuracy)
        for name in set(CURVES) - {"train_seconds"}:
            before = record.curves[name][: epoch - 1]
            assert before.tobytes() == whole.curves[name][: epoch - 1].tobytes()
            assert np.isnan(record.curves[name][epoch - 1 :]).all()


def test_weights_that_are_nan_from_the_start(
    mini: CellSpace, digits: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    sick = int(mini.representatives[20])

    def start(space: CellSpace, architecture: int, *given: Any) -> nn.Module:
        net = started(space, architecture, *given)
        if architecture == sick:
            net.classifier.bias.data[0] = torch.nan
        return net

    monkeypatch.setattr(fused, "started", start)
    records = FusedTrainer("cpu").train(mini, mini.representatives[15:25], digits, ALL, [0])
    assert {r.architecture for r in records if r.diverged} == {sick}


def test_a_hopeless_learning_rate_ends_a_group(mini: CellSpace, digits: Task) -> None:
    recipe = replace(ALL, learning_rate=1e30)
    for record in FusedTrainer("cpu").train(mini, [93, 107], digits, recipe, [0]):
        assert record.diverged == 1
        assert np.isnan(record.test_accuracy)
        assert (record.curves["train_seconds"] == record.curves["train_seconds"][0]).all()
    data, trainer = prepare(digits, recipe, CPU), FusedTrainer("cpu")
    assert len(list(trainer.epochs(mini, 107, digits, data, recipe, 0))) == 1


# Records.


def test_seconds_add_up_to_what_was_paid(
    mini: CellSpace, digits: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that ticks once a look: an epoch trains for a second and evaluates for one."""
    ticks = iter(range(1000))
    monkeypatch.setattr(fused, "perf_counter", lambda: next(ticks))
    monkeypatch.setattr(fused, "side_by_side", breaking(0, 0, ALL.channels))
    records = list(FusedTrainer("cpu").train(mini, [93, 107, 61, 98], digits, ALL, [0]))
    sick, *healthy = (record.curves["train_seconds"] for record in records)
    np.testing.assert_allclose(sick, [1 / 4, 1 / 4, 1 / 4])
    for seconds in healthy:
        np.testing.assert_allclose(seconds, [1 / 4, 1 / 4 + 1 / 3, 1 / 4 + 2 / 3])
    assert sum(record.curves["train_seconds"][-1] for record in records) == pytest.approx(3)
    assert sum(record.evaluation_seconds for record in records) == pytest.approx(3)


def test_curves_say_what_their_names_say(mini: CellSpace, digits: Task) -> None:
    [record] = FusedTrainer("cpu").train(mini, [93], digits, ALL, [0])
    assert set(record.curves) == set(CURVES)
    for curve in record.curves.values():
        assert (curve.shape, curve.dtype) == ((3,), np.float32)
        assert np.isfinite(curve).all()
    for name, images in (("train_accuracy", 50), ("valid_accuracy", 25)):
        counts = record.curves[name].astype(float) * images / 100
        np.testing.assert_allclose(counts, counts.round(), atol=1e-4)
        assert ((counts >= 0) & (counts <= images)).all()
    assert record.test_accuracy in range(0, 101, 4)  # of 25 images
    assert (np.diff(record.curves["train_seconds"]) > 0).all()
    assert record.evaluation_seconds > 0
    assert (record.architecture, record.seed, record.diverged) == (mini.canonical(93), 0, 0)


def test_epochs_and_train_one_are_the_record(mini: CellSpace, digits: Task) -> None:
    trainer, data = FusedTrainer("cpu"), prepare(digits, ALL, CPU)
    [record] = trainer.train(mini, [98], digits, ALL, [1])
    canonical = int(mini.canonical(98))
    assert without_clock(trainer.train_one(mini, canonical, digits, data, ALL, 1)) == (
        without_clock(record)
    )
    epochs = list(trainer.epochs(mini, 98, digits, data, ALL, 1))
    assert [e.metrics["valid_accuracy"] for e in epochs] == record.curves["valid_accuracy"].tolist()
    assert epochs[-1].tests["test_accuracy"] == record.test_accuracy


# Groups.


def test_groups_hold_what_can_train_together(
    mini: CellSpace, digits: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def spied(nets: Sequence[CellNetwork]) -> nn.Module:
        sizes.append(len(nets))
        return side_by_side(nets)

    monkeypatch.setattr(fused, "side_by_side", spied)
    recipes = [replace(ALL, epochs=1), replace(ALL, epochs=2)]
    data = [prepare(digits, recipe, CPU) for recipe in recipes]
    jobs = [
        (mini, int(architecture), digits, images, recipe, 0)
        for recipe, images, cells in zip(recipes, data, (5, 3), strict=True)
        for architecture in mini.representatives[10 : 10 + cells]
    ]
    records = dict(FusedTrainer("cpu", group=2).train_side_by_side(iter(jobs)))
    assert sizes == [2, 2, 1, 2, 1]
    assert list(records) == list(range(8))
    for number, (_, architecture, _, _, recipe, seed) in enumerate(jobs):
        record = records[number]
        assert (record.architecture, record.seed) == (architecture, seed)
        assert len(record.curves["train_loss"]) == recipe.epochs
    with pytest.raises(NasbenchError, match="1 network or more"):
        FusedTrainer("cpu", group=0)


@pytest.mark.parametrize("cells", [1, 3])
def test_a_group_takes_no_more_memory_than_was_counted(
    nb201: CellSpace, digits: Task, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    """Against what PyTorch keeps for the gradients of the cell with a convolution everywhere."""
    recipe = Recipe(epochs=1, channels=8, cells=cells, batch_size=32)
    monkeypatch.setattr(fused, "CPU_MEMORY", 2**50)
    monkeypatch.setattr(fused, "LARGEST_GROUP", 2**50)
    counted = 2**50 / group_size(nb201, digits, recipe, CPU)
    net = side_by_side([network(nb201, int(nb201.index_of([3] * 6)), digits, recipe)])
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        assert net(torch.randn(32, 1, 8, 8)).requires_grad
    assert counted / 3 < sum(kept.values()) < counted


def test_a_group_is_one_network_or_more(nb201: CellSpace, digits: Task) -> None:
    huge = Recipe(epochs=1, channels=4096, batch_size=4096)
    assert group_size(nb201, digits, huge, CPU) == 1
    tiny = Recipe(epochs=1, channels=1, cells=1, batch_size=1)
    assert group_size(nb201, digits, tiny, CPU) == fused.LARGEST_GROUP


# Where it is used.


def test_cuda_picks_it(mini: CellSpace, digits: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "fused" in ENGINES
    asked = (mini, digits, [ALL])
    assert pick_engine("auto", "cpu", *asked) in ("native", "reference")
    assert pick_engine("fused", "cpu", *asked) == "fused"
    assert isinstance(make_trainer("fused", "cpu"), FusedTrainer)
    for kind, engine_of in (("cuda", "fused"), ("mps", "reference")):
        monkeypatch.setattr(engine, "pick_hardware", lambda name, kind=kind: torch.device(kind))
        assert pick_engine("auto", "auto", *asked) == engine_of


def test_a_build_uses_it(tmp_path: Path, digits: Task, hardware: str) -> None:
    space = CellSpace("small", 3, ("none", "nor_conv_1x1"))
    recipe = Recipe(epochs=1, train_images=60, valid_images=50, test_images=40, channels=4, cells=1)
    spec = BuildSpec("small", space, digits, (0, 1), {"1ep": recipe}, ())
    table = build(spec, tmp_path / "small.h5", engine="fused", hardware=hardware)
    assert table.manifest["engine"] == "fused"
    records = FusedTrainer(hardware).train(space, table.rows, digits, recipe, [0, 1])
    for record in records:
        found = table.values("valid_accuracy", [record.architecture], epoch=-1, seed=record.seed)
        assert abs(found[0] - record.curves["valid_accuracy"][-1]) <= 2
