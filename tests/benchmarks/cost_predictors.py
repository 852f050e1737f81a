"""What cost predictors are worth on published devices: writes `reports/cost-predictors`.

    python tests/benchmarks/cost_predictors.py FOLDER

FOLDER holds `nb201_help_latency.npz` (HELP's latencies: `device/<name>/latency_ms`, `[15625]`) and
`nb201_cifar10.npz` (HW-NAS-Bench's: `device/<name>/latency_ms` and `energy_mj`), both in the
official order of NAS-Bench-201. What one of them lacks is left out. A trial that the journal in
the report's folder has is not done again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import nasbench as nb
from nasbench.stats import spearman
from nasbench.surrogate import CostFeatures, predict_costs
from nasbench.surrogate.cost_scoring import HELP
from nasbench.surrogate.operation_counts import operation_counts

REPORT = Path(__file__).parents[2] / "reports" / "cost-predictors"
JOURNAL = "trials.jsonl"
LEVEL = 0.8

NINE = (
    *("1080ti_1", "1080ti_32", "1080ti_256", "silver_4114", "silver_4210r"),
    *("samsung_a50", "pixel3", "essential_ph_1", "samsung_s7"),
)
TARGETS = ("gold_6226", "raspi4", "fpga")
FAMILIES = {"pixel3": "tflite", "raspi4": "tflite"}
"""What devices share beside the first word of their names: TFLite, and its graph."""


@dataclass(frozen=True)
class Setting:
    """A column to predict, the columns to learn from, and the rows that are drawn and scored."""

    part: str
    target: str
    sources: tuple[str, ...]
    size: int
    draws: int
    connected: bool = False

    def key(self, draw: int) -> str:
        return f"{self.part} {self.target} {self.size} {draw}"


def family(name: str) -> str:
    return FAMILIES.get(name, name.split("/")[0].split("_")[0])


def settings(help_: dict[str, np.ndarray], hw: dict[str, np.ndarray]) -> Iterator[Setting]:
    for size in (5, 10, 20, 50, 100):
        for target in TARGETS:
            if target in help_:
                yield Setting("nine", target, NINE, size, 10)
    for size in (10, 50):
        alone = [name for name in hw if name.split("/")[0] not in help_]
        everything = [*help_, *(name for name in alone if name.endswith("latency_ms"))]
        for target in everything:
            others = tuple(s for s in help_ if family(s) != family(target))
            if others:
                yield Setting("left out", target, others, size, 10)
    for size in (10, 20, 50, 100):
        for target in hw:
            yield Setting("own", target, (), size, 10, connected=True)


def read(path: Path) -> dict[str, np.ndarray]:
    """By `<device>` or `<device>/<metric>`, the costs of all cells; nothing without the file."""
    if not path.exists():
        print(f"{path.name} is not there: left out")
        return {}
    with np.load(path) as file:
        names = [name for name in file.files if name.startswith("device/")]
        return {name.removeprefix("device/"): file[name].astype(float) for name in names}


def trials(folder: Path) -> list[dict]:
    help_ = {n.split("/")[0]: v for n, v in read(folder / "nb201_help_latency.npz").items()}
    hw = read(folder / "nb201_cifar10.npz")
    columns = {**hw, **help_}
    space = nb.space("nb201")
    cells = np.arange(space.size)
    connected = operation_counts(space, cells)["live"].any(1)
    REPORT.mkdir(exist_ok=True)
    journal = REPORT / JOURNAL
    done = {}
    if journal.exists():
        lines = journal.read_text(encoding="utf-8").splitlines()
        done = {(one := json.loads(line))["key"]: one for line in lines}
    found = []
    with journal.open("a", encoding="utf-8") as kept:
        for one in settings(help_, hw):
            features = None
            for draw in range(one.draws):
                trial = done.get(one.key(draw))
                if trial is None:
                    if features is None:
                        known = {name: columns[name] for name in one.sources}
                        features = CostFeatures.make(space, cells, sources=known)
                    scored = connected if one.connected else np.ones(space.size, dtype=bool)
                    made = fit(features, columns[one.target], scored, one, draw)
                    trial = {"key": one.key(draw), **made}
                    kept.write(json.dumps(trial) + "\n")
                    kept.flush()
                found.append(trial)
    return found


def fit(
    features: CostFeatures, costs: np.ndarray, scored: np.ndarray, one: Setting, draw: int
) -> dict:
    usable = np.flatnonzero(scored & np.isfinite(costs) & (costs > 0))
    rows = np.random.default_rng(draw).choice(usable, one.size, replace=False)
    others = np.setdiff1d(usable, rows)
    made = predict_costs(features, rows, costs[rows], seed=draw)
    low, high = made.interval(min(LEVEL, one.size / (one.size + 1)))
    inside = (low[others] <= costs[others]) & (costs[others] <= high[others])
    errors = np.abs(made.values[others] / costs[others] - 1)
    ranks = [spearman(column[rows], costs[rows]) for column in features.sources.values()]
    best = None
    if ranks:
        column = list(features.sources.values())[int(np.argmax(np.nan_to_num(ranks, nan=-1)))]
        best = float(spearman(column[others], costs[others]))
    return {
        "part": one.part,
        "target": one.target,
        "size": one.size,
        "spearman": float(spearman(made.values[others], costs[others])),
        "error": float(np.median(errors)),
        "mean_error": float(errors.mean()),
        "coverage": float(inside.mean()),
        "best_source": best,
        "graph": made.graph,
        "ratio": made.ratio,
    }


def mean(found: list[dict], measure: str, **of: object) -> float:
    return float(np.mean([t[measure] for t in found if all(t[k] == v for k, v in of.items())]))


def text(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}".removeprefix("0")


def cells(found: list[dict], part: str, target: str, sizes: list[int]) -> list[str]:
    shown = []
    for size in sizes:
        of = {"part": part, "target": target, "size": size}
        rho, error, inside = (mean(found, m, **of) for m in ("spearman", "error", "coverage"))
        shown.append(f"{text(rho)} ({100 * error:.1f} %, {100 * inside:.0f} %)")
    return shown


def graphs(found: list[dict], part: str, target: str, size: int) -> str:
    ran = [t["graph"] for t in found if (t["part"], t["target"], t["size"]) == (part, target, size)]
    counted = sorted(((ran.count(g), g) for g in {*ran}), reverse=True)
    return ", ".join(f"{graph} {n}" for n, graph in counted)


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(found: list[dict]) -> None:
    parts = {t["part"] for t in found}
    sections = [INTRODUCTION]
    if "nine" in parts:
        sizes = [5, 10, 20, 50, 100]
        rows = [[t, text(HELP[t]), *cells(found, "nine", t, sizes)] for t in TARGETS]
        over = {s: mean(found, "spearman", part="nine", size=s) for s in sizes}
        rows.append(["mean", text(np.mean([HELP[t] for t in TARGETS])), *map(text, over.values())])
        best = [text(mean(found, "best_source", part="nine", size=s)) for s in sizes]
        rows.append(["best single source", "", *best])
        head = ["device", "HELP, 10", *(f"{s} measured" for s in sizes)]
        sections.append(NINE_SOURCES + table(head, rows))
    if "left out" in parts:
        targets = list(dict.fromkeys(t["target"] for t in found if t["part"] == "left out"))
        rows = [
            [
                *(target, graphs(found, "left out", target, 50)),
                text(mean(found, "best_source", part="left out", target=target, size=10)),
                *cells(found, "left out", target, [10, 50]),
            ]
            for target in targets
        ]
        over = [text(mean(found, "spearman", part="left out", size=s)) for s in (10, 50)]
        best = text(mean(found, "best_source", part="left out", size=10))
        rows.append(["mean", "", best, *over])
        head = ["device", "ran, by 50", "best source, 10", "10 measured", "50 measured"]
        sections.append(LEFT_OUT + table(head, rows))
    if "own" in parts:
        sizes = [10, 20, 50, 100]
        targets = list(dict.fromkeys(t["target"] for t in found if t["part"] == "own"))
        rows = [
            [target, graphs(found, "own", target, 50), *cells(found, "own", target, sizes)]
            for target in targets
        ]
        sections.append(
            OWN + table(["cost", "ran, by 50", *(f"{s} measured" for s in sizes)], rows)
        )
    (REPORT / "README.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


INTRODUCTION = """# Cost predictors on published devices

Latency and energy of NAS-Bench-201's 15,625 cells, predicted from a few random ones by `nasbench
device predict` (`nasbench guide predict-costs` says how). Each figure is the mean over ten draws:
Spearman's rho on all cells that were not drawn; in brackets the median error, and the share of
cells within the 80 % interval. `python tests/benchmarks/cost_predictors.py FOLDER` made this page
and `trials.jsonl`, which has every draw.

Latencies: HELP (Lee et al., NeurIPS 2021; its files are not here, only figures computed from
them), cells of CIFAR-100's size, phones rounded to 1 ms; HW-NAS-Bench (Li et al., ICLR 2021; MIT
licence), CIFAR-10. What a device ran is found
from the draws: *written* edges, edges that *reach* the output, or *live* ones."""
NINE_SOURCES = """## From HELP's nine devices to three of its targets

HELP's own figures are of ten samples, with a model that was trained on 900 cells of each of the
nine; here the nine columns are known whole, which is in our favour. All cells are scored, those
whose output hears nothing of the input, too.

"""
LEFT_OUT = """## Each device by all others

Of HELP's twelve devices those are left out that share the hardware (`1080ti`, `silver`) or the
runtime and its graph (`raspi4`, `pixel3`) with the one that is predicted. The simulators and
boards of HW-NAS-Bench that HELP lacks are predicted from HELP's twelve.

"""
OWN = """## HW-NAS-Bench's devices by themselves

No other device is known: prices of operations, and from 50 samples on XGBoost on the ratio. Cells
whose output hears nothing of the input are left out: on some devices they are folded to a
constant, which runs in microseconds.

"""

if __name__ == "__main__":
    write(trials(Path(sys.argv[1])))
