"""The contract of proxies as a test that any of them can be put to.

from nasbench.proxy.testing import check_proxy

def test_my_proxy() -> None:
    check_proxy("my_proxy")
"""

from __future__ import annotations

import random

import numpy as np
import torch
from numpy.typing import NDArray

from nasbench.errors import NasbenchError
from nasbench.network import network
from nasbench.network.cell import as_cell_network
from nasbench.network.start import initialize
from nasbench.proxy.probe import Probe
from nasbench.proxy.registry import get
from nasbench.proxy.scoring import Scores, examine, score
from nasbench.space import CellSpace
from nasbench.task import get as get_task
from nasbench.train.recipe import Recipe

__all__ = ["check_proxy"]

SPACE = CellSpace("three nodes", 3)
ORDINARY = [
    SPACE.index(cell)
    for cell in (
        "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|",
        "|nor_conv_1x1~0|+|avg_pool_3x3~0|nor_conv_3x3~1|",
        "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|",
        "|skip_connect~0|+|nor_conv_3x3~0|none~1|",
    )
]
BARREN = [
    SPACE.index(cell)
    for cell in (
        "|none~0|+|none~0|none~1|",
        "|none~0|+|skip_connect~0|none~1|",
        "|skip_connect~0|+|skip_connect~0|avg_pool_3x3~1|",
    )
]
RECIPE = Recipe(epochs=1, channels=3, cells=1)
BATCH = 16
ROUNDING = 5e-3
"""Of the largest value: kernels for one network and for several round float32 differently."""


def check_proxy(name: str) -> None:
    """Put a proxy to the contract; raises AssertionError where it breaks it.

    It must be finite on ordinary networks, and a number or NaN, without an exception, on cells
    that have nothing to learn; give the same for the same draw, and the same for a network alone
    and beside others within rounding; leave networks, images and global random numbers as they
    were; and, where it says so, depend on neither start nor batch.

    Args:
        name: of the proxy.
    """
    try:
        _check_values(name)
        _check_traces(name)
    except NasbenchError as error:  # it failed on a network
        raise AssertionError(str(error)) from error


def _check_values(name: str) -> None:
    together = _score(name, ORDINARY)
    values = together.values[name]
    assert np.isfinite(values).all(), f"{name} is not finite: {_said(together)}"
    again = _score(name, ORDINARY).values[name]
    assert np.array_equal(values, again), f"{name} gives two values for one draw"
    alone = _score(name, ORDINARY, group=1).values[name]
    off = np.abs(alone - values).max()
    assert off <= ROUNDING * np.abs(values).max(), (
        f"{name} gives a network another value when others are beside it: {off:.3g} off"
    )
    if not get(name).random:
        other = _score(name, ORDINARY, seed=1).values[name]
        assert np.array_equal(values, other), f"{name} depends on the draw, which it denies"
    barren = _score(name, BARREN)
    unexplained = np.isnan(barren.values[name]).sum() - len(barren.reasons)
    assert not unexplained, f"{name} is NaN without a reason"
    assert not np.isinf(barren.values[name]).any(), f"{name} is infinite"


def _check_traces(name: str) -> None:
    task = get_task("digits")
    networks = [as_cell_network(network(SPACE, i, task, RECIPE)) for i in ORDINARY]
    for net, architecture in zip(networks, ORDINARY, strict=True):
        initialize(net, 0, architecture)
    images = torch.from_numpy(task.train.images[:BATCH].astype(np.float32) / 255)
    labels = torch.from_numpy(task.train.labels[:BATCH])
    probe = Probe(networks, images, labels, np.random.SeedSequence(0))

    def held() -> list[NDArray[np.generic]]:
        parts = [images, labels, *probe.module.parameters()]
        for net in networks:
            parts += net.state_dict().values()
        return [part.detach().numpy().copy() for part in parts]

    before, generators = held(), _generators()
    examine(probe, [get(name)])
    same = all(np.array_equal(a, b) for a, b in zip(before, held(), strict=True))
    assert same, f"{name} changes the networks or the batch that all proxies see"
    assert _generators() == generators, f"{name} draws from global random numbers"
    hooks = [module for module in probe.module.modules() if module._forward_hooks]
    assert not hooks, f"{name} leaves hooks on the networks"


def _score(name: str, architectures: list[int], *, seed: int = 0, group: int = 8) -> Scores:
    task = get_task("digits")
    return score(
        SPACE, architectures, task, RECIPE, [name],
        seed=seed, batch_size=BATCH, hardware="cpu", group=group, live=False,
    )  # fmt: skip


def _said(scores: Scores) -> str:
    return "; ".join(reason for *_, reason in scores.reasons)


def _generators() -> tuple[str, str, bytes]:
    """The states of the global generators of numpy, Python and torch."""
    legacy = np.random.get_state(legacy=False)  # noqa: NPY002  watched, not used
    return str(legacy), str(random.getstate()), torch.get_rng_state().numpy().tobytes()
