"""The commands that make a page again, from what its runs keep of their setting."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nasbench._names import printable
from nasbench.report.calls import call, unusual
from nasbench.search import Comparison, Comparisons, SearchProtocol
from nasbench.search.goal import Limit, SoftTarget
from nasbench.search.oracle import TableOracle
from nasbench.search.shares import Shares
from nasbench.space import names as space_names
from nasbench.table import Table, table_name

if TYPE_CHECKING:
    from nasbench.surrogate import SizeScores

__all__ = ["command_line", "compare_command", "report_commands", "share_command", "sizes_command"]


def compare_command(found: Comparison | Comparisons, out: str = "DIR") -> str:
    """`nasbench compare` with every option that was not left as it is by default.

    Files are named without their folders: what a page says holds wherever it is read.
    """
    tables = list(found.tables.values()) if isinstance(found, Comparisons) else [found]
    first = tables[0]
    if first.given:
        return _call(tables, out)
    seeds = [trace.seed for trace in next(iter(first.traces.values()), ())]
    words = ["nasbench", "compare"]
    for comparison in tables:
        words += ["--table", table_name(comparison.table)]
    words += ["--strategies", ",".join(first.traces)]
    words += _options(_protocol(tables), _with_recipes(tables).table)
    words += ["--seeds", seeds_text(seeds)]
    words += [word for name in _shared(first) for word in ("--share", name)]
    words += ["--out", out]
    return command_line(words)


def _call(comparisons: Sequence[Comparison], out: str) -> str:
    """The same in Python, where strategies are a program's own classes and functions."""
    first = _with_recipes(comparisons)
    names = ", ".join(name if name in first.given else repr(name) for name in first.traces)
    tables = [table_name(of.table) for of in comparisons]
    seeds = [trace.seed for trace in next(iter(first.traces.values()), ())]
    said = unusual(_protocol(comparisons))
    for name in ("also", "surrogate"):  # files
        said.pop(name, None)
    if _follows(first.table, first.protocol):
        said.pop("report_recipe", None)
    if first.shared:
        said["share"] = _shared(first)
    on = repr(tables[0] if len(tables) == 1 else tables)
    first_ones = range(len(seeds))
    said["seeds"] = first_ones if seeds == list(first_ones) else seeds
    return call("compare", [f"[{names}]", on], said, out)


def _with_recipes(comparisons: Sequence[Comparison]) -> Comparison:
    """That of a table with several recipes, if there is one: others need none to be named."""
    several = (one for one in comparisons if len(one.table.recipes) > 1)
    return next(several, comparisons[0])


def _protocol(comparisons: Sequence[Comparison]) -> SearchProtocol:
    """What was asked for on all tables, of which each kept what concerns it.

    Seconds that differ were so many trainings of each table's average row.
    """
    of = _with_recipes(comparisons)
    asked = replace(of.protocol, among_rows=any(one.protocol.among_rows for one in comparisons))
    if len({one.protocol.budget_seconds for one in comparisons}) == 1:
        return asked
    assert isinstance(of.oracle, TableOracle)  # a surrogate is of one table
    assert asked.budget_seconds is not None
    trainings = round(asked.budget_seconds / of.oracle.mean_seconds, 9)
    return replace(asked, budget_seconds=None, budget_mean_trainings=trainings)


def _shared(comparison: Comparison) -> list[str]:
    """The folders of runs that share weights, in capitals: the reader must name them."""
    return [f"SHARED{place}" for place in range(1, len(comparison.shared) + 1)]


def report_commands(
    table: Table, recipe: str | None, comparisons: Sequence[Comparison], scored: bool
) -> list[str]:
    """The comparisons of a page, then `nasbench report`; in capitals what the reader must name."""
    outs = [f"RUNS{place}" for place in range(1, len(comparisons) + 1)]
    made = [compare_command(of, out) for of, out in zip(comparisons, outs, strict=True)]
    words = ["nasbench", "report", table_name(table)]
    words += ["--recipe", recipe] if recipe and len(table.recipes) > 1 else []
    words += ["--surrogate", "SURROGATE.json"] if scored else []
    words += [word for out in outs for word in ("--compare", out)]
    return [*made, command_line([*words, "--out", "DIR"])]


def share_command(shares: Shares) -> str:
    """`nasbench share` with what was set; the recipe is the reader's to name."""
    spec = shares.spec
    words = ["nasbench", "share", shares.strategy, "RECIPE"]
    words += ["--table", table_name(shares.table) if shares.table else "none"]
    if shares.table and len(shares.table.recipes) > 1:
        words += ["--report-recipe", str(shares.report_recipe)]
    words += ["--epochs", str(spec["schedule"]["epochs"]), "--seeds", seeds_text([*shares.runs])]
    for name, value in spec["parameters"].items():
        words += ["--set", f"{name}={json.dumps(value)}"]
    sharing = spec["sharing"]
    words += ["--norm", sharing["norm"]] if sharing["norm"] != "batch" else []
    words += ["--affine"] if sharing["affine"] else []
    words += ["--preset", spec["preset"]] if spec.get("preset") else []
    words += (
        ["--budget-seconds", f"{spec['budget_seconds']:.15g}"] if spec["budget_seconds"] else []
    )
    words += [w for given in spec.get("limits", ()) for w in ("--limit", _limit(Limit(**given)))]
    words += [
        w for given in spec.get("targets", ()) for w in ("--soft", _soft(SoftTarget(**given)))
    ]
    words += ["--scores", "SCORES.h5"] if spec.get("columns") else []
    return command_line([*words, "--out", "DIR"])


def sizes_command(scores: SizeScores) -> str:
    """`nasbench surrogate score --sizes`."""
    from nasbench.surrogate.predictors import predictor

    about = scores.about
    words = ["nasbench", "surrogate", "score", about["table_file"]]
    words += ["--metric", about["metric"]] if about["metric"] else []
    words += ["--recipe", about["recipe"]] if about["recipe"] else []
    words += ["--sizes", ",".join(map(str, about["sizes"])), "--draws", str(about["draws"])]
    words += ["--predictors", ",".join(dict.fromkeys(name for name, _ in scores.series))]
    chosen = [seen for name, seen in scores.series if predictor(name).features is None]
    for seen in dict.fromkeys(chosen):
        words += ["--features", seen]
    return command_line([*words, "--seed", str(about["seed"]), "--out", "DIR"])


def seeds_text(seeds: Sequence[int]) -> str:
    """As `--seeds` takes them: how many of the first, ranges, or one by one."""
    whole = list(range(len(seeds)))
    if list(seeds) == whole:
        return str(len(seeds))
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]}-{seeds[-1]}"
    if len(seeds) == 1:
        return f"{seeds[0]}-{seeds[0]}"
    return ",".join(map(str, seeds))


def command_line(words: Sequence[str]) -> str:
    """Words as a shell takes them, on one line."""
    return " ".join(shlex.quote(printable(word)) for word in words)


_PLAIN = {
    "budget_seconds": "--budget-seconds",
    "budget_mean_trainings": "--budget-mean-trainings",
    "budget_epochs": "--budget-epochs",
    "budget_evaluations": "--budget-evaluations",
    "metric": "--metric",
    "search_recipe": "--search-recipe",
    "report_recipe": "--report-recipe",
    "test_recipe": "--test-recipe",
    "training_seed": "--training-seed",
    "repeats": "--repeats",
    "workers": "--workers",
    "schedule": "--schedule",
    "failures": "--failures",
}


def _options(protocol: SearchProtocol, table: Table) -> Iterator[str]:
    for name, option in _PLAIN.items():
        value, usual = getattr(protocol, name), getattr(_USUAL, name)
        if name == "report_recipe" and _follows(table, protocol):
            continue
        if value is not None and (value != usual or name.startswith("budget")):
            yield from (option, f"{value:.15g}" if isinstance(value, float) else str(value))
    if protocol.maximize is not None:
        yield "--maximize" if protocol.maximize else "--minimize"
    for limit in protocol.limits:
        yield from ("--limit", _limit(limit))
    for objective in protocol.objectives:
        yield from ("--objective", f"{objective.metric}:{'max' if objective.maximize else 'min'}")
    for target in protocol.targets:
        yield from ("--soft", _soft(target))
    for strategy, given in protocol.parameters.items():
        for name, value in given.items():
            yield from ("--set", f"{strategy}.{name}={json.dumps(value)}")
    if protocol.cost_model:
        yield from ("--seconds-per-epoch", f"{protocol.cost_model.seconds_per_epoch:.15g}")
        if protocol.cost_model.in_proportion_to:
            yield from ("--in-proportion-to", protocol.cost_model.in_proportion_to)
    if protocol.prior:
        yield from ("--proxy", protocol.prior.proxy)
        if protocol.prior.keep < 1:
            yield from ("--keep", f"{protocol.prior.keep:.15g}")
    if protocol.among_rows:
        yield "--among-rows"
    for smaller in protocol.begin_in:
        yield from ("--begin-in", f"{_space_name(smaller.space)}:{smaller.evaluations}")
    choices = {name: choice for of in protocol.begin_in for name, choice in of.choices.items()}
    for name, choice in choices.items():
        yield from ("--begin-with", f"{name}={json.dumps(choice)}")
    if protocol.start:
        yield from ("--start", "START.txt")
    if protocol.surrogate:
        yield from ("--surrogate", "SURROGATE.json")
    for other in protocol.also:
        yield from ("--also", table_name(Table(other)))


def _space_name(described: Mapping[str, Any]) -> str:
    """A space that ships by its name, another as the file that a reader has to have."""
    name = str(described["name"])
    return name if name in space_names() else f"{name}.toml"


_USUAL = SearchProtocol(budget_evaluations=1)


def _follows(table: Table, protocol: SearchProtocol) -> bool:
    """Whether incumbents are looked up by the recipe that is meant where nobody names one."""
    recipe = protocol.report_recipe
    return recipe == protocol.search_recipe or list(table.recipes) == [recipe]


def _limit(limit: Limit) -> str:
    if limit.at_most is not None:
        return f"{limit.metric}<={limit.at_most:.15g}"
    return f"{limit.metric}>={limit.at_least:.15g}"


def _soft(target: SoftTarget) -> str:
    return f"{target.metric}<={target.at:.15g}^{target.within:.15g},{target.beyond:.15g}"
