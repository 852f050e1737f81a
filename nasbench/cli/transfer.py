"""Transfer: what earlier tasks know of a new one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasbench._files import atomic_path, write_text
from nasbench._limits import MOST_COUNTED, MOST_EVALUATIONS, MOST_RUNS, MOST_SECONDS
from nasbench._words import in_shell, rounded
from nasbench.cli.common import Json, emit, file_option, folder_option, progress, rows
from nasbench.errors import NasbenchError

if TYPE_CHECKING:
    from nasbench.transfer import Description, Repository

__all__ = ["register"]

transfer = typer.Typer(
    no_args_is_help=True, help="Use the tables of earlier tasks: a folder of them is a repository."
)

RepositoryArgument = Annotated[
    Path, typer.Argument(metavar="REPO", help="A folder of tables of one space, each of a task.")
]
Source = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="A task's name (also one of the repository), its table, recipe (.toml), journal or "
        "description.",
    ),
]
OptionalSource = Annotated[
    str | None, typer.Argument(metavar="TARGET", help="As for `similar`; may be left out.")
]
Landmarks = Annotated[
    Path | None, typer.Option(help="Journal of a search that trained the target's landmarks.")
]


@transfer.command("list")
def list_tasks(repository: RepositoryArgument, as_json: Json = False) -> None:
    """Say which tasks a repository has, and what is known of each.

    Example: `nasbench transfer list earlier`
    """
    from nasbench.report.transfer import repository_table
    from nasbench.transfer import Repository

    found = Repository.open(repository)
    document = {
        "space": found.space.name,
        "tasks": {
            task.name: {
                "task": task.about.name,
                "hash": task.about.hash,
                "recipe": task.recipe,
                "architectures": len(task.about.landmarks),
                "features": dict(task.about.features),
                "feature": task.feature,
            }
            for task in found.tasks.values()
        },
        "copies": [list(pair) for pair in found.copies()],
    }
    emit(document, as_json, repository_table(found).plain())


@transfer.command()
def describe(
    source: Source,
    landmarks: Landmarks = None,
    out: Annotated[
        Path | None,
        file_option("A description to write; beside its table it counts.", suffix=".json"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what is known of a task: its meta-features, and how many landmarks.

    Written beside a table of a repository, as TABLE.json, it tells what the table does not.

    Example: `nasbench transfer describe my-images.toml --out earlier/my-images.json`
    """
    from nasbench.transfer.description import FEATURES

    found = _target(source, landmarks)
    if out is not None:
        found.write(out)
    document = {
        "name": found.name,
        "hash": found.hash,
        "features": {name: found.features.get(name) for name in FEATURES},
        "landmarks": len(found.landmarks),
    }
    shown = [("task", found.name), ("hash", found.hash or "unknown")]
    for name, meaning in FEATURES.items():
        value = rounded(found.features[name], 6) if name in found.features else "unknown"
        shown.append((name, f"{value:<9} {meaning}"))
    shown.append(("landmarks", f"{len(found.landmarks):,}"))
    emit(document, as_json, rows(shown))


@transfer.command("landmarks")
def choose_landmarks(
    repository: RepositoryArgument,
    out: Annotated[Path, file_option("A file of architectures, for --start.", suffix=".txt")],
    source: OptionalSource = None,
    n: Annotated[int, typer.Option("-n", min=1, max=MOST_COUNTED, help="How many.")] = 10,
    as_json: Json = False,
) -> None:
    """Choose the few architectures whose accuracies tell the earlier tasks apart.

    Train them on a new task, then ask which of the earlier ones is like it. A TARGET that has a
    table in the repository has no say.

    Example: `nasbench transfer landmarks earlier --out landmarks.txt`
    """
    from nasbench.transfer import Repository

    earlier = Repository.open(repository)
    target = None if source is None else _target(source, None, earlier)
    found = _others(earlier, target, repository)
    chosen = found.landmarks(n)
    strings = [found.space.string(a) for a in chosen]
    _write(out, f"{n} landmarks of {', '.join(found.tasks)}", strings)
    document = {"landmarks": chosen, "strings": strings, "tasks": list(found.tasks)}
    text = (
        f"{out}: {n} architectures that tell {len(found.tasks)} tasks apart. Train them: nasbench "
        f"search random_search --train RECIPE.toml --start {out} --budget-evaluations {n} "
        f"--out landmarks.jsonl"
    )
    emit(document, as_json, text)


@transfer.command()
def similar(
    repository: RepositoryArgument,
    source: Source,
    landmarks: Landmarks = None,
    as_json: Json = False,
) -> None:
    """Say which earlier tasks are most like another one: by its landmarks, else its features.

    Example: `nasbench transfer similar earlier my-images.toml --landmarks landmarks.jsonl`
    """
    from nasbench.report.transfer import similarity_table
    from nasbench.transfer import Repository

    earlier = Repository.open(repository)
    target = _target(source, landmarks, earlier)
    others = _others(earlier, target, repository)
    found = others.similar(target)
    document = {
        "target": target.name,
        "similar": [
            {**of.describe(), "feature": others.tasks[of.name].feature, "rank": rank}
            for rank, of in enumerate(found, 1)
        ],
    }
    text = similarity_table(target.name, found).plain()
    first = others.tasks[found[0].name]
    text += f"\nAs a feature of the meta-learner: {first.feature}"
    emit(document, as_json, text)


@transfer.command()
def start(
    repository: RepositoryArgument,
    out: Annotated[Path, file_option("A file of architectures, for --start.", suffix=".txt")],
    source: OptionalSource = None,
    landmarks: Landmarks = None,
    top: Annotated[int, typer.Option(min=1, max=MOST_COUNTED, help="How many architectures.")] = 10,
    tasks: Annotated[
        int, typer.Option(min=1, max=MOST_COUNTED, help="Of so many similar tasks, in turn.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Choose architectures that a search begins with: the winners of the most similar tasks.

    Without a TARGET they are the best by the mean rank over all tasks, which asks nothing of it.

    Example: `nasbench transfer start earlier my-images.toml --landmarks landmarks.jsonl
    --out start.txt`, then `nasbench search local_search --train my-images.toml --start start.txt
    --budget-evaluations 50`
    """
    from nasbench.transfer import Repository

    earlier = Repository.open(repository)
    target = None if source is None else _target(source, landmarks, earlier)
    others = _others(earlier, target, repository)
    names = list(others.tasks)
    if target is None:
        if landmarks is not None:
            raise NasbenchError("landmarks are of a task: name it as TARGET")
        chosen, said = others.best(top), f"the mean rank over {', '.join(names)}"
    else:
        names = [of.name for of in others.similar(target)[:tasks]]
        chosen, said = others.winners(names, top), f"{', '.join(names)}, like {target.name}"
    strings = [others.space.string(a) for a in chosen]
    _write(out, f"the best {len(chosen)} of {said}", strings)
    document = {"tasks": names, "architectures": chosen, "strings": strings}
    text = (
        f"{out}: the best {len(chosen)} of {said}. Begin with them: nasbench search STRATEGY "
        f"--start {in_shell(out)} ..., or nasbench compare --start {in_shell(out)} ..."
    )
    emit(document, as_json, text)


@transfer.command()
def evaluate(
    repository: RepositoryArgument,
    out: Annotated[Path, folder_option("Folder for runs, page, transfer.json, savings.csv.")],
    strategies: Annotated[
        str, typer.Option(help="Names with commas between.")
    ] = "random_search,regularized_evolution,local_search,hybrid",
    budget_evaluations: Annotated[
        int | None, typer.Option(max=MOST_EVALUATIONS, help="Of each search.")
    ] = None,
    budget_seconds: Annotated[
        float | None, typer.Option(max=MOST_SECONDS, help="Simulated seconds of each search.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=MOST_RUNS, help="How many runs of each.")] = 50,
    top: Annotated[int, typer.Option(min=1, max=MOST_COUNTED, help="Winners to begin with.")] = 10,
    landmarks: Annotated[
        int, typer.Option(min=1, max=MOST_COUNTED, help="Trained first, to know what is similar.")
    ] = 10,
    as_json: Json = False,
) -> None:
    """Leave each task out in turn: what transfer saves, and when it hurts; writes a page.

    Run again with the same folder, it keeps the runs that are there. The budget is 100
    evaluations unless it is given.

    Example: `nasbench transfer evaluate earlier --seeds 50 --out transferred`
    """
    from nasbench.report.transfer import savings_table, write_transfer
    from nasbench.search import Budget
    from nasbench.transfer import Repository, evaluate_transfer

    names = [name.strip() for name in strategies.split(",") if name.strip()]
    if budget_evaluations is None and budget_seconds is None:
        budget_evaluations = 100
    with progress() as tell:
        found = evaluate_transfer(
            Repository.open(repository),
            strategies=names,
            budget=Budget(budget_evaluations, budget_seconds),
            seeds=range(seeds),
            top=top,
            landmarks=landmarks,
            out=out,
            progress=lambda done, total: tell("searching", done, total),
        )
    page = write_transfer(found, out)
    emit(found.describe(), as_json, f"{savings_table(found).plain()}\n{page}")


def _target(
    source: str, landmarks: Path | None, repository: Repository | None = None
) -> Description:
    """What is known of a task, which may be one of the repository, as `list` calls it."""
    from nasbench.transfer import describe as run_describe

    tasks = [] if repository is None else list(repository.tasks.values())
    earlier = {name: task.about for task in tasks for name in (task.about.name, task.name)}
    found = run_describe(source, earlier)
    if landmarks is None:
        return found
    trained = run_describe(landmarks)
    if not trained.landmarks:
        raise NasbenchError(f"{landmarks} holds no landmarks: name the journal of a search")
    if found.hash and trained.hash and found.hash != trained.hash:
        raise NasbenchError(f"{landmarks} was trained on another task than {found.name}")
    return replace(found, space=trained.space, landmarks=trained.landmarks)


def _others(found: Repository, target: Description | None, folder: Path) -> Repository:
    """The repository of a folder, without the target's own table."""
    if target is None:
        return found
    if all(task.same_as(target) for task in found.tasks.values()):
        names = ", ".join(found.tasks)
        raise NasbenchError(
            f"every table of {folder} ({names}) is of {target.name} itself, by its name, its "
            f"images or its accuracies: transfer needs the table of another task"
        )
    others = found.without(target)
    for name in sorted(found.tasks.keys() - others.tasks.keys()):
        typer.echo(f"nasbench: {name} is of {target.name} itself: it is left out", err=True)
    return others


def _write(path: Path, head: str, strings: list[str]) -> None:
    with atomic_path(path) as partial:
        write_text(partial, "".join(f"{line}\n" for line in (f"# {head}", *strings)))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(transfer, name="transfer")
