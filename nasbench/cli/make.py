"""Making: tables from recipes, networks as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasbench.cli.common import Json, emit, parse_architecture, progress, say_engine
from nasbench.errors import NasbenchError

__all__ = ["register"]


def complete_recipe(incomplete: str) -> list[str]:
    """Shipped recipes; files complete by themselves."""
    from nasbench.table import shipped_recipes

    return [name for name in shipped_recipes() if name.startswith(incomplete)]


RecipeArgument = Annotated[
    str, typer.Argument(help="A TOML file or a shipped name.", autocompletion=complete_recipe)
]
Engine = Annotated[str, typer.Option(help="That trains: auto, native, reference.")]
Hardware = Annotated[str, typer.Option(help="To train on: auto, cpu, cuda, cuda:1, mps.")]


def build(
    recipe: RecipeArgument,
    out: Annotated[Path, typer.Option(help="The table to write.")],
    workers: Annotated[
        int | None, typer.Option(min=1, help="Trainings side by side; a core each by default.")
    ] = None,
    engine: Engine = "auto",
    hardware: Hardware = "auto",
    as_json: Json = False,
) -> None:
    """Train and measure everything a recipe names, and write the table.

    A build that was stopped goes on where it was: run the same command again.

    Example: `nasbench build nb201-mini-fashion16 --out mini.h5`
    """
    from nasbench.build import build as run_build
    from nasbench.build import read_spec
    from nasbench.table import recipe_path

    spec = read_spec(recipe_path(recipe))
    say_engine(engine)
    with progress() as tell:
        table = run_build(
            spec, out, processes=workers, engine=engine, hardware=hardware, progress=tell
        )
    document = {"table": str(out), "sha256": table.sha256, "rows": len(table.rows)}
    emit(document, as_json, f"{out}: {len(table.rows):,} rows. Look: nasbench info {out}")


def export(
    architecture: Annotated[str, typer.Argument(help="A number, or a cell string in quotes.")],
    onnx: Annotated[Path, typer.Option(help="The ONNX file to write.")],
    recipe: Annotated[
        str,
        typer.Option(
            help="A build recipe: gives space, task, width and depth.",
            autocompletion=complete_recipe,
        ),
    ] = "nb201-mini-fashion16",
    train: Annotated[bool, typer.Option("--train", help="Train the network first.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of start and training.")] = 0,
    hardware: Hardware = "auto",
    as_json: Json = False,
) -> None:
    """Write an architecture's network as ONNX, trained or not, checked against PyTorch.

    Example: `nasbench export 62 --onnx best.onnx --train`
    """
    from nasbench.build import read_spec
    from nasbench.device.export import export_onnx
    from nasbench.table import recipe_path
    from nasbench.train.network import network
    from nasbench.train.reference import pick_hardware, prepare, training
    from nasbench.train.start import initialize

    spec = read_spec(recipe_path(recipe))
    index = parse_architecture(spec.space, architecture)
    by = next(iter(spec.recipes.values()))
    canonical = int(spec.space.canonical(index))
    net = network(spec.space, index, spec.task, by)
    initialize(net, seed, canonical)
    document = {"architecture": index, "onnx": str(onnx), "trained": train}
    if train:
        data = prepare(spec.task, by, pick_hardware(hardware))
        with progress() as tell:
            epochs = []
            for epoch in training(net, data, by, seed):
                epochs.append(epoch)
                tell("training", len(epochs), by.epochs)
        if epochs[-1].diverged:
            raise NasbenchError(f"the training of architecture {index} diverged: nothing written")
        document["valid_accuracy"] = epochs[-1].valid_accuracy
        net.cpu()
    document["largest_difference"] = export_onnx(net, spec.task.shape, onnx)
    trained = f", {document['valid_accuracy']:.2f} % validation accuracy" if train else ""
    text = (
        f"{onnx}: architecture {index}{trained}; ONNX Runtime and PyTorch differ by at most "
        f"{document['largest_difference']:.1e}"
    )
    emit(document, as_json, text)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (build, export):
        app.command()(command)
