"""Networks of any family are tried before the first training: built and run."""

from __future__ import annotations

import numpy as np

from nasbench._python_file import UserFunction
from nasbench.building.spec import BuildSpec
from nasbench.errors import Unsupported
from nasbench.network import started
from nasbench.network.family import CELL
from nasbench.network.inputs import example_inputs
from nasbench.network.testing import run, run_alone
from nasbench.train.reference import cpu_threads

__all__ = ["check_networks"]

TRIED = 3
"""Architectures of a space."""


def check_networks(spec: BuildSpec) -> None:
    """Refuse a family some of whose networks cannot be built, run or trained, and absent loops.

    Cells are known to be sound. Of others a few are run on noise: as many examples as the last
    batch of each recipe has, which is where BatchNorm fails on a single one.

    Raises:
        NasbenchError: naming the architecture, or the function that is not there.
    """
    for recipe in spec.recipes.values():
        for function in (recipe.train, recipe.evaluate):
            if isinstance(function, UserFunction):
                function.load()
    if spec.family.name == CELL:
        return
    space, task = spec.space, spec.task
    drawn = np.unique(space.canonical(space.sample(np.random.default_rng(0), TRIED)))
    for recipe in spec.recipes.values():
        n = recipe.train_images or len(task.train)
        last = n % recipe.batch_size or min(n, recipe.batch_size)
        inputs = example_inputs(task.signal, min(last, 2))
        for architecture in drawn.tolist():
            net = started(space, architecture, task, recipe, 0)
            asked = (inputs, task.outputs, space.string(architecture), space)
            with cpu_threads(1):
                answer = run(net.train(), *asked)
                run_alone(net, *asked)
            if not answer.requires_grad:
                raise Unsupported(
                    f"the network of {space.string(architecture)} cannot be trained: what it "
                    f"answers depends on no parameter"
                )
