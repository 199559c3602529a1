# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The metrics of one network for all tasks: each data set's own, and their average.

The rows of a data set's metric have weight 0 for the examples of other sets.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from perceiver_bench import api

from .specs import SPECS

DATA_SETS = (
    "cola",
    "mnli_matched",
    "mnli_mismatched",
    "mrpc",
    "qnli",
    "qqp",
    "rte",
    "sst2",
    "stsb",
)
"""What is evaluated, by name in `SPECS`; the two of MNLI are one task."""


def task_of(data_set: str) -> int:
    """Returns the number of the task that a data set belongs to."""
    return TASKS.index(data_set.split("_")[0])


TASKS = tuple(dict.fromkeys(name.split("_")[0] for name in DATA_SETS))
"""What the network tells apart, in the order of its queries, tokens and heads."""

_TASK_WEIGHTS = {
    name: 1 / len(TASKS) / sum(task_of(name) == task_of(other) for other in DATA_SETS)
    for name in DATA_SETS
}


def metrics(main: Mapping[str, tuple[str, api.Metric]]) -> dict[str, api.Metric]:
    """Returns the average and the metric of each data set.

    Args:
        main: name and metric that a task of its own has for each of `DATA_SETS`.

    Returns:
        `average_score`, the mean over the eight tasks, the two sets of MNLI averaged first;
        then the metrics as `cola_matthews_correlation`.
    """
    own = {
        name: dataclasses.replace(
            metric,
            rows=functools.partial(_rows, name, metric),
            pooling=_OfDataSet(name, metric.pooling),
        )
        for name, (_, metric) in main.items()
    }
    average = api.Metric(
        rows=functools.partial(_all_rows, own),
        pooling=_MeanOfTasks({name: metric.pooling for name, metric in own.items()}),
        unit="x100",
        direction="higher",
        optimum=100.0,
    )
    named = {f"{name}_{main[name][0]}": metric for name, metric in own.items()}
    return {"average_score": average, **named}


def _rows(
    data_set: str, metric: api.Metric, prediction: Mapping[str, Any], batch: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the metric's rows for the outputs that the data set's task has.

    Args:
        data_set: one of `DATA_SETS`.
        metric: of `logits` [B, num_outputs].
        prediction: `logits` [B, tasks, outputs].
        batch: `label` and `data_set` [B], the place in `DATA_SETS`.
    """
    logits = jnp.asarray(prediction["logits"])
    own = logits[:, task_of(data_set), : SPECS[data_set].num_outputs]
    rows = dict(metric.rows({"logits": own}, batch))
    is_own = jnp.asarray(batch["data_set"]) == DATA_SETS.index(data_set)
    return {**rows, "weight": jnp.where(is_own, rows.get("weight", 1.0), 0.0)}


def _all_rows(
    own: Mapping[str, api.Metric], prediction: Mapping[str, Any], batch: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the rows of every data set's metric, as `cola/weight`."""
    return {
        f"{name}/{row}": array
        for name, metric in own.items()
        for row, array in metric.rows(prediction, batch).items()
    }


class _OfDataSet:
    """A pooling of the examples of one data set."""

    def __init__(self, data_set: str, pooling: api.Pooling) -> None:
        self.name = f"{pooling.name} of {data_set}"
        self._data_set = data_set
        self._pooling = pooling

    def value(self, rows: api.Arrays) -> float:
        """Returns the pooling's value; raises UserError if the data set has no examples."""
        return self._pooling.value(self._own(rows))

    def standard_error(self, rows: api.Arrays) -> float:
        """Returns the pooling's standard error."""
        return self._pooling.standard_error(self._own(rows))

    def _own(self, rows: api.Arrays) -> dict[str, np.ndarray]:
        counts = np.asarray(rows["weight"]) > 0
        if not counts.any():
            raise api.UserError(
                f"no examples of {self._data_set}; the average is over all of GLUE, so --limit"
                " has to leave some of every dev set"
            )
        return {name: np.asarray(row)[counts] for name, row in rows.items()}


class _MeanOfTasks:
    """The mean over tasks; its standard error is that of a mean of independent data sets."""

    def __init__(self, poolings: Mapping[str, api.Pooling]) -> None:
        self.name = "MeanOfTasks"
        self._poolings = poolings

    def value(self, rows: api.Arrays) -> float:
        """Returns the mean; raises UserError if a data set has no examples."""
        return math.fsum(
            _TASK_WEIGHTS[name] * pooling.value(_of(name, rows))
            for name, pooling in self._poolings.items()
        )

    def standard_error(self, rows: api.Arrays) -> float:
        """Returns the root of the weighted sum of the data sets' squared standard errors."""
        errors = {
            name: pooling.standard_error(_of(name, rows))
            for name, pooling in self._poolings.items()
        }
        return math.sqrt(math.fsum((_TASK_WEIGHTS[name] * errors[name]) ** 2 for name in errors))


def _of(data_set: str, rows: api.Arrays) -> dict[str, np.ndarray]:
    """Returns the rows of a data set's metric under their own names."""
    prefix = f"{data_set}/"
    return {name.removeprefix(prefix): row for name, row in rows.items() if name.startswith(prefix)}
