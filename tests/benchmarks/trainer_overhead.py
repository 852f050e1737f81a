"""What the trainer of any network costs beside the same loop written out, and seeds side by side.

    OMP_NUM_THREADS=1 python tests/benchmarks/trainer_overhead.py

Both train one network of `mlp` on features, about a millisecond a step, with AdamW, and ours
evaluates it, too: CPU time of the process, taken in turn, and the median of the pairs' ratios,
which holds where others use the machine. The second figure trains seeds of one architecture
without BatchNorm stacked by `torch.func`, beside one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional as F  # noqa: N812

from nasbench.task import Signal, Split, Task
from nasbench.train.feed import prepare
from nasbench.train.optimizer import AdamW
from nasbench.train.order import epoch_order
from nasbench.train.recipe import Recipe
from nasbench.train.reference import training

ROUNDS, SEEDS, N, COLUMNS = 31, 4, 4_096, 64
RECIPE = Recipe(epochs=2, batch_size=128, learning_rate=0.003, optimizer="adamw")


def task() -> Task:
    rng = np.random.default_rng(0)

    def split(n: int) -> Split:
        return Split(rng.normal(size=(n, COLUMNS)).astype(np.float32), np.arange(n) % 4)

    signal = Signal("features", categories=(0,) * COLUMNS)
    return Task("made", split(N), split(64), split(64), tuple("abcd"), signal=signal)


def network(width: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(COLUMNS, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 4),
    )


def bare(net: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    """The same steps, written out: order, rate, gradients, optimiser."""
    optimizer, steps = AdamW(net.parameters(), RECIPE), -(-len(x) // RECIPE.batch_size)
    for epoch in range(RECIPE.epochs):
        order = torch.from_numpy(epoch_order(RECIPE, len(x), 0, epoch).images)
        for step in range(steps):
            chosen = order[step * RECIPE.batch_size : (step + 1) * RECIPE.batch_size]
            loss = F.cross_entropy(net(x[chosen]), y[chosen])
            for parameter in net.parameters():
                parameter.grad = None
            loss.backward()
            rate = RECIPE.learning_rate_at(epoch * steps + step, RECIPE.epochs * steps)
            optimizer.step(rate)


def compared(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """CPU time of one as a multiple of the other's, and the least seconds of the other."""
    found = np.empty((ROUNDS, 2))
    for turn in range(ROUNDS):
        for place in (0, 1) if turn % 2 else (1, 0):
            began = time.process_time()
            (one, other)[place]()
            found[turn, place] = time.process_time() - began
    return float(np.median(found[:, 0] / found[:, 1])), float(found[:, 1].min())


def side_by_side(width: int, x: torch.Tensor, y: torch.Tensor, steps: int = 32) -> float:
    """CPU time of gradients of some seeds one after the other, as a multiple of those stacked."""
    nets = [network(width) for _ in range(SEEDS)]
    parameters, buffers = stack_module_state(nets)
    inputs = x[: SEEDS * 128].reshape(SEEDS, 128, -1)
    targets = y[: SEEDS * 128].reshape(SEEDS, 128)

    def loss(own: dict, held: dict, one: torch.Tensor, answer: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(functional_call(nets[0], (own, held), (one,)), answer)

    stacked = vmap(grad(loss))

    def alone() -> None:
        for _ in range(steps):
            for net, one, answer in zip(nets, inputs, targets, strict=True):
                F.cross_entropy(net(one), answer).backward()

    def together() -> None:
        for _ in range(steps):
            stacked(parameters, buffers, inputs, targets)

    return compared(alone, together)[0]


def main() -> None:
    torch.set_num_threads(1)
    data = prepare(task(), RECIPE, torch.device("cpu"))
    steps = RECIPE.epochs * -(-N // RECIPE.batch_size)
    print(f"{'width':>6} {'ms a step':>10} {'trainer / bare':>15} {'seeds: alone / stacked':>23}")
    for width in (140, 256, 512):
        ratio, seconds = compared(
            lambda w=width: list(training(network(w), data, RECIPE, 0)),
            lambda w=width: bare(network(w), *data.train),
        )
        seeds = side_by_side(width, *data.train)
        print(f"{width:>6} {1000 * seconds / steps:>10.2f} {ratio:>15.3f} {seeds:>23.2f}")


if __name__ == "__main__":
    main()
