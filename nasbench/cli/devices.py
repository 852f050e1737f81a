"""Devices: what running networks costs, here and elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasbench._limits import LARGEST_SEED, MOST_COUNTED
from nasbench._words import counted, in_shell
from nasbench.cli.common import Json, emit, file_option, folder_option, progress
from nasbench.cli.make import RecipeArgument
from nasbench.errors import BadValue

if TYPE_CHECKING:
    from nasbench.building import BuildSpec
    from nasbench.device import Device, DeviceSpec
    from nasbench.device.remote import RemoteDevice

__all__ = ["device", "register"]

ELSEWHERE, PYTHON = "elsewhere", "python3"

device = typer.Typer(
    no_args_is_help=True, help="What running networks costs, here and on other machines."
)


@device.command()
def measure(
    recipe: RecipeArgument,
    out: Annotated[Path, file_option("The table of costs to write.", new=True, suffix=".h5")],
    ssh: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="Measure there: USER@NAME, or a name ssh knows."),
    ] = None,
    folder: Annotated[
        Path | None,
        folder_option("Measure on a device that this folder is carried to and from.", "--folder"),
    ] = None,
    meter: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="What a power meter beside the device elsewhere logged."),
    ] = None,
    label: Annotated[
        str, typer.Option(help="What the device elsewhere is called, as raspi4.")
    ] = ELSEWHERE,
    python: Annotated[str, typer.Option(help="Of the host.")] = PYTHON,
    sample: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_COUNTED, help="So many random architectures, not all."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the sample.")] = 0,
    as_json: Json = False,
) -> None:
    """Measure a recipe's networks on devices, without training them, and write a table of costs.

    One that was stopped goes on where it was: run the same command again. Join the table with
    others by `nasbench merge`.

    Examples: `nasbench device measure nb201-mini-fashion16 --out costs.h5`, and elsewhere
    `nasbench device measure nb201-mini-fashion16 --ssh pi@raspberrypi --label raspi4 --out pi.h5`
    """
    from nasbench.building import spec_from
    from nasbench.building.costs import choose_rows, lay_down, measure_costs
    from nasbench.building.measuring import device_of
    from nasbench.table import LatencyTrust

    if ssh is not None and folder is not None:
        raise BadValue("a device is reached by --ssh or by --folder, not by both")
    spec = spec_from(recipe)
    elsewhere = ssh is not None or folder is not None
    if meter is not None and not elsewhere:
        raise BadValue("--meter is of a device elsewhere: give --ssh or --folder, too")
    if label != ELSEWHERE and not elsewhere:
        raise BadValue("--label is of a device elsewhere: give --ssh or --folder, too")
    if python != PYTHON and ssh is None:
        raise BadValue("--python is of the host of --ssh")
    if elsewhere:
        spec = _elsewhere(spec, ssh or "", label)
    if not spec.devices:
        raise BadValue(f"{recipe} names no devices: add [[device]] to it")
    rows = choose_rows(spec, sample, seed)
    with progress() as tell:
        devices: Sequence[Device]
        if elsewhere:
            devices = sent = _sent(spec, folder, ssh or "", python, meter)
            unlogged = meter is not None and not meter.exists()
            left = 0
            if folder is not None or unlogged:
                left = lay_down(spec, sent, rows, wait=folder is None)
            if folder is not None and left:
                _carry(folder, left, as_json)
                return
            if meter is not None and unlogged:
                _log_first(meter, as_json)
                return
        else:
            devices = [device_of(spec, one) for one in spec.devices]
        table = measure_costs(spec, out, devices, rows, progress=tell)
    found = {name: LatencyTrust.of(table, name) for name in table.devices}
    trust = {name: of for name, of in found.items() if of}
    document = {
        "table": str(out),
        "sha256": table.sha256,
        "rows": len(table.rows),
        "latency": {name: asdict(of) for name, of in trust.items()},
    }
    said = [f"{name}: latency {of.sentence()}." for name, of in trust.items()]
    said.append(f"{out}: {counted(len(table.rows), 'row')}. Look: nasbench info {in_shell(out)}")
    emit(document, as_json, "\n".join(said))


def _elsewhere(spec: BuildSpec, host: str, label: str) -> BuildSpec:
    """The recipe with those of its devices that run files, on another machine."""
    from nasbench.device import DeviceSpec
    from nasbench.device.probe import LOADERS

    named = spec.devices or (DeviceSpec(runtime="onnxruntime"),)
    able = [one for one in named if one.runtime in LOADERS]
    for one in named:
        if one not in able:
            typer.echo(
                f"nasbench: {one.name} is left out: elsewhere {' and '.join(LOADERS)} run files",
                err=True,
            )
    if not able:
        able = [DeviceSpec(runtime="onnxruntime")]
    devices = [replace(one, host=host, label=label) for one in able]
    return replace(spec, devices=tuple(devices))


def _sent(
    spec: BuildSpec, folder: Path | None, host: str, python: str, meter: Path | None
) -> list[RemoteDevice]:
    """The devices of a recipe on another machine, by the way that there is."""
    from nasbench.building.measuring import calibration_images
    from nasbench.device.carrier import FolderCarrier, ssh_carrier
    from nasbench.device.meter import MeterLog
    from nasbench.device.remote import RemoteDevice

    log = MeterLog.read(meter) if meter is not None and meter.exists() else None
    way = FolderCarrier(folder) if folder is not None else ssh_carrier(host, python=python)

    def opened(one: DeviceSpec) -> RemoteDevice:
        images = calibration_images(spec) if one.precision == "int8" else None
        return RemoteDevice(one, way, images, metered=meter is not None, log=log)

    return [opened(one) for one in spec.devices]


def _log_first(meter: Path, as_json: bool) -> None:
    text = (
        f"measured. Save what the meter logged, from before this command began, as {meter}, with a "
        f"column time_s and a column power_w, and run the same command again."
    )
    emit({"meter": str(meter), "left": 0}, as_json, text)


def _carry(folder: Path, left: int, as_json: bool) -> None:
    text = (
        f"{counted(left, 'job')} {'waits' if left == 1 else 'wait'} in {folder}. Carry it to the "
        f"device, run there\n"
        f"    python3 {in_shell(f'{folder.name}/nb_probe.py')}\n"
        f"carry it back over this one, and run the same command again."
    )
    emit({"folder": str(folder), "left": left}, as_json, text)


@device.command()
def probe() -> None:
    """Print the file that measures, to read it or to carry it.

    Example: `nasbench device probe > nb_probe.py`
    """
    from importlib import resources

    text = (resources.files("nasbench.device") / "probe.py").read_text(encoding="utf-8")
    typer.echo(text, nl=False)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(device, name="device")
