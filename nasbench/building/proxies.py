"""Zero-cost proxies of a whole space, or of a sample of it: journaled, and into a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._code import digest
from nasbench._defaults import BATCH_SIZE, HARDWARE, STARTS
from nasbench._files import check_out
from nasbench._limits import MOST_PROCESSES
from nasbench._pool import in_processes
from nasbench._processes import leave_with_parent
from nasbench._progress import Progress, silent
from nasbench._version import __version__
from nasbench.building.builder import exists_already
from nasbench.building.designs import some_of
from nasbench.building.entries import EntryCheck
from nasbench.building.executor import FEWER, processes_of
from nasbench.building.journal import BuildFolder, folder_of, read_plan
from nasbench.building.provenance import hardware as describe_hardware
from nasbench.building.provenance import session, versions
from nasbench.building.spec import BuildSpec, check_table_name
from nasbench.errors import BadValue, NasbenchError
from nasbench.network import family_of
from nasbench.network.making import sizes_of
from nasbench.proxy import get, score
from nasbench.proxy.registry import hear
from nasbench.proxy.registry import place as place_of
from nasbench.proxy.scoring import check_proxies
from nasbench.space import Architectures
from nasbench.table import Dataset, Table, write_table
from nasbench.table.merging import merge
from nasbench.train.reference import cpu_threads, pick_hardware

__all__ = ["Scoring", "chunks_of", "score_chunks", "score_table"]

ON_CPU, ON_GPU = 8, 256
"""Networks that are scored and journaled together: a GPU is filled by many."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """What is computed of each architecture.

    Attributes:
        proxies: names; see `nasbench.proxy.names`.
        draws: starts and batches, over which a score is the mean.
        batch_size: images of a batch.
        seed: of all draws, and of the sample.
    """

    proxies: tuple[str, ...]
    draws: int = STARTS
    batch_size: int = BATCH_SIZE
    seed: int = 0


def score_table(
    spec: BuildSpec,
    out: Path,
    scoring: Scoring,
    *,
    table: Table | None = None,
    sample: int | None = None,
    processes: int | None = None,
    hardware: str = HARDWARE,
    progress: Progress = silent,
) -> Table:
    """Score every distinct architecture, or a sample, and write the scores into a table.

    A scoring that was stopped or killed goes on from its journal in the folder `<out>.build`,
    which goes when the table is there. The scores do not depend on where it was stopped, nor on
    how many processes there are.

    Args:
        spec: gives space, task, and with its first recipe width, depth and training images.
        out: the table; must not exist.
        scoring: what is computed.
        table: whose architectures are scored, and which the new table holds as well.
        sample: how many distinct architectures, drawn at random; a larger sample holds a smaller
            one. All where left out.
        processes: side by side, each on one thread; a core each by default.
        hardware: a torch device's name, or `auto`.
        progress: called as it goes on.
    """
    if processes is not None and not 1 <= processes <= MOST_PROCESSES:
        raise BadValue(
            f"scoring needs 1 process or more, got {processes}; {MOST_PROCESSES:,} are the most"
        )
    check_table_name(f"{spec.name}-proxies")
    if not scoring.proxies:
        raise NasbenchError("no proxy is named: nasbench proxies list tells which there are")
    check_proxies(spec.space, scoring.proxies)
    architectures = _chosen(spec, table, sample, scoring.seed)
    recipe = next(iter(spec.recipes.values()))
    plan = {
        "scoring": {**asdict(scoring), "proxies": list(scoring.proxies)},
        "space": dict(spec.space.describe()),
        "task": spec.task.describe(),
        "recipe": recipe.describe(),
        "architectures": len(architectures),
        "sample": sample,
        "chunk": _together(hardware),
        "hardware": pick_hardware(hardware).type,
        "table": table.sha256 if table else None,
        "version": __version__,
        **_code(scoring.proxies),
    }
    if check_out(out):
        if read_plan(folder_of(out)) == plan:  # a kill was all that kept the folder there
            BuildFolder(out, plan).close(remove=True)
            return Table(out)
        raise exists_already(out)
    folder = BuildFolder(out, plan)
    finished = False
    chunks = chunks_of(architectures.tolist(), hardware)
    done: dict[tuple[int, ...], dict[str, Any]] = {}
    try:
        kept = list(folder.entries(EntryCheck(spec, scoring.proxies, scoring.draws)))
        done = {tuple(e["architectures"]): e for e in kept if e["entry"] == "scores"}
        history = [*(e for e in kept if e["entry"] == "session"), session()]
        folder.add(history[-1])
        missing = [members for members in chunks if members not in done]
        progress("scoring", _count(done), len(architectures))
        for members, entry in score_chunks(spec, scoring, missing, processes, hardware):
            folder.add(entry)
            done[members] = entry
            progress("scoring", _count(done), len(architectures))
        _write(spec, out, scoring, [done[members] for members in chunks], table, history)
        finished = True
    finally:
        folder.close(remove=finished or not done)
    return Table(out)


def _code(proxies: Sequence[str]) -> dict[str, Any]:
    """The hashes of functions that a program has handed over: others of the name are others."""
    found = {name: digest(get(name).function) for name in proxies if place_of(name) is not None}
    return {"code": found} if found else {}


def _count(done: Mapping[tuple[int, ...], Any]) -> int:
    return sum(map(len, done))


def _chosen(spec: BuildSpec, table: Table | None, sample: int | None, seed: int) -> Architectures:
    """The distinct architectures to score, ascending."""
    if table is None and sample and not spec.space.listable:
        return np.sort(spec.space.check(some_of(spec.space, sample, seed)))
    if table is None:
        spec.space.check_listable("scoring without a sample")
        known = spec.space.representatives
    else:
        if table.manifest["space"] != spec.space.describe():
            raise NasbenchError(
                f"{table.name} is of space {table.space.name}, the recipe of {spec.space.name}: "
                f"scores join a table of the same space"
            )
        known = np.unique(spec.space.canonical(table.rows))
    if sample is None:
        return known
    if not 1 <= sample <= len(known):
        raise NasbenchError(
            f"a sample of {len(known):,} distinct architectures has 1 to {len(known):,} of them, "
            f"got {sample:,}"
        )
    return np.sort(np.random.default_rng(seed).permutation(known)[:sample])


def chunks_of(architectures: Sequence[int], hardware: str) -> list[tuple[int, ...]]:
    """The architectures that are scored and journaled together, in their order.

    Who stands beside a network changes its rounding. What is left of an order, without whole
    chunks, is cut as before.
    """
    n = _together(hardware)
    return [tuple(architectures[i : i + n]) for i in range(0, len(architectures), n)]


def _together(hardware: str) -> int:
    return ON_GPU if pick_hardware(hardware).type == "cuda" else ON_CPU


def score_chunks(
    spec: BuildSpec,
    scoring: Scoring,
    chunks: Sequence[tuple[int, ...]],
    processes: int | None,
    hardware: str,
) -> Iterator[tuple[tuple[int, ...], dict[str, Any]]]:
    """An entry of the journal for each chunk, in any order; no number depends on the processes."""
    places = {name: at for name in scoring.proxies if (at := place_of(name)) is not None}
    processes = processes_of(spec, processes, hardware) if all(places.values()) else 1
    if processes == 1 or len(chunks) < 2:
        for members in chunks:
            yield members, _entry(spec, scoring, hardware, members)
        return
    opened_with = (spec, scoring, hardware, places)
    yield from in_processes(
        _score, chunks, processes, _open, opened_with, what="scoring", hint=FEWER
    )


def _entry(
    spec: BuildSpec, scoring: Scoring, hardware: str, members: tuple[int, ...]
) -> dict[str, Any]:
    """What is journaled of a chunk; on a CPU one thread, so that processes change no digit."""
    recipe = next(iter(spec.recipes.values()))
    with cpu_threads(1):
        found = score(
            spec.space,
            members,
            spec.task,
            recipe,
            scoring.proxies,
            seed=scoring.seed,
            draws=scoring.draws,
            batch_size=scoring.batch_size,
            hardware=hardware,
        )
    return {
        "entry": "scores",
        "architectures": list(members),
        "values": {name: values.tolist() for name, values in found.values.items()},
        "reasons": [list(reason) for reason in found.reasons],
        "seconds": found.seconds,
    }


_opened: tuple[BuildSpec, Scoring, str] | None = None  # of a scoring process


def _open(spec: BuildSpec, scoring: Scoring, hardware: str, places: Mapping[str, str]) -> None:
    global _opened
    leave_with_parent()
    for name, at in places.items():
        hear(name, at)
    _opened = spec, scoring, hardware


def _score(members: tuple[int, ...]) -> dict[str, Any]:
    if _opened is None:
        raise RuntimeError("the scoring process was not opened")
    return _entry(*_opened, members)


def _write(
    spec: BuildSpec,
    out: Path,
    scoring: Scoring,
    entries: Sequence[Mapping[str, Any]],
    table: Table | None,
    history: Sequence[Mapping[str, Any]],
) -> None:
    """The table of scores, joined with the table that was scored where there is one."""
    scores = out if table is None else folder_of(out) / "scores.h5"
    sizes = [len(entry["architectures"]) for entry in entries]
    seconds = {
        name: float(
            np.average([entry["seconds"].get(name, 0.0) for entry in entries], weights=sizes)
        )
        for name in dict.fromkeys(name for entry in entries for name in entry["seconds"])
    }
    recipe = next(iter(spec.recipes.values()))
    rows = [architecture for entry in entries for architecture in entry["architectures"]]
    datasets: dict[str, Dataset] = {}
    missing: list[dict[str, Any]] = []
    for name in scoring.proxies:
        proxy = get(name)
        draws = np.concatenate([np.asarray(entry["values"][name], float) for entry in entries])
        known = np.isfinite(draws)
        mean = np.where(known, draws, 0).sum(1) / np.where(known.any(1), known.sum(1), np.nan)
        about = {
            "kind": "computed",
            "better": proxy.better,
            "paper": proxy.paper,
            "mode": proxy.about,
            "draws": scoring.draws if proxy.random else 1,
            "batch_size": scoring.batch_size,
            "seed": scoring.seed,
            "task": spec.task.describe()["hash"],
            "network": sizes_of(family_of(spec.space), recipe),
        }
        datasets[f"proxy/{name}"] = Dataset(mean, {**about, "seconds": seconds.get(name, 0.0)})
        if about["draws"] > 1:
            datasets[f"proxy_draws/{name}"] = Dataset(draws, about)
        missing += [m for m in _missing(name, entries, mean) if m["scope"] in datasets]
    about = {
        "origin": "scored",
        "task": spec.task.manifest(),
        "recipe_file": spec.describe(),
        "versions": versions(),
        "hardware": describe_hardware(),
        "scoring": {**asdict(scoring), "proxies": list(scoring.proxies), "seconds": seconds},
        "history": list(history),
    }
    write_table(
        scores,
        name=f"{spec.name}-proxies",
        space=spec.space,
        rows=rows,
        sharing="canonical",
        recipes={},
        datasets=datasets,
        missing=missing,
        about=about,
        new=table is None,  # else they are joined from the build's folder, where a kill left some
    )
    if table is not None:
        merge([table, Table(scores)], out, new=True)
        scores.unlink()


def _missing(
    name: str, entries: Sequence[Mapping[str, Any]], mean: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Why draws of a proxy are missing, and with all of them its mean."""
    reasons: dict[tuple[str, str], list[int]] = {}
    lost = iter(np.isnan(mean).tolist())
    for entry in entries:
        members = entry["architectures"]
        nothing = [next(lost) for _ in members]
        for of, place, draw, reason in entry["reasons"]:
            if of != name or (nothing[place] and draw):
                continue
            if nothing[place]:
                reasons.setdefault((f"proxy/{name}", reason), []).append(members[place])
            why = reason if nothing[place] else f"draw {draw}: {reason}"
            reasons.setdefault((f"proxy_draws/{name}", why), []).append(members[place])
    return [
        {"scope": scope, "reason": reason, "architectures": architectures}
        for (scope, reason), architectures in reasons.items()
    ]
