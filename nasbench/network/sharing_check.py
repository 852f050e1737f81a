"""Whether a family's supernet is, along each path, the network that the family builds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from nasbench._python_file import FAILURES, where
from nasbench.errors import NasbenchError, Unsupported
from nasbench.network.capability import SharesWeights
from nasbench.network.draws import generator_kept, reseed
from nasbench.network.inputs import answer_to, example_inputs
from nasbench.network.making import Examples, Sized, network, sizes_of
from nasbench.network.registry import family_of
from nasbench.space import Space

__all__ = ["check_supernet", "give_weights", "norms_of"]

BATCH = 4
CLOSE = 1e-8
"""Of outputs in float64, as a share of the largest."""


def check_supernet(
    space: Space,
    asked: Examples,
    sizes: Sized | Mapping[str, object] | None = None,
    paths: int = 4,
) -> None:
    """Compare a supernet with single networks that have the same weights, in float64.

    Along a path, by the mixture that is this path, and by that mixture along the path it must
    put out the same numbers as the network of the architecture.

    Args:
        space: whose family has a supernet.
        asked: signal and outputs of a task.
        sizes: of the networks; the family's own where left out.
        paths: architectures that are compared, drawn at random.

    Raises:
        NasbenchError: naming the first architecture on which they differ, and how.

    Example:
        >>> import nasbench as nb
        >>> check_supernet(nb.space("mixed"), nb.task("digits"), {"channels": 4}, paths=1)
    """
    given = sizes_of(family_of(space), {} if sizes is None else sizes)  # type: ignore[arg-type]
    family = family_of(space)
    if not isinstance(family, SharesWeights):
        raise Unsupported(f"the family of {space.name} has no supernet")
    x = example_inputs(asked.signal, BATCH)
    x = x.double() if x.is_floating_point() else x
    drawn = space.sample(np.random.default_rng(0), paths)
    with generator_kept():
        reseed(0)
        shared = _by_batch(family.supernet(space, asked.signal, asked.outputs, given))
        for parameter in shared.parameters():
            parameter.data = torch.randn_like(parameter)
        for architecture in dict.fromkeys(drawn.tolist()):
            net = network(space, architecture, asked, given, live=False)
            _compare(space, architecture, shared, _by_batch(net), x)


def norms_of(net: nn.Module) -> list[nn.BatchNorm2d]:
    """BatchNorm of any dimensions."""
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    return [cast("nn.BatchNorm2d", module) for module in net.modules() if isinstance(module, kinds)]


def _by_batch(net: nn.Module) -> nn.Module:
    """In float64, BatchNorm by the batch and without dropout."""
    net = net.double().eval()
    for norm in norms_of(net):
        norm.train()
    return net


@torch.no_grad()
def _compare(space: Space, architecture: int, shared: nn.Module, net: nn.Module, x: Tensor) -> None:
    name = space.string(architecture)
    path = space.ops(architecture).astype(np.int64).tolist()
    mixture = torch.zeros(len(path), max(space.choices), dtype=torch.float64)
    mixture[torch.arange(len(path)), path] = 1

    def along(mixture: Tensor | None, path: Sequence[int] | None) -> Tensor:
        return answer_to(shared, x, mixture, path)

    try:
        give_weights(lambda: along(None, path), shared, lambda: answer_to(net, x), net)
        wanted = answer_to(net, x)
        given = {
            "along the path": along(None, path),
            "by its mixture": along(mixture, None),
            "by its mixture along it": along(mixture, path),
        }
    except NasbenchError as error:
        raise type(error)(f"the supernet of {space.name} on {name}: {error}") from error
    except FAILURES as error:  # a user's supernet can fail in any way
        raise NasbenchError(
            f"the supernet of {space.name} fails on {name}: {where(error, space.source)}"
        ) from error
    for how, logits in given.items():
        if logits.shape != wanted.shape:
            raise Unsupported(
                f"the supernet of {space.name} gives {list(logits.shape)} on {name} {how}, and "
                f"its network {list(wanted.shape)}"
            )
        away = float((logits - wanted).abs().max() / wanted.abs().max().clamp(min=1e-12))
        if not away < CLOSE:
            raise Unsupported(
                f"the supernet of {space.name} is not the network of {name} {how}: with the same "
                f"weights outputs differ by {away:.1g} of the largest"
            )


def give_weights(
    run_shared: Callable[[], object],
    shared: nn.Module,
    run_alone: Callable[[], object],
    alone: nn.Module,
) -> None:
    """Copy to a single network what of the shared weights runs along its path.

    Layers are matched in the order in which they run. Of a larger weight a smaller one is the
    first so many channels and the middle of the kernel.

    Args:
        run_shared: passes along the path.
        shared: the supernet.
        run_alone: passes through the network.
        alone: the network.

    Raises:
        Unsupported: where other layers run in the one than in the other.
    """
    ours, theirs = _layers_run(run_shared, shared), _layers_run(run_alone, alone)
    if len(ours) != len(theirs):
        raise Unsupported(
            f"{len(ours)} layers with weights run, and {len(theirs)} in the single network"
        )
    for of, to in zip(ours, theirs, strict=True):
        held = dict(of.named_parameters(recurse=False))
        for name, parameter in to.named_parameters(recurse=False):
            found = _slice(held[name].data, parameter.shape) if name in held else None
            if found is None:
                raise Unsupported(
                    f"{_described(of, name)} runs where the single network has "
                    f"{_described(to, name)}"
                )
            parameter.data = found.clone()


def _described(layer: nn.Module, name: str) -> str:
    held = dict(layer.named_parameters(recurse=False)).get(name)
    shape = f"with {name} {list(held.shape)}" if held is not None else f"without {name}"
    return f"a {type(layer).__name__} {shape}"


def _layers_run(run: Callable[[], object], net: nn.Module) -> list[nn.Module]:
    """Modules that have weights of their own, as they run."""
    seen: list[nn.Module] = []
    hooks = [
        module.register_forward_hook(lambda module, *_: seen.append(module))
        for module in net.modules()
        if next(module.parameters(recurse=False), None) is not None
    ]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _slice(whole: Tensor, shape: Sequence[int]) -> Tensor | None:
    """What of a weight a smaller one is; None where it is not larger."""
    if whole.ndim != len(shape) or any(n < k for n, k in zip(whole.shape, shape, strict=True)):
        return None
    starts = [
        (n - k) // 2 if axis > 1 else 0
        for axis, (n, k) in enumerate(zip(whole.shape, shape, strict=True))
    ]
    return whole[tuple(slice(start, start + k) for start, k in zip(starts, shape, strict=True))]
