"""Jobs side by side in processes of their own, and what is made of them as they finish."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, TypeVar

from nasbench._processes import fresh_context, submit
from nasbench.errors import NasbenchError

__all__ = ["in_processes"]

Job = TypeVar("Job")
Done = TypeVar("Done")


def in_processes(
    work: Callable[[Job], Done],
    jobs: Iterable[Job],
    processes: int,
    opening: Callable[..., None],
    opened_with: tuple[Any, ...],
    *,
    what: str = "training",
    hint: str = "",
) -> Iterator[tuple[Job, Done]]:
    """Jobs with what is made of them, as they finish, in any order.

    Ctrl-C, or leaving the iterator, ends the processes at once: what they do is given up.

    Args:
        work: of a module, called with each job in one of the processes.
        jobs: what to do.
        processes: how many side by side.
        opening: of a module, called once in each process before its first job.
        opened_with: what it is called with.
        what: the processes do, in one word.
        hint: what else may help where one dies.
    """
    with ProcessPoolExecutor(processes, fresh_context(), opening, opened_with) as pool:
        waiting: dict[Future[Done], Job] = {}
        todo = iter(jobs)
        try:
            while True:
                # A few ahead of each process: a stop has little to take back.
                for job in islice(todo, 2 * processes - len(waiting)):
                    waiting[submit(pool, work, job)] = job
                if not waiting:
                    return
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), future.result()
        except BrokenProcessPool as error:
            raise NasbenchError(
                f"a {what} process died (killed, or out of memory); what is finished is kept, "
                f"and the same command goes on from there{hint}"
            ) from error
        finally:
            if waiting:  # the pool would wait for them, which may take hours
                for process in list(pool._processes.values()):
                    process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
