"""Search under a latency limit on a device of which ten networks were measured.

    nasbench import npz nb201_cifar10.npz --out t.h5
    python tests/benchmarks/cost_limits.py t.h5 raspi4 --leave-out pixel3 --recipe 200ep

Ten random networks of TABLE are drawn as measured on DEVICE; `predict_costs` estimates all others,
with the table's other devices known but for those that are left out. Searches keep a limit on the
estimate (`estimate`), on the upper end of its 80 % interval (`upper end`), or on the true column
(`truth`): 30 % of all networks keep it. What a search found is then measured: its most accurate
network that truly keeps the limit is the answer, and each one above it that did not is a further
measurement. Regret is in points of the metric behind the best network that keeps the limit.
Intervals are bootstrapped over draws.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import nasbench as nb
from nasbench.stats import bootstrap_interval
from nasbench.surrogate import CostFeatures, predict_costs
from nasbench.surrogate.cost_tables import cost_sources
from nasbench.table import Dataset, Table, write_table
from nasbench.table.merging import merge

SAMPLES = 10
SHARE = 0.3
"""Of all networks that keep the limit."""
ARMS = {"estimate": "few/latency_ms", "upper end": "few/latency_high_ms"}


def estimated(table: Table, device: str, left_out: list[str], draw: int, path: Path) -> Table:
    """The table, and what ten networks say of the device, as the device `few`."""
    rows, true = table.rows, table.device_column(device, "latency_ms")
    known = np.flatnonzero(np.isfinite(true) & (true > 0))
    drawn = np.random.default_rng([draw, SAMPLES]).choice(known, SAMPLES, replace=False)
    sources = cost_sources(table, "latency_ms", None, without=device)
    kept = {name: of for name, of in sources.items() if name.split("/")[0] not in left_out}
    features = CostFeatures.make(table.space, rows, sources=kept)
    found = predict_costs(features, rows[drawn], true[drawn], seed=draw)
    place = np.searchsorted(found.architectures, rows)
    columns = {"latency_ms": found.values, "latency_high_ms": found.interval(0.8)[1]}
    write_table(
        path.with_name("few.h5"),
        name="few",
        space=table.space,
        rows=rows,
        sharing=table.manifest["sharing"],
        recipes={},
        datasets={
            f"device/few/{name}": Dataset(values[place], {"kind": "estimated", "unit": "ms"})
            for name, values in columns.items()
        },
        devices={"few": {}},
    )
    return merge([table, nb.load(path.with_name("few.h5"))], path)


def answer(run: nb.Run, true: dict[int, float], most: float, metric: str) -> tuple[float, int]:
    """The best value of what a search found that truly keeps the limit; what was measured for it.

    NaN where nothing does.
    """
    kept = [e for e in run.evaluations if run.spec.goal.reward(e.outcome) > -np.inf]
    found = {run.oracle.key(e.query.architecture): e.outcome.values[metric] for e in kept}
    for measured, place in enumerate(sorted(found, key=lambda key: -found[key]), 1):
        if true[place] <= most:
            return found[place], measured
    return np.nan, len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table")
    parser.add_argument("device")
    parser.add_argument("--leave-out", default="")
    parser.add_argument("--recipe")
    parser.add_argument("--metric", default="valid_accuracy")
    parser.add_argument("--strategies", default="random_search,nsga2,hybrid")
    parser.add_argument("--evaluations", type=int, default=100)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    table = nb.load(given.table)
    latency = table.device_column(given.device, "latency_ms")
    worth = table.column(given.metric, recipe=table.recipe(given.recipe))
    known = np.isfinite(latency) & np.isfinite(worth)
    most = float(np.quantile(latency[known], SHARE))
    best = float(worth[known & (latency <= most)].max())
    true = dict(enumerate(latency.tolist()))
    print(f"{given.device}: at most {most:.4g} ms, the best there has {best:.3f}", flush=True)
    regrets: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    checks: dict[tuple[str, str], list[float]] = defaultdict(list)
    for draw in range(given.draws):
        with TemporaryDirectory() as folder:
            left_out = [name for name in given.leave_out.split(",") if name]
            both = estimated(table, given.device, left_out, draw, Path(folder) / "both.h5")
            for strategy in given.strategies.split(","):
                for arm, metric in {**ARMS, "truth": f"{given.device}/latency_ms"}.items():
                    runs = [
                        nb.search(
                            strategy,
                            both,
                            seed=100 * draw + seed,
                            limits={metric: (None, most)},
                            metric=given.metric,
                            search_recipe=given.recipe,
                            budget_evaluations=given.evaluations,
                            progress=False,
                        )
                        for seed in range(given.seeds)
                    ]
                    found = [answer(run, true, most, given.metric) for run in runs]
                    regrets[strategy, arm].append([best - value for value, _ in found])
                    checks[strategy, arm].append(np.mean([n for _, n in found]))
    for (strategy, arm), values in regrets.items():
        by_draw = np.nanmean(np.asarray(values), axis=1)
        low, high = bootstrap_interval(by_draw)
        none = np.isnan(values).mean()
        print(
            f"{strategy}, limit on the {arm}: regret {by_draw.mean():.3f} [{low:.3f}, {high:.3f}], "
            f"measured in the end {np.mean(checks[strategy, arm]):.2f}, nothing found {none:.0%}"
        )


if __name__ == "__main__":
    main()
