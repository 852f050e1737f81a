"""An architecture's network, of a table or of a build recipe, as a file to deploy."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from nasbench._progress import Progress, silent
from nasbench.building.executor import Unit
from nasbench.building.origin import built, engine_of, spec_of
from nasbench.building.provenance import versions
from nasbench.building.retrain import compare_record
from nasbench.building.spec import BuildSpec
from nasbench.device.commands import tensorrt_command
from nasbench.device.export import count_right, export_onnx
from nasbench.device.onnx_graph import Pixels, import_onnx
from nasbench.device.onnx_runtime import import_runtime
from nasbench.errors import BadValue, NasbenchError, unknown
from nasbench.network import started
from nasbench.network.cell import as_cell_network
from nasbench.space import Space
from nasbench.stats import wilson_interval
from nasbench.table import Table
from nasbench.task import Task
from nasbench.train import Recipe
from nasbench.train.epoch import record_of
from nasbench.train.feed import moments, prepare
from nasbench.train.native import NativeTrainer
from nasbench.train.record import Record, tests_of
from nasbench.train.reference import cpu_threads, pick_hardware, training

__all__ = ["Chosen", "Exported", "Tested", "choose_in_recipe", "choose_in_table", "export"]


@dataclass(frozen=True, eq=False, slots=True)
class Chosen:
    """What is exported, and how it would be trained.

    Attributes:
        spec: gives space, task and recipes.
        architecture: of the space.
        recipe_name: one of the spec's.
        seed: of start and training.
        engine: `native` or `reference`.
        hardware: a torch device's name, or `auto`.
        table: that has the architecture, if one is meant.
    """

    spec: BuildSpec
    architecture: int
    recipe_name: str
    seed: int
    engine: str
    hardware: str
    table: Table | None = None

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""
        return self.spec.recipes[self.recipe_name]

    @property
    def canonical(self) -> int:
        """The architecture that stands for its class, and is built and trained."""
        return int(self.spec.space.canonical(self.architecture))


@dataclass(frozen=True, slots=True)
class Tested:
    """The accuracy of a file on the whole test split, in percent.

    Attributes:
        accuracy: share of images whose largest logit is that of their label.
        low: end of its 95 % interval (Wilson, 1927).
        high: the other end.
        n: images.
    """

    accuracy: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True, repr=False)
class Exported:
    """What became of an export.

    Attributes:
        chosen: what was exported, and how it was trained.
        path: of the file.
        largest_difference: between ONNX Runtime and PyTorch, of the logits of a batch of noise.
        valid_accuracy: in percent, after the last epoch; None where nothing was trained.
        test: of the file; None where nothing was trained.
        identical: whether the training has all curves that the table has, bit for bit; None
            without a table, or where it has no such training.
        beside: how the training compares with the table's, in a sentence; may be empty.
    """

    chosen: Chosen
    path: Path
    largest_difference: float
    valid_accuracy: float | None = None
    test: Tested | None = None
    identical: bool | None = None
    beside: str = ""

    def __repr__(self) -> str:
        of = f"{self.chosen.architecture} of {self.chosen.spec.space.name}"
        trained = "untrained" if self.test is None else f"{self.test.accuracy:.2f} % on test"
        return f"<Exported {self.path}: {of}, {trained}>"

    def describe(self) -> dict[str, Any]:
        """The file, what is in it and what was tested; plain JSON values."""
        chosen, trained = self.chosen, self.test is not None
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
            "tensorrt": tensorrt_command(self.path, chosen.spec.task.shape),
        }
        if self.test is not None:
            document |= {
                "input": "uint8",
                "valid_accuracy": self.valid_accuracy,
                "test": asdict(self.test),
                "identical": self.identical,
                "beside": self.beside,
            }
        return document


def choose_in_table(
    table: Table,
    architecture: int,
    *,
    recipe: str | None = None,
    seed: int | None = None,
    task: Task | None = None,
    space: Space | None = None,
    hardware: str = "auto",
) -> Chosen:
    """An architecture as a table trained it: the same task, recipe, seed and engine.

    Args:
        table: that `build` made.
        architecture: of its space.
        recipe: where the table has several.
        seed: the table's first by default.
        task: that the table was trained on, where it is not a shipped one.
        space: of the file that builds its networks, where that is the user's.
        hardware: to train on by the reference engine; by default what the table was trained on.

    Raises:
        NasbenchError: where the table was imported, has several recipes and none is named, or the
            task is not here or not the one that its manifest says.
    """
    spec = spec_of(table, task, space)
    name = _recipe_name(spec, recipe)
    engine, found = engine_of(table, spec)
    if hardware != "auto" or engine == "fused":  # which gives no single networks
        engine, found = "reference", hardware
    seeds = table.seeds[name]
    return Chosen(
        spec, architecture, name, seeds[0] if seed is None else seed, engine, found, table
    )


def choose_in_recipe(
    spec: BuildSpec,
    architecture: int,
    *,
    recipe: str | None = None,
    seed: int = 0,
    hardware: str = "auto",
) -> Chosen:
    """An architecture as a build recipe describes it, trained by the reference engine.

    Args:
        spec: gives space and task.
        architecture: of the space.
        recipe: where the spec has several.
        seed: of start and training.
        hardware: a torch device's name, or `auto`.
    """
    return Chosen(spec, architecture, _recipe_name(spec, recipe), seed, "reference", hardware)


def _recipe_name(spec: BuildSpec, name: str | None) -> str:
    if name is None:
        if len(spec.recipes) > 1:
            raise BadValue(
                f"{spec.name} has the recipes {', '.join(spec.recipes)}: name one with "
                f"--recipe-name"
            )
        return next(iter(spec.recipes))
    if name not in spec.recipes:
        raise unknown("recipe", name, spec.recipes)
    return name


def export(
    chosen: Chosen, path: Path, *, train: bool, progress: Progress | None = None
) -> Exported:
    """Write an ONNX file; trained, one that takes what the user has, and test it.

    A file that was trained takes uint8 pixels, 0 to 255, as `[n, channels, height, width]`, and
    says of itself what it needs to be used: its classes, its input, and where it comes from. One
    that was not takes standardised float32 images, as those that are only timed do.

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
    record = _train(chosen, net, tell)
    if record.diverged:
        raise NasbenchError(
            f"the training of architecture {chosen.architecture} diverged in epoch "
            f"{record.diverged}: nothing is written"
        )
    pixels = Pixels(*moments(spec.task.train.first(chosen.recipe.train_images)))
    accuracy = float(record.curves["valid_accuracy"][-1])
    difference = export_onnx(
        net, spec.task.signal, path, pixels=pixels, about=_about(chosen, pixels, accuracy)
    )
    test = spec.task.test
    right, n = count_right(path, test, tell), len(test)
    low, high = wilson_interval(right / n, n)
    identical, beside = _beside(chosen, record)
    tested = Tested(100 * right / n, 100 * float(low), 100 * float(high), n)
    return Exported(chosen, path, difference, accuracy, tested, identical, beside)


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
    steps = training(
        net, prepare(spec.task, recipe, pick_hardware(chosen.hardware)), recipe, chosen.seed
    )
    while True:
        with cpu_threads(1):  # as a build trains: another number may round otherwise
            epoch = next(steps, None)
        if epoch is None:
            break
        epochs.append(epoch)
        tell("training", len(epochs), recipe.epochs)
    net.cpu()
    tests = tests_of(spec.task.target)
    return record_of(chosen.canonical, chosen.seed, epochs, recipe, tests)


def _about(chosen: Chosen, pixels: Pixels, accuracy: float) -> dict[str, str]:
    """What the file says of itself: texts, and JSON where there is more than one value."""
    spec, task, table = chosen.spec, chosen.spec.task, chosen.table
    channels = {1: "grey", 3: "red, green, blue"}.get(task.shape[0], "as in the task")
    values = {
        "input": "images, uint8 [n, channels, height, width]; the graph standardises them",
        "input_shape": json.dumps(task.shape),
        "input_range": "0 to 255",
        "input_layout": "NCHW",
        "input_channels": channels,
        "mean": json.dumps(pixels.mean.ravel().tolist()),
        "deviation": json.dumps(pixels.deviation.ravel().tolist()),
        "output": "logits, float32 [n, classes]; the largest is the answer",
        "classes": json.dumps(task.classes),
        "task": task.name,
        "task_hash": task.hash,
        "task_about": json.dumps(task.about),
        "space": spec.space.name,
        "architecture": str(chosen.architecture),
        "architecture_string": spec.space.string(chosen.architecture),
        "recipe_name": chosen.recipe_name,
        "recipe": json.dumps(chosen.recipe.describe()),
        "seed": str(chosen.seed),
        "engine": chosen.engine,
        "valid_accuracy": f"{accuracy:.4f}",
        "versions": json.dumps(versions()),
    }
    if table is not None:
        values["table"] = table.name
        values["table_content_sha256"] = str(table.manifest["content_sha256"])
    return values


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
    accuracies = f"{again.stored:.2f} % in {table.name}, {again.retrained:.2f} % now"
    was = then.get("engine")
    if was != chosen.engine:
        return False, f"{accuracies}: the {was} engine trained it then, {chosen.engine} now"
    return False, (
        f"{accuracies}: the same engine rounds otherwise on another processor or with other "
        f"versions"
    )
