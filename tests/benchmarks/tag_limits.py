"""Search with tags in the loop, on a device of which ten whole networks were measured.

    nasbench device tags nb201-fashion16-devices --device cpu-onnxruntime-b1 --out TAGS.json
    python tests/benchmarks/tag_limits.py TAGS.json [--draws 10] [--seeds 3] [--shared OUT]

`nb201-fashion16-devices` holds the device's true column. Of its cells ten are drawn; sums of tags,
rescaled by these, estimate all others. `nsga2` and `hybrid` search among them for the accuracies of
`nb201-fashion16`, 100 trainings, under a latency that 30 % of the cells keep, by the estimate or by
the true column. What was found is measured in the end: the most accurate that truly keeps the limit
is the answer, and each above it that did not is one measurement more. Regret is in points behind
the best cell that keeps the limit; intervals are bootstrapped over draws.

With `--shared`, `fbnet` trains a supernet of all cells for three epochs with the estimate, or the
true column, as its cost, three seeds each, into that folder. It keeps no limit: its answer has a
price, and stands beside the best measured cell that takes no longer.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
from cost_limits import answer

import nasbench as nb
from nasbench.building import read_spec
from nasbench.building.measuring import timed_network
from nasbench.device.rescaling import factors_of_parts
from nasbench.device.tags import Tags
from nasbench.device.units import units_of
from nasbench.network.graph import graph_of
from nasbench.stats import bootstrap_interval, spearman
from nasbench.table import Dataset, Table, recipe_path, write_table

SAMPLES, SHARE, EVALUATIONS = 10, 0.3, 100
METRIC = "valid_accuracy"
APART = 0.01
"""Milliseconds added for `fbnet`: it takes a logarithm, and sums of choices may fall below 0."""


def parts_of(tags: Tags, rows: np.ndarray) -> np.ndarray:
    """What the parts of each network cost alone, `[n, parts]`; the first: what has no tag."""
    spec = read_spec(recipe_path("nb201-fashion16-devices"))
    place = {key: at for at, key in enumerate(tags.operations, 1)}
    parts = np.zeros((len(rows), 1 + len(place)))
    parts[:, 0] = tags.base_ms
    for row, cell in zip(parts, rows.tolist(), strict=True):
        for unit, n in units_of(graph_of(timed_network(spec, cell), spec.task.signal)).items():
            if unit.key in place:
                row[place[unit.key]] += n * tags.operations[unit.key].latency_ms
            else:
                row[0] += n * tags.roofline.estimate_ms(unit)
    return parts


def table_with(table: Table, rows: np.ndarray, columns: dict[str, np.ndarray], path: Path) -> Table:
    """What was trained of some rows, and what they cost on a device `few`, by metric."""
    place, kept = table.row(rows), {}
    with h5py.File(table.path) as file:
        for name, about in table.manifest["datasets"].items():
            if name.startswith(("recipe/", "network/")):
                said = {key: about[key] for key in ("kind", "epochs", "unit") if key in about}
                kept[name] = Dataset(file[name][()][place], said)
    for name, values in columns.items():
        kept[f"device/few/{name}"] = Dataset(values, {"kind": "estimated", "unit": "ms"})
    return write_table(
        path,
        name="few",
        space=table.space,
        rows=rows,
        sharing=table.manifest["sharing"],
        recipes=table.manifest["recipes"],
        datasets=kept,
        devices={"few": {}},
        about={key: table.manifest[key] for key in ("task",)},
    )


def shared(given: argparse.Namespace, both: Table, true: dict[int, float]) -> None:
    """What `fbnet` answers with the estimate, and with the true column, as its cost."""
    worth = dict(zip(both.rows.tolist(), both.values(METRIC, both.rows).tolist(), strict=True))
    for arm, metric in (("tags", "latency_ms"), ("truth", "latency_true_ms")):
        found = nb.share(
            "fbnet",
            "nb201-fashion16",
            both,
            out=given.shared / arm,
            epochs=given.epochs,
            seeds=given.seeds,
            parameters={"cost": f"few/{metric}", "beta": 2.0},
            processes=1,
            progress=False,
        )
        for cell in found.choices:
            if cell not in true:
                print(f"fbnet, {arm}: {cell}, which was not measured", flush=True)
                continue
            best = max(worth[other] for other, took in true.items() if took <= true[cell])
            print(
                f"fbnet, {arm}: {cell}, {worth[cell]:.2f} at {1000 * true[cell]:.1f} us, the best "
                f"that takes no longer has {best:.2f}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tags", type=Path)
    parser.add_argument("--costs", default="nb201-fashion16-devices")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--shared", type=Path)
    given = parser.parse_args()
    tags, table, costs = Tags.load(given.tags), nb.load("nb201-fashion16"), nb.load(given.costs)
    true = costs.device_column(tags.device, "latency_ms")
    rows, true = costs.rows[np.isfinite(true)], true[np.isfinite(true)]
    worth = table.values(METRIC, rows)
    most = float(np.quantile(true, SHARE))
    best = float(worth[true <= most].max())
    print(
        f"{len(rows)} cells, at most {1000 * most:.1f} us, the best there has {best:.2f}",
        flush=True,
    )
    parts = parts_of(tags, rows)
    if given.shared is not None:
        drawn = np.random.default_rng([0, SAMPLES]).choice(len(rows), SAMPLES, replace=False)
        estimate = parts @ factors_of_parts(parts[drawn], true[drawn])
        columns = {"latency_ms": estimate + APART, "latency_true_ms": true + APART}
        given.shared.mkdir(exist_ok=True)
        both = table_with(table, rows, columns, given.shared / "few.h5")
        shared(given, both, dict(zip(rows.tolist(), true.tolist(), strict=True)))
        return
    regrets, checks, rhos, errors = defaultdict(list), defaultdict(list), [], []
    for draw in range(given.draws):
        drawn = np.random.default_rng([draw, SAMPLES]).choice(len(rows), SAMPLES, replace=False)
        estimate = parts @ factors_of_parts(parts[drawn], true[drawn])
        others = np.setdiff1d(np.arange(len(rows)), drawn)
        rhos.append(spearman(estimate[others], true[others]))
        errors.append(np.abs(estimate[others] / true[others] - 1).mean())
        columns = {"latency_ms": estimate, "latency_true_ms": true}
        with TemporaryDirectory() as folder:
            both = table_with(table, rows, columns, Path(folder) / "both.h5")
            known = dict(zip(both.row(rows).tolist(), true.tolist(), strict=True))
            for strategy in ("nsga2", "hybrid"):
                for arm, metric in (("tags", "latency_ms"), ("truth", "latency_true_ms")):
                    found = [
                        answer(
                            nb.search(
                                strategy,
                                both,
                                seed=100 * draw + seed,
                                limits={f"few/{metric}": (None, most)},
                                among_rows=True,
                                budget_evaluations=EVALUATIONS,
                                progress=False,
                            ),
                            known,
                            most,
                            METRIC,
                        )
                        for seed in range(given.seeds)
                    ]
                    regrets[strategy, arm].append(np.nanmean([best - value for value, _ in found]))
                    checks[strategy, arm].append(np.mean([n for _, n in found]))
    print(f"estimates: rho {np.mean(rhos):.3f}, error {np.mean(errors):.1%}")
    for (strategy, arm), values in regrets.items():
        low, high = bootstrap_interval(np.asarray(values))
        measured = np.mean(checks[strategy, arm])
        print(
            f"{strategy}, {arm}: regret {np.mean(values):.3f} [{low:.3f}, {high:.3f}], measured in "
            f"the end {measured:.2f}"
        )


if __name__ == "__main__":
    main()
