"""PyTorch's global generator: kept as it is, or lent to a training whose numbers are its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["Draws", "generator_kept", "reseed"]

# One thread at a time, so that none puts back what another has moved: engines build and train
# in several. The same thread may come back: a network that trains can build another.
_forking = threading.RLock()


@contextmanager
def generator_kept(hardware: torch.device | None = None) -> Iterator[None]:
    """Leave PyTorch's global generators as they are, whatever draws from them inside.

    Args:
        hardware: whose generator is kept, too, where it is a CUDA device.
    """
    cuda = [hardware.index or 0] if hardware is not None and hardware.type == "cuda" else []
    with _forking, torch.random.fork_rng(devices=cuda):
        yield


def reseed(seed: int, hardware: torch.device | None = None) -> None:
    """Seed the global generators of the CPU, and of the hardware where it is a CUDA device.

    `torch.manual_seed` would seed those of all devices.
    """
    torch.default_generator.manual_seed(seed)
    if hardware is not None and hardware.type == "cuda":
        with torch.cuda.device(hardware):
            torch.cuda.manual_seed(seed)


class Draws:
    """The random numbers that one training's network draws: dropout, stochastic depth.

    Modules draw from PyTorch's global generator. Whatever else draws from it between two epochs,
    a training's numbers follow from its seed.

    Args:
        seed: of the training's stream.
        hardware: that it trains on.

    Example:
        >>> draws = Draws(0, torch.device("cpu"))
        >>> with draws.taken():
        ...     first = torch.rand(1)
        >>> with draws.taken():
        ...     second = torch.rand(1)
        >>> with Draws(0, torch.device("cpu")).taken():
        ...     bool((torch.rand(2) == torch.cat([first, second])).all())
        True
    """

    def __init__(self, seed: int, hardware: torch.device) -> None:
        self._hardware = hardware
        self._states: tuple[Tensor, Tensor | None] | None = None
        self._seed = seed

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Inside, the global generators go on where this training's left off."""
        on_cuda = self._hardware.type == "cuda"
        with generator_kept(self._hardware):
            if self._states is None:
                reseed(self._seed, self._hardware)
            else:
                host, device = self._states
                torch.set_rng_state(host)
                if device is not None:
                    torch.cuda.set_rng_state(device, self._hardware)
            yield
            device = torch.cuda.get_rng_state(self._hardware) if on_cuda else None
            self._states = torch.get_rng_state(), device
