"""The native engine against PyTorch: gradients in float64, the same start, the same batches."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
import zygote
from engine_checks import (
    Exact,
    exact_gradients,
    perturbed,
    random_case,
    runs_here,
)
from seldom import seldom
from torch.nn import functional as F  # noqa: N812

import nasbench as nb
from nasbench.errors import NasbenchError, Unsupported
from nasbench.network import network, started
from nasbench.network.cell import CellNetwork
from nasbench.network.start import initialize
from nasbench.space import CellSpace
from nasbench.task import Signal
from nasbench.train import CURVES, Recipe
from nasbench.train import native as native_module
from nasbench.train.engine import make_trainer, pick_engine
from nasbench.train.feed import prepare
from nasbench.train.native import NativeTrainer, gradients, library
from nasbench.train.reference import ReferenceTrainer

SETS = [name for name in ("avx512", "avx2", "base") if library(name)]
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not SETS, reason="the native engine was not built: no compiler"),
]

LARGE = 4
"""The trial whose network takes as long as those of all others."""
RECIPE = Recipe(
    epochs=2,
    train_images=150,
    valid_images=100,
    test_images=100,
    channels=4,
    cells=1,
    batch_size=64,
    crop_padding=2,
    flip=True,
    label_smoothing=0.1,
)


@pytest.mark.parametrize("trial", seldom([LARGE], range(12)))
def test_gradients_equal_float64_autograd(nb201, trial):
    """By each set of instructions that this processor has."""
    net, x, y = random_case(nb201, trial)
    exact, recipe = Exact(net, x, y, 0.1), Recipe(epochs=1, label_smoothing=0.1)
    for instructions in filter(runs_here, SETS):
        exact.check(*gradients(net, recipe, x, y, instructions))


def test_cells_with_shifts_and_with_nothing(nb201):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((9, 1, 6, 6)).astype(np.float32)
    y = rng.integers(10, size=9)
    dead = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    shift = "|none~0|+|none~0|nor_conv_3x3~1|+|none~0|nor_conv_1x1~1|nor_conv_3x3~2|"
    for string in (dead, shift):
        architecture = nb201.index(string)
        graph = nb201.live_graph(architecture)
        net = CellNetwork(graph, inputs=1, classes=10, channels=4, cells=2)
        initialize(net, 0, architecture)
        net = perturbed(net, rng)
        loss, exact, _ = exact_gradients(net, x, y, 0.0)
        found_loss, found = gradients(net, Recipe(epochs=1), x, y)
        assert found_loss == pytest.approx(loss, rel=1e-5)
        np.testing.assert_allclose(found, exact, atol=1e-5 * np.linalg.norm(exact))


def test_five_nodes():
    space = CellSpace("five", 5, ("skip_connect", "nor_conv_1x1"))
    rng = np.random.default_rng(0)
    net = CellNetwork(space.live_graph(777), inputs=3, classes=4, channels=3, cells=1)
    initialize(net, 0, 777)
    net = perturbed(net, rng)
    x = rng.standard_normal((20, 3, 8, 8)).astype(np.float32)
    y = rng.integers(4, size=20)
    _, exact, _ = exact_gradients(net, x, y, 0.0)
    _, found = gradients(net, Recipe(epochs=1), x, y)
    assert np.linalg.norm(found - exact) < 1e-5 * np.linalg.norm(exact)


@pytest.mark.parametrize("batch_size", [64, 10])
def test_an_epoch_of_few_steps_is_the_reference_s(mini, batch_size):
    # Three steps with crops, flips, smoothing and a last batch that is not whole: had a batch, a
    # rate or a weight been another, the first epoch would show it; rounding has not grown yet.
    cells = mini.representatives[5:45:8]
    images = RECIPE.train_images * batch_size // RECIPE.batch_size
    recipe = replace(RECIPE, batch_size=batch_size, train_images=images)
    records = [
        list(trainer.train(mini, cells, nb.task("digits"), recipe, [3]))
        for trainer in (NativeTrainer(), ReferenceTrainer("cpu"))
    ]
    for native, reference in zip(*records, strict=True):
        assert (native.architecture, native.seed) == (reference.architecture, reference.seed)
        assert set(native.curves) == set(CURVES)
        for curve in ("train_loss", "valid_loss"):
            one, other = native.curves[curve][0], reference.curves[curve][0]
            assert one == pytest.approx(other, rel=2e-3)
        right = "train_accuracy"
        assert abs(native.curves[right][0] - reference.curves[right][0]) <= 300 / images


def test_the_same_bits_whatever_the_threads(mini):
    cells = mini.representatives[::9]
    runs = [
        list(NativeTrainer(threads).train(mini, cells, nb.task("digits"), RECIPE, [0, 1]))
        for threads in (1, 3)
    ]
    for one, other in zip(*runs, strict=True):
        assert one.tests.get("test_accuracy") == other.test_accuracy
        for curve in set(CURVES) - {"train_seconds"}:
            np.testing.assert_array_equal(one.curves[curve], other.curves[curve])


def test_an_error_in_the_engine_names_the_architecture(mini, monkeypatch):
    describe = native_module.describe

    def of_a_giant(*given):
        spec, edges = describe(*given)
        spec.channels = 3_000_000  # one convolution of these takes more than addresses reach
        return spec, edges

    monkeypatch.setattr(native_module, "describe", of_a_giant)
    with pytest.raises(NasbenchError, match=r"engine failed on architecture 98: .*alloc"):
        list(NativeTrainer().train(mini, [98], nb.task("digits"), RECIPE, [0]))


def test_divergence_is_recorded(mini):
    wild = Recipe(epochs=3, train_images=150, channels=4, cells=1, learning_rate=1e20)
    record = next(iter(NativeTrainer().train(mini, [98], nb.task("digits"), wild, [0])))
    assert record.diverged == 1
    assert np.isnan(record.curves["valid_accuracy"]).all()
    assert np.isfinite(record.curves["train_seconds"]).all()
    assert np.isnan(record.test_accuracy)


def test_it_stops_within_a_step(mini):
    long = Recipe(epochs=10_000, train_images=150, channels=4, cells=1)
    trainer = NativeTrainer()
    timer = threading.Timer(0.3, lambda: setattr(trainer._stop, "value", 1))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        list(trainer.train(mini, [98], nb.task("digits"), long, [0]))
    timer.join()


def train_for_hours(begun):
    from nasbench.train.feed import prepare

    space, task = nb.space("nb201"), nb.task("digits")
    recipe = nb.Recipe(epochs=1_000)
    trainer = make_trainer("native")
    data = prepare(task, recipe, trainer.hardware)
    cell = int(space.canonical(1462))  # nothing but 3x3; it is worked out once
    begun.set()
    list(trainer.epochs(space, cell, task, data, recipe, 0))


@pytest.mark.slow
@pytest.mark.process
def test_ctrl_c_stops_a_long_training():
    begun = zygote.Event()
    with zygote.begun(train_for_hours, begun) as (training, _):
        assert begun.wait(zygote.LIMIT)
        time.sleep(0.5)  # it leaves Python for the engine
        os.kill(training.pid, signal.SIGINT)
        training.join(zygote.LIMIT)
        assert training.exitcode == zygote.STOPPED


def test_epochs_are_those_of_the_record(mini):
    trainer = make_trainer("native")
    task = nb.task("digits")
    from nasbench.train.feed import prepare

    data = prepare(task, RECIPE, trainer.hardware)
    record = trainer.train_one(mini, int(mini.canonical(98)), task, data, RECIPE, 0)
    epochs = list(trainer.epochs(mini, 98, task, data, RECIPE, 0))
    assert [e.metrics["valid_accuracy"] for e in epochs] == record.curves["valid_accuracy"].tolist()
    assert epochs[-1].tests["test_accuracy"] == record.test_accuracy


def test_the_fastest_engine_that_suits_is_picked(mini):
    task = nb.task("digits")
    cut = {n: replace(split, inputs=split.images[..., 2:]) for n, split in task.splits.items()}
    wide = replace(task, **cut, signal=Signal("image"))
    assert pick_engine("auto", "cpu", mini, task, [RECIPE]) == "native"
    assert pick_engine("auto", "cpu", mini, wide, [RECIPE]) == "reference"
    assert pick_engine("reference", "cpu", mini, task, [RECIPE]) == "reference"
    with pytest.raises(Unsupported, match="native engine trains on square images alone"):
        pick_engine("native", "cpu", mini, wide, [RECIPE])
    with pytest.raises(NasbenchError, match="did you mean native"):
        pick_engine("natve", "cpu", mini, task, [RECIPE])


# The network itself.


@pytest.mark.parametrize("architecture", [0, 1462, 8888, 15624])
def test_the_network_that_was_trained_is_given(nb201, architecture):
    """PyTorch, with its weights and running statistics, sees what the engine saw of it."""
    task, trainer = nb.task("digits"), NativeTrainer()
    canonical = int(nb201.canonical(architecture))
    data = prepare(task, RECIPE, trainer.hardware)
    net = network(nb201, canonical, task, RECIPE)
    initialize(net, 3, canonical)
    record = trainer.train_network(net, canonical, task, data, RECIPE, 3)
    alone = trainer.train_one(nb201, canonical, task, data, RECIPE, 3)
    for name in CURVES:
        if name != "train_seconds":
            assert record.curves[name].tobytes() == alone.curves[name].tobytes()
    assert record.test_accuracy == alone.tests.get("test_accuracy")
    with torch.no_grad():
        logits = net.eval()(data.valid[0])
    loss = float(F.cross_entropy(logits, data.valid[1]))
    assert loss == pytest.approx(float(record.curves["valid_loss"][-1]), rel=1e-4)


def test_evaluations_are_of_the_network_that_was_trained(mini):
    task, recipe = nb.task("fashion16"), replace(RECIPE, epochs=1, valid_images=200)
    evaluating = replace(recipe, evaluate=("calibration", "corruption"))
    data = prepare(task, recipe, torch.device("cpu"))
    jobs = [(mini, int(a), task, data, evaluating, 0) for a in mini.representatives[20:22]]
    found = dict(NativeTrainer(2).train_side_by_side(jobs))
    for number, (_, architecture, *_rest) in enumerate(jobs):
        net = started(mini, architecture, task, recipe, 0)
        plain = NativeTrainer().train_network(net, architecture, task, data, recipe, 0)
        for name, curve in plain.curves.items():
            assert name == "train_seconds" or (found[number].curves[name] == curve).all()
        tests = dict(found[number].tests)
        assert tests["test_accuracy"] == plain.tests["test_accuracy"]
        x, y = data.valid
        with torch.no_grad():
            chances = net.eval()(x).softmax(1).double().numpy()
        sure, right = chances.max(1), chances.argmax(1) == y.numpy()
        low, high = np.linspace(0, 1, 16)[:-1], np.linspace(0, 1, 16)[1:]
        inside = (low[:, None] <= sure) & (sure < high[:, None])
        error = 100 * np.abs(inside @ (right - sure)).sum() / len(sure)
        assert tests["valid_ece"] == pytest.approx(error, abs=1e-3)
        assert tests["valid_blur_accuracy_low"] < tests["valid_blur_accuracy"]
        (again,) = NativeTrainer().train(mini, [architecture], task, evaluating, [0])
        assert again.tests == tests


def test_an_engine_of_an_earlier_version_gives_no_network(nb201, monkeypatch):
    """It leaves alone what it is handed for the running statistics, which it does not know."""
    task, trainer = nb.task("digits"), NativeTrainer()
    new = trainer._engine.nasbench_train

    class Earlier:
        def nasbench_train(self, *given):
            return new(*given[:-1], None)

    monkeypatch.setattr(trainer, "_engine", Earlier())
    net = network(nb201, 0, task, RECIPE)
    data = prepare(task, RECIPE, trainer.hardware)
    with pytest.raises(Unsupported, match="install the package again"):
        trainer.train_network(net, 0, task, data, RECIPE, 0)
