"""The native engine beside PyTorch: the same cells, batches and schedule, one thread each.

`plain` is PyTorch as most would write it, `channels_last` the same in the memory format that is
faster for convolutions. All take turns within each round, and seconds are those of the thread on
its core, so that what else the machine does falls on all; a rate is that of the median round.
FLOPs are the multiply-adds inside the image, twice: a tap on the padding is none. The limit is
what the core's widest registers do with nothing to load (`fma_peak.cpp`), measured between the
rounds.
"""

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import nasbench as nb
from nasbench.network import network
from nasbench.network.start import initialize
from nasbench.space import CellSpace
from nasbench.task import Task
from nasbench.train import Recipe
from nasbench.train.feed import prepare
from nasbench.train.native import NativeTrainer, library
from nasbench.train.order import epoch_order
from nasbench.train.reference import cpu_threads

SETS = [name for name in ("avx512", "avx2") if library(name)]
FLAGS = {"avx512": ["-mavx512f"], "avx2": ["-mavx2", "-mfma"]}
ROUNDS, CELLS, IMAGES = 5, 4, 1024
IMAGES_OF_A_TRIAL = 128  # where nothing is timed, only run

pytestmark = pytest.mark.skipif(not SETS, reason="the native engine was not built, or no AVX2")


@pytest.fixture(scope="module")
def peaks(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], float]:
    """Measures a core's FLOP/s with an instruction set; NaN without a compiler."""
    folder = tmp_path_factory.mktemp("peak")
    source = Path(__file__).with_name("fma_peak.cpp")
    for name in SETS:
        flags = ["-O3", "-std=c++17", "-ffp-contract=fast", *FLAGS[name]]
        with suppress(OSError):
            subprocess.run(["c++", *flags, str(source), "-o", str(folder / name)], check=True)

    def measure(name: str) -> float:
        if not (folder / name).exists():
            return float("nan")
        return float(subprocess.check_output([str(folder / name)]))

    return measure


def taps(size: int, kernel: int, stride: int) -> int:
    """Taps of a padded convolution that fall inside the image, along one side."""
    centres = range(0, size, stride)
    return sum(0 <= c + k - kernel // 2 < size for c in centres for k in range(kernel))


def training_flops(space: CellSpace, cell: int, task: Task, recipe: Recipe) -> float:
    """FLOPs of training one image: forward, and back to weights and inputs."""
    net = network(space, cell, task, recipe)
    total = 0.0

    def add(module: nn.Module, given: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        inside = taps(given[0].shape[-1], module.kernel_size[0], module.stride[0]) ** 2
        flops = 2.0 * module.in_channels * module.out_channels * inside
        total += flops * (2 if module is net.stem[0] else 3)  # images need no gradient

    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(add)
    net(torch.zeros(1, *task.shape))
    return total


def train_by_torch(
    space: CellSpace, cell: int, task: Task, recipe: Recipe, layout: torch.memory_format
) -> float:
    """Seconds of an epoch in PyTorch, on the core."""
    data = prepare(task, recipe, torch.device("cpu"))
    images, labels = data.train
    images = images.contiguous(memory_format=layout)
    net = network(space, cell, task, recipe)
    initialize(net, 0, cell)
    net = net.to(memory_format=layout)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(
        net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    order = torch.from_numpy(epoch_order(recipe, len(images), 0, 0).images)
    start = time.process_time()
    for batch in order.split(recipe.batch_size):
        optimizer.zero_grad()
        F.cross_entropy(net(images[batch]), labels[batch]).backward()
        optimizer.step()
    return time.process_time() - start


def train_natively(
    space: CellSpace, cell: int, task: Task, recipe: Recipe, instructions: str
) -> float:
    (record,) = NativeTrainer(1, instructions).train(space, [cell], task, recipe, [0])
    return float(record.curves["train_seconds"][-1])


@pytest.mark.benchmark(group="train")
@pytest.mark.parametrize("channels", [4, 8, 16])
@pytest.mark.parametrize("name", ["digits", "fashion16"])
def test_native_beside_torch(benchmark, capsys, nb201, peaks, name, channels):
    task = nb.task(name)
    images = IMAGES_OF_A_TRIAL if benchmark.disabled else IMAGES
    recipe = Recipe(
        epochs=1, train_images=images, valid_images=32, test_images=32,
        channels=channels, cells=1, batch_size=64,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    cells = rng.choice(nb201.representatives, CELLS, replace=False).tolist()
    ways: dict[str, Callable[[int], float]] = {
        "plain": lambda c: train_by_torch(nb201, c, task, recipe, torch.contiguous_format),
        "channels_last": lambda c: train_by_torch(nb201, c, task, recipe, torch.channels_last),
    }
    for s in SETS:
        ways[s] = lambda c, s=s: train_natively(nb201, c, task, recipe, s)
    flops = images * float(np.mean([training_flops(nb201, c, task, recipe) for c in cells]))
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    limits: dict[str, list[float]] = {s: [] for s in SETS}

    def round_of_all() -> None:
        for s in SETS:
            limits[s].append(peaks(s))
        for way, train in ways.items():
            seconds[way].append(float(np.mean([train(c) for c in cells])))

    with cpu_threads(1):
        benchmark.pedantic(round_of_all, rounds=ROUNDS, warmup_rounds=0)
    median = {way: float(np.median(s)) for way, s in seconds.items()}
    with capsys.disabled():
        print(f"\n{name}, {channels} channels, {images} images an epoch, batches of 64:")
        for way, s in median.items():
            line = f"  {way:14} {1 / s:7.2f} network-epochs/s  {flops / s / 1e9:6.1f} GFLOP/s"
            if way in limits:
                share = [flops / t / p for t, p in zip(seconds[way], limits[way], strict=True)]
                line += f"  {100 * np.median(share):3.0f} % of the FMA peak"
                for other in ("plain", "channels_last"):
                    pairs = np.divide(seconds[other], seconds[way])
                    line += (
                        f"  {np.median(pairs):.1f} [{pairs.min():.1f}, {pairs.max():.1f}]x {other}"
                    )
            print(line)


@pytest.mark.benchmark(group="train")
def test_two_threads_beside_one(benchmark, capsys, nb201):
    task = nb.task("fashion16")
    images = IMAGES_OF_A_TRIAL if benchmark.disabled else IMAGES
    recipe = Recipe(
        epochs=2, train_images=images, valid_images=32, test_images=32,
        channels=4, cells=1, batch_size=64,
    )  # fmt: skip
    cells = np.random.default_rng(1).choice(nb201.representatives, 16, replace=False).tolist()
    seconds: dict[int, list[float]] = {1: [], 2: []}

    def round_of_both() -> None:
        for threads, spent in seconds.items():
            trainer = NativeTrainer(threads)
            start = time.perf_counter()
            list(trainer.train(nb201, cells, task, recipe, [0]))
            spent.append(time.perf_counter() - start)

    benchmark.pedantic(round_of_both, rounds=ROUNDS, warmup_rounds=1)
    ratios = np.divide(seconds[1], seconds[2])
    with capsys.disabled():
        low, middle, high = np.quantile(ratios, [0, 0.5, 1])
        print(f"\ntwo threads train {middle:.2f} [{low:.2f}, {high:.2f}] times as fast as one")
