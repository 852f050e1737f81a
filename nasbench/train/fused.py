"""The fused trainer: many networks as one PyTorch program, for hardware that one cannot fill.

Same start, same batches and same schedule as the reference trainer, network by network;
gradients agree within rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, islice
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from nasbench.errors import NasbenchError
from nasbench.network import family_of, started
from nasbench.network.cell import CellNetwork, as_cell_network
from nasbench.network.making import sizes_of
from nasbench.network.side_by_side import side_by_side
from nasbench.space import Space
from nasbench.task import Task
from nasbench.train.epoch import Epoch, record_of
from nasbench.train.feed import Prepared, prepare
from nasbench.train.native import Job, only_cells
from nasbench.train.optimizer import SGD
from nasbench.train.order import epoch_order
from nasbench.train.recipe import Recipe
from nasbench.train.record import CURVES, Record
from nasbench.train.reference import cpu_threads, pick_hardware

__all__ = ["FusedTrainer", "group_size", "training"]

LARGEST_GROUP = 256
"""Networks of a group at most: a build that is stopped loses the group that it trains."""

CPU_MEMORY = 2**30
"""Bytes that a group may take where it trains on a CPU."""


class FusedTrainer:
    """Trains architectures side by side, a group of them at a time.

    A record's seconds are its share of the group's: those of an epoch divided by the networks
    that had not diverged before it, so that their sum is what was paid.

    The same group on the same machine gives the same curves bit for bit; who else is in a
    group changes a network's rounding, and nothing else.

    Args:
        hardware: a torch device's name, or `auto`.
        threads: CPU threads of a group.
        group: networks side by side; by default as many as fit (see `group_size`).
        mixed_precision: compute what autocast allows in bfloat16.
    """

    name = "fused"

    def __init__(
        self,
        hardware: str = "auto",
        threads: int = 1,
        group: int | None = None,
        mixed_precision: bool = False,
    ) -> None:
        if group is not None and group < 1:
            raise NasbenchError(f"a group has 1 network or more, got {group}")
        self.hardware = pick_hardware(hardware)
        self.threads = threads
        self.group = group
        self.mixed_precision = mixed_precision

    @staticmethod
    def suits(space: Space, task: Task, recipe: Recipe) -> str:
        """Nothing where it can train networks of the space so, else what alone it trains."""
        return only_cells(space, task, recipe)

    def train(
        self,
        space: Space,
        architectures: Iterable[int],
        task: Task,
        recipe: Recipe,
        seeds: Iterable[int],
    ) -> Iterator[Record]:
        """Train the class of each architecture with each seed; records come in this order."""
        data = prepare(task, recipe, self.hardware)
        seeds = list(seeds)
        jobs = (
            (space, int(space.canonical(int(architecture))), task, data, recipe, seed)
            for architecture in architectures
            for seed in seeds
        )
        for _, record in self.train_side_by_side(jobs):
            yield record

    def train_side_by_side(self, jobs: Iterable[Job]) -> Iterator[tuple[int, Record]]:
        """Train; the records of a group come when it ends, with the number of their job.

        A group's jobs follow each other and have space, task, images and recipe in common.
        Networks with one seed see the same images, which spares a group some work.
        """
        numbered = enumerate(jobs)
        for (space, task, _, recipe), alike in groupby(numbered, lambda job: _common(job[1])):
            size = self.group or group_size(space, task, recipe, self.hardware)
            while group := list(islice(alike, size)):
                numbers, members = zip(*group, strict=True)
                yield from zip(numbers, self._train_group(members), strict=True)

    def epochs(
        self, space: Space, architecture: int, task: Task, data: Prepared, recipe: Recipe, seed: int
    ) -> Iterator[Epoch]:
        """The training of one architecture, an epoch at a time, up to where it diverges."""
        job = (space, int(space.canonical(architecture)), task, data, recipe, seed)
        for [epoch] in self._epochs([job]):
            yield epoch

    def train_one(
        self, space: Space, architecture: int, task: Task, data: Prepared, recipe: Recipe, seed: int
    ) -> Record:
        """The whole training of a canonical architecture on images prepared for the recipe."""
        [record] = self._train_group([(space, architecture, task, data, recipe, seed)])
        return record

    def _train_group(self, jobs: Sequence[Job]) -> list[Record]:
        """Train jobs that have all but architecture and seed in common."""
        histories: list[list[Epoch]] = [[] for _ in jobs]
        for epochs in self._epochs(jobs):
            for history, epoch in zip(histories, epochs, strict=True):
                if not (history and history[-1].diverged):
                    history.append(epoch)
        return [
            record_of(architecture, seed, history, recipe, ("test_accuracy",))
            for (_, architecture, _, _, recipe, seed), history in zip(jobs, histories, strict=True)
        ]

    def _epochs(self, jobs: Sequence[Job]) -> Iterator[list[Epoch]]:
        space, task, data, recipe = _common(jobs[0])
        networks, seeds = [], []
        for _, architecture, _, _, _, seed in jobs:
            networks.append(as_cell_network(started(space, architecture, task, recipe, seed)))
            seeds.append(seed)
        epochs = training(networks, data, recipe, seeds, self.mixed_precision)
        while True:
            with cpu_threads(self.threads), _repeatable():
                epoch = next(epochs, None)
            if epoch is None:
                return
            yield epoch


def group_size(space: Space, task: Task, recipe: Recipe, hardware: torch.device) -> int:
    """How many networks' activations of one step fit in half of a GPU's memory.

    Each edge of a cell counts as three arrays, a 3 x 3 convolution's: what it reads and what it
    gives BatchNorm, kept for the gradients, and what moves between them.
    """
    _, height, width = task.shape
    sizes = sizes_of(family_of(space), recipe)
    channels, cells = int(sizes["channels"]), int(sizes["cells"])
    numbers = 0
    for stage in range(3):
        pixels = -(-height // 2**stage) * -(-width // 2**stage)
        arrays = cells * (3 * len(space.choices) + 2) + 8
        numbers += channels * 2**stage * pixels * arrays
    memory = CPU_MEMORY
    if hardware.type == "cuda":
        memory = torch.cuda.get_device_properties(hardware).total_memory // 2
    return min(max(memory // (4 * recipe.batch_size * numbers), 1), LARGEST_GROUP)


def training(
    networks: Sequence[CellNetwork],
    data: Prepared,
    recipe: Recipe,
    seeds: Sequence[int],
    mixed_precision: bool = False,
) -> Iterator[list[Epoch]]:
    """Train networks side by side, one epoch of each at each step of the iterator.

    A network that diverged stays where it is, NaN, and ends no other's training; the iterator
    ends where all have.

    Args:
        networks: of one space; they keep their weights.
        data: prepared for the recipe, on the hardware that trains.
        recipe: of all.
        seeds: of each network's order of images.
        mixed_precision: see `FusedTrainer`.
    """
    hardware, n = data.train[0].device, len(data.train[0])
    net = side_by_side(networks).to(hardware)
    optimizer = SGD(net.parameters(), recipe)
    autocast = torch.autocast(hardware.type, torch.bfloat16, enabled=mixed_precision)
    batches = _Batches(data, recipe, seeds)
    done, steps = 0, recipe.epochs * -(-n // recipe.batch_size)
    alive = np.ones(len(networks), dtype=bool)
    seconds = evaluation_seconds = 0.0
    for epoch in range(recipe.epochs):
        started = perf_counter()
        net.train()
        sums = torch.zeros(2, len(networks), device=hardware)
        for images, labels in batches.epoch(epoch):
            with autocast:
                logits = net(images)
            losses = _losses(logits, labels, recipe.label_smoothing)
            optimizer.zero_grad()
            losses.mean(0).sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step(recipe.learning_rate_at(done, steps))
            sums += _sums(losses, logits, labels)
            done += 1
        train = _means(sums, n)  # reading waits for the hardware
        trained = perf_counter()
        test = np.full_like(train, np.nan)
        with autocast:
            valid = _evaluate(net, *data.valid, 4 * recipe.batch_size)
            if epoch == recipe.epochs - 1:
                test = _evaluate(net, *data.test, 4 * recipe.batch_size)
        seconds += (trained - started) / int(alive.sum())
        evaluation_seconds += (perf_counter() - trained) / int(alive.sum())
        alive &= np.isfinite(train[0]) & np.isfinite(valid[0])
        shown = np.concatenate([train, valid, test[1:]]).astype(np.float32)
        shown[:, ~alive] = np.nan
        yield [
            Epoch(
                dict(zip(CURVES, curves, strict=False)),
                seconds,
                evaluation_seconds,
                {"test_accuracy": tested} if epoch == recipe.epochs - 1 else {},
                bool(np.isnan(curves[0])),
            )
            for *curves, tested in shown.T.tolist()
        ]
        if not alive.any():
            return


class _Batches:
    """The training images on the hardware, and what each network of a group sees of them."""

    def __init__(self, data: Prepared, recipe: Recipe, seeds: Sequence[int]) -> None:
        x, self.labels = data.train
        self.size = (x.shape[2], x.shape[3])
        # [n, height, width, channels] within a margin of zeros: a crop is a part of it.
        self.images = F.pad(x, 4 * (recipe.crop_padding,)).permute(0, 2, 3, 1).contiguous()
        self.recipe = recipe
        self.seeds = seeds if len(set(seeds)) > 1 else seeds[:1]

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch: images `[batch, s x channels, height, width]`, labels.

        Labels are `[batch, s]`, where s is 1 if all networks see the same images, else their
        number.
        """
        height, width = self.size
        n, hardware = len(self.labels), self.labels.device
        orders = {seed: epoch_order(self.recipe, n, seed, number) for seed in set(self.seeds)}

        def stacked(name: str) -> Tensor:
            arrays = [getattr(orders[seed], name) for seed in self.seeds]
            return torch.from_numpy(np.stack(arrays, 1)).to(hardware)

        order = stacked("images")
        flips = stacked("flips") if self.recipe.flip else None
        pad = self.recipe.crop_padding
        shifts = pad + stacked("shifts") if pad else None
        for start in range(0, n, self.recipe.batch_size):
            batch = slice(start, start + self.recipe.batch_size)
            image = order[batch]
            rows = torch.arange(height, device=hardware).expand(*image.shape, -1)
            columns = torch.arange(width, device=hardware).expand(*image.shape, -1)
            if flips is not None:
                columns = torch.where(flips[batch, :, None], columns.flip(-1), columns)
            if shifts is not None:
                rows = rows + shifts[batch, :, :1]
                columns = columns + shifts[batch, :, 1:]
            # [batch, s, height, width, channels]
            seen = self.images[image[..., None, None], rows[..., None], columns[:, :, None]]
            yield _plain(seen.permute(0, 1, 4, 2, 3)), self.labels[image]


def _plain(images: Tensor) -> Tensor:
    """Images as `[batch, channels, height, width]`, channels before pixels also in memory.

    The middle dimensions are flattened into channels. An image of one channel has its strides
    set anew: as they were, PyTorch might take them for those of channels last.
    """
    return images.flatten(1).view(len(images), -1, *images.shape[-2:])


def _losses(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy `[batch, networks]` of logits `[batch, networks, classes]`.

    Labels are `[batch, networks]`, or `[batch, 1]` where networks share them.
    """
    labels = labels.expand(logits.shape[:2])
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), reduction="none", label_smoothing=smoothing
    ).view(labels.shape)


def _sums(losses: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """Over a batch, the losses and how often the largest logit is right: `[2, networks]`."""
    right = logits.detach().argmax(2) == labels
    return torch.stack([losses.detach(), right]).sum(1)


def _means(sums: Tensor, n: int) -> NDArray[np.float64]:
    """Mean loss in nats and accuracy in percent of n images: `[2, networks]`."""
    return sums.cpu().double().numpy() / n * [[1.0], [100.0]]


@torch.no_grad()
def _evaluate(net: nn.Module, x: Tensor, y: Tensor, batch: int) -> NDArray[np.float64]:
    """Means as of `_means`, BatchNorm by its running statistics."""
    net.eval()
    sums = []
    for start in range(0, len(x), batch):
        labels = y[start : start + batch, None]
        logits = net(_plain(x[start : start + batch]))
        sums.append(_sums(_losses(logits, labels), logits, labels))
    return _means(torch.stack(sums).sum(0), len(y))


def _common(job: Job) -> tuple[Space, Task, Prepared, Recipe]:
    """What the jobs of a group share."""
    space, _, task, data, recipe, _ = job
    return space, task, data, recipe


@contextmanager
def _repeatable() -> Iterator[None]:
    """Have cuDNN choose kernels that give the same bits each time."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before
