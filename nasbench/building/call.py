"""Builds as a session calls them: `nb.build` and `nb.export`, and what the command line shares."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nasbench._defaults import BATCH_SIZE, ENGINE, EXECUTOR, HARDWARE, STARTS
from nasbench._progress import Progress, shown
from nasbench.building.builder import build
from nasbench.building.chosen import Chosen, choose_in_recipe, choose_in_table
from nasbench.building.designs import Sampling
from nasbench.building.exporting import Exported, export
from nasbench.building.partial import PartlyTrained, build_sample, sampling_of
from nasbench.building.proxies import Scoring, score_table
from nasbench.building.spec import BuildSpec, read_seeds, read_spec
from nasbench.device import DeviceSpec
from nasbench.errors import BadValue
from nasbench.proxy import Proxy
from nasbench.proxy.registry import name_of as proxy_name
from nasbench.proxy.scoring import names_for
from nasbench.space import get as get_space
from nasbench.table import Table, load, recipe_path
from nasbench.task import Task, from_spec
from nasbench.train import Recipe

__all__ = [
    "build_or_sample",
    "build_table",
    "choose",
    "export_network",
    "score_proxies",
    "spec_from",
]

logger = logging.getLogger(__name__)

Function = Callable[..., Any]


def build_table(
    recipe: str | Path | BuildSpec | Recipe | Mapping[str, Recipe],
    out: str | Path,
    *,
    space: object = None,
    task: Task | str | Mapping[str, Any] | None = None,
    seeds: int | Sequence[int] | None = None,
    devices: Sequence[DeviceSpec | Mapping[str, Any]] | None = None,
    network: Function | None = None,
    train: Function | None = None,
    evaluate: Function | None = None,
    name: str | None = None,
    workers: int | None = None,
    engine: str = ENGINE,
    hardware: str = HARDWARE,
    executor: str = EXECUTOR,
    sample: int | None = None,
    complete: bool = False,
    design: str | None = None,
    by: str | None = None,
    seed: int | None = None,
    only: Iterable[int | str] | None = None,
    progress: Progress | bool = True,
) -> Table:
    """Train and measure everything that a recipe names, and write the table.

    A build that was stopped goes on where it was: call it again. The recipe is a file, which says
    all; or a `Recipe`, beside which the arguments up to `name` say the rest.

    What a notebook, a script or standard input defines (`network`, `train`, `evaluate`), no other
    process can import: then this one trains all networks, one after the other.

    Args:
        recipe: a recipe's file or shipped name, a `BuildSpec`; or one `Recipe`, which is called
            after its epochs (`20ep`), or several by name.
        out: the table to write.
        space: a name, a file, a `ChoiceSpace` or `CellSpace`; or a module or a class that has one
            as its `space`, and the function `build` of its networks.
        task: a name, a `Task`, or what a recipe's file says under `[task]`.
        seeds: how many trainings of each network, or which; 1 by default.
        devices: to measure on: `DeviceSpec`s, or what a recipe's file says under `[[device]]`.
        network: `(choices, inputs, outputs, **sizes)`, which builds the networks of a space.
        train: a training loop `(network, task, recipe, rng)`, in place of the recipe's.
        evaluate: `(network, task, rng)`, what else is found of a trained network.
        name: of the table; that of its file by default.
        workers: trainings side by side; a core each by default.
        engine: that trains: `native`, `fused` or `reference`; `auto` is the fastest that is here.
        hardware: to train on: a torch device's name, or `auto`.
        executor: `local`, or `ray` for the CPUs of a Ray cluster.
        sample: train so many architectures at the most, and not all.
        complete: predict what the sample leaves out, each value marked as predicted.
        design: of the sample: `random`, `stratified` or `active`.
        by: the proxy that a stratified sample is spread by.
        seed: of the sample, its scores and its fits.
        only: train these architectures alone, numbers or strings: what searches chose, say, from
            scratch and with every seed.
        progress: shown in a terminal or notebook by bars; False for none, or a function of one's
            own, called with what is done, how much of it, and how much there is.

    Raises:
        NasbenchError: before the first training, for whatever can be known to be wrong by then.

    Example:
        >>> import nasbench as nb, tempfile
        >>> small = nb.Recipe(epochs=1, train_images=50, valid_images=20, channels=2, cells=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table = nb.build(
        ...         small, f"{folder}/T.h5", space="nb201-mini", task="digits", sample=3, workers=1
        ...     )
        ...     print(len(table.rows), table.recipes)
        3 ('1ep',)
    """
    path = Path(out)
    beside = {"space": space, "task": task, "seeds": seeds, "devices": devices, "name": name}
    functions = {"network": network, "train": train, "evaluate": evaluate}
    spec = _spec(recipe, path, {**beside, **functions})
    sampling = sampling_of(spec, sample, complete, design, by, seed, only)
    with shown(progress) as tell:
        made = build_or_sample(
            spec,
            path,
            sampling,
            complete=complete,
            processes=workers,
            engine=engine,
            hardware=hardware,
            executor=executor,
            progress=tell,
        )
    return made if isinstance(made, Table) else made.table


def build_or_sample(
    spec: BuildSpec,
    out: Path,
    sampling: Sampling | None,
    *,
    complete: bool,
    processes: int | None,
    engine: str,
    hardware: str,
    executor: str,
    progress: Progress,
) -> Table | PartlyTrained:
    """Build all of a spec; or a sample of it, with what became of the sampling."""
    if sampling is None:
        return build(
            spec,
            out,
            processes=processes,
            engine=engine,
            hardware=hardware,
            executor=executor,
            progress=progress,
        )
    return build_sample(
        spec,
        out,
        sampling,
        complete=complete,
        processes=processes,
        engine=engine,
        hardware=hardware,
        executor=executor,
        progress=progress,
    )


def export_network(
    table: Table | str | Path | None,
    architecture: int | str,
    onnx: str | Path,
    *,
    recipe: BuildSpec | str | Path | None = None,
    network: Function | None = None,
    train: bool = False,
    int8: bool = False,
    verify: Sequence[str] = (),
    recipe_name: str | None = None,
    seed: int | None = None,
    hardware: str = HARDWARE,
    progress: Progress | bool = True,
) -> Exported:
    """Write an architecture's network as ONNX, trained or not, checked against PyTorch.

    A trained file takes uint8 pixels, 0 to 255, and is tested on the whole test split. With a
    table it is trained as the table says, to the same bits where engine and machine allow.

    Args:
        table: a table, its name or file; None for a network of a build recipe alone.
        architecture: its number, or its string.
        onnx: the file to write.
        recipe: a build recipe: in place of a table, or beside it where it has one's own task.
        network: the function that built the table's networks, where it is no file's.
        train: train the network first.
        int8: write convolutions and matrix products in int8, calibrated on training examples.
        verify: runtimes in which the trained file answers the whole test split, beside float32.
        recipe_name: where the table or the build recipe has several.
        seed: of start and training; the table's first, or 0.
        hardware: to train on: a torch device's name, or `auto`.
        progress: as for `nb.build`.

    Example:
        >>> import nasbench as nb, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     made = nb.export("nb201-fashion16", 5, f"{folder}/net.onnx")
        ...     print(made.chosen.architecture, made.test)
        5 None
    """
    chosen = choose(table, architecture, recipe, recipe_name, seed, hardware, network, trains=train)
    with shown(progress) as tell:
        return export(chosen, Path(onnx), train=train, int8=int8, verify=verify, progress=tell)


def choose(
    table: Table | str | Path | None,
    architecture: int | str,
    recipe: BuildSpec | str | Path | None = None,
    recipe_name: str | None = None,
    seed: int | None = None,
    hardware: str = HARDWARE,
    network: Function | None = None,
    trains: bool = True,
) -> Chosen:
    """What is exported, of a table or of a build recipe; see `export_network`."""
    beside = None if recipe is None else spec_from(recipe)
    if table is None:
        if beside is None:
            raise BadValue("a network is of a table or of a build recipe: name one")
        index = beside.space.parse(str(architecture))
        return choose_in_recipe(
            beside, index, recipe=recipe_name, seed=seed or 0, hardware=hardware
        )
    opened = load(table)
    space = get_space(opened.space, network) if network else None
    return choose_in_table(
        opened,
        opened.space.parse(str(architecture)),
        recipe=recipe_name,
        seed=seed,
        task=None if beside is None else beside.task,
        space=beside.space if beside and space is None else space,
        recipes=None if beside is None else beside.recipes,
        hardware=hardware,
        trains=trains,
    )


def score_proxies(
    recipe: BuildSpec | str | Path,
    out: str | Path,
    proxies: Sequence[str | Proxy | Function] | None = None,
    *,
    table: Table | str | Path | None = None,
    sample: int | None = None,
    draws: int = STARTS,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
    workers: int | None = None,
    hardware: str = HARDWARE,
    progress: Progress | bool = True,
) -> Table:
    """Compute proxies of every distinct architecture of a recipe's space, into a table.

    A scoring that was stopped goes on where it was: call it again.

    Args:
        recipe: a build recipe, its file or its name: it gives space, task and, with its first
            recipe, the sizes of the networks.
        out: the table to write.
        proxies: names, decorated functions, or plain functions `(network, images, labels)`, of
            which high values speak for a network; where left out, all that networks of the space
            have.
        table: whose architectures are scored, and which the new table holds as well.
        sample: score so many distinct architectures, drawn at random.
        draws: starts and batches that are averaged over.
        batch_size: images of a batch.
        seed: of starts, batches and sample.
        workers: processes side by side; a core each by default.
        hardware: a torch device's name, or `auto`.
        progress: as for `nb.build`.

    Example:
        >>> import nasbench as nb, tempfile
        >>> def layers(network, images, labels):
        ...     return len(list(network.modules()))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     scored = nb.score_proxies(
        ...         "nb201-mini-fashion16", f"{folder}/S.h5", ["flops", layers], sample=3
        ...     )
        ...     print(len(scored.rows), list(scored.frame().columns[2:]))
        3 ['proxy/flops', 'proxy/layers']
    """
    spec = spec_from(recipe)
    chosen = names_for(spec.space) if proxies is None else map(proxy_name, proxies)
    with shown(progress) as tell:
        return score_table(
            spec,
            Path(out),
            Scoring(tuple(dict.fromkeys(chosen)), draws, batch_size, seed),
            table=None if table is None else load(table),
            sample=sample,
            processes=workers,
            hardware=hardware,
            progress=tell,
        )


def spec_from(recipe: BuildSpec | str | Path) -> BuildSpec:
    """A build recipe, by its file or name; what of its task was not read is logged, once.

    Example:
        >>> spec = spec_from("nb201-mini-fashion16")
        >>> spec.space.name, spec.task.name, spec.distinct
        ('nb201-mini', 'fashion16', 65)
    """
    if isinstance(recipe, BuildSpec):
        return recipe
    spec = read_spec(recipe_path(str(recipe)))
    _note(spec.task)
    return spec


def _note(task: Task) -> None:
    for note in task.notes:
        logger.warning("task %s: %s", task.name, note)


def _spec(
    recipe: str | Path | BuildSpec | Recipe | Mapping[str, Recipe],
    out: Path,
    beside: Mapping[str, Any],
) -> BuildSpec:
    """What is built, by the arguments of `build_table`; those up to `name` by their names."""
    said = {key: value for key, value in beside.items() if value is not None}
    if isinstance(recipe, str | Path | BuildSpec):
        if said:
            raise BadValue(f"{min(said)} stands in the recipe's file, or beside nb.Recipe(...)")
        return spec_from(recipe)
    if not {"space", "task"} <= said.keys():
        raise BadValue("a build by nb.Recipe(...) needs space=... and task=..., too")
    recipes = {f"{recipe.epochs}ep": recipe} if isinstance(recipe, Recipe) else dict(recipe)
    own = {key: said[key] for key in ("train", "evaluate") if key in said}
    seeds = said.get("seeds", 1)
    return BuildSpec(
        said.get("name", out.stem),
        get_space(said["space"], said.get("network")),
        _task(said["task"]),
        read_seeds(seeds if isinstance(seeds, int) else list(seeds)),
        {name: replace(one, **own) for name, one in recipes.items()},
        tuple(map(_device, said.get("devices", ()))),
    )


def _task(given: Any) -> Task:
    if isinstance(given, Task):
        return given
    task = from_spec(given, Path())
    _note(task)
    return task


def _device(given: DeviceSpec | Mapping[str, Any]) -> DeviceSpec:
    return given if isinstance(given, DeviceSpec) else DeviceSpec.from_dict(given)
