# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""How the rows of all examples become one number, in float64 on the host.

The rows `sum` and `weight` [n] hold, for each example, a sum over its elements and how
many elements that is (for a classifier: 0 or 1, and 1). An example of weight 0 has nothing
to say and is left out; a negative or undefined weight is a fault of the metric.
"""

from collections.abc import Callable

import numpy as np

from perceiver_bench.errors import UserError
from perceiver_bench.task import Arrays

_NUM_RESAMPLES = 1000


class MeanOfExamples:
    """The mean over examples of `sum / weight`, times `scale`: each example counts once."""

    def __init__(self, scale: float = 1.0) -> None:
        self.name = "MeanOfExamples"
        self._scale = scale

    def value(self, rows: Arrays) -> float:
        """Returns the mean; raises UserError if there are no examples."""
        return float(np.mean(self._each(rows)))

    def standard_error(self, rows: Arrays) -> float:
        """Returns the sample standard deviation / sqrt(n); NaN for a single example."""
        each = self._each(rows)
        return float(np.std(each, ddof=1) / np.sqrt(each.size)) if each.size > 1 else np.nan

    def _each(self, rows: Arrays) -> np.ndarray:
        """Returns the scaled value [n] of each example."""
        sums, weights = _sums_and_weights(rows)
        return self._scale * sums / weights


class PooledOverElements:
    """The sum of all sums over the sum of all weights, times `scale`: elements count once."""

    def __init__(self, scale: float = 1.0) -> None:
        self.name = "PooledOverElements"
        self._scale = scale

    def value(self, rows: Arrays) -> float:
        """Returns the ratio; raises UserError if there are no examples."""
        sums, weights = _sums_and_weights(rows)
        return float(self._scale * np.sum(sums) / np.sum(weights))

    def standard_error(self, rows: Arrays) -> float:
        """Returns the error of the ratio over examples, by the delta method; NaN for one."""
        sums, weights = _sums_and_weights(rows)
        if sums.size == 1:
            return np.nan
        residuals = sums - np.sum(sums) / np.sum(weights) * weights
        spread = np.sqrt(np.sum(residuals**2) * sums.size / (sums.size - 1))
        return float(self._scale * spread / np.sum(weights))


class OverAll:
    """`function(rows)` of all examples at once, such as a correlation.

    The function gets every row in float64 and has to be defined for any subset, such as
    one with a single class, since the standard error comes from resampling.
    """

    def __init__(self, function: Callable[[Arrays], float]) -> None:
        self.name = f"OverAll({function.__name__})"
        self._function = function

    def value(self, rows: Arrays) -> float:
        """Returns the function's value; raises UserError if there are no examples."""
        return float(self._function(_in_float64(rows)))

    def standard_error(self, rows: Arrays) -> float:
        """Returns the spread over 1000 resamples of the examples, always the same ones."""
        rows = _in_float64(rows)
        size = len(next(iter(rows.values())))
        generator = np.random.default_rng(0)
        values = []
        for _ in range(_NUM_RESAMPLES):
            chosen = generator.integers(size, size=size)
            values.append(self._function({name: row[chosen] for name, row in rows.items()}))
        return float(np.std(values, ddof=1))


def _in_float64(rows: Arrays) -> dict[str, np.ndarray]:
    """Returns `rows` in float64; raises UserError if they hold no examples."""
    rows = {name: np.asarray(row, np.float64) for name, row in rows.items()}
    if len({len(row) for row in rows.values()}) != 1:
        raise ValueError(f"rows differ in length: { {n: len(r) for n, r in rows.items()} }")
    if not len(next(iter(rows.values()))):
        raise UserError("no examples")
    return rows


def _sums_and_weights(rows: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Returns `sum` and `weight` [n] of the examples that have weight."""
    rows = _in_float64({"sum": rows["sum"], "weight": rows["weight"]})
    weights = rows["weight"]
    if not np.all(weights >= 0):  # NaN fails this too, and would vanish below
        raise ValueError(f"weights are at least 0, got {weights[~(weights >= 0)][0]}")
    counted = weights > 0
    if not counted.any():
        raise UserError("no examples")
    return rows["sum"][counted], weights[counted]
