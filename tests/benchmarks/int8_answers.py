"""What int8 costs: answers that change, points lost and time, over trained random cells.

    python tests/benchmarks/int8_answers.py OUT.jsonl [--cells 12] [--seed 0] [--timed 16]

Cells of `nb201-fashion16` are trained by its recipe and exported in int8; ONNX Runtime and OpenVINO
answer all 10,000 test images, beside float32. One line a cell is added to OUT, which goes on where
it was. The time is of networks of NAS-Bench-201's release, by the CPU's clock, one image at a time,
both precisions in turn.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from latency_under_load import INPUTS, built, cells
from torch import nn

import nasbench as nb
from nasbench.building import read_spec
from nasbench.building.measuring import calibration_images
from nasbench.device import DeviceSpec
from nasbench.device.onnx_runtime import OnnxFileRuntime
from nasbench.device.probe import Board, time_turn
from nasbench.stats import bootstrap_interval
from nasbench.table import recipe_path

RUNTIMES = ("onnxruntime", "openvino")


def trained(out: Path, chosen: list[int]) -> list[dict[str, object]]:
    """What each cell's int8 file answers, new ones added to the file."""
    lines = out.read_text("utf-8").splitlines() if out.exists() else []
    known = {line["architecture"]: line for line in map(json.loads, lines)}
    for cell in chosen:
        if cell in known:
            continue
        with TemporaryDirectory() as folder:
            made = nb.export(
                "nb201-fashion16",
                cell,
                Path(folder) / "n.onnx",
                train=True,
                int8=True,
                verify=RUNTIMES,
                progress=False,
            )
            size = made.path.stat().st_size
        said = made.describe()
        kept = ("architecture", "test", "verified", "largest_difference")
        known[cell] = {key: said[key] for key in kept} | {"bytes": size}
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(known[cell]) + "\n")
    return [known[cell] for cell in chosen]


def times(runtime: str, network: nn.Module, images: np.ndarray) -> list[float]:
    """Milliseconds in float32 and in int8, in one turn: other processes slow down both."""
    runs = [
        OnnxFileRuntime(DeviceSpec(runtime=runtime, precision=precision), images).load(
            network, images[:1]
        )
        for precision in ("float32", "int8")
    ]
    turn = time_turn(runs, Board(), clock="cpu", warm_up=3, repeats=60, seconds=0.05)
    return [timing.cpu[0] for timing in turn.timings]


def interval(values: np.ndarray) -> str:
    low, high = bootstrap_interval(values)
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}], largest {values.max():.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--cells", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timed", type=int, default=16)
    given = parser.parse_args()
    found = trained(given.out, cells(given.cells, given.seed))
    for place, runtime in enumerate(RUNTIMES):
        verified = [line["verified"][place] for line in found]
        n = verified[0]["test"]["n"]
        changed = np.asarray([100 * one["changed"] / n for one in verified])
        lost = np.asarray([one["lost"]["value"] for one in verified])
        print(f"{runtime}, {len(found)} cells: % of answers changed {interval(changed)}")
        print(f"{runtime}: points lost {interval(lost)}")
    unlike = [100 * line["verified"][1]["unlike"]["onnxruntime"] / n for line in found]
    print(f"answers in which the two runtimes differ, %: {interval(np.asarray(unlike))}")
    images = calibration_images(read_spec(recipe_path("nb201-fashion16")))
    wide = np.resize(images, (256, *INPUTS.shape)).astype(np.float32)
    taken = {runtime: [] for runtime in RUNTIMES}
    for cell in cells(given.timed, given.seed + 1):
        network = built(cell)
        for runtime in RUNTIMES:
            taken[runtime].append(times(runtime, network, wide))
    for runtime, pairs in taken.items():
        float32, int8 = np.asarray(pairs).T
        ratio = int8 / float32
        print(
            f"{runtime}: int8 takes {np.median(int8):.3f} ms, float32 {np.median(float32):.3f} ms, "
            f"medians of {len(ratio)}; ratio {np.median(ratio):.2f} "
            f"[{np.quantile(ratio, 0.1):.2f}, {np.quantile(ratio, 0.9):.2f}]"
        )


if __name__ == "__main__":
    main()
