# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""One pass over a data set: rows of every metric for every example, then pooled."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np
from flax import nnx

from perceiver_bench.task import Arrays, Task

Rows = Mapping[str, Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Measured:
    """One metric over a data set, with its standard error over examples."""

    value: float
    standard_error: float
    num_examples: int


def make_rows_step(task: Task, graph: nnx.GraphDef) -> Callable[[Any, Any, Arrays], Rows]:
    """Compiles `(params, model state, batch) -> rows of every metric`, arrays [B] by name."""

    @jax.jit
    def rows(params, model_state, batch):
        prediction = nnx.merge(graph, params, model_state)(batch)
        return metric_rows(task, prediction, batch)

    return rows


def metric_rows(task: Task, prediction: Mapping[str, Any], batch: Mapping[str, Any]):
    """Returns the rows of every metric of the task for one batch."""
    return {name: dict(metric.rows(prediction, batch)) for name, metric in task.metrics.items()}


def collect(batches: Iterable[Arrays], step: Callable[[Arrays], Rows]) -> Rows:
    """Runs `step` on every batch and joins the rows of the valid examples, in order."""
    parts: dict[str, dict[str, list[np.ndarray]]] = {}
    for batch in batches:
        valid = batch["valid"]
        for metric, rows in jax.device_get(step(batch)).items():
            for name, row in rows.items():
                parts.setdefault(metric, {}).setdefault(name, []).append(np.asarray(row)[valid])
    return {
        metric: {name: np.concatenate(some) for name, some in rows.items()}
        for metric, rows in parts.items()
    }


def pool(task: Task, rows: Rows) -> dict[str, Measured]:
    """Pools the rows of all examples into each metric of the task, in float64.

    Examples of weight 0 have nothing to say to a metric, and are not counted as its own.
    """
    measured = {}
    for name, metric in task.metrics.items():
        num_examples = len(next(iter(rows[name].values())))
        if "weight" in rows[name]:
            num_examples = int(np.count_nonzero(rows[name]["weight"]))
        value = metric.pooling.value(rows[name])
        error = metric.pooling.standard_error(rows[name])
        measured[name] = Measured(float(value), float(error), num_examples)
    return measured


def baseline_rows(
    task: Task, prediction: Mapping[str, np.ndarray], batches: Iterable[Arrays], group: int
) -> Rows:
    """Returns the rows of a baseline's predictions [n, ...], which are in the data's order."""
    start = 0

    def step(batch: Arrays) -> Rows:
        nonlocal start
        some = {}
        for name, array in prediction.items():
            part = array[start : start + group]
            padding = np.zeros((group - len(part), *array.shape[1:]), array.dtype)
            some[name] = np.concatenate([part, padding])
        start += group
        return metric_rows(task, some, batch)

    return collect(batches, step)
