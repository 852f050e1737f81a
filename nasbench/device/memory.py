"""Peak memory of one inference under PyTorch, taken while it runs."""

from __future__ import annotations

import copy

import torch
from torch import nn

from nasbench.device.base import MEASURED, Reading
from nasbench.device.inference import Images, evaluating
from nasbench.device.trace import trace

__all__ = ["MIB", "WAYS", "peak_memory"]

MIB = 2**20
"""Bytes."""

WAYS = {
    "cpu": "storages of weights, statistics, images and live activations during a run; "
    "without what a kernel allocates for its own use",
    "cuda": "peak of PyTorch's CUDA allocator during a run, workspaces included",
    "mps": "not measured: PyTorch keeps no peak of an MPS device's memory",
}
"""How memory is measured on each hardware."""


def peak_memory(network: nn.Module, images: Images, hardware: str) -> Reading:
    """The peak in MiB of one inference of these images on `cpu`, `cuda` or `mps`."""
    if hardware == "cpu":
        return Reading(trace(network, images).peak_bytes / MIB, MEASURED)
    if hardware == "cuda":
        return Reading(_cuda_peak(network, images) / MIB, MEASURED)
    return Reading(float("nan"), reason=WAYS[hardware])


def _cuda_peak(network: nn.Module, images: Images) -> int:
    # Other networks of the chunk may be on the GPU: only what this one adds is counted.
    before = torch.cuda.memory_allocated()
    moved = copy.deepcopy(network).to("cuda")
    torch.cuda.reset_peak_memory_stats()
    with evaluating(moved, images) as x:
        moved(x)
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before
