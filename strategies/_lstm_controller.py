"""What `rnn_reinforce` and `ppo_controller` share: an LSTM policy, its gradient, and batches."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError
from nasbench.search import Goal, Outcome, Query
from nasbench.space import Space

from ._checks import check_counts
from ._policy_gradient import Adam, MovingAverage

__all__ = ["Floats", "Integers", "LstmController", "LstmPolicy", "Rollout"]

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Rollout:
    """A batch of architectures as the policy makes them, with what its gradient needs.

    `n` architectures, `T` decisions, `L` layers of `H` hidden units. Architectures are the last
    axis, so that the part of a gate is one piece of memory.

    Attributes:
        decisions: int64 `[T, n]`.
        log_chances: log p(architecture), the sum over its decisions, `[n]`.
        logs: for each decision, log p of its choices given the decisions before, `[choices, n]`.
        inputs: of the cells: from below, own output before, 1: `[L, T, 2 H + 1, n]`.
        gates: input, forget, output, candidate, after their activation: `[L, T, 4, H, n]`.
        cells: cell states, from the zero before the first decision on, `[L, T + 1, H, n]`.
        outputs: of the topmost cell, and 1: `[T, H + 1, n]`.
    """

    decisions: Integers
    log_chances: Floats
    logs: list[Floats]
    inputs: Floats
    gates: Floats
    cells: Floats
    outputs: Floats


class LstmPolicy:
    """A recurrent network that makes one decision after the other.

    Zoph & Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017, section 3.1:
    at each step the embedding of the choice made before (at the first, of a start token) enters
    a stack of LSTM cells (Hochreiter & Schmidhuber, Neural Computation 1997, with the forget
    gate of Gers et al., 2000), and a softmax of the decision's own gives the chances of its
    choices. Each choice of each decision has its own embedding, as wide as the cells.

    Args:
        choices: the number of choices of each decision.
        rng: draws the weights.
        hidden: units of each cell.
        layers: cells on top of each other.
        spread: all weights, biases too, start uniform in [-spread, spread].
        dtype: of the weights and of what is computed from them.

    Attributes:
        parameters: every weight, flat; the network is changed by changing it in place.
        embedding: of the start token, then of the choices of all decisions but the last,
            `[tokens, H]`.
        cells: for each layer, `[4 H, 2 H + 1]`; the last column is the bias.
        heads: for each decision, `[choices, H + 1]`, likewise.
    """

    def __init__(
        self,
        choices: tuple[int, ...],
        rng: np.random.Generator,
        *,
        hidden: int,
        layers: int,
        spread: float,
        dtype: type[np.floating[Any]] = np.float32,
    ) -> None:
        self._choices = choices
        self._first_token = np.cumsum((1, *choices[:-1]))  # of each decision
        self._shapes = [
            (int(self._first_token[-1]), hidden),
            *[(4 * hidden, 2 * hidden + 1)] * layers,
            *[(count, hidden + 1) for count in choices],
        ]
        weights = sum(map(math.prod, self._shapes))
        self.parameters: Floats = rng.uniform(-spread, spread, weights).astype(dtype)
        self.embedding, self.cells, self.heads = self._views(self.parameters)

    def sample(self, n: int, rng: np.random.Generator) -> Rollout:
        """Architectures drawn from the policy."""
        drawn = rng.random((len(self._choices), n))
        # The choice in whose share of [0, 1) the number lies.
        return self._roll(n, lambda t, chances: (chances.cumsum(0)[:-1] <= drawn[t]).sum(0))

    def replay(self, decisions: Integers) -> Rollout:
        """Given architectures, `[T, n]`, under the policy as it now is."""
        return self._roll(decisions.shape[1], lambda t, _: decisions[t])

    def gradient(self, rollout: Rollout, weights: Floats, entropy_weight: float) -> Floats:
        """The gradient of a weighted log-likelihood and an entropy, by backpropagation in time.

        Args:
            rollout: of this policy, unchanged since.
            weights: `[n]`, one of each architecture.
            entropy_weight: of the entropies of the softmaxes that an architecture went through.

        Returns:
            The derivative by each parameter of the mean over the architectures of
            `weight * log p(architecture) + entropy_weight * sum of its entropies`.
        """
        gradient = np.empty_like(self.parameters)
        by_embedding, by_cells, by_heads = self._views(gradient)
        layers, steps, _, hidden, n = rollout.gates.shape

        by_outputs = np.empty_like(rollout.outputs[:, :-1])
        for t, logs in enumerate(rollout.logs):
            chances = np.exp(logs)
            entropies = -(chances * logs).sum(0)
            by_logits = -chances * (weights + entropy_weight * (logs + entropies))
            by_logits[rollout.decisions[t], np.arange(n)] += weights
            by_logits = (by_logits / n).astype(gradient.dtype)
            by_heads[t][...] = by_logits @ rollout.outputs[t].T
            by_outputs[t] = self.heads[t][:, :-1].T @ by_logits

        slopes = 1 - rollout.gates  # (1 - a) a of a sigmoid, (1 - a) (1 + a) of the tanh
        slopes[:, :, :3] *= rollout.gates[:, :, :3]
        slopes[:, :, 3] *= 1 + rollout.gates[:, :, 3]
        squashed = np.tanh(rollout.cells[:, 1:])
        by_gates = np.empty_like(rollout.gates)
        by_embedded = np.empty_like(gradient, shape=(steps, n, hidden))
        later_output = np.zeros_like(rollout.cells[:, 0])  # what comes from the step after
        later_cell = np.zeros_like(rollout.cells[:, 0])
        for t in reversed(range(steps)):
            above = by_outputs[t]
            for layer in reversed(range(layers)):
                by_output = above + later_output[layer]
                entering, kept, shown, candidate = rollout.gates[layer, t]
                tanh = squashed[layer, t]
                by_cell = later_cell[layer] + by_output * shown * (1 - tanh**2)
                by_gate = by_gates[layer, t]
                np.multiply(by_cell, candidate, out=by_gate[0])
                np.multiply(by_cell, rollout.cells[layer, t], out=by_gate[1])
                np.multiply(by_output, tanh, out=by_gate[2])
                np.multiply(by_cell, entering, out=by_gate[3])
                by_gate *= slopes[layer, t]
                later_cell[layer] = by_cell * kept
                by_input = self.cells[layer][:, :-1].T @ by_gate.reshape(-1, n)
                above, later_output[layer] = by_input[:hidden], by_input[hidden:]
            by_embedded[t] = above.T

        for layer in range(layers):
            by_sums = by_gates[layer].reshape(steps, -1, n)
            by_cells[layer][...] = np.tensordot(by_sums, rollout.inputs[layer], ((0, 2), (0, 2)))
        tokens = np.zeros_like(rollout.decisions)
        tokens[1:] = self._first_token[:-1, None] + rollout.decisions[:-1]
        entered = np.arange(len(by_embedding))[:, None] == tokens.ravel()
        np.matmul(entered, by_embedded.reshape(-1, hidden), out=by_embedding)
        return gradient

    def _roll(self, n: int, choose: Callable[[int, Floats], Integers]) -> Rollout:
        """Go through the decisions; `choose` makes the t-th from the chances `[choices, n]`."""
        layers, steps, hidden = len(self.cells), len(self._choices), self.embedding.shape[1]
        like = self.parameters
        decisions = np.empty((steps, n), dtype=np.int64)
        log_chances = np.zeros_like(like, shape=n)
        all_logs = []
        inputs = np.ones_like(like, shape=(layers, steps, 2 * hidden + 1, n))
        inputs[:, 0, hidden:-1] = 0
        gates = np.empty_like(like, shape=(layers, steps, 4, hidden, n))
        cells = np.zeros_like(like, shape=(layers, steps + 1, hidden, n))
        outputs = np.ones_like(like, shape=(steps, hidden + 1, n))
        tokens = np.zeros(n, dtype=np.int64)
        for t in range(steps):
            below = self.embedding[tokens].T
            for layer, weights in enumerate(self.cells):
                inputs[layer, t, :hidden] = below
                gate = gates[layer, t]
                np.matmul(weights, inputs[layer, t], out=gate.reshape(-1, n))
                # A sigmoid is half a tanh, 1 / (1 + exp(-z)) = tanh(z / 2) / 2 + 1 / 2, and
                # that does not overflow.
                sigmoids = gate[:3]
                sigmoids *= 0.5
                np.tanh(gate, out=gate)
                sigmoids *= 0.5
                sigmoids += 0.5
                entering, kept, shown, candidate = gate
                np.add(kept * cells[layer, t], entering * candidate, out=cells[layer, t + 1])
                below = shown * np.tanh(cells[layer, t + 1])
                if t + 1 < steps:
                    inputs[layer, t + 1, hidden:-1] = below
            outputs[t, :-1] = below
            logits = self.heads[t] @ outputs[t]
            logits -= logits.max(0)
            logs = logits - np.log(np.exp(logits).sum(0))
            all_logs.append(logs)
            decisions[t] = choose(t, np.exp(logs))
            log_chances += logs[decisions[t], np.arange(n)]
            if t + 1 < steps:
                tokens = self._first_token[t] + decisions[t]
        return Rollout(decisions, log_chances, all_logs, inputs, gates, cells, outputs)

    def _views(self, flat: Floats) -> tuple[Floats, list[Floats], list[Floats]]:
        """The embedding, the cells and the heads that lie in a flat vector."""
        ends = np.cumsum([math.prod(shape) for shape in self._shapes])
        pieces = np.split(flat, ends[:-1])
        views = [piece.reshape(shape) for piece, shape in zip(pieces, self._shapes, strict=True)]
        heads = len(views) - len(self._choices)
        return views[0], views[1:heads], views[heads:]


class LstmController(ABC):
    """A strategy that draws architectures from an LSTM and learns from them in batches.

    A batch is drawn at a time, and drawn anew once the policy has learned. What is learned from
    is the reward less an exponential moving average of the rewards told before it
    (bias-corrected; the first reward has nothing to be compared with, and teaches nothing). An
    outcome without a reward (a training that diverged, a limit that was broken) teaches nothing
    and takes no place in a batch; neither does one that was not asked for.

    Args:
        space: to search.
        goal: gives the recipe and what is better.
        rng: the only source of randomness.
        policy: draws the architectures.
        learning_rate: of Adam (Kingma & Ba, ICLR 2015, algorithm 1).
        batch_size: architectures that are learned from at a time.
        baseline_decay: of the moving average.
        entropy_weight: of the bonus for staying undecided.
        reward_power: the reward is the goal's, in percent and so divided by 100, to this power.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        rng: np.random.Generator,
        policy: LstmPolicy,
        *,
        learning_rate: float,
        batch_size: int,
        baseline_decay: float,
        entropy_weight: float,
        reward_power: int,
    ) -> None:
        check_counts(batch_size=batch_size)
        if not 0 < learning_rate < math.inf or not 0 <= baseline_decay < 1:
            raise NasbenchError("learning_rate must be above 0, baseline_decay in [0, 1)")
        if not 0 <= entropy_weight < math.inf:
            raise NasbenchError(f"entropy_weight must be 0 or more, got {entropy_weight}")
        self._space = space
        self._goal = goal
        self._rng = rng
        self._policy = policy
        self._adam = Adam(policy.parameters, learning_rate)
        self._batch_size = batch_size
        self._baseline = MovingAverage(baseline_decay)
        self._entropy_weight = entropy_weight
        self._power = reward_power
        self._drawn: deque[int] = deque()
        self._log_chances: dict[int, float] = {}  # when last drawn
        self._batch: list[tuple[int, float, float]] = []

    def ask(self) -> Query:
        """The next architecture of the batch that the policy drew."""
        if not self._drawn:
            rollout = self._policy.sample(self._batch_size, self._rng)
            self._drawn.extend(self._space.index_of(rollout.decisions.T).tolist())
            self._log_chances.update(zip(self._drawn, rollout.log_chances.tolist(), strict=True))
        return self._goal.query(self._drawn.popleft())

    def tell(self, query: Query, outcome: Outcome) -> None:
        """Add to the batch; learn from a full one."""
        reward = self._goal.reward(outcome)
        log_chance = self._log_chances.get(query.architecture)
        if not math.isfinite(reward) or log_chance is None:
            return
        reward = (reward / 100) ** self._power
        advantage = self._baseline.above(reward)
        self._baseline.add(reward)
        self._batch.append((query.architecture, advantage, log_chance))
        if len(self._batch) == self._batch_size:
            architectures, advantages, log_chances = zip(*self._batch, strict=True)
            decisions = self._space.ops(architectures).T.astype(np.int64)
            self._learn(decisions, np.array(advantages), np.array(log_chances))
            self._batch.clear()
            self._drawn.clear()

    @abstractmethod
    def _learn(self, decisions: Integers, advantages: Floats, log_chances: Floats) -> None:
        """Improve the policy by a batch.

        Args:
            decisions: `[decisions, batch]`.
            advantages: rewards less the baseline, `[batch]`.
            log_chances: of the architectures where they were drawn, `[batch]`.
        """

    def _climb(self, gradient: Floats) -> None:
        """One step of Adam."""
        self._adam.climb(gradient)
