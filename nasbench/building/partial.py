"""Partly trained spaces: a sample is trained, and where that is asked for the rest predicted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from nasbench._defaults import ENGINE, EXECUTOR, HARDWARE
from nasbench._files import check_out
from nasbench._progress import Progress, silent
from nasbench.building.assemble import assemble
from nasbench.building.builder import (
    about_build,
    check_shards,
    entries_of,
    exists_already,
    is_sample_of,
    plan_of,
    train_missing,
    units_of,
)
from nasbench.building.crew import Crew
from nasbench.building.designs import COUNTED, DRAWS, Sampling
from nasbench.building.executor import Unit
from nasbench.building.journal import BuildFolder
from nasbench.building.ledger import Ledger
from nasbench.building.limits import check_extent
from nasbench.building.measuring import count_networks, device_of, measure
from nasbench.building.provenance import session
from nasbench.building.proxies import Scoring, chunks_of, score_chunks
from nasbench.building.rounds import Round, SamplingResult, run_rounds
from nasbench.building.spec import BuildSpec, check_table_name
from nasbench.errors import BadValue, NasbenchError, Unsupported
from nasbench.errors import shown as shown_value
from nasbench.space import Space
from nasbench.surrogate.completed import write_completed
from nasbench.surrogate.fitting import fit
from nasbench.table import Table

__all__ = [
    "FEWEST_COMPLETED",
    "PartlyTrained",
    "build_sample",
    "check_sample",
    "sampling_of",
    "scoring_of",
]

FEWEST_COMPLETED = 15
"""Architectures of a sample of which the rest is predicted: of 12 something can be learnt, and
3 that are held out can be ranked."""


@dataclass(frozen=True, eq=False, slots=True)
class PartlyTrained:
    """A table of a sample, and how it came about.

    Attributes:
        table: of the sample, or of the space with what was not trained predicted.
        outcome: what was trained, in which rounds, and how well the models did.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from nasbench.space import CellSpace
        >>> from nasbench.task import get
        >>> from nasbench.train import Recipe
        >>> recipe = Recipe(epochs=1, train_images=20, valid_images=20, channels=2, cells=1)
        >>> space = CellSpace("tiny", 2)
        >>> spec = BuildSpec("tiny", space, get("digits"), (0,), {"1ep": recipe}, ())
        >>> with TemporaryDirectory() as folder:
        ...     out = Path(folder) / "tiny.h5"
        ...     made = build_sample(spec, out, Sampling(2, "random"), processes=1)
        ...     print(len(made.table.rows), "of", spec.distinct)
        2 of 5
    """

    table: Table
    outcome: SamplingResult


def build_sample(
    spec: BuildSpec,
    out: Path,
    sampling: Sampling,
    *,
    complete: bool = False,
    processes: int | None = None,
    engine: str = ENGINE,
    hardware: str = HARDWARE,
    executor: str = EXECUTOR,
    progress: Progress | None = None,
) -> PartlyTrained:
    """Train a sample of a build's architectures, and write its table or a surrogate table.

    It works on the journal of the whole build, in the folder `<out>.build`, which stays: a
    larger sample, or the whole build, of the same recipe goes on from there, and its table
    takes this one's place. One that was killed goes on from there, too. A sample of another
    design, proxy or seed takes up the trainings that both have.

    Args:
        spec: of the whole build.
        out: the table; may be there if it is of an earlier sample of this build.
        sampling: how many, which, and of which seed.
        complete: fit models on the sample, end early once more trainings no longer help (see
            `nasbench.building.rounds.run_rounds`), and predict the other architectures. Devices
            are measured for those as well: it takes no training, so nothing of it is
            predicted.
        processes: as for `nasbench.building.build`, and so are the others.
        engine: that trains.
        hardware: to train on.
        executor: who trains. Networks are scored on this machine, side by side as in training.
        progress: called as it goes on, and after each round.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from nasbench.space import CellSpace
        >>> from nasbench.task import get
        >>> from nasbench.train import Recipe
        >>> recipe = Recipe(epochs=1, train_images=20, valid_images=20, channels=2, cells=1)
        >>> space = CellSpace("tiny", 2)
        >>> spec = BuildSpec("tiny", space, get("digits"), (0,), {"1ep": recipe}, ())
        >>> with TemporaryDirectory() as folder:
        ...     out = Path(folder) / "tiny.h5"
        ...     made = build_sample(spec, out, Sampling(2, "random"), processes=1)
        ...     print(made.table)
        <Table tiny-sample: 2 rows of tiny, recipes ('1ep',)>
    """
    check_sample(spec, sampling, complete)
    crew = Crew.of(spec, processes, engine, hardware, executor)
    plan = plan_of(spec, crew.engine)
    new = not check_out(out)
    if not new and not is_sample_of(out, plan):
        raise exists_already(out)
    tell = progress or silent
    devices = [device_of(spec, device) for device in spec.devices]
    check_shards(out, plan)
    folder = BuildFolder(out, plan)
    try:
        done = Ledger(folder, entries_of(spec, folder, out, plan))
        done.keep(session())
        outcome = _train(spec, sampling, complete, crew, done, tell)
        rows = spec.space.representatives if complete else outcome.trained
        count_networks(spec, rows.tolist(), done, tell)
        measure(spec, rows.tolist(), devices, done, tell)
        about = {**about_build(spec, crew.engine, done), "sample": outcome.describe()}
        wanted = set(units_of(spec, outcome.trained.tolist()))
        records = {unit: record for unit, record in done.records.items() if unit in wanted}

        def write(path: Path) -> Table:
            named = replace(spec, name=f"{spec.name}-sample")
            values = records, done.measurements, done.counts
            return assemble(named, path, *values, about, rows, new=new)

        table = _complete(spec, write, outcome, out, new) if complete else write(out)
    finally:
        folder.close(remove=False)
    return PartlyTrained(table, outcome)


def sampling_of(
    spec: BuildSpec,
    size: int | None,
    complete: bool,
    design: str | None,
    by: str | None,
    seed: int | None,
    only: Iterable[int | str] | None = None,
) -> Sampling | None:
    """The sample that is asked for, where the build can have it; None of none."""
    described = complete or any(given is not None for given in (design, by, seed))
    if only is not None:
        if size is not None or described:
            raise BadValue(
                "--only says which architectures are trained: leave out --sample, --complete, "
                "--design, --by and --seed"
            )
        sampling = Sampling.of_these(spec.space, _named(spec.space, only))
    elif size is not None:
        # What models ask for serves them best; a sample for other uses is a random one.
        sampling = Sampling(size, design or ("active" if complete else "random"), seed or 0, by)
    elif described:
        raise BadValue("--complete, --design, --by and --seed are of a sample: give --sample N")
    else:
        return None
    check_sample(spec, sampling, complete)
    return sampling


def _named(space: Space, only: Iterable[int | str]) -> list[int]:
    if isinstance(only, str) or not isinstance(only, Iterable):
        raise BadValue(f"only is a list of architectures, got {shown_value(only)}")
    named = [space.parse(str(one)) for one in only]
    if not named:
        raise BadValue("--only names no architecture")
    return named


def check_sample(spec: BuildSpec, sampling: Sampling, complete: bool) -> None:
    """Refuse what cannot be sampled, or not be predicted."""
    distinct = spec.distinct
    if complete and not spec.space.listable:
        raise Unsupported(
            f"--complete predicts all of a space, and {spec.space.name} has {distinct:,} "
            f"architectures: leave it out"
        )
    check_table_name(f"{spec.name}-{'completed' if complete else 'sample'}")
    check_extent(spec, distinct if complete else min(sampling.size, distinct))
    fewest = FEWEST_COMPLETED if complete else 1
    option = "--only" if sampling.these else "--sample"
    if distinct <= fewest:
        raise NasbenchError(
            f"{spec.space.name} has {distinct:,} distinct architectures, too few for a sample: "
            f"leave {option} out to train them all"
        )
    if not fewest <= sampling.size < distinct:
        why = ", to fit on some and hold out others" if sampling.size < fewest else ""
        raise NasbenchError(
            f"a sample of the {distinct:,} distinct architectures of {spec.space.name} has "
            f"{fewest} to {distinct - 1:,} of them{why}, got {sampling.size:,}; leave {option} out "
            f"to train them all"
        )
    if len(spec.recipes) > 1 and (complete or sampling.design == "active"):
        raise NasbenchError(
            f"models predict one recipe, and this build has {', '.join(spec.recipes)}: keep one "
            f"in its file, or sample without --complete, at random or stratified"
        )


def _train(
    spec: BuildSpec, sampling: Sampling, complete: bool, crew: Crew, done: Ledger, tell: Progress
) -> SamplingResult:
    """Train the sample, with rounds where models have a say."""
    trained = 0
    whole = sampling.size * len(spec.seeds) * len(spec.recipes)
    last = list(spec.recipes)[-1]

    def train(architectures: NDArray[np.int64]) -> NDArray[np.float64]:
        nonlocal trained
        before = trained

        def of_whole(what: str, finished: int, total: int) -> None:
            tell(what, before + finished, whole)

        units = units_of(spec, architectures.tolist())
        # A round that an earlier run trained takes no time, from which the rest would be reckoned.
        known = done.records.keys() >= set(units) and before + len(units) < whole
        train_missing(crew, units, done, silent if known else of_whole)
        trained += len(units)
        final = [
            [done.records[Unit(last, a, seed)].merit for seed in spec.seeds]
            for a in architectures.tolist()
        ]
        return np.asarray(final, dtype=np.float64).reshape(len(final), len(spec.seeds))

    def proxy(architectures: NDArray[np.int64]) -> NDArray[np.float64]:
        found = _scores(spec, sampling, architectures.tolist(), crew, done, tell)
        return np.asarray([found[a] for a in architectures.tolist()], dtype=np.float64)

    def report(one: Round) -> None:
        tau = one.kendall
        tell(
            f"{one.fitted:,} fitted: tau {tau.value:.2f} [{tau.low:.2f}, {tau.high:.2f}]",
            one.fitted,
            sampling.size - sampling.held_out,
        )

    return run_rounds(spec.space, sampling, train, proxy=proxy, models=complete, report=report)


def _scores(
    spec: BuildSpec,
    sampling: Sampling,
    architectures: list[int],
    crew: Crew,
    done: Ledger,
    tell: Progress,
) -> Mapping[int, float]:
    """By architecture what `sampling.by` says of it: counted, or scored once and journaled."""
    by = str(sampling.by)
    if not sampling.scored:
        count_networks(spec, architectures, done, tell)
        return {a: done.counts[a][COUNTED[by]] for a in architectures}
    scoring = scoring_of(spec, sampling)
    known = done.scores.setdefault((by, sampling.seed), {})
    missing = chunks_of(sorted(a for a in architectures if a not in known), crew.hardware)
    tell(f"scoring {by}", len(known), len(architectures))
    for _, entry in score_chunks(spec, scoring, missing, crew.processes, crew.hardware):
        done.keep({**entry, "seed": sampling.seed, "batch_size": scoring.batch_size})
        tell(f"scoring {by}", len(known), len(architectures))
    return known


def scoring_of(spec: BuildSpec, sampling: Sampling) -> Scoring:
    """What is computed of the architectures that a sample is chosen from, where one is."""
    recipe = next(iter(spec.recipes.values()))
    scoring = Scoring((str(sampling.by),), DRAWS, seed=sampling.seed)
    images = len(spec.task.train.first(recipe.train_images))
    return replace(scoring, batch_size=min(scoring.batch_size, images))


def _complete(
    spec: BuildSpec, write: Callable[[Path], Table], outcome: SamplingResult, out: Path, new: bool
) -> Table:
    """Fit what the last round fitted, and write the table of the space."""
    with TemporaryDirectory() as folder:
        partly = write(Path(folder) / "sample.h5")
        surrogate = fit(partly, train=outcome.fitted, seed=outcome.sampling.seed)
        return write_completed(
            partly,
            surrogate,
            out,
            name=f"{spec.name}-completed",
            trained=outcome.trained,
            about={key: partly.manifest[key] for key in ("sample", "recipe_file")},
            new=new,
        )
