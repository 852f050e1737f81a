"""Proxies of many architectures: starts and batches are drawn, networks stand side by side."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from nasbench._limits import LARGEST_SEED
from nasbench.errors import BadValue, NasbenchError, Unsupported, shown
from nasbench.network import family_of, started
from nasbench.network.family import CELL
from nasbench.proxy.probe import SHARED, Probe, Stopwatch, Values
from nasbench.proxy.registry import Proxy, get, names
from nasbench.space import Space
from nasbench.task import Task
from nasbench.train.feed import Standard
from nasbench.train.fused import group_size
from nasbench.train.recipe import Recipe
from nasbench.train.reference import pick_hardware

__all__ = ["Scores", "check_proxies", "examine", "names_for", "score"]

MOST_DRAWS = 1_000
MOST_BATCH = 65_536
"""Images of a batch, and networks of a group."""

_START, _BATCH, _OWN = 0, 1, 2


@dataclass(frozen=True, eq=False, slots=True)
class Scores:
    """What proxies say of architectures.

    Attributes:
        values: by proxy, float64 `[architectures, draws]`, signed as the proxy's paper writes
            it; NaN where there is none.
        reasons: why there is none: proxy, place of the architecture, draw and a sentence's part.
        seconds: by proxy, for one network and draw. The making of a network, and the passes
            that any proxy may use, are `shared`: they are paid once, however many proxies ask.

    Example:
        >>> from nasbench.space import get as space
        >>> from nasbench.task import get as task
        >>> recipe = Recipe(epochs=1, channels=2, cells=1)
        >>> found = score(space("nb201-mini"), [5, 6], task("digits"), recipe, ["flops"])
        >>> found.values["flops"].shape, found.reasons
        ((2, 1), [])
    """

    values: dict[str, NDArray[np.float64]]
    reasons: list[tuple[str, int, int, str]]
    seconds: dict[str, float]


def score(
    space: Space,
    architectures: ArrayLike,
    task: Task,
    recipe: Recipe,
    proxies: Iterable[str],
    *,
    seed: int = 0,
    draws: int = 1,
    batch_size: int = 64,
    hardware: str = "auto",
    group: int | None = None,
    live: bool = True,
) -> Scores:
    """Score architectures at their start.

    A draw is one initial start and one batch of the training examples, standardised as the
    trainer does it, and not changed at random. All networks of a draw see the same batch.

    Args:
        space: with a family of networks.
        architectures: integers `[n]`.
        task: gives examples and labels.
        recipe: gives width, depth and how many training examples there are.
        proxies: names; see `names`.
        seed: of all draws.
        draws: how many of them.
        batch_size: examples of a batch; 4 or more.
        hardware: a torch device's name; `auto` is CUDA, else the CPU. MPS has no float64.
        group: networks of cells side by side; by default as many as memory takes. Any others
            stand alone.
        live: score what stands for an architecture's class, as tables train it; False scores
            the architecture's own graph, dead edges included.

    Returns:
        Values in the order of `architectures`. Who else is in a group changes a network's
        rounding, and nothing else.

    Raises:
        Unsupported: for a proxy that networks of the space do not have, and for a task without
            classes.

    Example:
        >>> from nasbench.space import get as space
        >>> from nasbench.task import get as task
        >>> recipe = Recipe(epochs=1, channels=2, cells=1)
        >>> found = score(space("nb201-mini"), [5, 6], task("digits"), recipe, ["params"])
        >>> found.values["params"].ravel().tolist()
        [1296.0, 1296.0]
    """
    chosen = check_proxies(space, proxies)
    for what, number, least, most in (
        ("seed", seed, 0, LARGEST_SEED),
        ("draws", draws, 1, MOST_DRAWS),
        ("batch_size", batch_size, 4, MOST_BATCH),  # zico halves it, and BatchNorm needs 2
        ("group", 1 if group is None else group, 1, MOST_BATCH),
    ):
        if number < least:
            raise BadValue(f"{what} must be {least} or more, got {number}")
        if number > most:
            raise BadValue(f"{what} must be at most {most:,}, got {shown(number)}")
    given = np.atleast_1d(space.check(architectures))
    built = space.canonical(given) if live else given
    distinct, place = np.unique(built, return_inverse=True)
    device = _pick(hardware)
    batches = _batches(task, recipe, seed, draws, batch_size, device)
    if family_of(space).name != CELL:
        group = 1
    elif group is None:
        # Gradients of gradients keep about three times what a step of training does.
        group = group_size(space, task, replace(recipe, batch_size=3 * batch_size), device)

    values = {p.name: np.full((len(distinct), draws), np.nan) for p in chosen}
    reasons: dict[tuple[str, int, int], str] = {}
    spent: dict[str, float] = defaultdict(float)
    for draw, (inputs, labels) in enumerate(batches):
        start = _derive(seed, _START, draw).generate_state(1)[0]
        asked = [p for p in chosen if p.random or draw == 0]
        for first in range(0, len(distinct), group):
            members = distinct[first : first + group]
            clock = Stopwatch(device)
            with clock.counted(SHARED):
                networks = [
                    started(space, architecture, task, recipe, int(start), live=live).to(device)
                    for architecture in members.tolist()
                ]
                own = _derive(seed, _OWN, draw)
                probe = Probe(networks, inputs, labels, own, clock, task.signal)
            for name, (found, why) in examine(probe, asked).items():
                values[name][first : first + len(members), draw] = found
                reasons.update({(name, first + i, draw): reason for i, reason in why.items()})
            for name, seconds in clock.seconds.items():
                spent[name] += seconds
    drawn = {SHARED: draws}
    for p in chosen:
        drawn[p.name] = draws if p.random else 1
        values[p.name][:, drawn[p.name] :] = values[p.name][:, :1]
    return Scores(
        {name: found[place] for name, found in values.items()},
        [
            (name, i, draw, reasons[key])
            for i, at in enumerate(place.tolist())
            for name in values
            for draw in range(draws)
            if (key := (name, at, min(draw, drawn[name] - 1))) in reasons
        ],
        {name: seconds / (len(distinct) * drawn[name]) for name, seconds in spent.items()},
    )


def names_for(space: Space) -> tuple[str, ...]:
    """The names of all proxies that networks of the space have.

    Example:
        >>> from nasbench import space
        >>> ["zen" in names_for(space.get(name)) for name in ("nb201-mini", "mixed")]
        [True, False]
    """
    cells = family_of(space).name == CELL
    return tuple(name for name in names() if cells or not get(name).cells)


def check_proxies(space: Space, proxies: Iterable[str]) -> list[Proxy]:
    """The proxies of these names, each once.

    Raises:
        UnknownName: for one that nobody knows.
        Unsupported: for one that networks of the space do not have, with the reason.
    """
    chosen = [get(name) for name in dict.fromkeys(proxies)]
    had = names_for(space)
    for proxy in chosen:
        if proxy.name not in had:
            raise Unsupported(
                f"{proxy.name} is of networks of cells alone, since {proxy.cells}: networks "
                f"of {space.name} have {', '.join(had)}"
            )
    return chosen


def examine(probe: Probe, proxies: Sequence[Proxy]) -> dict[str, tuple[Values, dict[int, str]]]:
    """The values of a probe's networks, float64 `[networks]`, and why some are NaN."""
    found = {}
    for proxy in proxies:
        probe.reasons = {}
        with probe.clock.counted(proxy.name):
            values = _values(proxy, probe)
        probe.explain(np.isinf(values), "the value is infinite")
        probe.explain(np.isnan(values), "the value is not a number")
        values[list(probe.reasons)] = np.nan
        found[proxy.name] = (values, probe.reasons)
    return found


def _values(proxy: Proxy, probe: Probe) -> Values:
    function = proxy.load()
    if isinstance(proxy.function, str):
        try:
            values: Values = function(probe)
        except Exception as error:  # so can anyone's network
            if probe.of_cells or isinstance(error, MemoryError):
                raise
            values = np.full(len(probe), np.nan)
            said = " ".join(f"{type(error).__name__}: {error}".split())
            probe.explain(np.isnan(values), f"it cannot be computed: {said[:200]}")
        return values
    values = np.empty(len(probe))
    for i, net in enumerate(probe.networks):
        try:
            # Copies: whatever is done to them reaches no other proxy.
            values[i] = float(
                function(copy.deepcopy(net), probe.images.clone(), probe.labels.clone())
            )
        except Exception as error:  # anyone's code can fail in any way
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise NasbenchError(f"proxy {proxy.name} failed: {said}") from error
    return values


def _pick(hardware: str) -> torch.device:
    device = pick_hardware(hardware)
    if device.type != "mps":
        return device
    if hardware != "auto":
        raise NasbenchError("proxies need float64, which MPS has not: score on the CPU")
    return torch.device("cpu")


def _derive(seed: int, *key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=key)


@lru_cache(maxsize=1)
def _standard(task: Task, examples: int) -> Standard:
    """By a task's first examples: of many it takes longer to make than some networks do."""
    return Standard(task.signal, task.train.first(examples))


def _batches(
    task: Task, recipe: Recipe, seed: int, draws: int, size: int, device: torch.device
) -> list[tuple[Tensor, Tensor]]:
    """For each draw, standardised training examples, or tokens, and their labels."""
    if task.target.kind != "classes":
        raise Unsupported(
            f"proxies score networks that tell classes apart; task {task.name} has {task.target}"
        )
    split = task.train.first(recipe.train_images)
    if size > len(split):
        raise NasbenchError(
            f"{task.name} has {len(split)} training examples, fewer than the batch of {size}: "
            f"score with a smaller batch size, 4 or more"
        )
    standard = _standard(task, recipe.train_images)
    batches = []
    for draw in range(draws):
        rng = np.random.default_rng(_derive(seed, _BATCH, draw))
        chosen = rng.choice(len(split), size, replace=False)
        inputs = torch.from_numpy(standard(split.inputs[chosen]))
        labels = torch.from_numpy(split.labels[chosen])
        batches.append((inputs.to(device), labels.to(device)))
    return batches
