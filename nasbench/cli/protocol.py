"""The options that `search` and `compare` share, and the protocol that they make."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from nasbench._defaults import FAILURES, METRIC, REPEATS, SCHEDULE, WORKERS
from nasbench._limits import LARGEST_SEED, MOST_WORKERS
from nasbench.cli.common import parse_settings, read_start
from nasbench.cli.goals import (
    Limits,
    Maximize,
    Metric,
    Objectives,
    Targets,
    parse_limits,
    parse_objectives,
    parse_targets,
)
from nasbench.cli.look import complete_table
from nasbench.errors import BadValue

if TYPE_CHECKING:
    from nasbench.search import CostModel, SearchProtocol
    from nasbench.search.growing import SmallerSpace
    from nasbench.search.prior import Prior
    from nasbench.space import Space

__all__ = ["Isolate", "ProtocolOptions", "Surrogate", "Table", "say_reach", "with_protocol"]

Table = Annotated[
    str | None, typer.Option(help="A table or its name.", autocompletion=complete_table)
]
Surrogate = Annotated[Path | None, typer.Option(help="A fitted surrogate.")]
Isolate = Annotated[
    bool,
    typer.Option(
        "--isolate", help="Run strategies apart, without the table: nasbench guide isolation."
    ),
]


def say_reach(isolate: bool) -> None:
    """Warn where nothing but not knowing its path keeps an isolated strategy from the table."""
    if isolate:
        from nasbench.search.confinement import landlock

        if not landlock():
            typer.echo(
                "nasbench: this system has no Landlock: strategies are given no path, but may "
                "read your files (nasbench guide isolation)",
                err=True,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolOptions:
    """The options that `search` and `compare` share."""

    budget_seconds: Annotated[float | None, typer.Option(help="Simulated seconds of training.")] = (
        None
    )
    budget_epochs: Annotated[
        int | None, typer.Option(help="Epochs of training, whole trainings or parts.")
    ] = None
    budget_evaluations: Annotated[int | None, typer.Option(help="Evaluations.")] = None
    metric: Metric = METRIC
    maximize: Maximize = None
    limits: Limits = None
    objectives: Objectives = None
    soft: Targets = None
    search_recipe: Annotated[str | None, typer.Option(help="What a query trains by.")] = None
    training_seed: Annotated[
        int | None,
        typer.Option(min=0, max=LARGEST_SEED, help="Which training a query shows; else mean."),
    ] = None
    repeats: Annotated[str, typer.Option(help="Trained before: paid again, or free.")] = REPEATS
    workers: Annotated[int, typer.Option(min=1, max=MOST_WORKERS, help="Simulated workers.")] = (
        WORKERS
    )
    schedule: Annotated[
        str, typer.Option(help="Workers: asynchronous, or synchronous in rounds.")
    ] = SCHEDULE
    failures: Annotated[
        float, typer.Option(help="Share of trainings lost with a dying worker.")
    ] = FAILURES
    seconds_per_epoch: Annotated[
        float | None, typer.Option(help="Assume it, where the table has no training times.")
    ] = None
    in_proportion_to: Annotated[
        str | None,
        typer.Option(help="With --seconds-per-epoch: flops, parameters, DEVICE/METRIC."),
    ] = None
    among_rows: Annotated[
        bool,
        typer.Option("--among-rows", help="Search a partial table among the rows that it has."),
    ] = False
    start: Annotated[
        Path | None, typer.Option(help="A file of architectures to begin with, one a line.")
    ] = None
    begin_in: Annotated[
        list[str] | None,
        typer.Option("--begin-in", help="SPACE:N, a smaller space for the first N evaluations."),
    ] = None
    begin_with: Annotated[
        list[str] | None,
        typer.Option("--begin-with", help="With --begin-in: NAME=CHOICE of what it lacks."),
    ] = None
    proxy: Annotated[
        str | None,
        typer.Option("--proxy", help="A proxy of the table that strategies know beforehand."),
    ] = None
    keep: Annotated[
        float | None, typer.Option(help="With --proxy: train only this share, the best by it.")
    ] = None

    def protocol(self, strategies: Sequence[str], space: Space, **own: Any) -> SearchProtocol:
        """The protocol that they ask for, of these strategies on that space.

        Args:
            strategies: that run.
            space: that is searched.
            own: fields of `SearchProtocol` that the command has beside these options.
        """
        from nasbench.search import SearchProtocol

        budgets = (self.budget_evaluations, self.budget_seconds, self.budget_epochs)
        if not any((*budgets, own.get("budget_mean_trainings"))):
            raise BadValue(
                "a search needs a budget above 0: give --budget-evaluations, --budget-epochs or "
                "--budget-seconds"
            )
        return SearchProtocol(
            budget_evaluations=self.budget_evaluations,
            budget_seconds=self.budget_seconds,
            budget_epochs=self.budget_epochs,
            metric=self.metric,
            maximize=self.maximize,
            limits=parse_limits(self.limits),
            objectives=parse_objectives(self.objectives),
            targets=parse_targets(self.soft),
            search_recipe=self.search_recipe,
            training_seed=self.training_seed,
            repeats=self.repeats,
            workers=self.workers,
            schedule=self.schedule,
            failures=self.failures,
            cost_model=_cost_model(self.seconds_per_epoch, self.in_proportion_to),
            among_rows=self.among_rows,
            start=read_start(self.start, space),
            prior=_prior(self.proxy, self.keep, strategies),
            begin_in=_smaller(self.begin_in or (), self.begin_with or ()),
            **own,
        )


def with_protocol(command: Callable[..., None]) -> Callable[..., None]:
    """The command with `ProtocolOptions` among its own; it gets them as its `options`."""
    shared = inspect.signature(ProtocolOptions).parameters
    own = dict(inspect.signature(command).parameters)
    del own["options"]
    hints = {
        **get_type_hints(ProtocolOptions, include_extras=True),
        **get_type_hints(command, include_extras=True),
    }

    @wraps(command)
    def whole(**given: Any) -> None:
        options = ProtocolOptions(**{name: given.pop(name) for name in shared})
        command(**given, options=options)

    # Typer reads options off a signature, and their types off the annotations.
    parameters = [
        one.replace(annotation=hints[one.name]) for one in (*own.values(), *shared.values())
    ]
    whole.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    whole.__annotations__ = {one.name: one.annotation for one in parameters}
    return whole


def _cost_model(seconds_per_epoch: float | None, in_proportion_to: str | None) -> CostModel | None:
    from nasbench.search import CostModel

    if seconds_per_epoch is not None:
        return CostModel(seconds_per_epoch, in_proportion_to)
    if in_proportion_to is not None:
        raise BadValue("--in-proportion-to needs --seconds-per-epoch, of the average network")
    return None


def _smaller(spaces: Sequence[str], choices: Sequence[str]) -> list[SmallerSpace]:
    """Smaller spaces as `--begin-in` and `--begin-with` name them."""
    from nasbench.search.growing import SmallerSpace

    if choices and not spaces:
        raise BadValue("--begin-with needs --begin-in, whose space lacks these decisions")
    given = parse_settings(choices)
    found = []
    for text in spaces:
        name, _, evaluations = text.rpartition(":")
        if not name or not evaluations.isdecimal():
            raise BadValue(f"--begin-in is SPACE:N, as in small.toml:20, got {text!r}")
        found.append(SmallerSpace.of(name, int(evaluations), given))
    return found


def _prior(proxy: str | None, keep: float | None, strategies: Sequence[str]) -> Prior | None:
    from nasbench.search.prior import Prior, takes_scores
    from nasbench.search.strategy import is_ours

    if proxy is None:
        if keep is not None:
            raise BadValue("--keep needs --proxy, by which the best are kept")
        return None
    # A stranger's code is not looked at here: it may be meant to run apart.
    if keep is None and not any(not is_ours(one) or takes_scores(one) for one in strategies):
        raise BadValue(
            f"of {', '.join(strategies)} none makes use of a proxy by itself: give --keep to train "
            f"only the best by it, or begin with them (nasbench proxies start)"
        )
    return Prior(proxy, 1.0 if keep is None else keep)
