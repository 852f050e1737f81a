"""An architecture's network, of a table or of a build recipe, as a file to deploy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nasbench._progress import Progress, silent
from nasbench._result import Facts
from nasbench.building.chosen import Chosen
from nasbench.building.executor import Unit
from nasbench.building.export_about import about_file, raw_of
from nasbench.building.origin import built
from nasbench.building.retrain import compare_record
from nasbench.building.tested import Tested, Verified, verified, worth_of
from nasbench.device.commands import tensorrt_command
from nasbench.device.export import answers_of, export_onnx
from nasbench.device.onnx_graph import import_onnx, to_onnx
from nasbench.device.onnx_runtime import import_runtime
from nasbench.device.probe import LOADERS
from nasbench.device.quantise import CALIBRATION_IMAGES
from nasbench.device.raw import Raw
from nasbench.errors import BadValue, NasbenchError, Unsupported, unknown
from nasbench.network import started
from nasbench.network.cell import as_cell_network
from nasbench.network.testing import failures_told
from nasbench.train.epoch import Epoch, record_of
from nasbench.train.feed import prepare
from nasbench.train.native import NativeTrainer
from nasbench.train.own import own_training
from nasbench.train.record import Record, tests_of
from nasbench.train.reference import cpu_threads, pick_hardware, training

__all__ = ["Exported", "Tested", "export"]


@dataclass(frozen=True, slots=True, repr=False)
class Exported(Facts):
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
        verified: the file in each runtime that was asked for, beside float32.
        int8: whether convolutions and matrix products are in int8.
    """

    chosen: Chosen
    path: Path
    largest_difference: float
    valid: float | None = None
    test: Tested | None = None
    shown: Mapping[str, float] = field(default_factory=dict)
    identical: bool | None = None
    beside: str = ""
    verified: tuple[Verified, ...] = ()
    int8: bool = False

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
        if self.verified:
            document["verified"] = [one.describe() for one in self.verified]
        if self.shown:
            known = {n: None if math.isnan(v) else v for n, v in self.shown.items()}
            document |= {"metrics": known, "test": None}
        return document


def export(
    chosen: Chosen,
    path: Path,
    *,
    train: bool,
    int8: bool = False,
    verify: Sequence[str] = (),
    progress: Progress | None = None,
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
        int8: write convolutions and matrix products in int8, calibrated on training examples.
        verify: runtimes in which the file answers the whole test split, beside float32; ONNX
            Runtime is among those of an int8 file.
        progress: called with how far training and testing are.

    Raises:
        NasbenchError: where the training diverged, or the file would not compute what PyTorch
            does: nothing is written.
    """
    spec, tell = chosen.spec, progress or silent
    import_onnx()  # what is missing is said before the training
    import_runtime()
    runtimes = _runtimes(chosen, train, int8, verify)
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
    some = _calibration(chosen, raw) if int8 else None
    difference = export_onnx(net, spec.task.signal, path, raw=raw, about=about, calibration=some)
    test, content = spec.task.test, path.read_bytes()
    answers = answers_of(content, test, raw, progress=tell)
    checked: tuple[Verified, ...] = ()
    if runtimes:
        float32 = to_onnx(net, spec.task.signal, raw).SerializeToString() if int8 else content
        wanted = answers_of(float32, test, raw, progress=tell) if int8 else answers
        others = {r: answers_of(content, test, raw, r, progress=tell) for r in runtimes[1:]}
        checked = verified(metric, {runtimes[0]: answers, **others}, wanted, test)
    return Exported(
        chosen,
        path,
        difference,
        valid,
        worth_of(metric, answers, test),
        identical=identical,
        beside=beside,
        verified=checked,
        int8=int8,
    )


def _runtimes(chosen: Chosen, train: bool, int8: bool, verify: Sequence[str]) -> list[str]:
    """In which a file is verified, ONNX Runtime first; none where nothing asks for it.

    Raises:
        NasbenchError: where one is unknown or not here, or there are no answers to compare.
    """
    for runtime in verify:
        if runtime not in LOADERS:
            raise unknown("runtime to verify in", runtime, LOADERS)
        import_runtime(runtime)
    if not int8 and not verify:
        return []
    if not train:
        raise BadValue("int8 and verify are of a trained file: add --train")
    if chosen.recipe.train is not None:
        raise Unsupported(
            f"{chosen.recipe_name} trains by a loop of one's own, which alone knows what its "
            f"network takes: such a file is neither calibrated nor verified"
        )
    return list(dict.fromkeys(["onnxruntime", *verify]))


def _calibration(chosen: Chosen, raw: Raw) -> NDArray[Any]:
    """Training examples as they are stored."""
    train = chosen.spec.task.train.first(chosen.recipe.train_images)
    inputs = train.first(min(CALIBRATION_IMAGES, len(train))).inputs
    return np.ascontiguousarray(inputs, dtype=raw.dtype)


def _check_trained(chosen: Chosen, net: nn.Module, before: list[torch.Tensor]) -> None:
    """Refuse what a loop left as it was: then it trained another network, a copy perhaps."""
    loop = chosen.recipe.train
    if loop and all(map(torch.equal, before, net.state_dict().values())):
        raise Unsupported(
            f"{loop.name} of {loop.file.name} left all weights of its network as they were: a "
            f"trained file has those of the network that the loop is handed"
        )


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
        # As a build trains: another number of threads may round otherwise.
        with cpu_threads(1), failures_told(spec.space, chosen.canonical, "in training"):
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
