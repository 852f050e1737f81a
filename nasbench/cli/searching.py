"""Searching: one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nasbench._limits import LARGEST_SEED
from nasbench.cli.common import (
    Json,
    emit,
    file_option,
    listen,
    parse_settings,
    rows,
    say_engine,
)
from nasbench.cli.protocol import (
    Isolate,
    ProtocolOptions,
    Surrogate,
    Table,
    say_reach,
    with_protocol,
)
from nasbench.cli.strategies import complete_strategy

__all__ = ["register"]


@with_protocol
def search(
    strategy: Annotated[
        str,
        typer.Argument(
            autocompletion=complete_strategy, help="Its name; `nasbench strategies` lists them."
        ),
    ],
    table: Table = None,
    surrogate: Surrogate = None,
    train: Annotated[str | None, typer.Option(help="A build recipe: really train.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the strategy.")] = 0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE, the strategy's own.")
    ] = None,
    out: Annotated[Path | None, file_option("Journal; resumes what it holds.")] = None,
    isolate: Isolate = False,
    tags: Annotated[
        Path | None,
        typer.Option(help="Of nasbench device tags: estimated costs as metrics of the search."),
    ] = None,
    as_json: Json = False,
    *,
    options: ProtocolOptions,
) -> None:
    """Run one search on a table, a surrogate or the trainer.

    Example: `nasbench search random_search --table demo/table.h5 --budget-evaluations 20`

    For several ends: `--limit 'raspi4/latency_ms<=5'` must be kept; `--objective
    raspi4/latency_ms:min` is for strategies of several objectives (nsga2, mo_rea), which find a
    front; `--soft 'raspi4/latency_ms<=5'` weighs the metric by MnasNet's (latency / target)^-0.07.
    With `--tags` such metrics are estimated for networks that nobody measured.
    """
    say_reach(isolate)
    own = parse_settings(settings or ())
    given = strategy, (table, surrogate, train, tags), seed, own, out, isolate, options
    document, shown = _search_apart(*given) if _ends_alone(strategy, isolate) else _search(*given)
    emit(document, as_json, rows(shown))


def _ends_alone(strategy: str, isolate: bool) -> bool:
    """Whether a search needs a process of its own: a stranger's code could end this one."""
    from nasbench.search.strategy import check_name, importable, is_ours

    check_name(strategy)
    return not isolate and not is_ours(strategy) and importable(strategy)


def _search_apart(strategy: str, *given: Any) -> Found:
    """`_search` in another process, whose end is reported."""
    from nasbench.search.workers import run_apart

    return run_apart(strategy, _search, strategy, *given)


Found = tuple[dict[str, Any], list[tuple[str, str]]]
"""A search as a document, and as the rows that are shown."""


def _search(
    strategy: str,
    sources: tuple[str | None, Path | None, str | None, Path | None],
    seed: int,
    own: dict[str, Any],
    out: Path | None,
    isolate: bool,
    options: ProtocolOptions,
) -> Found:
    from nasbench.search.call import open_source, search_once
    from nasbench.search.telling import rows_of

    listen()  # this may be a process of its own
    table, surrogate, train, tags = sources
    source = open_source(table, surrogate, train)
    if train is not None:
        say_engine("auto")
    opened: Any = source  # which of the three it is, the options say
    run = search_once(
        strategy,
        opened if table is not None else None,
        options.protocol([strategy], source.space, parameters={strategy: own}),
        surrogate=opened if surrogate is not None else None,
        train=opened if train is not None else None,
        seed=seed,
        out=out,
        isolate=isolate,
        tags=tags,
    )
    return run.describe(), rows_of(run)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(search)
