"""How far sums of tags are off whole networks, plain and rescaled by a few of them.

    nasbench device tags RECIPE.toml --whole 100 --out TAGS.json
    python tests/benchmarks/tag_errors.py TAGS.json [MORE.json ...] [--draws 200] [--seed 0]

For each file: Spearman's rho and the mean of |sum / measured - 1| over its whole networks, with
95 % bootstrap intervals over networks, and the error of those that were not drawn once five, ten
or twenty drawn ones rescale the sums: by a factor each operation, and by one factor for all.
Networks whose answer does not hear the input are in no file.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from nasbench.device.rescaling import common_factor, factors_of_parts
from nasbench.device.tags import Tags
from nasbench.stats import bootstrap_interval, spearman

FOLDED = 5.0
"""Times a measured latency: a sum beyond it is of a network that the runtime folded away."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tags", type=Path, nargs="+")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for path in given.tags:
        tags = Tags.load(path)
        kept = {name: pair for name, pair in tags.whole.items() if pair[1] < FOLDED * pair[0]}
        tags = replace(tags, whole=kept, counts={name: tags.counts[name] for name in kept})
        measured, sums = np.asarray(list(kept.values())).T
        n, rng = len(measured), np.random.default_rng(given.seed)
        rhos = [spearman(sums[i], measured[i]) for i in rng.integers(0, n, (2_000, n))]
        low, high = np.quantile(rhos, (0.025, 0.975))
        off = np.abs(sums / measured - 1)
        least, most = bootstrap_interval(off)
        print(
            f"{path.name}: {n} networks, rho {spearman(sums, measured):.3f} [{low:.3f}, "
            f"{high:.3f}], error {off.mean():.1%} [{least:.1%}, {most:.1%}]"
        )
        parts = tags.parts
        for few in (5, 10, 20):
            by_each, by_one = [], []
            for _ in range(given.draws):
                drawn = np.isin(np.arange(n), rng.choice(n, few, replace=False))
                factors = factors_of_parts(parts[drawn], measured[drawn])
                scale = common_factor(sums[drawn], measured[drawn])
                left = measured[~drawn]
                by_each.append(np.abs(parts[~drawn] @ factors / left - 1).mean())
                by_one.append(np.abs(scale * sums[~drawn] / left - 1).mean())
            print(f"  after {few}: {np.mean(by_each):.1%}, by one factor {np.mean(by_one):.1%}")


if __name__ == "__main__":
    main()
