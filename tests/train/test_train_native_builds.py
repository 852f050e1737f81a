"""The native engine as other compilers build it, and for a processor that this one emulates."""

from __future__ import annotations

import copy
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from engine_checks import Exact, random_case, runs_here
from torch.nn import functional as F  # noqa: N812

from nasbench.network.cell import CellNetwork
from nasbench.train import Recipe
from nasbench.train.native import _COLUMNS, describe, flat

pytestmark = pytest.mark.slow

ENGINE = Path(__file__).parents[2] / "nasbench" / "train" / "_native"
RUNNER = Path(__file__).parent / "engine_runner.cpp"
FLAGS = ["-O3", "-std=c++17", "-ffp-contract=fast", "-fno-math-errno", "-static"]
AVX512 = ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mfma", "-mprefer-vector-width=512"]
BUILDS = {
    "gcc-base": ("g++", [], ""),
    "clang-base": ("clang++", [], ""),
    "clang-avx2": ("clang++", ["-mavx2", "-mfma"], ""),
    "clang-avx512": ("clang++", AVX512, ""),
    "gcc-neon": ("aarch64-linux-gnu-g++", [], "qemu-aarch64"),
}
CASES = (1, 12, 15, 24, 33)
"""Small enough for an emulator, with images enough that a step's rounding is not blown up."""

RECIPE = Recipe(epochs=2, label_smoothing=0.1)


@pytest.fixture(scope="module", params=BUILDS)
def runner(request, tmp_path_factory):
    """The command that runs the engine of one build."""
    compiler, flags, emulator = BUILDS[request.param]
    if not shutil.which(compiler) or (emulator and not shutil.which(emulator)):
        pytest.skip(f"needs {compiler} {emulator}".rstrip())
    instructions = request.param.split("-")[1]
    if not emulator and not runs_here(instructions):
        pytest.skip(f"this processor has no {instructions}")
    program = tmp_path_factory.mktemp("runner") / request.param
    subprocess.run([compiler, *FLAGS, *flags, f"-I{ENGINE}", RUNNER, "-o", program], check=True)
    return [emulator, program] if emulator else [program]


def two_steps(net: CellNetwork, x: np.ndarray, y: np.ndarray) -> tuple[list[float], np.ndarray]:
    """Training and validation loss after each step on all images, and the weights; in float64."""
    net = copy.deepcopy(net).double()
    images, labels = torch.from_numpy(x).double(), torch.from_numpy(y)
    optimizer = torch.optim.SGD(
        net.parameters(),
        lr=0.01,
        momentum=RECIPE.momentum,
        nesterov=RECIPE.nesterov,
        weight_decay=RECIPE.weight_decay,
    )
    losses = []
    for _ in range(2):
        net.train()
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), labels, label_smoothing=RECIPE.label_smoothing)
        loss.backward()
        optimizer.step()
        net.eval()
        losses += [loss.item(), F.cross_entropy(net(images), labels).item()]
    return losses, flat(net)


@pytest.mark.process
@pytest.mark.parametrize("trial", CASES)
def test_every_build_trains_as_pytorch(nb201, runner, trial):
    net, x, y = random_case(nb201, trial)
    spec, edges = describe(net, RECIPE, x.shape[1:])
    spec.batch_size = len(x)
    weights = flat(net)
    request = (edges, np.int64(len(x)), x, y.astype(np.int32), weights)
    answer = subprocess.run(
        runner,
        input=bytes(spec) + b"".join(part.tobytes() for part in request),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    sizes = np.cumsum([8, weights.nbytes, 2 * len(_COLUMNS) * 8])
    loss, gradients, curves, trained = (
        answer[begin:end] for begin, end in zip([0, *sizes], [*sizes, None], strict=True)
    )
    exact = Exact(net, x, y, RECIPE.label_smoothing)
    exact.check(float(np.frombuffer(loss)[0]), np.frombuffer(gradients, np.float32))
    losses, expected = two_steps(net, x, y)
    shown = np.frombuffer(curves).reshape(2, len(_COLUMNS))
    wanted = [_COLUMNS.index(name) for name in ("train_loss", "valid_loss")]
    np.testing.assert_allclose(shown[:, wanted].ravel(), losses, rtol=1e-4)
    error = np.linalg.norm(np.frombuffer(trained, np.float32) - expected)
    # Where rounding turned a ReLU in the first step, the second goes a little elsewhere.
    assert error < 0.05 * np.linalg.norm(expected - weights)
