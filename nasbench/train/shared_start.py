"""Where shared weights begin: what can share them, the first weights, and their flat arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, from_numpy, nn
from torch.nn.parameter import is_lazy

from nasbench._python_file import FAILURES, where
from nasbench.errors import NasbenchError, Unsupported
from nasbench.network import family_of
from nasbench.network.capability import SharesWeights, Starts
from nasbench.network.cell import Cell
from nasbench.network.draws import generator_kept, reseed
from nasbench.network.elastic_cells import SharedDartsCell
from nasbench.network.making import check_signal, sizes_of
from nasbench.network.registry import SUPERNETS
from nasbench.network.sharing_check import check_supernet, norms_of
from nasbench.space import Space
from nasbench.task import Task
from nasbench.train.recipe import Recipe

__all__ = ["Floats", "check_shareable", "flat", "flatten", "started", "trained"]

Floats = NDArray[np.float32]


def check_shareable(space: Space, task: Task, recipe: Recipe) -> None:
    """Refuse what no weights are shared for.

    Raises:
        Unsupported: in one sentence.
    """
    family = family_of(space)
    if not isinstance(family, SharesWeights):
        raise Unsupported(
            f"no supernet is known for {space.name}: weights are shared by spaces of cells, by "
            f"{', '.join(SUPERNETS)}, and by files that have a function supernet beside build"
        )
    check_signal(space, family, task.signal)
    if task.target.kind != "classes":
        raise Unsupported(f"weights are shared on classes, and {task.name} has {task.target}")
    beyond = [name for name in recipe.extras if name not in ("schedule", "warmup")]
    if beyond or recipe.train is not None:
        without = beyond[0] if beyond else "a training loop of one's own"
        raise Unsupported(
            f"shared weights are trained by SGD with crops and flips, without {without}"
        )


def started(space: Space, task: Task, recipe: Recipe, seed: int) -> nn.Module:
    """The supernet with its first weights, a function of the seed alone."""
    family = family_of(space)
    assert isinstance(family, SharesWeights)
    with generator_kept():
        reseed(seed)
        try:
            net = family.supernet(space, task.signal, task.outputs, sizes_of(family, recipe))
        except NasbenchError:
            raise
        except FAILURES as error:  # a user's function can fail in any way
            raise NasbenchError(
                f"building the supernet of {space.name} failed: {where(error, space.source)}"
            ) from error
    _check_net(family.name, net)
    if space.source is not None:
        check_supernet(space, task, recipe)
    if isinstance(family, Starts):
        # The number of no architecture: these weights are those of none alone.
        family.start(net, seed, space.size)
    return net


def _check_net(name: str, net: object) -> None:
    """Refuse what holds no weights that a checkpoint keeps."""
    if not isinstance(net, nn.Module):
        raise Unsupported(
            f"supernet of {name} returned a {type(net).__name__}, not a torch.nn.Module"
        )
    if any(map(is_lazy, net.parameters())):
        raise Unsupported(f"the supernet of {name} has lazy layers: give them their shapes")
    for norm in norms_of(net):
        if norm.weight is None or norm.running_mean is None:
            raise Unsupported(
                f"the supernet of {name} has a {type(norm).__name__} without scales or running "
                f"statistics: leave affine and track_running_stats as they are"
            )


def flatten(net: nn.Module) -> tuple[Floats, Floats]:
    """A network's weights, and BatchNorm's statistics, as arrays that it has as its own."""
    size = sum(parameter.numel() for parameter in net.parameters())
    parameters, statistics = np.zeros(size, np.float32), np.zeros(size, np.float32)

    def view(of: Tensor, array: Floats, at: int) -> Tensor:
        seen = from_numpy(array[at : at + of.numel()]).view(of.shape)
        seen.copy_(of.detach())
        return seen

    at, norms = 0, set(norms_of(net))
    for module in net.modules():
        if module in norms:
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean = view(module.running_mean, statistics, at)
            module.running_var = view(module.running_var, statistics, at + module.num_features)
        for parameter in module.parameters(recurse=False):
            parameter.data = view(parameter, parameters, at)
            at += parameter.numel()
    return parameters, statistics


def trained(net: nn.Module, *, affine: bool) -> NDArray[np.bool_]:
    """Which of the weights are trained: without `affine` all but BatchNorm's inside cells."""
    inside = {
        id(parameter)
        for cell in net.modules()
        if isinstance(cell, Cell | SharedDartsCell)
        for norm in cell.modules()
        if isinstance(norm, nn.BatchNorm2d)
        for parameter in norm.parameters()
    }
    parts = [
        np.full(parameter.numel(), affine or id(parameter) not in inside)
        for parameter in net.parameters()
    ]
    return np.concatenate(parts)


def flat(grads: Sequence[Tensor | None], weights: Sequence[Tensor]) -> Floats:
    """Slopes in one array; zeros for weights that did not run."""
    parts = [
        np.zeros(weight.numel(), dtype=np.float32) if grad is None else grad.numpy().ravel()
        for grad, weight in zip(grads, weights, strict=True)
    ]
    return np.concatenate(parts)
