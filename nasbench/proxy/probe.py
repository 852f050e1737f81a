"""Networks under examination: one module, one batch, and the passes that proxies share."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, wraps
from time import perf_counter
from typing import NamedTuple, TypeVar, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.attention import SDPBackend, sdpa_kernel

from nasbench.network.cell import CellNetwork
from nasbench.network.count import Counts, count_network
from nasbench.network.draws import generator_kept, reseed
from nasbench.network.inputs import answer_to
from nasbench.network.side_by_side import layers, side_by_side
from nasbench.task import Signal

__all__ = ["SHARED", "Forward", "Layer", "Probe", "Stopwatch", "Values", "gradients", "losses"]

SHARED = "shared"
"""What the seconds of passes that any proxy may use go by."""

Values = NDArray[np.float64]
"""A value of each network of a probe, float64 `[networks]`."""

Made = TypeVar("Made")


class Layer(NamedTuple):
    """A layer of some of a probe's networks.

    Attributes:
        module: the layer; its weights, `[networks x outputs, ...]` or `[networks, outputs, ...]`,
            and its channels are those of one network after the other.
        networks: which they are, int64 `[networks]`.
    """

    module: nn.Module
    networks: Tensor

    @property
    def weight(self) -> nn.Parameter:
        """The weights of all its networks; biases are apart."""
        return self.module.get_parameter("weight")


class Forward(NamedTuple):
    """What a pass of the batch through all networks left, with what gradients need.

    Attributes:
        entrances: what went in as numbers: images `[batch, networks x channels, h, w]`, of which
            each network has its own copy, and so its own gradient, or what else there is; and
            the vectors that a network of tokens or categories has for them, `[batch, ...]`.
        logits: `[batch, networks, classes]`.
        outputs: of each layer with weights, in their order.
        rectified: what each ReLU gave, with the networks that have it.
        features: of the stem and of each block behind it, `[batch, networks x channels, h, w]`.
    """

    entrances: list[Tensor]
    logits: Tensor
    outputs: list[Tensor]
    rectified: list[tuple[Tensor, Tensor]]
    features: list[Tensor]


def shared(make: Callable[[Probe], Made]) -> cached_property[Made]:
    """A pass that several proxies may need: made once, its seconds counted as shared."""

    @wraps(make)
    def timed(probe: Probe) -> Made:
        with probe.clock.counted(SHARED), torch.enable_grad():
            return make(probe)

    return cached_property(timed)


class Stopwatch:
    """Seconds by what they were spent on; what is done within something else counts apart."""

    def __init__(self, hardware: torch.device) -> None:
        self.hardware = hardware
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = [0.0]

    @contextmanager
    def counted(self, name: str) -> Iterator[None]:
        """Count what is done inside under this name."""
        started = self._now()
        self._inner.append(0.0)
        try:
            yield
        finally:
            spent = self._now() - started
            self.seconds[name] += spent - self._inner.pop()
            self._inner[-1] += spent

    def _now(self) -> float:
        if self.hardware.type == "cuda":
            torch.cuda.synchronize(self.hardware)
        return perf_counter()


class Probe:
    """A group of networks side by side at their start, and a batch that all see.

    Proxies read it and leave it as it is. BatchNorm takes the batch's statistics in all passes
    here, as in a first step of training: networks before training have no others.

    Args:
        networks: of cells, of one space, width and depth; or one of any other kind. They keep
            their weights.
        images: standardised, `[batch, channels, h, w]`; on the hardware and in the dtype that
            all passes here are made with. Of networks other than cells any examples, also
            tokens, int64 `[batch, length]`.
        labels: int64 `[batch]`.
        seed: of what proxies draw themselves.
        clock: counts the seconds of passes.
        signal: what the examples are; by default images of their shape.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        images: Tensor,
        labels: Tensor,
        seed: np.random.SeedSequence,
        clock: Stopwatch | None = None,
        signal: Signal | None = None,
    ) -> None:
        self.networks = list(networks)
        self.signal = signal or Signal("image", tuple(images.shape[1:]), "uint8")
        self.of_cells = all(isinstance(network, CellNetwork) for network in self.networks)
        self.images, self.labels = images, labels
        self.clock = clock or Stopwatch(images.device)
        self.reasons: dict[int, str] = {}
        self._seed = seed
        self.module = self.stack(self.networks)
        self.layers = self.weighted(self.module)

    def __len__(self) -> int:
        return len(self.networks)

    # What proxies build on.

    def stack(self, networks: Sequence[nn.Module]) -> nn.Module:
        """Networks as one module beside the images, in training mode, but for dropout.

        Cells alone are copied with their channels last in memory: a CPU takes a third of the
        time where it pools.
        """
        if len(networks) > 1:
            module = side_by_side(cast(Sequence[CellNetwork], networks))
        else:
            module = copy.deepcopy(networks[0])
        if len(networks) == 1 and self.of_cells:
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.images.is_floating_point():
            module.to(self.images.dtype)
        module = module.to(self.images.device).train()
        for part in module.modules():
            if isinstance(part, nn.modules.dropout._DropoutNd):
                part.eval()
            elif getattr(part, "inplace", False):  # would write over what hooks keep
                setattr(part, "inplace", False)  # noqa: B010  only some modules know it
        return module

    def logits(self, images: Tensor) -> Tensor:
        """Of images `[batch, channels, h, w]`, for all networks: `[batch, networks, classes]`."""
        return self.answers(self.module, images).reshape(len(images), len(self), -1)

    def answers(self, module: nn.Module, images: Tensor) -> Tensor:
        """What a module of `stack` makes of images; what it draws itself is the same each time."""
        if self.of_cells:
            cells: Tensor = module(images)
            return cells
        # Of faster ways to compute attention no gradient of gradients is known.
        with generator_kept(), sdpa_kernel(SDPBackend.MATH):
            reseed(int(self.rng("passes").integers(2**32)))
            return answer_to(module, images)

    def parts(self, module: nn.Module) -> list[Layer]:
        """The layers of a module of all networks, whatever they are: what has no parts, or
        parameters of its own.
        """
        if not self.of_cells:
            alone = torch.zeros(1, dtype=torch.int64, device=self.images.device)
            return [
                Layer(part, alone)
                for part in module.modules()
                if not [*part.children()] or [*part.parameters(recurse=False)]
            ]
        return [
            Layer(layer, torch.tensor(networks, device=self.images.device))
            for layer, networks in layers(module, range(len(self)))
        ]

    def weighted(self, module: nn.Module) -> list[Layer]:
        """The convolutions and the classifier of a module of all networks; any linear layers."""
        return [part for part in self.parts(module) if _has_weights(part.module)]

    def rng(self, name: str) -> np.random.Generator:
        """What a proxy of that name draws from: the same for each network, whoever is beside.

        Networks that are compared should differ in nothing but themselves.
        """
        key = (*self._seed.spawn_key, *name.encode())
        return np.random.default_rng(np.random.SeedSequence(self._seed.entropy, spawn_key=key))

    def normal(self, rng: np.random.Generator, *shape: int) -> Tensor:
        """Standard normal numbers as a tensor beside the images."""
        return torch.from_numpy(rng.standard_normal(shape)).to(self.images)

    def sums(self, terms: Iterable[tuple[Tensor, Tensor]]) -> Values:
        """Add up over layers what each has for each of its networks: `(networks, values)`."""
        total = torch.zeros(len(self), dtype=torch.float64, device=self.images.device)
        for networks, values in terms:
            total.index_add_(0, networks, values.double())
        return total.cpu().numpy()

    def explain(self, wrong: ArrayLike, reason: str) -> None:
        """Say why some networks `[networks]` have no value; what was said first stays."""
        for network in np.flatnonzero(np.asarray(wrong)).tolist():
            self.reasons.setdefault(network, reason)

    def finite(self, matrices: Tensor) -> Tensor:
        """Matrices `[networks, n, n]`, zeros for those of a network that is beyond numbers."""
        wrong = ~torch.isfinite(matrices).flatten(1).all(1)
        self.explain(wrong.cpu().numpy(), "its activations or gradients are not finite")
        return torch.where(wrong[:, None, None], 0, matrices)

    # Passes.

    @shared
    def counts(self) -> list[Counts]:
        """The size of each network."""
        return [count_network(net, self.signal) for net in self.networks]

    @shared
    def forward(self) -> Forward:
        """The batch through all networks."""
        images = self._own_images()
        entrances = [images] if images.requires_grad else []
        outputs: dict[nn.Module, Tensor] = {}
        rectified: list[tuple[Tensor, Tensor]] = []
        features: list[Tensor] = []
        hooks = []
        for layer, _ in self.layers:
            hooks.append(layer.register_forward_hook(lambda m, _, y: outputs.update({m: y})))
        for part, networks in self.parts(self.module):
            if isinstance(part, nn.Embedding):
                hooks.append(part.register_forward_hook(lambda _, __, y: entrances.append(y)))
            elif isinstance(part, nn.ReLU | nn.ReLU6):
                hooks.append(
                    part.register_forward_hook(
                        lambda _, __, y, networks=networks: rectified.append((y, networks))
                    )
                )
        for block in self.blocks:
            hooks.append(block.register_forward_hook(lambda _, __, y: features.append(y)))
        try:
            logits = self.logits(images)
        finally:
            for hook in hooks:
                hook.remove()
        # A layer that is not called, whose weights another one uses, gives nothing.
        nothing = logits.new_zeros(len(images), len(self))
        given = [outputs.get(layer, nothing) for layer, _ in self.layers]
        return Forward(entrances, logits, given, rectified, features)

    def _own_images(self) -> Tensor:
        """The batch as gradients can be taken by it, for each network of cells a copy."""
        images = self.images
        images = images.repeat(1, len(self), 1, 1) if self.of_cells else images.clone()
        return images.requires_grad_(images.is_floating_point())

    @property
    def blocks(self) -> list[nn.Module]:
        """The stem and each block behind it, of cells; none of other networks."""
        if not self.of_cells:
            return []
        module = cast(CellNetwork, self.module)
        return [module.stem, *module.blocks]

    @shared
    def loss(self) -> Tensor:
        """The sum over networks of the mean cross-entropy: each has its own gradient in it."""
        return losses(self.forward.logits, self.labels).sum()

    @shared
    def loss_gradients(self) -> tuple[list[Tensor], list[Tensor]]:
        """The loss's gradients of the weights and of the outputs of each layer of `layers`."""
        weights = [layer.weight for layer in self.layers]
        found = gradients(self.loss, [*weights, *self.forward.outputs])
        return found[: len(weights)], found[len(weights) :]

    @shared
    def input_jacobian(self) -> Tensor:
        """Gradients of the sum of all logits of all images: `[networks, batch, numbers]`.

        BatchNorm lets an image's pixels move the logits of others: those are counted in. Of tokens
        and categories they are by the vectors that stand for them.
        """
        found = gradients(self.forward.logits.sum(), self.forward.entrances)
        numbers = [
            of.reshape(len(of), len(self), -1) for of in found if len(of) == len(self.images)
        ]
        return torch.cat(numbers, 2).transpose(0, 1)


def _has_weights(part: nn.Module) -> bool:
    """Whether it multiplies what comes in by weights: norms of several axes do not."""
    own = part.named_parameters(recurse=False)
    weights = any(name == "weight" and parameter.ndim > 1 for name, parameter in own)
    return weights and not isinstance(part, nn.LayerNorm)


def losses(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean cross-entropy of each network in nats: `[networks]`."""
    networks = logits.shape[1]
    each = F.cross_entropy(
        logits.transpose(0, 1).flatten(0, 1), labels.repeat(networks), reduction="none"
    )
    return each.view(networks, -1).mean(1)


def gradients(of: Tensor, by: Sequence[Tensor], *, differentiable: bool = False) -> list[Tensor]:
    """Gradients of a sum; zero where it does not depend on what they are taken by."""
    places = [i for i, each in enumerate(by) if of.requires_grad and each.requires_grad]
    if not places:
        return [torch.zeros_like(each) for each in by]
    found = torch.autograd.grad(
        of,
        [by[i] for i in places],
        retain_graph=True,
        create_graph=differentiable,
        allow_unused=True,
    )
    known = dict(zip(places, found, strict=True))
    return [
        torch.zeros_like(each) if (gradient := known.get(i)) is None else gradient
        for i, each in enumerate(by)
    ]
