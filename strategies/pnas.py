"""Progressive search: small architectures first, and the best of them grow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbench.search import Goal, Query
from nasbench.space import Space

from ._checks import check_counts
from ._predictor import BatchSearch, features

__all__ = ["Pnas"]

RIDGE = 1.0


class Pnas(BatchSearch):
    """Progressive neural architecture search, algorithm 1 of Liu et al.

    Liu, Zoph, Neumann, Shlens, Hua, Li, Fei-Fei, Yuille, Huang, Murphy, "Progressive Neural
    Architecture Search", ECCV 2018. All cells of one block are trained. Then, step by step,
    those of the last step grow by one block in every way, a predictor of all that was trained
    ranks what they become, and the best `beam_size` are trained.

    There a cell has a block more in each step. Here an architecture grows by decisions, and
    those not yet made hold a base choice. That choice may be the best, so that all that was
    trained in earlier steps grows on, not in the last alone:

    * of a `CellSpace`, a step adds an inner node, with all edges between it and the nodes
      there are already; the first has the input, the output and the edge between them. Edges
      of nodes not yet there hold `none`, so that a small cell is a cell of fewer nodes (or
      the first operation, where the space has no `none`).
    * of any other space, a step adds one decision, in the space's order; later ones hold
      their first choice.

    The paper trains all 136 cells of one block and K = 256 in each of four more steps, 1,160
    in all; the default is meant for a hundred. Where it has an ensemble of LSTMs or
    perceptrons, here is a ridge
    regression on one-hot decisions, the number of edges with each operation and the paths
    (of a cell): it is linear, so that what an operation earned in small cells counts in
    larger ones, which trees cannot do. The paper's search ends with its last step; a budget
    may not, so that this one goes on with batches of `beam_size`, those predicted best among
    random architectures not yet trained. A step waits for all outcomes of the one before.

    Little of it is random, as in the paper: all cells of one block are trained, and the fit is
    a function of what they showed. The seed decides in which order equals come, and, of more
    than `candidates`, which are predicted. Where a query has one answer (a table searched with
    one training seed, or with the mean), runs of many seeds often end at the same architecture:
    their spread says nothing of luck. To see that, search with other training seeds.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        beam_size: how many are trained in a step, the paper's K.
        candidates: how many are predicted in a step at most; of more, a random part is.
        warm_start: architectures that come first, such as the winners of earlier tasks.
        grown: architectures that were trained in a smaller space. They are what grows, by the
            decisions of which they do not have all choices.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        *,
        beam_size: int = 10,
        candidates: int = 10_000,
        warm_start: Sequence[int] = (),
        grown: Sequence[int] = (),
    ) -> None:
        check_counts(beam_size=beam_size, candidates=candidates)
        super().__init__(space, goal, rng, 0, (*warm_start, *grown))
        self._beam_size = beam_size
        self._candidates = candidates
        base, self._steps = space.growth()
        if grown:
            self._beam = list(grown)
            tried = [len(set(ops.tolist())) for ops in space.ops(self._beam).T]
            steps = ([d for d in of if tried[d] < space.choices[d]] for of in self._steps)
            self._steps = [step for step in steps if step]
            return
        self._beam = [int(space.index_of(base))]
        self._beam = self._grown()
        self._queue.extend(a for a in self._beam if a not in self._queue)

    def ask(self) -> Query | None:
        """The next of the step; None while the last of them are trained."""
        waits = not self._queue and len(self._rewards) < len(self._asked)
        return None if waits else super().ask()

    def _batch(self) -> list[int]:
        candidates = self._grown() if self._steps else self._fresh(self._candidates)
        if not candidates:
            return []
        told, ranks = self._told()
        x, unknown = features(self._space, told), features(self._space, candidates)
        # The ranks have a mean of 0, and so must the features. In the dual form, since the
        # trained are fewer than the features: [told, told] is what is solved.
        mean = x.mean(0)
        x -= mean
        dual = np.linalg.solve(x @ x.T + RIDGE * np.eye(len(x)), ranks)
        predicted = (unknown - mean) @ (dual @ x)
        best = np.argsort(-predicted, kind="stable")[: self._beam_size]
        chosen = [candidates[place] for place in best]
        self._beam += chosen
        return chosen

    def _grown(self) -> list[int]:
        """What the beam becomes by the next step, in random order: equals keep it."""
        ops = self._space.ops(self._beam).astype(np.int64)
        for decision in self._steps.pop(0) if self._steps else ():
            count = self._space.choices[decision]
            ops = np.repeat(ops, count, axis=0)
            ops[:, decision] = np.arange(len(ops)) % count
            ops = self._rng.permutation(ops)[: self._candidates]
        return self._unasked(self._space.index_of(ops).tolist())
