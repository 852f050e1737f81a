"""The native engine's libraries, and networks in the form that they read and write."""

from __future__ import annotations

import ctypes
import platform
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nasbench.errors import NasbenchError
from nasbench.network.cell import CellNetwork
from nasbench.space import SHIFT
from nasbench.train.recipe import Recipe

__all__ = ["SplitView", "describe", "fill", "flat", "instruction_set", "library", "pointer"]

_FOLDER = Path(__file__).parent / "_native"
_OPERATIONS = {
    "skip_connect": 1,
    "nor_conv_1x1": 2,
    "nor_conv_3x3": 3,
    "avg_pool_3x3": 4,
    SHIFT: 5,
}


class NetworkSpec(ctypes.Structure):
    """`Spec` in network.h."""

    _fields_ = [
        *(
            (name, ctypes.c_int32)
            for name in (
                *("inputs", "size", "classes", "channels", "cells", "batch_size"),
                *("nodes", "edges", "epochs", "nesterov"),
            )
        ),
        *((name, ctypes.c_float) for name in ("momentum", "weight_decay", "label_smoothing")),
    ]


class SplitView(ctypes.Structure):
    """`Split` in engine.cpp."""

    _fields_ = [
        ("images", ctypes.c_void_p),
        ("labels", ctypes.c_void_p),
        ("n", ctypes.c_int64),
    ]


def _instruction_sets() -> list[str]:
    """What this processor runs, the best first."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return ["base"]
    has = torch.backends.cpu.get_cpu_capability()
    best = {"AVX512": ["avx512", "avx2"], "AVX2": ["avx2"]}
    return [*best.get(has, []), "base"]


def instruction_set() -> str:
    """The name of the best instruction set that the engine was built for and this machine has."""
    built = (name for name in _instruction_sets() if library(name))
    return next(built, "none")


@cache
def library(instructions: str | None = None) -> ctypes.CDLL | None:
    """The engine for an instruction set, by default the best that is here; None without one."""
    for name in [instructions] if instructions else _instruction_sets():
        for path in sorted(_FOLDER.glob(f"engine_{name}.*so")):
            engine = ctypes.CDLL(str(path))
            engine.nasbench_parameters.restype = ctypes.c_int64
            return engine
    return None


def pointer(array: NDArray[Any] | None) -> ctypes.c_void_p | None:
    """Where an array's numbers lie; None, which is null, without one."""
    return None if array is None else ctypes.c_void_p(array.ctypes.data)


def describe(net: CellNetwork, recipe: Recipe, shape: tuple[int, ...]) -> tuple[NetworkSpec, Any]:
    """A network and a recipe as the engine reads them; `shape` is channels, height, width."""
    if shape[1] != shape[2]:
        raise NasbenchError(f"the native engine trains on square images, got {shape[1:]}")
    graph = net.graph
    edges = [(e.source, e.target, _OPERATIONS[e.operation]) for e in graph.edges]
    spec = NetworkSpec(
        inputs=shape[0],
        size=shape[1],
        classes=net.classifier.out_features,
        channels=net.stem[0].out_channels,
        cells=net.cells,
        batch_size=recipe.batch_size,
        nodes=graph.nodes,
        edges=len(edges),
        epochs=recipe.epochs,
        nesterov=recipe.nesterov,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        label_smoothing=recipe.label_smoothing,
    )
    return spec, np.asarray(edges, dtype=np.int32).reshape(-1, 3)


def flat(net: nn.Module) -> NDArray[np.float32]:
    """All parameters in one array, in PyTorch's order."""
    parts = [parameter.detach().numpy().ravel() for parameter in net.parameters()]
    return np.concatenate(parts).astype(np.float32, copy=False)


@torch.no_grad()
def fill(net: nn.Module, parameters: NDArray[np.float32], statistics: NDArray[np.float32]) -> None:
    """Fill a network from arrays in the order of its parameters.

    BatchNorm's running means lie where its weights do, its variances where its shifts do.
    """
    at = 0

    def copy(tensor: torch.Tensor | None, numbers: NDArray[np.float32], place: int) -> None:
        if tensor is not None:
            taken = numbers[place : place + tensor.numel()]
            tensor.copy_(torch.from_numpy(taken).view_as(tensor))

    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            copy(module.running_mean, statistics, at)
            copy(module.running_var, statistics, at + module.num_features)
        for parameter in module.parameters(recurse=False):
            copy(parameter, parameters, at)
            at += parameter.numel()
