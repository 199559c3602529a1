# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The prediction of a network for a batch of a task, whole or in parts."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import nnx

from perceiver_bench.config import RunConfig
from perceiver_bench.task import Arrays, Task

PredictionStep = Callable[[Any, Any, Arrays], Any]
"""`(params, model state, batch) -> prediction`, arrays [B, ...] by name."""


def examples_at_once(task: Task) -> int:
    """Returns how many examples of the task a batch of evaluation has.

    Examples of different sizes do not share a batch; their parts do.
    """
    return 1 if task.in_parts else task.evaluation_group


def make_prediction_step(task: Task, graph: nnx.GraphDef, config: RunConfig) -> PredictionStep:
    """Compiles the network of a run for batches of `examples_at_once`.

    A task with `in_parts` cuts an example itself; its parts go through the network
    `evaluation_group` at once, the last of them beside zeros.
    """

    @jax.jit
    def network(params, model_state, batch):
        return nnx.merge(graph, params, model_state)(batch)

    if task.in_parts is None:
        return network
    in_parts = task.in_parts

    def whole(params, model_state, batch):
        example = {name: array[0] for name, array in batch.items()}
        prediction = in_parts(config, grouped(params, model_state), example)
        return {name: np.asarray(array)[None] for name, array in prediction.items()}

    def grouped(params, model_state) -> Callable[[Arrays], Arrays]:
        def run(parts: Arrays) -> Arrays:
            size, group = len(next(iter(parts.values()))), task.evaluation_group
            found: list[Arrays] = []
            for start in range(0, size, group):
                batch = {
                    name: filled(array[start : start + group], group)
                    for name, array in parts.items()
                }
                found.append(jax.device_get(network(params, model_state, batch)))
            return {name: np.concatenate([one[name] for one in found])[:size] for name in found[0]}

        return run

    return whole


def filled(rows: np.ndarray, size: int) -> np.ndarray:
    """Returns `rows` [n, ...] with zeros behind them, [size, ...]."""
    return np.concatenate([rows, np.zeros((size - len(rows), *rows.shape[1:]), rows.dtype)])
