"""`nb.share`: weights that all architectures share, chosen by, and a page of what that is worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nasbench._files import check_folder
from nasbench._processes import cores
from nasbench._progress import Progress, shown
from nasbench.building import spec_from
from nasbench.errors import NasbenchError
from nasbench.report.sharing import write_shares
from nasbench.search.goal import Limit, SoftTarget
from nasbench.search.protocol import SearchProtocol
from nasbench.search.share_columns import read_columns
from nasbench.search.share_presets import Followed, preset_of
from nasbench.search.share_runs import share_seeds
from nasbench.search.share_setting import ShareSetting
from nasbench.search.shares import Shares
from nasbench.table import Table, load, shipped_tables

if TYPE_CHECKING:
    from nasbench.building import BuildSpec

__all__ = ["share", "table_beside"]

EPOCHS = 10

MEASURED = "none"
"""In place of a table: prices are measured seconds, and the best are really trained."""


def share(
    strategy: str,
    recipe: BuildSpec | str | Path,
    table: Table | str | Path | None = None,
    *,
    out: str | Path,
    report_recipe: str | None = None,
    epochs: int | None = None,
    seeds: int | Iterable[int] = 1,
    parameters: Mapping[str, Any] | None = None,
    norm: str | None = None,
    affine: bool = False,
    engine: str = "auto",
    budget_seconds: float | None = None,
    limits: Sequence[Limit] | Mapping[str, Any] = (),
    targets: Sequence[SoftTarget] = (),
    preset: str = "",
    scores: Table | str | Path | None = None,
    processes: int | None = None,
    progress: Progress | bool = True,
) -> Shares:
    """Train shared weights with each seed, choose by them, and write a page.

    Runs that were stopped go on, to the same bytes.

    Args:
        strategy: registered, and one that shares weights.
        recipe: a build recipe, its file or its name: its first `[recipe.NAME]` gives task, sizes
            of the networks, batches and SGD.
        table: prices and judges; by default the shipped one of the recipe's name. Where one does
            not say what trainings took, and where it is `"none"`, measured seconds are the price,
            and the best few are really trained.
        out: a folder for runs, page and `summary.json`.
        report_recipe: the table's, by which choices are looked up; by default the one of the
            recipe's name, or its only one.
        epochs: of the shared weights; 10, or the preset's.
        seeds: how many runs, or which.
        parameters: the strategy's own.
        norm: whose statistics BatchNorm takes in a score: `batch`, `recalibrated` or `running`;
            by default `batch`, or the preset's.
        affine: train BatchNorm's scales and shifts inside cells, too.
        engine: `native`, `reference` or `auto`.
        budget_seconds: seconds, as they are priced, that end a run.
        limits: bounds on columns of the table that choices keep, as for `nb.compare`, of
            strategies that rank candidates.
        targets: soft bounds, which weigh inherited accuracy.
        preset: a published protocol that gives what is left out: `nas-bench-201`, `nats-bench`.
        scores: a table whose columns stand in the place of shared weights, so that nothing is
            trained: those of `nasbench proxies inherited` for this strategy and these epochs, or
            `TABLE:PROXY`, a zero-cost proxy's. A run of seed n has the supernet that is n-th in
            turn.
        processes: runs side by side; a core each by default, and one with `scores`.
        progress: as in `nb.build`.

    Returns:
        The runs: `choices`, `regret`, `correlation()`, `summary()`.

    Raises:
        NasbenchError: before anything is trained, for what can be known by then.

    Example:
        >>> import nasbench as nb, tempfile
        >>> few = {"candidates": 3, "images": 50}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = nb.share("rsps", "nb201-fashion16", out=folder, epochs=1, parameters=few)
        >>> len(found.choices), found.table.name
        (1, 'nb201-fashion16')
    """
    folder = Path(out)
    check_folder(folder, "out")
    spec = spec_from(recipe)
    name = next(iter(spec.recipes))
    follows = preset_of(preset, strategy) if preset else Followed("batch", EPOCHS, {})
    bounds = SearchProtocol(budget_evaluations=1, limits=cast("Any", limits), targets=targets)
    wanted = follows.epochs if epochs is None else epochs
    columns = None if scores is None else read_columns(scores, strategy, wanted)
    if columns and columns.trained is None and epochs is None:
        wanted = 1  # a proxy needs no training
    setting = ShareSetting(
        strategy,
        spec.space,
        spec.task,
        name,
        spec.recipes[name],
        table_beside(recipe if isinstance(recipe, str) else spec.name, table),
        report_recipe,
        epochs=wanted,
        parameters={**follows.parameters, **(parameters or {})},
        norm=norm or follows.norm,
        affine=affine,
        engine=engine,
        budget_seconds=budget_seconds,
        limits=tuple(bounds.limits),
        targets=tuple(bounds.targets),
        preset=preset,
        columns=columns,
    )
    numbers = range(seeds) if isinstance(seeds, int) else list(seeds)
    with shown(progress) as tell:
        found = share_seeds(
            setting,
            numbers,
            folder,
            processes=processes or (1 if columns else cores()),
            progress=lambda done, total: tell("sharing", done, total),
        )
    write_shares(found, folder)
    return found


def table_beside(recipe: str, table: Table | str | Path | None) -> Table | None:
    """The table that prices and judges: the one given, else the shipped one of a recipe's name.

    Raises:
        NasbenchError: where that is none.
    """
    if isinstance(table, Table):
        return table
    if table is not None:
        return None if str(table) == MEASURED else load(table)
    if recipe in shipped_tables():
        return load(recipe)
    raise NasbenchError(
        f"no shipped table is called {recipe}: name one with --table, or --table none: then "
        f"measured seconds are the price"
    )
