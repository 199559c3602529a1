# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Agreement of predictions and labels over a whole data set: correlations and F1, x100.

The functions get `predicted` and `label` [n] of all examples, in float64. Where a measure
is not defined, as a correlation is not if one of the two is constant, it is 0 by convention,
as scikit-learn has it, and not NaN. A NaN among the predictions of a score gives NaN.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
from absl import logging

from perceiver_bench.metrics.base import OverAll
from perceiver_bench.task import Arrays, Metric


def matthews(rows: Arrays) -> float:
    """Returns the correlation of two binary classes, in [-100, 100]; 0 if one is constant."""
    return _correlation(rows["predicted"], rows["label"])


def f1(rows: Arrays) -> float:
    """Returns the harmonic mean of precision and recall of class 1, in [0, 100].

    It is 0 if no example is of class 1 or taken for it.
    """
    hits = np.sum(rows["predicted"] * rows["label"])
    positives = np.sum(rows["predicted"]) + np.sum(rows["label"])
    return float(200 * hits / positives) if positives else 0.0


def pearson(rows: Arrays) -> float:
    """Returns Pearson's linear correlation, in [-100, 100]; 0 if one is constant."""
    return _correlation(rows["predicted"], rows["label"])


def spearman(rows: Arrays) -> float:
    """Returns Pearson's correlation of the ranks, equal values sharing their mean rank.

    In [-100, 100]; 0 if one is constant.
    """
    ranks = (scipy.stats.rankdata(rows[name]) for name in ("predicted", "label"))
    return _correlation(*ranks)


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    # Exactly constant values may differ from their rounded mean, so the mean tells nothing.
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    first, second = (values - np.mean(values) for values in (first, second))
    # Scaled first, so that no square is too small or too large to be held.
    first, second = (values / np.max(np.abs(values)) for values in (first, second))
    ratio = np.sum(first * second) / np.sqrt(np.sum(first**2) * np.sum(second**2))
    return float(100 * np.clip(ratio, -1, 1))


class Agreement(OverAll):
    """One of the functions above over all examples; tells of constant predictions."""

    def __init__(self, function: Callable[[Arrays], float]) -> None:
        super().__init__(function)
        self._measure = function.__name__

    def value(self, rows: Arrays) -> float:
        """Returns the function's value; raises UserError if there are no examples."""
        value = super().value(rows)
        if value == 0 and np.ptp(rows["predicted"]) == 0:
            logging.warning("all predictions are equal; %s is 0", self._measure)
        return value


def binary_classes(prediction: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, jax.Array]:
    """Returns the class `predicted` and the `label` [B], 0 or 1, as rows for a pooling.

    As in accuracy, equal logits go to class 0 and a NaN among them makes the answer wrong.

    Args:
        prediction: `logits` [B, 2].
        batch: `label` [B], integers.
    """
    logits = jnp.asarray(prediction["logits"], jnp.float32)
    broken = jnp.isnan(logits).any(axis=-1)
    label = jnp.asarray(batch["label"])
    return {
        "predicted": jnp.where(broken, 1 - label, jnp.argmax(logits, axis=-1)),
        "label": label,
    }


def single_outputs(prediction: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, jax.Array]:
    """Returns the number `predicted` and the `label` [B] as rows for a pooling.

    Args:
        prediction: `logits` [B, 1].
        batch: `label` [B], numbers.
    """
    return {
        "predicted": jnp.asarray(prediction["logits"], jnp.float32)[:, 0],
        "label": jnp.asarray(batch["label"]),
    }


def _metric(rows: Callable[..., Mapping[str, Any]], function: Callable[[Arrays], float]) -> Metric:
    return Metric(
        rows=rows, pooling=Agreement(function), unit="x100", direction="higher", optimum=100.0
    )


MATTHEWS = _metric(binary_classes, matthews)
F1 = _metric(binary_classes, f1)
PEARSON = _metric(single_outputs, pearson)
SPEARMAN = _metric(single_outputs, spearman)
