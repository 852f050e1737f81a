"""An architecture's network, of a table or of a build recipe, as a file to deploy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nasbench._progress import Progress, silent
from nasbench.building.chosen import Chosen
from nasbench.building.executor import Unit
from nasbench.building.export_about import about_file, raw_of
from nasbench.building.origin import built
from nasbench.building.retrain import compare_record
from nasbench.device.commands import tensorrt_command
from nasbench.device.export import answers_of, export_onnx
from nasbench.device.onnx_graph import import_onnx
from nasbench.device.onnx_runtime import import_runtime
from nasbench.errors import NasbenchError, Unsupported
from nasbench.network import started
from nasbench.network.cell import as_cell_network
from nasbench.stats import wilson_interval
from nasbench.task import Split
from nasbench.train.epoch import Epoch, record_of
from nasbench.train.feed import prepare
from nasbench.train.native import NativeTrainer
from nasbench.train.own import own_training
from nasbench.train.record import Record, tests_of
from nasbench.train.reference import cpu_threads, pick_hardware, training

__all__ = ["Exported", "Tested", "export"]


@dataclass(frozen=True, slots=True)
class Tested:
    """What a file is worth on the whole test split.

    Attributes:
        metric: `accuracy`, the percentage of examples whose largest logit is that of their
            label, or of numbers `mae`, the mean absolute error in the unit of the target.
        value: of the metric.
        low: end of its 95 % interval (Wilson, 1927; of an error by the normal approximation).
        high: the other end.
        n: examples.
    """

    metric: str
    value: float
    low: float
    high: float
    n: int

    def describe(self) -> dict[str, float]:
        """Plain JSON values."""
        return {self.metric: self.value, "low": self.low, "high": self.high, "n": self.n}

    @property
    def unit(self) -> str:
        """What stands behind a value."""
        return " %" if self.metric == "accuracy" else f" {self.metric}"

    def __str__(self) -> str:
        return f"{self.value:.4g}{self.unit} [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True, slots=True, repr=False)
class Exported:
    """What became of an export.

    Attributes:
        chosen: what was exported, and how it was trained.
        path: of the file.
        largest_difference: between ONNX Runtime and PyTorch, of the logits of a batch of noise.
        valid: the metric of `test` on the validation split after the last epoch, in PyTorch;
            None where nothing was trained, and of a training by one's own loop.
        test: of the file; None likewise, for only such a loop knows what its network takes.
        shown: what one's own loop showed last, by metric; empty of any other training.
        identical: whether the training has all curves that the table has, bit for bit; None
            without a table, or where it has no such training.
        beside: how the training compares with the table's, in a sentence; may be empty.
    """

    chosen: Chosen
    path: Path
    largest_difference: float
    valid: float | None = None
    test: Tested | None = None
    shown: Mapping[str, float] = field(default_factory=dict)
    identical: bool | None = None
    beside: str = ""

    def __repr__(self) -> str:
        of = f"{self.chosen.architecture} of {self.chosen.spec.space.name}"
        trained = "untrained" if self.test is None else f"{self.test} on test"
        if self.shown:
            trained = ", ".join(f"{name} {value:.4g}" for name, value in self.shown.items())
        return f"<Exported {self.path}: {of}, {trained}>"

    @property
    def trained(self) -> bool:
        """Whether its weights are those of a training."""
        return self.test is not None or bool(self.shown)

    @property
    def takes(self) -> str:
        """The type of what the file takes: what is stored, or what its network takes."""
        if self.test is not None:
            return raw_of(self.chosen).dtype
        return "int64" if self.chosen.spec.task.signal.kind == "tokens" else "float32"

    def describe(self) -> dict[str, Any]:
        """The file, what is in it and what was tested; plain JSON values."""
        chosen, trained = self.chosen, self.trained
        document: dict[str, Any] = {
            "onnx": str(self.path),
            "table": chosen.table.name if chosen.table else None,
            "space": chosen.spec.space.name,
            "architecture": chosen.architecture,
            "task": chosen.spec.task.name,
            "recipe": chosen.recipe_name,
            "seed": chosen.seed,
            "trained": trained,
            "engine": chosen.engine if trained else None,
            "largest_difference": self.largest_difference,
            "tensorrt": tensorrt_command(self.path, chosen.spec.task.signal.shape),
        }
        if trained:
            document |= {"input": self.takes}
            document |= {"identical": self.identical, "beside": self.beside}
        if self.test is not None:
            document |= {f"valid_{self.test.metric}": self.valid, "test": self.test.describe()}
        if self.shown:
            known = {n: None if math.isnan(v) else v for n, v in self.shown.items()}
            document |= {"metrics": known, "test": None}
        return document


def export(
    chosen: Chosen, path: Path, *, train: bool, progress: Progress | None = None
) -> Exported:
    """Write an ONNX file; trained, one that takes what the user has, and test it.

    A file that was trained takes what is stored, such as uint8 pixels, 0 to 255, as `[n, channels,
    height, width]`, and says of itself what it needs to be used: its classes, its input, and where
    it comes from. One that was not takes standardised inputs, as those that are only timed do.
    One that a loop of one's own trained takes what that loop gives its network, which nobody else
    knows: so it is not tested, and its metrics are what the loop showed last.

    Args:
        chosen: what.
        path: of the file, which appears whole.
        train: train the network first.
        progress: called with how far training and testing are.

    Raises:
        NasbenchError: where the training diverged, or the file would not compute what PyTorch
            does: nothing is written.
    """
    spec, tell = chosen.spec, progress or silent
    import_onnx()  # what is missing is said before the training
    import_runtime()
    net = started(spec.space, chosen.canonical, spec.task, chosen.recipe, chosen.seed)
    if not train:
        return Exported(chosen, path, export_onnx(net, spec.task.signal, path))
    own = chosen.recipe.train is not None
    before = [tensor.clone() for tensor in net.state_dict().values()] if own else []
    record = _train(chosen, net, tell)
    if record.diverged:
        raise NasbenchError(
            f"the training of architecture {chosen.architecture} diverged in epoch "
            f"{record.diverged}: nothing is written"
        )
    identical, beside = _beside(chosen, record)
    if own:
        _check_trained(chosen, net, before)
        shown = {name: float(curve[-1]) for name, curve in record.curves.items()}
        shown |= record.tests
        del shown["train_seconds"]
        about = about_file(chosen, None) | {name: f"{value:.6g}" for name, value in shown.items()}
        difference = export_onnx(net, spec.task.signal, path, about=about)
        return Exported(chosen, path, difference, shown=shown, identical=identical, beside=beside)
    raw = raw_of(chosen)
    metric = "mae" if spec.task.target.kind == "number" else "accuracy"
    valid = float(record.curves[f"valid_{metric}"][-1])
    about = about_file(chosen, raw) | {f"valid_{metric}": f"{valid:.4f}"}
    difference = export_onnx(net, spec.task.signal, path, raw=raw, about=about)
    tested = _tested(metric, answers_of(path, spec.task.test, raw, tell), spec.task.test)
    return Exported(chosen, path, difference, valid, tested, identical=identical, beside=beside)


def _check_trained(chosen: Chosen, net: nn.Module, before: list[torch.Tensor]) -> None:
    """Refuse what a loop left as it was: then it trained another network, a copy perhaps."""
    loop = chosen.recipe.train
    if loop and all(map(torch.equal, before, net.state_dict().values())):
        raise Unsupported(
            f"{loop.name} of {loop.file.name} left all weights of its network as they were: a "
            f"trained file has those of the network that the loop is handed"
        )


def _tested(metric: str, answers: NDArray[np.float32], test: Split) -> Tested:
    n = len(test)
    if metric == "mae":
        errors = np.abs(answers[:, 0].astype(np.float64) - test.targets)
        mean, half = float(errors.mean()), float(1.96 * errors.std(ddof=1) / n**0.5)
        return Tested(metric, mean, mean - half, mean + half, n)
    right = int((answers.argmax(1) == test.labels).sum())
    low, high = wilson_interval(right / n, n)
    return Tested(metric, 100 * right / n, 100 * float(low), 100 * float(high), n)


def _train(chosen: Chosen, net: nn.Module, tell: Progress) -> Record:
    """Train a network in place."""
    spec, recipe = chosen.spec, chosen.recipe
    if chosen.engine == "native":
        tell("training", 0, 1)
        trainer, cells = NativeTrainer(), as_cell_network(net)
        data = prepare(spec.task, recipe, trainer.hardware)
        record = trainer.train_network(
            cells, chosen.canonical, spec.task, data, recipe, chosen.seed
        )
        tell("training", 1, 1)
        return record
    epochs = []
    steps = _epochs(chosen, net)
    while True:
        with cpu_threads(1):  # as a build trains: another number may round otherwise
            epoch = next(steps, None)
        if epoch is None:
            break
        epochs.append(epoch)
        tell("training", len(epochs), recipe.epochs)
    net.cpu()
    tests = () if recipe.train else tests_of(spec.task.target)
    return record_of(chosen.canonical, chosen.seed, epochs, recipe, tests)


def _epochs(chosen: Chosen, net: nn.Module) -> Iterator[Epoch]:
    """The training by the recipe's own loop where it names one, else by ours."""
    spec, recipe, hardware = chosen.spec, chosen.recipe, pick_hardware(chosen.hardware)
    if recipe.train is not None:
        return own_training(net.to(hardware), chosen.canonical, spec.task, recipe, chosen.seed)
    return training(net, prepare(spec.task, recipe, hardware), recipe, chosen.seed)


def _beside(chosen: Chosen, record: Record) -> tuple[bool | None, str]:
    """Whether the training is the table's, bit for bit, and the sentence that says so."""
    table, name = chosen.table, chosen.recipe_name
    if table is None:
        return None, ""
    row = int(table.row(chosen.canonical))
    if row < 0 or chosen.seed not in table.seeds[name]:
        return None, f"{table.name} has no training of it with seed {chosen.seed} to compare with"
    again = compare_record(table, Unit(name, chosen.canonical, chosen.seed), record)
    if again.identical:
        return True, f"the training of {table.name}, bit for bit"
    if again.stored != again.stored:
        return None, f"{table.name} has no training of it with seed {chosen.seed} to compare with"
    then = built(table)
    unit = "" if chosen.recipe.train else " %"
    accuracies = f"{again.stored:.2f}{unit} in {table.name}, {again.retrained:.2f}{unit} now"
    was = then.get("engine")
    if was != chosen.engine:
        return False, f"{accuracies}: the {was} engine trained it then, {chosen.engine} now"
    return False, (
        f"{accuracies}: the same engine rounds otherwise on another processor or with other "
        f"versions"
    )
