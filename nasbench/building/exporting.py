"""An architecture's network, of a table or of a build recipe, as a file to deploy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nasbench._progress import Progress, silent
from nasbench.building.executor import Unit
from nasbench.building.origin import built, engine_of, spec_of
from nasbench.building.provenance import versions
from nasbench.building.retrain import compare_record
from nasbench.building.spec import BuildSpec
from nasbench.device.commands import tensorrt_command
from nasbench.device.export import answers_of, export_onnx
from nasbench.device.onnx_graph import import_onnx
from nasbench.device.onnx_runtime import import_runtime
from nasbench.device.raw import Raw
from nasbench.errors import BadValue, NasbenchError, Unsupported, unknown
from nasbench.network import started
from nasbench.network.cell import as_cell_network
from nasbench.space import Space
from nasbench.stats import wilson_interval
from nasbench.table import Table
from nasbench.task import Signal, Split, Task
from nasbench.train import Recipe
from nasbench.train.epoch import record_of
from nasbench.train.feed import Standard, prepare, spread
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
            None where nothing was trained.
        test: of the file; None where nothing was trained.
        identical: whether the training has all curves that the table has, bit for bit; None
            without a table, or where it has no such training.
        beside: how the training compares with the table's, in a sentence; may be empty.
    """

    chosen: Chosen
    path: Path
    largest_difference: float
    valid: float | None = None
    test: Tested | None = None
    identical: bool | None = None
    beside: str = ""

    def __repr__(self) -> str:
        of = f"{self.chosen.architecture} of {self.chosen.spec.space.name}"
        trained = "untrained" if self.test is None else f"{self.test} on test"
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
            "tensorrt": tensorrt_command(self.path, chosen.spec.task.signal.shape),
        }
        if self.test is not None:
            document |= {
                "input": raw_of(chosen).dtype,
                f"valid_{self.test.metric}": self.valid,
                "test": self.test.describe(),
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

    A file that was trained takes what is stored, such as uint8 pixels, 0 to 255, as `[n, channels,
    height, width]`, and says of itself what it needs to be used: its classes, its input, and where
    it comes from. One that was not takes standardised inputs, as those that are only timed do.

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
    if chosen.recipe.train is not None:
        raise Unsupported(
            f"{chosen.recipe_name} trains by a loop of its own, which yields numbers and keeps no "
            f"network: leave --train out, and load the weights that your loop saved"
        )
    record = _train(chosen, net, tell)
    if record.diverged:
        raise NasbenchError(
            f"the training of architecture {chosen.architecture} diverged in epoch "
            f"{record.diverged}: nothing is written"
        )
    raw = raw_of(chosen)
    metric = "mae" if spec.task.target.kind == "number" else "accuracy"
    valid = float(record.curves[f"valid_{metric}"][-1])
    about = _about(chosen, raw) | {f"valid_{metric}": f"{valid:.4f}"}
    difference = export_onnx(net, spec.task.signal, path, raw=raw, about=about)
    tested = _tested(metric, answers_of(path, spec.task.test, raw, tell), spec.task.test)
    identical, beside = _beside(chosen, record)
    return Exported(chosen, path, difference, valid, tested, identical, beside)


def raw_of(chosen: Chosen) -> Raw:
    """What the file takes: the task's examples as they are stored."""
    task = chosen.spec.task
    train = task.train.first(chosen.recipe.train_images)
    standard, (shift, scale) = Standard(task.signal, train), spread(task.target, train)
    kind = "int64" if task.signal.kind == "tokens" else str(train.inputs.dtype)
    missing = task.signal.kind == "features"
    return Raw(kind, standard.mean, standard.std, missing, scale, shift)


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


def _about(chosen: Chosen, raw: Raw) -> dict[str, str]:
    """What the file says of itself: texts, and JSON where there is more than one value."""
    spec, task, table = chosen.spec, chosen.spec.task, chosen.table
    values = {
        **_about_input(task.signal, raw),
        **{name: json.dumps(given) for name, given in task.legend.items()},
        **_about_output(task),
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
        "versions": json.dumps(versions()),
    }
    if table is not None:
        values["table"] = table.name
        values["table_content_sha256"] = str(table.manifest["content_sha256"])
    return values


def _about_input(signal: Signal, raw: Raw) -> dict[str, str]:
    said = {"input_shape": json.dumps(signal.shape)}
    if raw.mean is not None and raw.deviation is not None:
        said["mean"] = json.dumps(raw.mean.ravel().tolist())
        said["deviation"] = json.dumps(raw.deviation.ravel().tolist())
    if signal.kind == "image":
        channels = {1: "grey", 3: "red, green, blue"}.get(signal.shape[0], "as in the task")
        return {
            "input": "images, uint8 [n, channels, height, width]; the graph standardises them",
            "input_range": "0 to 255",
            "input_layout": "NCHW",
            "input_channels": channels,
            **said,
        }
    if signal.kind == "tokens":
        told = "ids of tokens, int64 [n, length], 0 behind the end of a text and 1 unknown words"
        return {"input": told, "vocabulary": str(signal.vocabulary), **said}
    if signal.kind == "features":
        told = "columns, float32 [n, columns], NaN where missing; the graph standardises them"
        return {"input": told, "categories": json.dumps(signal.categories), **said}
    return {"input": f"{signal}, {raw.dtype}; the graph standardises them", **said}


def _about_output(task: Task) -> dict[str, str]:
    if task.target.kind == "number":
        return {"output": "the number, float32 [n, 1], in the unit of the target"}
    return {
        "output": "logits, float32 [n, classes]; the largest is the answer",
        "classes": json.dumps(task.classes),
    }


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
