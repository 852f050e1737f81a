"""Shared weights whose paths the native engine trains and scores; mixtures are PyTorch's.

Both work on the same arrays. Same batches and same steps as `SharedWeights`; gradients agree
within rounding.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NasbenchError, Unsupported, unknown
from nasbench.network.supernet import CellSupernet
from nasbench.space import Space
from nasbench.task import Task
from nasbench.train.native import only_cells
from nasbench.train.native_library import SplitView, describe, library, pointer
from nasbench.train.recipe import Recipe
from nasbench.train.shared import SharedWeights
from nasbench.train.shared_feed import SplitName, parts_of
from nasbench.train.shared_passes import Sharing
from nasbench.train.shared_start import Floats

__all__ = ["SHARED_ENGINES", "NativeSharedWeights", "make_shared", "pick_shared_engine"]

SHARED_ENGINES = ("native", "reference")

_PASSES = 256
"""Of one call, which Ctrl-C has to wait for."""

_DONE = 0


class NativeSharedWeights(SharedWeights):
    """Shared weights of cells on square images, along paths some ten times as fast.

    Bit-for-bit repeatable on one machine.

    Args:
        space: as for `SharedWeights`, and so are the others.
        task: square images.
        recipe: see there.
        seed: see there.
        sharing: see there.
        instructions: of one instruction set; the best by default.
    """

    engine = "native"

    def __init__(
        self,
        space: Space,
        task: Task,
        recipe: Recipe,
        seed: int,
        sharing: Sharing | None = None,
        instructions: str | None = None,
    ) -> None:
        super().__init__(space, task, recipe, seed, sharing)
        found = library(instructions)
        if found is None or not hasattr(found, "nasbench_paths_train"):
            raise Unsupported(
                "the native engine here was not built, or by an earlier version, which has no "
                "paths: install the package again, or take the reference engine"
            )
        self._library = found
        assert isinstance(self.net, CellSupernet)
        self._places = np.asarray(self.net.places)
        self._spec, self._edges = describe(self.net.skeleton, recipe, task.shape)
        data = self.feed.data
        self._splits: Mapping[SplitName, _Images] = {
            "train": _Images(data.train[0].numpy(), data.train[1].numpy()),
            "valid": _Images(data.valid[0].numpy(), data.valid[1].numpy()),
        }
        self._mask = self.trained.astype(np.uint8)
        self._stop = ctypes.c_int32(0)

    def _runs(self, paths: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Which edges of the whole cell run along paths `[..., decisions]`: `[..., edges]`."""
        places = np.take_along_axis(
            self._places.T, paths.reshape(-1, paths.shape[-1]).astype(np.int64), axis=0
        )
        runs = np.zeros((len(places), self._spec.edges + 1), dtype=np.uint8)
        np.put_along_axis(runs, places, 1, axis=1)  # -1, which computes nothing, is the last
        return np.ascontiguousarray(runs[:, :-1]).reshape(*paths.shape[:-1], -1)

    def _train_paths(self, paths: NDArray[np.integer[Any]], rates: Floats) -> Floats:
        together = paths.shape[1]
        at_once = max(_PASSES // together, 1)
        losses = []
        for begin in range(0, len(rates), at_once):
            part = slice(begin, begin + at_once)
            losses.append(self._train_some(self._runs(paths[part]), rates[part]))
        return np.concatenate(losses).astype(np.float32)

    def _train_some(self, runs: NDArray[np.uint8], rates: Floats) -> NDArray[np.float64]:
        """Steps `[steps, together, edges]` in one call."""
        order, shifts, flips = self._orders(len(rates))
        losses = np.empty(runs.shape[:2])
        rates = np.ascontiguousarray(rates, dtype=np.float32)
        self._call(
            "nasbench_paths_train",
            pointer(runs),
            ctypes.c_int32(runs.shape[0]),
            ctypes.c_int32(runs.shape[1]),
            pointer(self.parameters),
            pointer(self.velocity),
            pointer(self.statistics),
            pointer(self._mask),
            ctypes.byref(self._splits["train"].view),
            pointer(order),
            pointer(shifts),
            pointer(flips),
            pointer(rates),
            ctypes.byref(self._stop),
            pointer(losses),
        )
        return losses

    def _orders(
        self, steps: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64] | None, NDArray[np.uint8] | None]:
        """Which images the next steps see `[steps, batch]`, -1 past a short batch's end."""
        size = self.recipe.batch_size
        order = np.full((steps, size), -1, dtype=np.int64)
        shifts = np.zeros((steps, size, 2), dtype=np.int64) if self.recipe.crop_padding else None
        flips = np.zeros((steps, size), dtype=np.uint8) if self.recipe.flip else None
        for step in range(steps):
            of, chosen = self.feed.next_order()
            self.feed.trained += 1
            images = of.images[chosen]
            order[step, : len(images)] = images
            if shifts is not None and of.shifts is not None:
                shifts[step, : len(images)] = of.shifts[chosen]
            if flips is not None and of.flips is not None:
                flips[step, : len(images)] = of.flips[chosen]
        return order, shifts, flips

    def _score_paths(
        self, paths: NDArray[np.integer[Any]], split: SplitName, chosen: NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        parts = parts_of(chosen)
        bounds = np.cumsum([0, *map(len, parts)], dtype=np.int64)
        images = self._splits[split].some(chosen)
        fit = None
        if self.sharing.norm == "recalibrated":
            fit = self._splits["train"].some(self.feed.fitted())
        spec = type(self._spec).from_buffer_copy(self._spec)
        spec.batch_size = max(*map(len, parts), 0 if fit is None else fit.view.n)
        running = self.statistics if self.sharing.norm == "running" else None
        runs = self._runs(paths)
        losses, accuracies = np.empty(len(paths)), np.empty(len(paths))
        at_once = max(_PASSES // len(parts), 1)
        for begin in range(0, len(paths), at_once):
            part = slice(begin, begin + at_once)
            self._call(
                "nasbench_paths_score",
                pointer(runs[part]),
                ctypes.c_int64(len(runs[part])),
                pointer(self.parameters),
                pointer(running),
                ctypes.byref(images.view),
                None if fit is None else ctypes.byref(fit.view),
                pointer(bounds),
                ctypes.c_int32(len(parts)),
                ctypes.byref(self._stop),
                pointer(losses[part]),
                pointer(accuracies[part]),
                spec=spec,
            )
        return losses.astype(np.float32), accuracies.astype(np.float32)

    def _call(self, name: str, *given: Any, spec: Any = None) -> None:
        message = ctypes.create_string_buffer(200)
        status = getattr(self._library, name)(
            ctypes.byref(self._spec if spec is None else spec),
            pointer(self._edges),
            *given,
            message,
            len(message),
        )
        if status != _DONE:
            raise NasbenchError(f"the native engine failed: {message.value.decode()}")


class _Images:
    """Images and labels as the engine reads them, held for as long as it does."""

    def __init__(self, images: NDArray[Any], labels: NDArray[Any]) -> None:
        self._images = np.ascontiguousarray(images, dtype=np.float32)
        self._labels = labels.astype(np.int32)
        self.view = SplitView(pointer(self._images), pointer(self._labels), len(self._images))

    def some(self, chosen: NDArray[np.int64]) -> _Images:
        """Those of them."""
        return _Images(self._images[chosen], self._labels[chosen])


def pick_shared_engine(engine: str, space: Space, task: Task, recipe: Recipe) -> str:
    """The engine of that name; `auto` is `native` where it was built and suits.

    Raises:
        Unsupported: where the engine that is named cannot train paths of the space.
        UnknownName: for another name.
    """
    if engine not in (*SHARED_ENGINES, "auto"):
        raise unknown("engine of shared weights", engine, (*SHARED_ENGINES, "auto"))
    plain = replace(recipe, schedule="cosine", warmup=0.0)
    why = only_cells(space, task, plain)
    if not why and task.shape[1] != task.shape[2]:
        why = "on square images alone"
    if engine == "native" and why:
        raise Unsupported(f"the native engine trains {why}: take the reference engine")
    if engine != "auto":
        return engine
    built = hasattr(library(), "nasbench_paths_train")
    return "native" if built and not why else "reference"


def make_shared(
    space: Space,
    task: Task,
    recipe: Recipe,
    seed: int,
    sharing: Sharing | None = None,
    engine: str = "auto",
) -> SharedWeights:
    """Shared weights by the engine of that name, see `pick_shared_engine`.

    Example:
        >>> import nasbench as nb
        >>> recipe = nb.Recipe(epochs=1, train_images=64, valid_images=64, channels=4, cells=1)
        >>> made = make_shared(nb.space("nb201-mini"), nb.task("digits"), recipe, seed=0)
        >>> made.feed.steps_per_epoch
        1
    """
    named = pick_shared_engine(engine, space, task, recipe)
    cls = NativeSharedWeights if named == "native" else SharedWeights
    return cls(space, task, recipe, seed, sharing)
