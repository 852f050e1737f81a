"""What the runs of a comparison share: a table's file and a protocol."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from nasbench._defaults import METRIC
from nasbench._files import local, utf8
from nasbench.errors import BadValue
from nasbench.search.oracle import Oracle, TableOracle, declared_direction, recipe_of
from nasbench.search.protocol import SearchProtocol
from nasbench.search.run_spec import RunSpec
from nasbench.search.surrogate_oracle import SurrogateOracle
from nasbench.table import Table, load, shipped_tables

__all__ = ["Setting", "directed", "header_of", "metric_of"]

_PATHS = ("table", "surrogate", "also")


@dataclass(frozen=True, slots=True)
class Setting:
    """What the runs of a comparison share; worker processes open its files themselves.

    Attributes:
        table: the path of the table.
        protocol: how it is searched. Its `surrogate` and `also` are paths here, and its
            `report_recipe` is named.
    """

    table: str
    protocol: SearchProtocol

    @classmethod
    def of(cls, table: Table, protocol: SearchProtocol) -> Setting:
        """The setting of a protocol on a table, with whatever files it names as paths."""
        surrogate = protocol.surrogate
        resolved = replace(
            _timed(directed(protocol, table), table),
            report_recipe=recipe_of(table, protocol.report_recipe or protocol.search_recipe),
            surrogate=str(Path(surrogate).resolve()) if surrogate else None,
            also=tuple(str(load(other).path.resolve()) for other in protocol.also),
        )
        return cls(str(table.path.resolve()), resolved)

    def oracle(self, table: Table | None = None) -> Oracle:
        """The oracle that is searched: the surrogate where there is one, else the table.

        Args:
            table: the setting's own, where it is open already.
        """
        table = table or Table(self.table)
        protocol = self.protocol
        costs = protocol.goal().metrics
        if protocol.surrogate:
            from nasbench.surrogate import Surrogate

            return SurrogateOracle(
                Surrogate.load(Path(protocol.surrogate)),
                training_seed=protocol.training_seed,
                table=table,
                costs=costs,
            )
        return TableOracle(
            table,
            recipe=protocol.search_recipe,
            costs=costs,
            training_seed=protocol.training_seed,
            cost_model=protocol.cost_model,
        )

    def spec(self, strategy: str, seed: int, oracle: Oracle) -> RunSpec:
        """The run of that strategy with that seed."""
        return self.protocol.spec(strategy, seed, oracle)

    def to_json(self, folder: Path) -> dict[str, Any]:
        """Plain JSON values that `from_json` reads back, in any locale.

        Args:
            folder: that keeps them, and may be published: files are named as seen from there.
        """
        values = {"table": self.table, **self.protocol.to_json()}
        return {
            key: _each(partial(_seen_from, folder), value) if key in _PATHS else value
            for key, value in values.items()
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any], folder: Path) -> Setting:
        """The setting that `to_json` wrote, now or when paths were kept as they were."""
        rest = {
            key: _each(partial(_found_from, folder), value) if key in _PATHS else value
            for key, value in values.items()
        }
        return cls(rest.pop("table"), SearchProtocol.from_json(rest))


def _seen_from(folder: Path, path: str) -> str:
    """A file by a shipped table's name, or relative to a folder or to the home directory."""
    for name, shipped in shipped_tables().items():
        if Path(path) == shipped.resolve():
            return name
    here, home = str(folder.resolve()), str(Path.home())
    try:
        apart = os.path.commonpath((here, path)) == os.path.commonpath((os.sep, path))
        if apart and os.path.commonpath((home, path)) == home:
            return utf8(f"~/{Path(path).relative_to(home).as_posix()}")
        return utf8(Path(os.path.relpath(path, here)).as_posix())
    except ValueError:  # on another drive
        return utf8(path)


def _found_from(folder: Path, text: str) -> str:
    """The path of the file that `_seen_from` named."""
    path = Path(local(text))
    if text in (shipped := shipped_tables()):
        return str(shipped[text].resolve())
    if text.startswith("~/"):
        return str(Path.home() / path.relative_to("~"))
    return os.path.normpath(folder.resolve() / path)


def _each(change: Callable[[str], str], paths: Any) -> Any:
    """Change a path, or each of a list; whatever else a stranger wrote stays."""
    if isinstance(paths, list | tuple):
        return [_each(change, path) for path in paths]
    return change(paths) if isinstance(paths, str) else paths


def directed(protocol: SearchProtocol, table: Table) -> SearchProtocol:
    """The protocol with the metric and the direction that a table gives, where nobody named others.

    A trained table without validation accuracy is searched for what it is primarily judged by.
    """
    if table.recipes:
        protocol = replace(protocol, metric=metric_of(protocol, table))
    declared = declared_direction(table, protocol.metric)
    if protocol.maximize is not None or declared is None:
        return protocol
    return replace(protocol, maximize=declared)


def _timed(protocol: SearchProtocol, table: Table) -> SearchProtocol:
    """The protocol with its budget of trainings of a table's average row in seconds.

    Raises:
        BadValue: where nothing says what trainings take, and on a surrogate.
    """
    if protocol.budget_mean_trainings is None:
        return protocol
    if protocol.surrogate:
        raise BadValue(
            "a surrogate predicts what each training takes: give seconds (--budget-seconds), not "
            "trainings of a table's average row"
        )
    oracle = TableOracle(
        table,
        recipe=protocol.search_recipe,
        training_seed=protocol.training_seed,
        cost_model=protocol.cost_model,
    )
    seconds = protocol.budget_mean_trainings * oracle.mean_seconds
    return replace(protocol, budget_seconds=seconds, budget_mean_trainings=None)


def metric_of(protocol: SearchProtocol, table: Table) -> str:
    """What is searched for: where nothing is named, what a table without accuracy is judged by."""
    if protocol.metric != METRIC or protocol.maximize is not None:
        return protocol.metric
    recipe = protocol.search_recipe or protocol.report_recipe
    named = recipe if recipe in table.recipes else None
    recipes = table.recipes if named is None else (named,)
    if any(METRIC in table.metrics[one] for one in recipes):
        return METRIC
    return table.primary(named) or METRIC


def header_of(
    setting: Setting, strategy: str, oracle: Oracle, code: str | None = None
) -> dict[str, Any]:
    """What the runs of a strategy share, with the hash of what they search, and of its code."""
    header = setting.spec(strategy, 0, oracle).describe(oracle)
    return {**header, "code": code} if code else header
