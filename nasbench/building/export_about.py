"""What an exported file takes, gives, and says of itself."""

from __future__ import annotations

import json

from nasbench.building.chosen import Chosen
from nasbench.building.provenance import versions
from nasbench.device.raw import Raw
from nasbench.task import Signal, Task
from nasbench.train.feed import Standard, spread

__all__ = ["about_file", "raw_of"]


def raw_of(chosen: Chosen) -> Raw:
    """What the file takes: the task's examples as they are stored."""
    task = chosen.spec.task
    train = task.train.first(chosen.recipe.train_images)
    standard, (shift, scale) = Standard(task.signal, train), spread(task.target, train)
    kind = "int64" if task.signal.kind == "tokens" else str(train.inputs.dtype)
    missing = task.signal.kind == "features"
    return Raw(kind, standard.mean, standard.std, missing, scale, shift)


def about_file(chosen: Chosen, raw: Raw | None) -> dict[str, str]:
    """What the file says of itself: texts, and JSON where there is more than one value.

    Args:
        chosen: what is exported.
        raw: how the file standardises what is stored; None where it takes what its network does.
    """
    spec, task, table = chosen.spec, chosen.spec.task, chosen.table
    values = {
        **(_about_input(task.signal, raw) if raw else _about_network_input(chosen)),
        **{name: json.dumps(given) for name, given in task.legend.items()},
        **_about_output(task),
        "task": task.name,
        "task_hash": task.hash,
        "task_about": json.dumps(task.about),
        "space": spec.space.name,
        "architecture": str(chosen.architecture),
        "architecture_string": spec.space.string(chosen.architecture),
        "recipe_name": chosen.recipe_name,
        "recipe": json.dumps(chosen.recipe.describe()),
        "seed": str(chosen.seed),
        "engine": chosen.engine,
        "versions": json.dumps(versions()),
    }
    if table is not None:
        values["table"] = table.name
        values["table_content_sha256"] = str(table.manifest["content_sha256"])
    return values


def _about_input(signal: Signal, raw: Raw) -> dict[str, str]:
    said = {"input_shape": json.dumps(signal.shape)}
    if raw.mean is not None and raw.deviation is not None:
        said["mean"] = json.dumps(raw.mean.ravel().tolist())
        said["deviation"] = json.dumps(raw.deviation.ravel().tolist())
    if signal.kind == "image":
        channels = {1: "grey", 3: "red, green, blue"}.get(signal.shape[0], "as in the task")
        return {
            "input": "images, uint8 [n, channels, height, width]; the graph standardises them",
            "input_range": "0 to 255",
            "input_layout": "NCHW",
            "input_channels": channels,
            **said,
        }
    if signal.kind == "tokens":
        told = "ids of tokens, int64 [n, length], 0 behind the end of a text and 1 unknown words"
        return {"input": told, "vocabulary": str(signal.vocabulary), **said}
    if signal.kind == "features":
        told = "columns, float32 [n, columns], NaN where missing; the graph standardises them"
        return {"input": told, "categories": json.dumps(signal.categories), **said}
    return {"input": f"{signal}, {raw.dtype}; the graph standardises them", **said}


def _about_network_input(chosen: Chosen) -> dict[str, str]:
    """What a network takes that one's own loop trained, which prepares its inputs by itself."""
    signal, loop = chosen.spec.task.signal, chosen.recipe.train
    by = f", as {loop.name} of {loop.file.name} prepares it" if loop else ""
    kind = "int64" if signal.kind == "tokens" else "float32"
    return {
        "input": f"what the network takes, {kind} [n, *input_shape]{by}; nothing is standardised",
        "input_shape": json.dumps(signal.shape),
    }


def _about_output(task: Task) -> dict[str, str]:
    if task.target.kind == "none":
        return {"output": f"what the network gives first, float32 [n, {task.outputs}]"}
    if task.target.kind == "number":
        return {"output": "the number, float32 [n, 1], in the unit of the target"}
    return {
        "output": "logits, float32 [n, classes]; the largest is the answer",
        "classes": json.dumps(task.classes),
    }
