"""From an architecture to its network, and to the network that a training begins with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch.nn.parameter import is_lazy
from torch.utils.weak import WeakTensorKeyDictionary

from nasbench._python_file import FAILURES, where
from nasbench.errors import BadValue, NasbenchError, Unsupported
from nasbench.network.capability import Starts, Whole
from nasbench.network.draws import generator_kept, reseed
from nasbench.network.family import CELL, Family, Size, check_sizes
from nasbench.network.inputs import example_inputs
from nasbench.network.registry import family_of
from nasbench.space import Space
from nasbench.space import get as get_space
from nasbench.task import Signal
from nasbench.task import get as get_task

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Examples", "Sized", "check_signal", "network", "sizes_of", "started"]


class Examples(Protocol):
    """All that a network asks of a task."""

    @property
    def signal(self) -> Signal:
        """What goes in."""

    @property
    def outputs(self) -> int:
        """How many numbers come out for an example."""


class Sized(Protocol):
    """All that a network asks of a recipe."""

    @property
    def channels(self) -> int:
        """Of the first stage of cells."""

    @property
    def cells(self) -> int:
        """Of each stage."""

    @property
    def network(self) -> Mapping[str, Size]:
        """The sizes of any other family, by name."""


_CELLS = {"channels": 16, "cells": 5}
"""What recipes have where they say nothing."""

_GIVEN = WeakTensorKeyDictionary()
"""Trainable parameters of the networks that were made and are still there."""


def sizes_of(family: Family, recipe: Sized | Mapping[str, Size]) -> dict[str, Size]:
    """A family's sizes as a recipe, or a mapping of some of them, has them.

    A recipe's own `channels` and `cells` are those of cells. What stands in its `network` is
    any family's, cells included.

    Raises:
        UnknownName: for a size that the family does not have.
        BadValue: for one of another type, out of bounds, or that belongs to cells.

    Example:
        >>> import nasbench as nb
        >>> from nasbench.network import family_of
        >>> sizes_of(family_of(nb.space("nb201")), nb.Recipe(epochs=1, cells=2))
        {'channels': 16, 'cells': 2}
    """
    if isinstance(recipe, Mapping):
        return check_sizes(family, recipe)
    own = {name: getattr(recipe, name) for name in _CELLS}
    if family.name == CELL:
        return check_sizes(family, {**own, **recipe.network})
    for name, value in own.items():
        if value != _CELLS[name]:
            hint = ": put it under [recipe.NAME.network]" if name in family.sizes else ""
            raise BadValue(
                f"{name} = {value} is a size of cells, and {family.name} has networks of another "
                f"kind{hint}"
            )
    return check_sizes(family, recipe.network)


def check_signal(space: Space, family: Family, inputs: Signal) -> None:
    """Refuse what a family's networks do not take.

    Raises:
        Unsupported: in one sentence.
    """
    if inputs.kind not in family.signals:
        takes = " or ".join(sorted(family.signals))
        raise Unsupported(f"networks of {space.name} take {takes}, and the task has {inputs}")


def network(
    space: Space | str,
    architecture: int,
    task: Examples | str,
    recipe: Sized | Mapping[str, Size],
    *,
    live: bool = True,
) -> nn.Module:
    """An architecture as a network for a task, its weights as PyTorch starts them.

    They follow PyTorch's global generator, which stays as it is: the same each time, until you
    seed it (`torch.manual_seed`).

    Args:
        space: or its name.
        architecture: of the space.
        task: gives what goes in and how many numbers come out.
        recipe: gives the sizes; a mapping of them does, too.
        live: build what stands for the architecture's class, without what is dead, as tables
            train and measure it; False builds all, as the release of NAS-Bench-201 does.

    Raises:
        Unsupported: where no network of the space is known, or none for what goes in.

    Example:
        >>> import nasbench as nb
        >>> net = nb.network("nb201", 5, "digits", nb.Recipe(epochs=1, channels=4, cells=1))
        >>> sum(p.numel() for p in net.parameters())
        8686
    """
    make, _, _ = _maker(space, architecture, task, recipe, live)
    with generator_kept():
        return make()


def started(
    space: Space | str,
    architecture: int,
    task: Examples | str,
    recipe: Sized | Mapping[str, Size],
    seed: int,
    *,
    live: bool = True,
) -> nn.Module:
    """The network that a training of the architecture with this seed begins with.

    Its weights are a function of seed and architecture alone. PyTorch's global generator stays
    as it is.

    Args:
        space: as for `network`, and so are the next three.
        architecture: one that stands for its class.
        task: gives what goes in and how many numbers come out.
        recipe: gives the sizes.
        seed: of the training; 0 or more.
        live: as for `network`.

    Example:
        >>> import nasbench as nb, torch
        >>> small = nb.Recipe(epochs=1, channels=4, cells=1)
        >>> first, again = (started("nb201", 5, "digits", small, seed=7) for _ in range(2))
        >>> torch.equal(first.classifier.weight, again.classifier.weight)
        True
    """
    make, family, number = _maker(space, architecture, task, recipe, live)
    with generator_kept():
        state = np.random.SeedSequence((seed, number)).generate_state(1)
        reseed(int(state[0]))
        made = make()
    if isinstance(family, Starts):
        family.start(made, seed, number)
    return made


def _maker(
    space: Space | str,
    architecture: int,
    task: Examples | str,
    recipe: Sized | Mapping[str, Size],
    live: bool,
) -> tuple[Callable[[], nn.Module], Family, int]:
    """What builds the network, all of it checked; its family, and the architecture as an int."""
    space = get_space(space) if isinstance(space, str) else space
    task = get_task(task) if isinstance(task, str) else task
    number = int(architecture)
    space.check(number)
    family = family_of(space)
    sizes = sizes_of(family, recipe)
    inputs, outputs = task.signal, task.outputs
    check_signal(space, family, inputs)
    build = family.build if live or not isinstance(family, Whole) else family.whole

    def make() -> nn.Module:
        try:
            made = build(space, number, inputs, outputs, sizes)
            if isinstance(made, torch.nn.Module):
                _settle(made, inputs)
        except NasbenchError:
            raise
        except FAILURES as error:  # a user's function can fail in any way
            raise NasbenchError(
                f"building {space.string(number)} of {space.name} failed: "
                f"{where(error, space.source)}"
            ) from error
        if not isinstance(made, torch.nn.Module):
            raise Unsupported(
                f"build of {family.name} returned a {type(made).__name__}, not a torch.nn.Module"
            )
        _check_own(made, space.string(number))
        return made

    return make, family, number


@torch.no_grad()
def _settle(net: nn.Module, inputs: Signal) -> None:
    """Give lazy modules, such as `torch.nn.LazyLinear`, the shapes that the first inputs tell."""
    if any(map(is_lazy, (*net.parameters(), *net.buffers()))):
        net.eval()(example_inputs(inputs, 2))
        net.train()


def _check_own(net: nn.Module, name: str) -> None:
    """Refuse weights that an earlier network has, too: training one would train the other.

    What is frozen may stand outside `build` and be shared.
    """
    own = [parameter for parameter in net.parameters() if parameter.requires_grad]
    if any(parameter in _GIVEN for parameter in own):
        raise Unsupported(
            f"the network of {name} has weights of one that was built before, so that training "
            f"one would train both: make them within build, or copy them (copy.deepcopy)"
        )
    _GIVEN.update(dict.fromkeys(own, True))
