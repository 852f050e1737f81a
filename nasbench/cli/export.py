"""Exporting networks as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasbench._defaults import HARDWARE
from nasbench._limits import LARGEST_SEED
from nasbench._words import counted, rounded
from nasbench.cli.common import Json, emit, file_option, progress, rows
from nasbench.cli.make import Hardware, complete_recipe
from nasbench.errors import BadValue

if TYPE_CHECKING:
    from nasbench.building.chosen import Chosen
    from nasbench.building.exporting import Exported

__all__ = ["register"]

_FORMS = (
    "nasbench export TABLE ARCHITECTURE --onnx F, for a network as a table trained it, or "
    "nasbench export ARCHITECTURE --recipe R --onnx F, for one of a build recipe"
)


def export(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[TABLE] ARCHITECTURE",
            help="A table's file or shipped name; a number, or a cell string in quotes.",
        ),
    ],
    onnx: Annotated[Path, file_option("The ONNX file to write.", "--onnx", suffix=".onnx")],
    recipe: Annotated[
        str | None,
        typer.Option(
            help="A build recipe: in place of a table, or beside it where it has one's own task.",
            autocompletion=complete_recipe,
        ),
    ] = None,
    train: Annotated[bool, typer.Option("--train", help="Train the network first.")] = False,
    int8: Annotated[
        bool, typer.Option("--int8", help="Convolutions and matrix products in int8.")
    ] = False,
    verify: Annotated[
        str | None,
        typer.Option(metavar="RUNTIMES", help="Test the file in onnxruntime, openvino, by commas."),
    ] = None,
    recipe_name: Annotated[
        str | None, typer.Option(help="Where the table or the build recipe has several.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=LARGEST_SEED, help="Of start and training; the table's first, or 0."
        ),
    ] = None,
    hardware: Hardware = HARDWARE,
    as_json: Json = False,
) -> None:
    """Write an architecture's network as ONNX, trained or not, checked against PyTorch.

    A trained file takes uint8 pixels, 0 to 255, and is tested on the whole test split. With a
    table it is trained as the table says, to the same bits where engine and machine allow.
    `--verify` says in each runtime what the file is worth, and how many answers are not float32's.

    Examples: `nasbench export nb201-fashion16 1462 --onnx best.onnx --train`, and without a table
    `nasbench export 62 --recipe nb201-mini-fashion16 --onnx best.onnx --train`
    """
    from nasbench.building.exporting import export as run_export

    chosen = _chosen(words, recipe, recipe_name, seed, hardware, train)
    with progress() as tell:
        made = run_export(
            chosen,
            onnx,
            train=train,
            int8=int8,
            verify=[name.strip() for name in (verify or "").split(",") if name.strip()],
            progress=tell,
        )
    emit(made.describe(), as_json, rows(_shown(chosen, onnx, made)))


def _chosen(
    words: list[str],
    recipe: str | None,
    name: str | None,
    seed: int | None,
    hardware: str,
    trains: bool,
) -> Chosen:
    from nasbench.building.call import choose

    if len(words) > 2 or (len(words) == 1 and recipe is None):
        raise BadValue(f"export takes one of two forms: {_FORMS}")
    if recipe is not None and recipe.endswith(".h5"):
        raise BadValue(f"{recipe} is a table, and --recipe names a build recipe: {_FORMS}")
    if len(words) == 2 and words[0].endswith(".toml"):
        raise BadValue(f"{words[0]} is a build recipe, not a table: {_FORMS}")
    table, architecture = (words[0], words[1]) if len(words) == 2 else (None, words[0])
    return choose(table, architecture, recipe, name, seed, hardware, trains=trains)


def _shown(chosen: Chosen, onnx: Path, made: Exported) -> list[tuple[str, object]]:
    from nasbench.device.commands import tensorrt_command

    signal = chosen.spec.task.signal
    shape = ", ".join(map(str, signal.shape))
    shown: list[tuple[str, object]] = [
        ("file", onnx),
        ("network", f"{chosen.architecture} of {chosen.spec.space.name}"),
    ]
    if made.trained:
        shown += _shown_trained(chosen, made, f"{made.takes} [n, {shape}]")
    else:
        standard = ", standardised" * (made.takes == "float32")
        shown += [
            ("trained", "no: its weights are those of a start, for timing; --train trains it"),
            ("input", f"{made.takes} [n, {shape}]{standard}"),
        ]
    shown.append(
        ("checked", f"ONNX Runtime and PyTorch differ by {made.largest_difference:.1e} at most")
    )
    shown.append(("TensorRT", f"untested: {tensorrt_command(onnx, signal.shape)}"))
    return shown


def _shown_trained(chosen: Chosen, made: Exported, takes: str) -> list[tuple[str, object]]:
    """What a training showed, and what the file takes."""
    image = chosen.spec.task.signal.kind == "image"
    by, loop = f"{chosen.engine} engine", chosen.recipe.train
    if loop:
        by = f"{loop.name} of {loop.file.name}"
    trained = f"on {chosen.spec.task.name} by {chosen.recipe_name}, seed {chosen.seed}, {by}"
    beside = [("table", made.beside)] if made.beside else []
    if made.test is None or made.valid is None:
        return [
            ("trained", trained),
            *((name, rounded(value, 6)) for name, value in made.shown.items()),
            *beside,
            ("test", "of the file: none, for only the loop knows how inputs are prepared"),
            ("input", f"{takes}, as the loop gives it to its network"),
        ]
    meaning = ", 0 to 255" if image else ", as stored"
    classes = "; classes are in the file's metadata" if chosen.spec.task.classes else ""
    examples = counted(made.test.n, "image" if image else "example")
    return [
        ("trained", trained),
        ("valid", f"{rounded(made.valid)}{made.test.unit}"),
        *beside,
        ("test", f"{made.test} of {examples}, by the file in ONNX Runtime; 95 % interval"),
        ("input", f"{takes}{meaning}{classes}"),
        *((f"in {one.runtime}", one) for one in made.verified),
    ]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(export)
