"""Our zero-cost proxies beside those that NASLib published, on CIFAR-10.

    python tests/benchmarks/proxy_peers.py run --images cifar10.npz --data DIR journal.jsonl
    python tests/benchmarks/proxy_peers.py report --data DIR journal.jsonl

DIR holds `nb201_cifar10_proxies.npz` and `nb201_cifar10.npz`, published values in the layout that
`nasbench import npz` reads. Cells are drawn at random from those that have published values, and
scored in NAS-Bench-201's own skeleton (N = 5, C = 16, 32 x 32, a batch of 64), one at a time on a
thread. Every fifth has a second draw, which tells the noise of start and batch, and the
proxies that nobody published or that take longest. `run` appends to its journal as it goes and
goes on where it stopped; `report` prints a Markdown table of what there is.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import nasbench as nb
from nasbench import proxy
from nasbench.errors import NasbenchError
from nasbench.stats import bootstrap_estimate, spearman
from nasbench.task.readers import cifar10
from nasbench.train import Recipe

RECIPE = Recipe(epochs=1)
"""The skeleton; nothing is trained."""

PUBLISHED = {
    **{name: name for name in ("params", "flops", "l2_norm", "synflow", "nwot", "zen", "epe_nas")},
    **{name: name for name in ("grad_norm", "snip", "grasp", "fisher", "plain")},
    "jacob_cov": "jacov",
}
"""Our names of the published proxies."""

SLOW = ("grasp", "zico", "az_expressivity", "az_progressivity", "az_trainability")
"""Of every fifth cell only, as is `linear_regions`; the condition number takes too long."""

TURN = 5
"""Cells between two that have all proxies and two draws."""

Values = NDArray[np.float64]


def published(folder: Path) -> tuple[dict[str, Values], Values]:
    """Published proxies by our names, and CIFAR-10 test accuracies, `[15625]`."""
    with np.load(folder / "nb201_cifar10_proxies.npz") as file:
        proxies = {ours: file[f"proxy/{theirs}"] for ours, theirs in PUBLISHED.items()}
    with np.load(folder / "nb201_cifar10.npz") as file:
        return proxies, file["recipe/200ep/test_accuracy"].astype(np.float64)


def cells(folder: Path, n: int) -> NDArray[np.int64]:
    """Random cells among those that have published values."""
    proxies, _ = published(folder)
    known = np.flatnonzero(np.all([np.isfinite(v) for v in proxies.values()], axis=0))
    return np.random.default_rng(0).permutation(known)[:n]


def records(journal: Path) -> Iterator[dict[str, Any]]:
    """What the journal holds, a line a cell; a line cut short by a crash is left out."""
    if journal.exists():
        for line in journal.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue


def run(images: Path, folder: Path, journal: Path, n: int) -> None:
    """Score the cells that the journal has not."""
    torch.set_num_threads(1)
    space, task = nb.space("nb201"), cifar10(images)
    done = {record["architecture"] for record in records(journal)}
    every = [name for name in proxy.names() if name != "ntk_condition"]
    quick = [name for name in PUBLISHED if name not in SLOW]
    order = cells(folder, n)
    for first in range(0, n, TURN):
        turn = order[first : first + TURN].tolist()
        for members, names, draws in ((turn[:1], every, 2), (turn[1:], quick, 1)):
            left = [member for member in members if member not in done]
            if not left:
                continue
            scores = proxy.score(
                space, left, task, RECIPE, names,
                draws=draws, hardware="cpu", group=1, live=False,
            )  # fmt: skip
            with journal.open("a", encoding="utf-8") as file:
                for i, member in enumerate(left):
                    values = {name: found[i].tolist() for name, found in scores.values.items()}
                    reasons = [reason for reason in scores.reasons if reason[1] == i]
                    record = {"architecture": member, "values": values, "reasons": reasons}
                    file.write(json.dumps({**record, "seconds": scores.seconds}) + "\n")


def report(folder: Path, journal: Path) -> None:
    """Print the table."""
    theirs, accuracy = published(folder)
    kept = list(records(journal))
    if not kept:
        raise NasbenchError(f"{journal} holds nothing yet")
    print(
        "| proxy | n | ours with published | n | draw with draw | ours with test accuracy |", end=""
    )
    print(" published with test accuracy | NaN | s a network |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in dict.fromkeys((*PUBLISHED, *proxy.names())):
        having = [record for record in kept if name in record["values"]]
        if not having:
            continue
        rows = np.asarray([record["architecture"] for record in having])
        first = np.asarray([record["values"][name][0] for record in having], dtype=np.float64)
        known = np.isfinite(first)
        pairs = [record["values"][name] for record in having if len(record["values"][name]) > 1]
        both = np.asarray([pair for pair in pairs if np.isfinite(pair).all()])
        seconds = np.mean([record["seconds"][name] for record in having])
        columns = [name, str(known.sum())]
        if name in theirs:
            columns.append(shown(first[known], theirs[name][rows][known]))
        else:
            columns.append("")
        columns += [str(len(both)), shown(both[:, 0], both[:, 1])]
        columns.append(shown(first[known], accuracy[rows][known]))
        columns.append(
            shown(theirs[name][rows][known], accuracy[rows][known]) if name in theirs else ""
        )
        columns += [str((~known).sum()), f"{seconds:.2f}"]
        print("|", " | ".join(columns), "|")
    shared = np.mean([record["seconds"]["shared"] for record in kept])
    print(f"\nShared by all: {shared:.2f} s a network. {len(kept)} cells; [95 % bootstrap].")


def shown(x: Values, y: Values) -> str:
    """Spearman's rho with its interval."""
    found = bootstrap_estimate(spearman, x, y)
    if math.isnan(found.low):
        return f"{found.value:.3f}"
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Our proxies beside the published ones.")
    parser.add_argument("what", choices=("run", "report"))
    parser.add_argument("journal", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of published values")
    parser.add_argument("--images", type=Path, help="CIFAR-10: a folder of its batches, or .npz")
    parser.add_argument("--cells", type=int, default=300)
    options = parser.parse_args(arguments)
    try:
        if options.what == "report":
            report(options.data, options.journal)
        elif options.images is None:
            parser.error("run needs --images")
        else:
            run(options.images, options.data, options.journal, options.cells)
    except (NasbenchError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
