# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Predictions example by example: of a network, and of a baseline."""

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import jax
import tqdm
from flax import nnx

from perceiver_bench.config import RunConfig
from perceiver_bench.data import pipeline
from perceiver_bench.evaluation.network import examples_at_once, make_prediction_step
from perceiver_bench.task import Arrays, Baseline, Example, Predict, Prepare, Source, Task

Value = TypeVar("Value")


def of_network(
    task: Task,
    graph: nnx.GraphDef,
    config: RunConfig,
    params: Any,
    model_state: Any,
    prepare: Prepare,
    limit: int | None = None,
) -> Predict:
    """Returns the predictions of a network, compiled once for any number of sources.

    They are computed in the groups that evaluation uses, and leave the rows out that fill
    up the last group. `limit` keeps the first examples only.
    """
    step = make_prediction_step(task, graph, config)
    group = examples_at_once(task)

    def run(source: Source) -> Iterator[tuple[Example, Arrays, Arrays]]:
        num_groups = math.ceil(_count(source, limit) / group)
        batches = pipeline.evaluation_batches(source, prepare, group, limit)
        index = 0
        for batch in tqdm.tqdm(batches, desc=task.name, total=num_groups, disable=None):
            prediction = jax.device_get(step(params, model_state, batch))
            arrays = {name: array for name, array in batch.items() if name != "valid"}
            for row in range(int(batch["valid"].sum())):
                yield source[index], _row(arrays, row), _row(prediction, row)
                index += 1

    return run


def of_baseline(
    baseline: Baseline,
    read_train: Callable[[], Source],
    prepare: Prepare,
    limit: int | None = None,
) -> Predict:
    """Returns the predictions of a baseline; `limit` keeps the first examples only."""

    def run(source: Source) -> Iterator[tuple[Example, Arrays, Arrays]]:
        prediction = baseline(read_train(), source, prepare)
        for index in range(_count(source, limit)):
            example = source[index]
            arrays = LazyMapping(functools.partial(prepare, example, None))
            yield example, arrays, _row(prediction, index)

    return run


class LazyMapping(Mapping[str, Value]):
    """A mapping that is made when it is first read.

    A baseline's submission of 390,965 rows needs neither a tokenizer nor arrays.
    """

    def __init__(self, make: Callable[[], Mapping[str, Value]]):
        self._make = make

    @functools.cached_property
    def _made(self) -> Mapping[str, Value]:
        return self._make()

    def __getitem__(self, name: str) -> Value:
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


def _count(source: Source, limit: int | None) -> int:
    return len(source) if limit is None else min(limit, len(source))


def _row(arrays: Mapping[str, Any], row: int) -> Arrays:
    return {name: array[row] for name, array in arrays.items()}
