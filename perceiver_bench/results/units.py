# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What a run's rows say of each example, and the metric as a function of which were drawn."""

import dataclasses
from collections.abc import Callable

import numpy as np

from perceiver_bench.metrics import success
from perceiver_bench.metrics.base import MeanOfExamples, PooledOverElements
from perceiver_bench.task import Arrays, Metric, Pooling


@dataclasses.dataclass(frozen=True, kw_only=True)
class Units:
    """The examples of a run that count for a metric, or its episodes with all their runs.

    Attributes:
        places: in the order of the data [n], from 0; of an episode, that of its first run.
        strata: [n]; units of one stratum, such as a task whose mean counts once, are drawn
            from each other only.
        metric: drawn units [r, n] -> values [r] of the metric over each row.
        is_called: whether that is a call of the metric's function for each row, which is slow.
        values: of each unit [n]: its `sum / weight`, or how far what was predicted is from its
            label; NaN where the rows have neither.
        gains: [n], 1 where a higher value is better, -1 where a lower one is.
        count_alike: whether the metric is the plain mean of `values` times a constant.
    """

    places: np.ndarray
    strata: np.ndarray
    metric: Callable[[np.ndarray], np.ndarray]
    is_called: bool
    values: np.ndarray
    gains: np.ndarray
    count_alike: bool


def units(metric: Metric, rows: Arrays) -> Units:
    """Returns the units of a run from the metric's rows [m] of all examples."""
    if isinstance(metric.pooling, success.MeanOverTasks):
        return _episodes(metric, rows)
    size = len(next(iter(rows.values())))
    weights = [row > 0 for name, row in rows.items() if _own_name(name) == "weight"]
    counted = np.stack(weights, axis=-1) if weights else np.ones((size, 1), bool)
    places = np.flatnonzero(counted.any(axis=-1))
    rows = {name: row[places] for name, row in rows.items()}
    # What counts for one part of a metric only, as for one data set of several, stays its own.
    _, strata = np.unique(counted[places], axis=0, return_inverse=True)
    values, gains = _values(metric, rows)
    pooling = metric.pooling
    # Exactly these two: a subclass may pool in another way.
    is_ratio = type(pooling) in (MeanOfExamples, PooledOverElements)
    is_mean = type(pooling) is MeanOfExamples or (is_ratio and bool(np.all(rows["weight"] == 1)))
    return Units(
        places=places,
        strata=strata.ravel(),
        metric=_ratio(pooling, rows, values, is_mean) if is_ratio else _called(pooling, rows),
        is_called=not is_ratio,
        values=values,
        gains=gains,
        count_alike=is_mean,
    )


def _ratio(
    pooling: Pooling, rows: Arrays, values: np.ndarray, is_mean: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """Returns the mean of drawn values, or the ratio of drawn sums and weights, scaled."""
    scale = pooling.value({"sum": np.ones(1), "weight": np.ones(1)})
    if is_mean:
        return lambda drawn: scale * values[drawn].mean(axis=1)
    sums, weights = (rows[name].astype(np.float64) for name in ("sum", "weight"))
    return lambda drawn: scale * sums[drawn].sum(axis=1) / weights[drawn].sum(axis=1)


def _called(pooling: Pooling, rows: Arrays) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what calls the pooling for each row of drawn units."""

    def metric(drawn: np.ndarray) -> np.ndarray:
        values = [pooling.value({name: row[one] for name, row in rows.items()}) for one in drawn]
        return np.array(values, np.float64)

    return metric


def _episodes(metric: Metric, rows: Arrays) -> Units:
    """Returns the episodes of tasks that count once each; an episode's value is over its runs."""
    first, task, shares = success.episodes(rows)
    _, strata, sizes = np.unique(task, return_inverse=True, return_counts=True)
    parts = 100 * shares / (sizes[strata] * len(sizes))
    return Units(
        places=first,
        strata=strata,
        metric=lambda drawn: parts[drawn].sum(axis=1),
        is_called=False,
        values=shares,
        gains=np.full(len(shares), _gain(metric)),
        count_alike=len(set(sizes)) == 1,
    )


def _values(metric: Metric, rows: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Returns `values` and `gains` [n] of examples with these rows, as `Units` has them.

    Rows of a part of a metric are named `part/sum`; the part that gives an example weight is
    the one whose value it has.
    """
    size = len(next(iter(rows.values())))
    values, gains = np.full(size, np.nan), np.full(size, _gain(metric))
    for part in {name.rpartition("/")[0] for name in rows}:
        own = {
            _own_name(name): row for name, row in rows.items() if name.rpartition("/")[0] == part
        }
        here = own["weight"] > 0 if "weight" in own else np.ones(size, bool)
        own = {name: row[here].astype(np.float64) for name, row in own.items()}
        if {"sum", "weight"} <= own.keys():
            values[here] = own["sum"] / own["weight"]
        elif {"predicted", "label"} <= own.keys():
            values[here] = np.abs(own["predicted"] - own["label"])
            gains[here] = -1
    return values, gains


def _gain(metric: Metric) -> int:
    return 1 if metric.direction == "higher" else -1


def _own_name(row: str) -> str:
    """Returns a row's name without that of the part of the metric before it."""
    return row.rpartition("/")[2]
