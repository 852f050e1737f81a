"""One search of a table, a surrogate or the trainer: `nb.search`, and `nasbench search`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast

from nasbench._defaults import METRIC
from nasbench._progress import Progress, shown
from nasbench.errors import BadValue, NasbenchError, unknown
from nasbench.search.catalog import cautions
from nasbench.search.isolation import Isolation
from nasbench.search.oracle import Estimates, Oracle, TableOracle
from nasbench.search.protocol import SearchFields, SearchProtocol, protocol_with
from nasbench.search.run import Run, search
from nasbench.search.setting import directed
from nasbench.search.strategy import AnyStrategy, Strategy, is_instance, name_of
from nasbench.search.surrogate_oracle import SurrogateOracle
from nasbench.search.trainer_oracle import TrainerOracle, primary_trained
from nasbench.table import Table, load

if TYPE_CHECKING:
    from nasbench.building import BuildSpec
    from nasbench.surrogate import Surrogate

__all__ = ["open_source", "search_once"]

logger = logging.getLogger(__name__)


def search_once(
    strategy: AnyStrategy | Strategy,
    table: Table | str | Path | None = None,
    protocol: SearchProtocol | None = None,
    *,
    surrogate: Surrogate | str | Path | None = None,
    train: BuildSpec | str | Path | None = None,
    seed: int = 0,
    parameters: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    isolate: Isolation | bool = False,
    tags: str | Path | None = None,
    progress: Progress | bool = True,
    **fields: Unpack[SearchFields],
) -> Run:
    """Run one search on a table, a surrogate or the trainer.

    Args:
        strategy: a registered name; a class, or a function that makes one when it is called with
            `(space, goal, rng, **parameters)`; or an instance, whose random numbers are its own.
        table: to search on; a name or path will do. One of table, surrogate and train is needed.
        protocol: how the search is run; a budget at least is needed.
        surrogate: a fitted one, or its file.
        train: a build recipe, its file or its name: what is asked for is really trained.
        seed: of the strategy's random numbers.
        parameters: the strategy's own.
        out: a journal, which keeps every evaluation; what it holds already is not trained again.
        isolate: run the strategy in a process of its own, see `nasbench guide isolation`.
        tags: a file of `nasbench device tags`: what networks cost on its device, estimated by the
            sums of their operations, are metrics of the search, as `DEVICE/latency_ms`.
        progress: shown in a terminal or notebook by a bar; False for none, or a function of one's
            own, called with what is done, how much of it, and how much there is.
        fields: fields of the protocol by name, in place of the protocol or of its own.

    Returns:
        The run: `best`, `values`, `frame()`, `plot()`.

    Raises:
        NasbenchError: for whatever is wrong with what is given, and where nothing was found.

    Example:
        >>> import nasbench as nb
        >>> run = nb.search("random_search", "nb201-fashion16", budget_evaluations=5)
        >>> run.best, len(run.evaluations)
        (10281, 5)
    """
    source = open_source(table, surrogate, train)
    asked = protocol_with(protocol, **fields)
    instance = cast("Strategy", strategy) if is_instance(strategy) else None
    name = type(strategy).__name__ if instance is not None else name_of(strategy)
    if parameters is not None:
        if instance is not None:
            raise BadValue(f"an instance of {name} has its parameters: leave them out")
        asked = protocol_with(asked, parameters={name: parameters})
    asked = _judged(asked, source)
    oracle = _oracle(source, asked, _estimates(source, asked, tags))
    spec = asked.spec(name, seed, oracle)
    if instance is None and spec.goal.objectives:
        for caution in cautions([name], spec.goal):
            logger.warning(caution)
    with shown(progress) as tell:
        done = 0

        def count(_: object) -> None:
            nonlocal done
            done += 1
            tell("searching", done, asked.budget_evaluations or done)

        run = search(
            spec,
            oracle,
            journal=None if out is None else Path(out),
            strategy=instance,
            progress=count,
            isolate=isolate,
        )
    if not run.evaluations:
        raise NasbenchError("no evaluation ended within the budget: give a larger one")
    _ = run.best  # nothing may have been found
    return run


def open_source(
    table: Table | str | Path | None,
    surrogate: Surrogate | str | Path | None,
    train: BuildSpec | str | Path | None,
) -> Table | Surrogate | BuildSpec:
    """What is searched on, opened; it is one of the three."""
    if sum(given is not None for given in (table, surrogate, train)) != 1:
        raise BadValue("name one of --table, --surrogate and --train to search on")
    if table is not None:
        return load(table)
    if surrogate is not None:
        from nasbench.surrogate import Surrogate

        return surrogate if isinstance(surrogate, Surrogate) else Surrogate.load(surrogate)
    # The room beside this one: only who really trains has need of it.
    spec: BuildSpec = import_module("nasbench.building").spec_from(train)
    return spec


def _judged(protocol: SearchProtocol, source: Table | Surrogate | BuildSpec) -> SearchProtocol:
    """The protocol with what a source is judged by, where nobody named anything."""
    if isinstance(source, Table):
        return directed(protocol, source)
    if protocol.metric != METRIC or protocol.maximize is not None:
        return protocol
    from nasbench.surrogate import Surrogate

    if isinstance(source, Surrogate):
        return protocol if METRIC in source.metrics else replace(protocol, metric=source.primary)
    recipe = source.recipes.get(protocol.search_recipe or next(iter(source.recipes)))
    found = None if recipe is None else primary_trained(source.task, recipe)
    return protocol if found is None else replace(protocol, metric=found)


def _estimates(
    source: Table | Surrogate | BuildSpec, protocol: SearchProtocol, tags: str | Path | None
) -> Estimates | None:
    """What tags say of a source's networks.

    Raises:
        BadValue: where it has no networks, or has measured what they estimate, or nothing of the
            goal is theirs.
    """
    from nasbench.surrogate import Surrogate

    if tags is None:
        return None
    if isinstance(source, Surrogate):
        raise BadValue(
            "tags are summed over networks, and a surrogate has none: search its --table, or "
            "--train a recipe"
        )
    found: Estimates = import_module("nasbench.building.sums").estimates_of(source, Path(tags))
    asked = protocol.goal().metrics
    measured = source.manifest["datasets"] if isinstance(source, Table) else {}
    for metric in found.metrics:
        if metric in asked and f"device/{metric}" in measured:
            raise BadValue(f"{source.name} has {metric}: leave out --tags, which estimate it")
    if not set(found.metrics) & set(asked):
        raise BadValue(
            f"nothing that is asked for is of these tags: name {', '.join(found.metrics)} as a "
            f"limit, an objective or a soft target"
        )
    return found


def _oracle(
    source: Table | Surrogate | BuildSpec, protocol: SearchProtocol, estimates: Estimates | None
) -> Oracle:
    from nasbench.surrogate import Surrogate

    if isinstance(source, Table):
        return TableOracle(
            source,
            recipe=protocol.search_recipe,
            costs=protocol.goal().metrics,
            training_seed=protocol.training_seed,
            cost_model=protocol.cost_model,
            estimates=estimates,
        )
    if protocol.cost_model:
        raise BadValue("--seconds-per-epoch is for a search on a --table")
    if isinstance(source, Surrogate):
        return SurrogateOracle(source, training_seed=protocol.training_seed)
    name = protocol.search_recipe or next(iter(source.recipes))
    if name not in source.recipes:
        raise unknown("recipe", name, source.recipes)
    seeds = source.seeds if protocol.training_seed is None else (protocol.training_seed,)
    return TrainerOracle(
        source.space, source.task, name, source.recipes[name], seeds=seeds, estimates=estimates
    )
