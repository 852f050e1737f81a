"""Whether a family's networks can be built, run and trained, and which decisions change nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from nasbench._python_file import FAILURES, where
from nasbench.errors import NasbenchError, Unsupported
from nasbench.network.capability import SharesWeights
from nasbench.network.draws import generator_kept, reseed
from nasbench.network.family import Size
from nasbench.network.inputs import answer_of, example_inputs, several
from nasbench.network.making import Sized, network, started
from nasbench.network.registry import family_of
from nasbench.network.sharing_check import check_supernet
from nasbench.space import Space
from nasbench.task import Signal

__all__ = ["EXAMPLES", "FamilyCheck", "check_family", "failures_told", "run", "run_alone"]

SAMPLES = 12
"""Architectures that are built, where decisions are few; with their neighbours some dozens."""
PAIRS = 96
"""Neighbours of all decisions together, where decisions are many."""
BATCH = 4


class Asked(NamedTuple):
    """What networks are built for: all that `network` asks of a task."""

    signal: Signal
    outputs: int


EXAMPLES: Mapping[str, Asked] = {
    "image": Asked(Signal("image", (3, 32, 32), "uint8"), 10),
    "tokens": Asked(Signal("tokens", (32,), "uint16", vocabulary=1_000), 2),
    "features": Asked(Signal("features", (8,), "float32", categories=(0, 0, 0, 0, 0, 0, 3, 5)), 3),
    "audio": Asked(Signal("audio", (1, 32, 32), "uint8"), 5),
}
"""What a family is tried on where no task is named, in this order."""


@dataclass(frozen=True, slots=True)
class FamilyCheck:
    """What was found of a family's networks.

    Attributes:
        networks: that were built and run.
        inputs: what they were given, in words.
        outputs: numbers that come out for an example.
        parameters: of the smallest and of the largest.
        findings: what the author will want to know, a sentence each; none where all is well.
    """

    networks: int
    inputs: str
    outputs: int
    parameters: tuple[int, int]
    findings: tuple[str, ...] = field(default=())

    def describe(self) -> dict[str, Any]:
        """By name; plain JSON values."""
        return {**asdict(self), "parameters": list(self.parameters), "findings": [*self.findings]}


class _Seen(NamedTuple):
    """All by which two networks can differ."""

    modules: tuple[tuple[str, str], ...]
    shapes: tuple[tuple[int, ...], ...]
    outputs: bytes
    parameters: int


def check_family(
    space: Space, asked: Asked | None = None, sizes: Sized | Mapping[str, Size] | None = None
) -> FamilyCheck:
    """Build samples of a space and their neighbours, run them forwards and backwards.

    Two networks are the same only if their modules, the shapes of their parameters and what they
    put out agree, in training mode with one generator: dropout counts.

    Args:
        space: whose family is known.
        asked: signal and outputs of a task; without, the first of `EXAMPLES` that a network takes.
        sizes: of the networks; the family's own where left out.

    Raises:
        NasbenchError: where a network cannot be built or run, or gives something of another shape,
            or where a user's supernet is not the network of a path.

    Example:
        >>> import nasbench as nb
        >>> check_family(nb.space("nb201-mini"), sizes={"channels": 4, "cells": 1}).inputs
        'images 3 x 32 x 32'
    """
    given = {} if sizes is None else sizes
    check = _Check(space, asked or _first_taken(space, given), given)
    rng = np.random.default_rng(0)
    sampled = _sampled(space, rng, min(SAMPLES, max(2, PAIRS // len(space.choices))))
    for architecture in sampled:
        check.train(architecture)
    if space.source is not None and isinstance(family_of(space), SharesWeights):
        check_supernet(space, check.asked, given)
    findings = [*check.findings, *check.idle_decisions(sampled, rng)]
    sizes_seen = [seen.parameters for seen in check.seen.values()]
    return FamilyCheck(
        len(check.seen),
        str(check.asked.signal),
        check.asked.outputs,
        (min(sizes_seen), max(sizes_seen)),
        tuple(findings),
    )


def run(net: nn.Module, inputs: Tensor, outputs: int, name: str, space: Space) -> Tensor:
    """What a network answers to inputs; see `run_whole`."""
    return run_whole(net, inputs, outputs, name, space)[0]


def run_whole(
    net: nn.Module, inputs: Tensor, outputs: int, name: str, space: Space
) -> tuple[Tensor, ...]:
    """What a network answers to inputs, and behind it what else it gives, such as a value.

    Args:
        net: the network, in whichever mode.
        inputs: a batch.
        outputs: how many numbers it must give for each example.
        name: of the architecture, for errors.
        space: of it.

    Raises:
        NasbenchError: where it fails, or answers something of another shape.
    """
    try:
        given = net(inputs.clone())  # it may write over them
    except FAILURES as error:  # a user's network can fail in any way
        raise NasbenchError(
            f"the network of {name} fails on {len(inputs)} "
            f"{'example' if len(inputs) == 1 else 'examples'} of {list(inputs.shape[1:])}"
            f"{'' if net.training else ' in evaluation mode'}: {where(error, space.source)}"
        ) from error
    answer = answer_of(given)
    if answer.shape != (len(inputs), outputs):
        raise Unsupported(
            f"the network of {name} gives {list(answer.shape)} for {len(inputs)} "
            f"{'example' if len(inputs) == 1 else 'examples'}, not [{len(inputs)}, {outputs}]"
        )
    if answer.dtype != torch.float32:
        raise Unsupported(
            f"the network of {name} gives {str(answer.dtype).removeprefix('torch.')}, and is "
            f"trained, timed and exported in float32: have it end in .float()"
        )
    return answer, *(one for one in several(given)[1:] if isinstance(one, Tensor))


@torch.inference_mode()
def run_alone(net: nn.Module, inputs: Tensor, outputs: int, name: str, space: Space) -> None:
    """Have a network answer to one example, as it does once it is trained; see `run_whole`.

    Networks are counted, timed and exported so. It is in evaluation mode afterwards.
    """
    run(net.eval(), inputs[:1], outputs, name, space)


@contextmanager
def failures_told(space: Space, architecture: int, when: str) -> Iterator[None]:
    """One sentence where a network of a user's file fails.

    Args:
        space: of the network.
        architecture: of the space.
        when: it is run, as "in training".
    """
    try:
        yield
    except NasbenchError:
        raise
    except FAILURES as error:  # a user's network can fail in any way
        if space.source is None:
            raise
        raise NasbenchError(
            f"the network of {space.string(architecture)} fails {when}: "
            f"{where(error, space.source)}"
        ) from error


def _first_taken(space: Space, sizes: Sized | Mapping[str, Size]) -> Asked:
    """The first of the examples that a network of the space takes."""
    first: NasbenchError | None = None
    for kind, asked in EXAMPLES.items():
        if kind not in family_of(space).signals:
            continue
        try:
            net = network(space, _sampled(space, np.random.default_rng(0), 1)[0], asked, sizes)
            run(net, example_inputs(asked.signal, BATCH), asked.outputs, "an example", space)
        except NasbenchError as error:
            first = first or error
        else:
            return asked
    assert first is not None  # a family takes something
    raise type(first)(
        f"{first}; name what its networks are for with --task: a task, or your recipe's file"
    )


def _sampled(space: Space, rng: np.random.Generator, n: int) -> list[int]:
    """Some distinct architectures that can be built."""
    drawn = space.canonical(space.sample(rng, 4 * n))
    return [int(one) for one in dict.fromkeys(drawn.tolist())][:n]


class _Check:
    def __init__(self, space: Space, asked: Asked, sizes: Sized | Mapping[str, Size]) -> None:
        self.space = space
        self.asked = asked
        self.sizes = sizes
        self.inputs = example_inputs(asked.signal, BATCH)
        self.seen: dict[int, _Seen] = {}
        self.findings: list[str] = []
        self._told: set[str] = set()
        self._looked: set[str] = set()

    def _tell(self, kind: str, finding: str) -> None:
        """Each kind of finding once: what is wrong with one network is with many."""
        if kind not in self._told:
            self._told.add(kind)
            self.findings.append(finding)

    def train(self, architecture: int) -> None:
        """Build twice from one seed, and pass a gradient back."""
        name = self.space.string(architecture)
        net, again = (started(self.space, architecture, self.asked, self.sizes, 0) for _ in "12")
        pairs = zip(net.state_dict().values(), again.state_dict().values(), strict=True)
        if not all(_same(one, other) for one, other in pairs):
            self._tell(
                "start",
                f"two networks of {name} with one seed start from other weights: build draws from "
                f"another generator than PyTorch's global one",
            )
        elif "seed" not in self._looked:  # asked of one network: all are built by one function
            self._looked.add("seed")
            other = started(self.space, architecture, self.asked, self.sizes, 1).state_dict()
            if all(_same(one, other[key]) for key, one in net.state_dict().items()):
                self._tell(
                    "seed",
                    f"networks of {name} start alike with seeds 0 and 1: build may seed PyTorch's "
                    f"generator, and then seeds say nothing of how firm a result is",
                )
        whole = self._run(net, name)
        if not all(bool(one.isfinite().all()) for one in whole):
            self._tell("finite", f"the network of {name} gives numbers that are not finite")
        rng = np.random.default_rng(1)
        noise = [torch.from_numpy(rng.standard_normal(one.shape)).to(one.dtype) for one in whole]
        taught = [pair for pair in zip(whole, noise, strict=True) if pair[0].requires_grad]
        if taught:
            total = sum((one * weights).sum() for one, weights in taught)
            assert isinstance(total, Tensor)
            total.backward()  # type: ignore[no-untyped-call]
        parameters = dict(net.named_parameters())
        idle = [key for key, parameter in parameters.items() if parameter.grad is None]
        if idle:
            self._tell(
                "gradient",
                f"{_listed(idle)} of {name} takes no part in what the network gives: no gradient "
                f"reaches it",
            )
        with generator_kept():
            run_alone(again, self.inputs, self.asked.outputs, name, self.space)
        self.look(architecture)

    def _run(self, net: nn.Module, name: str) -> tuple[Tensor, ...]:
        with generator_kept():
            reseed(1)
            return run_whole(net.train(), self.inputs, self.asked.outputs, name, self.space)

    @torch.no_grad()
    def look(self, architecture: int) -> _Seen:
        """What tells the network from others, all started alike."""
        if architecture not in self.seen:
            with generator_kept():
                reseed(0)
                net = network(self.space, architecture, self.asked, self.sizes)
            self.seen[architecture] = _Seen(
                tuple((type(module).__qualname__, module.extra_repr()) for module in net.modules()),
                tuple(tuple(parameter.shape) for parameter in net.parameters()),
                b"".join(
                    one.numpy().tobytes() for one in self._run(net, self.space.string(architecture))
                ),
                sum(parameter.numel() for parameter in net.parameters()),
            )
        return self.seen[architecture]

    def idle_decisions(self, sampled: Sequence[int], rng: np.random.Generator) -> Iterator[str]:
        """A sentence for each decision that changes no network, always or under a condition."""
        pairs: dict[int, list[_Pair]] = defaultdict(list)
        for architecture in sampled:
            for decision, neighbor in self._neighbors(architecture, rng):
                same = self.look(architecture)[:3] == self.look(neighbor)[:3]
                pairs[decision].append(_Pair(architecture, neighbor, same))
        for decision, found in sorted(pairs.items()):
            if any(pair.same for pair in found):
                yield self._sentence(decision, found)

    def _neighbors(self, architecture: int, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
        """Architectures that differ in one decision that counts, with the decision."""
        space = self.space
        ops = space.ops(architecture)
        counts = np.broadcast_to(space.active(ops), ops.shape)
        few = len(space.choices) <= SAMPLES
        for decision in np.flatnonzero(counts).tolist():
            others = [c for c in range(space.choices[decision]) if c != ops[decision]]
            for choice in rng.permutation(others)[: 3 if few else 1].tolist():
                changed = ops.copy()
                changed[decision] = choice
                neighbor = int(space.canonical(int(space.index_of(changed))))
                if neighbor != architecture and bool(space.allowed(neighbor)):
                    yield decision, neighbor

    def _sentence(self, decision: int, pairs: Sequence[_Pair]) -> str:
        name = list(self.space.decisions)[decision]
        same = [pair for pair in pairs if pair.same]
        other = [pair for pair in pairs if not pair.same]
        if not other:
            return f"{name} changes no network: build does not read it, or what it changes is idle"
        for earlier, choices in list(self.space.values.items())[:decision]:
            idle = {self._choice(pair, earlier) for pair in same}
            if None in idle or idle & {self._choice(pair, earlier) for pair in other}:
                continue
            rest = [choice for choice in choices if str(choice) not in idle]
            return (
                f"{name} changes no network where {earlier} is {_listed(sorted(map(str, idle)))}: "
                f'only_if = {{"{name}": {{"{earlier}": {rest}}}}} says so'
            )
        alike = {frozenset(self._taken(pair, name)) for pair in same}
        if not alike & {frozenset(self._taken(pair, name)) for pair in other}:
            two = sorted(next(iter(alike)))
            return f"choices {_listed(two)} of {name} give the same network"
        return f"{name} changes no network in {len(same)} of {len(pairs)} cases that were looked at"

    def _choice(self, pair: _Pair, decision: str) -> str | None:
        return self._text(pair.architecture).get(decision)

    def _taken(self, pair: _Pair, decision: str) -> Iterable[str]:
        return (self._text(one)[decision] for one in pair[:2])

    def _text(self, architecture: int) -> dict[str, str]:
        """The choices, as text, of the decisions that count."""
        ops = self.space.ops(architecture)
        counts = np.broadcast_to(self.space.active(ops), ops.shape).tolist()
        named = zip(self.space.decisions.items(), ops.tolist(), counts, strict=True)
        return {name: choices[op] for (name, choices), op, so in named if so}


class _Pair(NamedTuple):
    """Two architectures that differ in one decision, and whether their networks are the same."""

    architecture: int
    neighbor: int
    same: bool


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same numbers, NaN at the same places among them."""
    if one.shape != other.shape:
        return False
    return bool(((one == other) | ((one != one) & (other != other))).all())


def _listed(names: Sequence[str]) -> str:
    if len(names) > 4:
        return f"{', '.join(names[:4])} and {len(names) - 4} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
