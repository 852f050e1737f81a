"""Our SGD takes the steps of `torch.optim.SGD`, bit for bit, and does not load its compiler."""

from __future__ import annotations

import copy
import sys

import pytest
import torch
from torch import nn

import nasbench as nb
from nasbench.task import Task
from nasbench.train.fused import FusedTrainer
from nasbench.train.optimizer import SGD
from nasbench.train.reference import ReferenceTrainer

RATES = [0.05 / (step + 1) for step in range(6)]


class Two(nn.Module):
    """Two layers, of which the second is not always used."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(7, 5), nn.Linear(5, 5)

    def forward(self, x: torch.Tensor, both: bool) -> torch.Tensor:
        x = torch.tanh(self.first(x))
        return self.second(x) if both else x


def recipe(momentum: float, nesterov: bool, weight_decay: float) -> nb.Recipe:
    return nb.Recipe(epochs=1, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("unused", [(), (2, 4), (0, 1), range(6)])
@pytest.mark.parametrize(
    "by",
    [recipe(0.0, False, 0.0), recipe(0.9, False, 0.0), recipe(0.9, True, 5e-4)],
    ids=["plain", "momentum", "nesterov-decay"],
)
def test_steps_are_those_of_pytorch(by, unused, dtype):
    """Also where the second layer has no gradient in some steps, or in all."""
    late = unused == (0, 1) and by.momentum > 0
    generator = torch.Generator().manual_seed(0)
    ours = Two().to(dtype)
    theirs = copy.deepcopy(ours)
    mine = SGD(ours.parameters(), by)
    pytorch = torch.optim.SGD(
        theirs.parameters(), lr=1.0, momentum=by.momentum, nesterov=by.nesterov,
        weight_decay=by.weight_decay, fused=not late,  # PyTorch's kernel takes no late ones
    )  # fmt: skip
    for step, rate in enumerate(RATES):
        x = torch.randn(3, 7, generator=generator, dtype=dtype)
        for net, optimizer in ((ours, mine), (theirs, pytorch)):
            optimizer.zero_grad()
            net(x, step not in unused).square().sum().backward()
        mine.step(rate)
        pytorch.param_groups[0]["lr"] = rate
        pytorch.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=1e-4) if late else torch.equal(a, b)


@pytest.mark.parametrize("trainer", [ReferenceTrainer, FusedTrainer])
def test_training_loads_no_compiler(trainer, monkeypatch, mini):
    """`torch._dynamo` costs every process 1.25 s of CPU; its import is made to fail."""
    loaded = [name for name in sys.modules if name.split(".")[:2] == ["torch", "_dynamo"]]
    for name in {*loaded, "torch._dynamo"}:
        monkeypatch.setitem(sys.modules, name, None)
    tiny = nb.Recipe(
        epochs=1, train_images=20, valid_images=10, test_images=10, channels=2, cells=1
    )
    task: Task = nb.task("digits")
    [record] = trainer("cpu").train(mini, [5], task, tiny, [0])
    assert 0 <= record.test_accuracy <= 100
