"""The fused engine beside the reference engine (in float32) on one GPU, by one recipe.

Seconds are those of a second epoch of training, without evaluation: kernels are chosen and
memory is taken in the first. FLOPs are those of the networks' convolutions and classifiers, the
backward pass counted as two forward ones; the peak is what a large matrix product reaches there.
"""

import time

import numpy as np
import pytest
import torch

import nasbench as nb
from nasbench.network import network
from nasbench.network.count import count
from nasbench.train import Recipe
from nasbench.train.fused import FusedTrainer, group_size
from nasbench.train.reference import ReferenceTrainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

HARDWARE = "cuda"
ALONE = 4
"""Networks that the reference engine trains; the fused engine trains a whole group."""


def matmul_peak(dtype: torch.dtype) -> float:
    """FLOP/s of a large matrix product, float32 by way of TF32 as in convolutions."""
    size, repeats = 8192, 20
    a = torch.randn(size, size, device=HARDWARE, dtype=dtype)
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    a @ a
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(repeats):
        a @ a
    torch.cuda.synchronize()
    torch.backends.cuda.matmul.allow_tf32 = before
    return repeats * 2 * size**3 / (time.perf_counter() - started)


def epoch_seconds(records) -> float:
    """Seconds a network of the second epoch."""
    seconds = np.array([record.curves["train_seconds"] for record in records], dtype=float)
    return float(np.mean(seconds[:, 1] - seconds[:, 0]))


@pytest.mark.benchmark(group="fused")
@pytest.mark.parametrize("mixed", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(("channels", "batch"), [(4, 64), (8, 64), (16, 256)])
def test_fused_beside_reference(benchmark, capsys, nb201, channels, batch, mixed):
    task = nb.task("fashion16")
    recipe = Recipe(
        epochs=2, train_images=5000, valid_images=100, test_images=100,
        channels=channels, cells=1, batch_size=batch, crop_padding=2, flip=True,
    )  # fmt: skip
    fused = FusedTrainer(HARDWARE, mixed_precision=mixed)
    size = group_size(nb201, task, recipe, fused.hardware)
    cells = np.random.default_rng(0).choice(nb201.representatives, size, replace=False)
    alone = epoch_seconds(ReferenceTrainer(HARDWARE).train(nb201, cells[:ALONE], task, recipe, [0]))

    torch.cuda.reset_peak_memory_stats()

    def train():
        return list(fused.train(nb201, cells, task, recipe, [0]))

    records = benchmark.pedantic(train, rounds=1)
    assert [record.architecture for record in records] == cells.tolist()
    together = epoch_seconds(records)
    operations = [count(network(nb201, cell, task, recipe), task.shape).flops for cell in cells]
    reached = 3 * 2 * np.mean(operations) * recipe.train_images / together
    peak = matmul_peak(torch.bfloat16 if mixed else torch.float32)
    found = {
        "gpu": torch.cuda.get_device_name(),
        "group": size,
        "network_epochs_per_second": 1 / together,
        "ratio": alone / together,
        "share_of_peak": float(reached / peak),
        "peak_tflops": peak / 1e12,
        "memory_gib": torch.cuda.max_memory_allocated() / 2**30,
    }
    benchmark.extra_info.update(found)
    with capsys.disabled():
        print(f"\nC = {channels}, batch {batch}: {found}")
