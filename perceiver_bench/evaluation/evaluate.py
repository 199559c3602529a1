# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""One pass over a data set: rows of every metric for every example, then pooled."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np
from flax import nnx

from perceiver_bench.config import RunConfig
from perceiver_bench.evaluation.network import filled, make_prediction_step
from perceiver_bench.task import Arrays, IntervalPooling, Predictions, Task

Rows = Mapping[str, Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Measured:
    """One metric over a data set, with its standard error over examples.

    `interval` is one of 95 %, where the metric's pooling gives one.
    """

    value: float
    standard_error: float
    num_examples: int
    interval: tuple[float, float] | None = None


def make_rows_step(
    task: Task, graph: nnx.GraphDef, config: RunConfig
) -> Callable[[Any, Any, Arrays], Rows]:
    """Compiles `(params, model state, batch) -> rows of every metric`, arrays [B] by name.

    What a task predicts in parts it also measures on the host, for each example anew.
    """
    predict = make_prediction_step(task, graph, config)

    def rows(params, model_state, batch):
        return metric_rows(task, predict(params, model_state, batch), batch)

    return rows if task.in_parts else jax.jit(rows)


def metric_rows(task: Task, prediction: Mapping[str, Any], batch: Mapping[str, Any]):
    """Returns the rows of every metric of the task for one batch."""
    return {name: dict(metric.rows(prediction, batch)) for name, metric in task.metrics.items()}


def collect(measured: Iterable[tuple[Arrays, Rows]]) -> Rows:
    """Joins the rows of the valid examples of every batch, in order."""
    parts: dict[str, dict[str, list[np.ndarray]]] = {}
    for batch, found in measured:
        valid = batch["valid"]
        for metric, rows in jax.device_get(found).items():
            for name, row in rows.items():
                parts.setdefault(metric, {}).setdefault(name, []).append(np.asarray(row)[valid])
    return {
        metric: {name: np.concatenate(some) for name, some in rows.items()}
        for metric, rows in parts.items()
    }


def pool(task: Task, rows: Rows) -> dict[str, Measured]:
    """Pools the rows of all examples into each metric of the task, in float64.

    Examples of weight 0 have nothing to say to a metric, and are not counted as its own.
    An optional metric to which no example has anything to say is left out.
    """
    measured = {}
    for name, metric in task.metrics.items():
        num_examples = len(next(iter(rows[name].values())))
        if "weight" in rows[name]:
            num_examples = int(np.count_nonzero(rows[name]["weight"]))
        if metric.optional and not num_examples:
            continue
        pooling = metric.pooling
        measured[name] = Measured(
            value=float(pooling.value(rows[name])),
            standard_error=float(pooling.standard_error(rows[name])),
            num_examples=num_examples,
            interval=pooling.interval(rows[name]) if isinstance(pooling, IntervalPooling) else None,
        )
    return measured


def baseline_rows(
    task: Task,
    prediction: Mapping[str, Predictions],
    batches: Iterable[Arrays],
    group: int,
) -> Rows:
    """Returns the rows of a baseline's predictions [n, ...], which are in the data's order."""
    start = 0

    def step(batch: Arrays) -> Rows:
        nonlocal start
        some = {
            name: filled(
                np.stack([found[row] for row in range(start, min(start + group, len(found)))]),
                group,
            )
            for name, found in prediction.items()
        }
        start += group
        return metric_rows(task, some, batch)

    return collect((batch, step(batch)) for batch in batches)
