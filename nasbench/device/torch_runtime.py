"""PyTorch as a runtime: eager, evaluation mode, float32, PyTorch's default memory format."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from nasbench.device.base import Reading
from nasbench.device.equal import untimed
from nasbench.device.inference import Images
from nasbench.device.memory import WAYS, peak_memory
from nasbench.train.reference import pick_hardware

__all__ = ["TorchRuntime"]


class TorchRuntime:
    """Runs networks in PyTorch.

    Args:
        hardware: `cpu`, `cuda` or `mps`.
    """

    def __init__(self, hardware: str) -> None:
        self._hardware = pick_hardware(hardware)

    def describe(self) -> dict[str, Any]:
        return {
            "runtime_version": str(torch.__version__),
            "mode": "eager, inference_mode, contiguous tensors",
            "memory": WAYS[self._hardware.type],
        }

    def load(self, network: nn.Module, images: Images) -> Callable[[], object]:
        """A run of the network on these images, which lie on the hardware already.

        Raises:
            Untimed: where the network fails on so many.
        """
        net = copy.deepcopy(network).eval().to(self._hardware)
        net.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        x = torch.tensor(images, device=self._hardware)  # a copy: the network may write over it
        hardware = self._hardware.type

        @torch.inference_mode()
        def run() -> None:
            net(x)
            if hardware == "cuda":
                torch.cuda.synchronize()
            elif hardware == "mps":
                torch.mps.synchronize()

        with untimed("PyTorch cannot run it"):
            run()
        return run

    def memory_mib(self, network: nn.Module, images: Images) -> Reading:
        """The peak of one run in MiB."""
        return peak_memory(network, images, self._hardware.type)
