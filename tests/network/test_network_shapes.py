"""Shapes that a rule tells, against those that PyTorch computes."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import nn

from nasbench.network.shapes import RULES, averaged
from nasbench.network.tracing import META, ShapeRun, run_shapes

WINDOWS = [
    nn.AvgPool2d(2),
    nn.AvgPool2d(2, 2, ceil_mode=True),
    nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    nn.AvgPool2d((3, 2), (2, 3), (1, 0)),
    nn.MaxPool2d(2, 3, ceil_mode=True),
    nn.MaxPool2d(3, 2, 1, dilation=2),
    nn.MaxPool2d((1, 3), dilation=(1, 2), ceil_mode=True),
    nn.Conv2d(2, 4, (3, 2), (2, 1), (1, 0), (2, 1)),
]


@pytest.mark.parametrize("module", WINDOWS, ids=repr)
def test_a_window_gives_as_much_as_pytorch_says(module: nn.Module) -> None:
    rule = RULES[type(module)]
    for height in range(1, 11):
        x = torch.zeros(3, 2, height, 11 - height)
        told = rule(module, x.to(META))
        try:
            wanted = module(x)
        except RuntimeError:
            assert told is None  # and so PyTorch says what is wrong
        else:
            assert told is not None
            assert told.shape == wanted.shape


@pytest.mark.parametrize("module", [nn.MaxPool2d(2, return_indices=True), nn.AvgPool2d(2)])
def test_no_rule_for_what_it_was_not_written_for(module: nn.Module) -> None:
    images = torch.zeros(2, 4, 4, device=META)
    images = images if isinstance(module, nn.AvgPool2d) else images[None]
    assert RULES[type(module)](module, images) is None


@pytest.mark.parametrize("dim", [1, -1, (2, 3), [0, -2], (0, 1, 2, 3)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_a_mean_has_the_shape_that_pytorch_says(dim: Any, keepdim: bool) -> None:
    x = torch.zeros(2, 3, 4, 5)
    for told in (averaged(x, dim, keepdim), averaged(x, keepdim=keepdim, dim=dim)):
        assert told is not None
        assert told.shape == x.mean(dim, keepdim).shape
        assert told.dtype == x.dtype


@pytest.mark.parametrize(
    ("args", "given"),
    [
        ((), {}),
        (((),), {}),  # of all
        ((4,), {}),
        (((1, -3),), {}),
        ((("a", "b"),), {}),
        ((1,), {"dtype": torch.float64}),
        ((torch.float64,), {}),
    ],
)
def test_a_mean_of_another_form_is_left_to_pytorch(args: tuple[Any, ...], given: Any) -> None:
    assert averaged(torch.zeros(2, 3, 4, 5), *args, **given) is None
    assert averaged(input=torch.zeros(2, 3), dim=1) is None
    assert averaged(torch.zeros(2, 3, dtype=torch.int64), 1) is None


class Silent(ShapeRun):
    def note(self, seen: Any) -> None:
        pass


def test_a_mean_is_traced_without_pytorch_s_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    class Averaging(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.mean(x.mean((2, 3)), 0)

    monkeypatch.setitem(sys.modules, "torch._dynamo", None)  # an import of it fails
    _, answer = run_shapes(Averaging(), torch.zeros(2, 3, 4, 5, device=META), Silent)
    assert answer.shape == (3,)
