"""What a page to look around in holds of a table: columns of numbers, quantised and compressed."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._names import printable
from nasbench.errors import BadValue
from nasbench.report.judged import Judged
from nasbench.space import Space
from nasbench.space.drawing import pieces_of
from nasbench.stats import seed_noise
from nasbench.table import Table, direction, trained_seeds
from nasbench.validity.decisions import decision_effects

__all__ = ["Axis", "axes_of", "explored", "packed"]

MOST_ROWS = 20_000
"""Of tables with more, the page has the best."""

MOST_BYTES = 1_150_000
"""Of base64 that columns may take: what comes last is left out."""

MOST_EPOCHS = 12
"""At which curves are drawn."""

MOST_DECISIONS = 15
"""Those that explain most are told, of a space with more."""

MISSING = 2**16 - 1
"""Among codes of values."""

WIDE = 8.0
"""Numbers that differ by more than this factor are kept by their logarithms."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Axis:
    """A number of each row that can be an axis or a filter.

    Attributes:
        name: as it is called everywhere: `valid_accuracy`, `raspi4/latency_ms`, `proxy/synflow`.
        kind: how it came about: trained, measured, estimated, imported, ...
        values: of each row, float64 `[rows]`; NaN where it is missing.
        predicted: which of them a model predicted, bool `[rows]`; None of none.
    """

    name: str
    kind: str
    values: Floats
    predicted: NDArray[np.bool_] | None = None


def axes_of(table: Table, recipe: str | None) -> Iterator[Axis]:
    """Every number of a table's rows that tells something, the most asked for first.

    Args:
        table: to read.
        recipe: whose primary metric comes first.
    """
    datasets = table.manifest["datasets"]
    recipes = sorted(table.recipes, key=lambda one: one != recipe)
    for name in recipes:
        primary = table.primary(name)
        of = [m for m in table.metrics[name] if m != "evaluation_seconds"]
        for metric in sorted(of, key=lambda m: (m != primary, not m.startswith("valid_"))):
            about = datasets[f"recipe/{name}/{metric}"]
            if about["epochs"][-1] != table.manifest["recipes"][name]["epochs"]:
                continue
            predicted = table.predicted(metric, recipe=name)
            yield Axis(
                metric if len(table.recipes) == 1 else f"{name}/{metric}",
                about.get("kind", "imported"),
                table.column(metric, recipe=name),
                predicted if predicted.any() else None,
            )
    for device in table.devices:
        for metric, kind in table.manifest["devices"][device]["kinds"].items():
            if not metric.endswith(("_n", "_spread_ms")):
                yield Axis(f"{device}/{metric}", kind, table.device_column(device, metric))
    for name, about in datasets.items():
        room, _, metric = name.partition("/")
        if room in ("network", "proxy") and len(about["shape"]) == 1:
            shown = metric if room == "network" else name
            yield Axis(shown, about.get("kind", "imported"), table.column(shown))


def explored(table: Table, recipe: str | None) -> dict[str, Any]:
    """All that the page's script draws from: plain JSON values, names on one line.

    Args:
        table: to look around in.
        recipe: whose primary metric architectures are judged by; None of devices alone.
    """
    judged = Judged.of(table, recipe)
    axes = [axis for axis in axes_of(table, recipe) if np.isfinite(axis.values).any()]
    if not axes:
        raise BadValue(f"{table.name} has no number to look at: every value is missing")
    sign = -1.0 if direction(axes[0].name) == "min" else 1.0
    rows = np.argsort(-np.nan_to_num(sign * axes[0].values, nan=-np.inf), kind="stable")[:MOST_ROWS]
    document: dict[str, Any] = {
        "table": table.name,
        "space": table.space.name,
        "sha256": table.sha256,
        "rows": len(rows),
        "of": len(table.rows),
        "noise": _noise(judged),
        "effects": _effects(judged),
        **_architectures(table, rows),
        "curves": _curves(judged, rows),
    }
    spent = len(str(document))
    kept: list[dict[str, Any]] = []
    for axis in axes:
        shown = _axis(axis, rows)
        spent += len(str(shown))
        if kept and spent > MOST_BYTES:
            break
        kept.append(shown)
    left = [printable(axis.name) for axis in axes[len(kept) :]]
    return {**document, "axes": kept, "left": left}


def packed(array: NDArray[Any]) -> str:
    """An array's bytes, little-endian, compressed by zlib and in base64."""
    little = array.astype(array.dtype.newbyteorder("<"))
    return base64.b64encode(zlib.compress(little.tobytes(), 9)).decode("ascii")


def _axis(axis: Axis, rows: NDArray[np.intp]) -> dict[str, Any]:
    shown = {
        "name": printable(axis.name),
        "kind": printable(axis.kind),
        "better": direction(axis.name),
        "percent": axis.name.endswith("accuracy"),
        **_quantised(axis.values[rows], 0.01 if axis.name.endswith("accuracy") else 0.0),
    }
    if axis.predicted is not None:
        shown["predicted"] = packed(axis.predicted[rows].astype(np.uint8))
    return shown


def _quantised(values: Floats, finest: float) -> dict[str, Any]:
    """Codes of 16 bits: by a decimal step, or by logarithms where values differ by far.

    A step is what the page shows of a value, so that nothing is lost but what nobody reads.

    Args:
        values: float64 `[rows]`; what is not finite is missing.
        finest: the least step, of what has one; 0 of anything else.
    """
    known = np.isfinite(values)
    found = values[known]
    low, high = (float(found.min()), float(found.max())) if len(found) else (0.0, 0.0)
    whole = bool((found == np.round(found)).all()) and high - low < MISSING
    codes = np.full(len(values), MISSING, dtype=np.uint16)
    if low > 0 and high > WIDE * low and not whole and not finest:
        start, step = math.log(low), math.log(high / low) / (MISSING - 1)
        codes[known] = np.round((np.log(found) - start) / step)
        return {"scale": "log", "low": start, "step": step, "digits": 4, "codes": packed(codes)}
    least = 1.0 if whole else max((high - low) / (MISSING - 1), finest, 1e-300)
    place = math.ceil(math.log10(least) - 1e-9)
    step = 10.0**place
    start = math.floor(low / step)
    codes[known] = np.round(found / step) - start
    digits = max(0, -place)
    return {
        "scale": "linear",
        "low": start,
        "step": step,
        "digits": min(digits, 17),
        "codes": packed(codes),
    }


def _architectures(table: Table, rows: NDArray[np.intp]) -> dict[str, Any]:
    """Numbers, decisions, what counts of them, and how strings are written."""
    space = table.space
    numbers = table.rows[rows]
    ops = space.ops(numbers)
    counts = space.active(space.normal(ops))
    found: dict[str, Any] = {
        "decisions": [
            [printable(name), list(map(printable, choices))]
            for name, choices in space.decisions.items()
        ],
        "wide": ops.dtype.itemsize > 1,
        "ops": packed(ops.T),
        "counts": None if counts.all() else packed(counts.T.astype(np.uint8)),
        "cell": None,
        "stages": _stages(space),
        "join": None,
        "strings": None,
        "row_of": _row_of(table, rows),
    }
    small = space.size <= 2**32
    found["numbers"] = None if small else [str(number) for number in numbers.tolist()]
    found["codes"] = packed(numbers.astype(np.uint32)) if small else None
    if spelling := space.spelling():
        found |= spelling
    else:
        found["strings"] = [printable(space.string(number)) for number in numbers.tolist()]
    return found


def _stages(space: Space) -> list[dict[str, Any]]:
    """How the space says that its networks are drawn; decisions by their numbers."""
    places = {name: place for place, name in enumerate(space.decisions)}

    def pieces(text: str) -> list[str | int]:
        return [
            places[piece] if number % 2 else piece for number, piece in enumerate(pieces_of(text))
        ]

    return [
        {
            "title": pieces(stage.title),
            "blocks": [
                {"text": pieces(block.text), "colour": places.get(block.colour)}
                for block in stage.blocks
            ],
            "times": places.get(stage.times),
            "follows": stage.follows,
        }
        for stage in space.stages
    ]


def _row_of(table: Table, rows: NDArray[np.intp]) -> str | None:
    """Of a small space whose rows stand for several, the row of each way to choose, in order.

    So neighbours are found that are another's row; without it rows are compared.
    """
    space = table.space
    if table.manifest["sharing"] != "canonical" or space.size >= MISSING:
        return None
    if len(rows) < len(table.rows):
        return None
    ways = np.stack(np.unravel_index(np.arange(space.size), space.choices), axis=-1)
    place = np.full(len(table.rows) + 1, MISSING, dtype=np.uint16)
    place[rows] = np.arange(len(rows))
    return packed(place[table.row_of[space.index_of(ways)]])


def _noise(judged: Judged | None) -> dict[str, Any] | None:
    """The standard error of a row's mean over seeds, among the best rows."""
    if judged is None:
        return None
    seeds = trained_seeds(judged.table, judged.metric, recipe=judged.recipe)
    noise = seed_noise(judged.sign * seeds)
    if not math.isfinite(noise.error):
        return None
    return {"error": noise.error, "seeds": seeds.shape[1]}


def _effects(judged: Judged | None) -> list[dict[str, Any]]:
    """What each decision explains, and what each of its choices gains."""
    if judged is None:
        return []
    try:
        found = decision_effects(judged.table, judged.column)
    except BadValue:
        return []
    places = {name: place for place, name in enumerate(judged.table.space.decisions)}
    return [
        {
            "decision": places[one.name],
            "share": _finite(one.share),
            "low": _finite(one.low),
            "high": _finite(one.high),
            "effects": [_finite(choice.effect) for choice in one.choices],
        }
        for one in found[:MOST_DECISIONS]
        if one.name in places
    ]


def _finite(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None


def _curves(judged: Judged | None, rows: NDArray[np.intp]) -> dict[str, Any] | None:
    """The primary metric over epochs, mean over seeds, in 8 bits: to be looked at."""
    if judged is None:
        return None
    table, metric, recipe = judged.table, judged.metric, judged.recipe
    taken = table.epochs(metric, recipe=recipe)
    if len(taken) < 2:
        return None
    at = np.unique(np.linspace(0, len(taken) - 1, min(len(taken), MOST_EPOCHS)).round().astype(int))
    epochs = [taken[place] for place in at.tolist()]
    values = np.stack([table.column(metric, recipe=recipe, epoch=e)[rows] for e in epochs])
    known = np.isfinite(values)
    low, high = float(values[known].min()), float(values[known].max())
    step = (high - low) / 254 or 1.0
    codes = np.full(values.shape, 255, dtype=np.uint8)
    codes[known] = np.round((values[known] - low) / step)
    return {"epochs": epochs, "low": low, "step": step, "codes": packed(codes)}
