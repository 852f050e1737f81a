"""What goes into networks of any family, made up, and what of their output is the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nasbench.errors import Unsupported
from nasbench.task import Signal

__all__ = ["answer_of", "answer_to", "example_inputs", "several"]


def example_inputs(signal: Signal, n: int, seed: int = 0) -> Tensor:
    """Noise of a signal's shape, always the same: float32 `[n, *shape]`, or int64 tokens.

    Images, sound and numbers are standard normal, as standardised ones are; tokens and
    categories are uniform, without padding.

    Args:
        signal: with its shape.
        n: examples.
        seed: of the noise.

    Example:
        >>> example_inputs(Signal("tokens", (4,), "uint16", vocabulary=50), 2).shape
        torch.Size([2, 4])
    """
    rng = np.random.default_rng(seed)
    shape = (n, *signal.shape)
    if signal.kind == "tokens":
        first = min(2, signal.vocabulary - 1)  # behind padding and the unknown word
        return torch.from_numpy(rng.integers(first, signal.vocabulary, shape))
    values = rng.standard_normal(shape, dtype=np.float32)
    for column, categories in enumerate(signal.categories):
        if categories:
            values[:, column] = rng.integers(categories, size=n)
    return torch.from_numpy(values)


def answer_to(network: nn.Module, inputs: Tensor, *more: Any) -> Tensor:
    """What a network answers, see `answer_of`, to inputs that are used again.

    It gets a copy, for it may write over its input, as a ReLU in place does.

    Args:
        network: of any family, or a supernet.
        inputs: a batch.
        more: what a supernet is given besides, as it is.

    Example:
        >>> held = torch.tensor([[-1.0, 2.0]])
        >>> answer_to(nn.ReLU(inplace=True), held), held
        (tensor([[0., 2.]]), tensor([[-1.,  2.]]))
    """
    return answer_of(network(inputs.clone(), *more))


def answer_of(given: Any) -> Tensor:
    """What a network answers: its output, or the first of several.

    Raises:
        Unsupported: where that is no tensor.

    Example:
        >>> answer_of((torch.zeros(2, 10), "and more")).shape
        torch.Size([2, 10])
    """
    answer = next(iter(several(given)), given)
    if not isinstance(answer, Tensor):
        raise Unsupported(
            f"a network gives a tensor, or several of which the first is its answer, and this one "
            f"gave a {type(given).__name__}"
        )
    return answer


def several(given: Any) -> tuple[Any, ...]:
    """What a network gives, in order: alone, in a tuple or a list, or by name.

    Example:
        >>> several({"logits": 1, "auxiliary": 2}), several(3)
        ((1, 2), (3,))
    """
    if isinstance(given, Mapping):
        return tuple(given.values())
    return tuple(given) if isinstance(given, tuple | list) else (given,)
