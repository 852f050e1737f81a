"""The command line: `nasbench COMMAND --help` says what each does and gives an example."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from contextlib import suppress
from typing import Annotated

import typer

from nasbench._names import printable
from nasbench._version import __version__
from nasbench.cli import (
    choosing,
    comparing,
    costs,
    demo,
    devices,
    exploring,
    export,
    families,
    guide,
    importing,
    look,
    make,
    pilot,
    predict,
    proxies,
    searching,
    sharing,
    strategies,
    tables,
    tasks,
    transfer,
    verifying,
)
from nasbench.cli.common import document_alone, listen
from nasbench.errors import NasbenchError

__all__ = ["app", "main"]

_LONGEST = 4_000
"""Letters of a sentence on stderr."""
STOPPED = 130
"""128 and the number of SIGINT, as shells have it."""

app = typer.Typer(
    name="nasbench",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Benchmarks and tabular surrogates for neural architecture search.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nasbench-harness {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    pass


for room in (
    look,
    verifying,
    exploring,
    make,
    export,
    devices,
    costs,
    families,
    pilot,
    importing,
    tables,
    searching,
    comparing,
    sharing,
    choosing,
    strategies,
    tasks,
    predict,
    proxies,
    transfer,
    demo,
    guide,
):
    room.register(app)


def _say(sentence: str) -> None:
    """One line on stderr, whatever a stranger's file put into it."""
    line = printable(f"nasbench: {sentence}")
    print(line if len(line) <= _LONGEST else f"{line[:_LONGEST]}...", file=sys.stderr)


def _keep_to_ourselves() -> None:
    """What stands on stdout and stderr is ours, in whatever letters the terminal has."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name may have letters that a locale lacks
            stream.reconfigure(errors="backslashreplace")
    # Behind all other filters: `python -W` and tests have their say first.
    warnings.filterwarnings("ignore", append=True)
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # fonts that it lists or lacks


def main() -> None:
    """Run the command line; bad input is one sentence on stderr and exit status 2."""
    listen()
    _keep_to_ourselves()
    if "--json" in sys.argv and "--help" not in sys.argv:
        document_alone()
    try:
        status = app(standalone_mode=False)
    except NasbenchError as error:
        _say(str(error))
        status = 2
    except typer.TyperException as error:  # an option or argument that cannot be read
        # Without arguments there is nothing to say: the help was shown.
        if message := error.format_message():
            _say(f"{message} (nasbench COMMAND --help)")
        status = 2
    except OSError as error:  # as of a full disk behind stdout
        _say(f"cannot read or write {error.filename or 'the output'}: {error.strerror or error}")
        with suppress(OSError):  # what stdout still holds has nowhere to go
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 2
    except (typer.Abort, KeyboardInterrupt):
        status = STOPPED
    if status == STOPPED:  # Typer answers Ctrl-C with it
        print(
            "nasbench: stopped; what a build or comparison finished is kept, and the same command "
            "goes on from there",
            file=sys.stderr,
        )
    sys.exit(status if isinstance(status, int) else 0)
