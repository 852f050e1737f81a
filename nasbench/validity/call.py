"""What a table's proxies are worth, as a session asks: `nb.judge_proxies`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nasbench._progress import Progress, shown
from nasbench.table import Table, load
from nasbench.validity.judgement import Judgement, judge

__all__ = ["judge_proxies"]


def judge_proxies(
    table: Table | str | Path,
    *,
    metrics: Sequence[str] = (),
    proxies: Sequence[str] = (),
    combined: Sequence[str] = (),
    progress: Progress | bool = True,
) -> Judgement:
    """Say how well a table's scores rank its accuracies and costs.

    Args:
        table: with `proxy/<name>`; a name or path will do.
        metrics: `<recipe>/<metric>` or `<device>/<metric_unit>`, the first of which is shown most;
            where left out, the accuracies of every recipe at its last epoch and every cost.
        proxies: names; all of the table's where left out.
        combined: what combinations are made of; all where left out.
        progress: shown in a terminal or notebook by a bar; False for none, or a function of one's
            own, called with what is done, how much of it, and how much there is.

    Example:
        >>> import nasbench as nb
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from nasbench.table.merging import merge
        >>> parts = [nb.load("nb201-fashion16"), nb.load("nb201-fashion16-proxies")]
        >>> with TemporaryDirectory() as folder:  # doctest: +ELLIPSIS
        ...     both = merge(parts, Path(folder) / "both.h5")
        ...     metrics = ["10ep/valid_accuracy"]
        ...     nb.judge_proxies(both, proxies=["flops"], metrics=metrics)
        <Judgement of 1 proxy by 10ep/valid_accuracy of nb201-fashion16: flops first, ...>
    """
    with shown(progress) as tell:
        return judge(
            load(table), proxies=proxies, metrics=metrics, combined=combined, progress=tell
        )
