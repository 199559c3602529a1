# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Regression of a score of 0 to 5: what the network answers, its loss and its metrics.

The network's output is -1 for score 0 and 1 for score 5: a fresh network, which answers
about 0, begins in the middle of the scale, and need not first learn the mean score.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from perceiver_bench import api

MAX_SCORE = 5.0
_HALF = MAX_SCORE / 2


def to_output(score: Any) -> np.ndarray:
    """Returns the output of the network that stands for a score of 0 to 5, float32."""
    return np.asarray(score, np.float32) / np.float32(_HALF) - np.float32(1)


def to_score(output: Any) -> np.ndarray:
    """Returns the score that an output stands for, float64; of 0 to 5 where it is of -1 to 1."""
    return (np.asarray(output, np.float64) + 1) * _HALF


def squared_error(
    prediction: Mapping[str, Any], batch: Mapping[str, Any], label_smoothing: float = 0.0
) -> jax.Array:
    """Returns the squared error [B] of the score of 0 to 5, in float32.

    Args:
        prediction: `logits` [B, 1].
        batch: `label` [B], outputs of -1 to 1.
        label_smoothing: 0, for there are no classes to spread a target over.

    Raises:
        UserError: for any other smoothing.
    """
    if label_smoothing:
        raise api.UserError(
            f"--set=train.label_smoothing={label_smoothing}: a score has no classes; 0 is due"
        )
    output = jnp.asarray(prediction["logits"], jnp.float32)[:, 0]
    return (_HALF * (output - batch["label"])) ** 2


def _squared_error_rows(
    prediction: Mapping[str, Any], batch: Mapping[str, Any]
) -> dict[str, jax.Array]:
    sums = squared_error(prediction, batch)
    return {"sum": sums, "weight": jnp.ones_like(sums)}


SQUARED_ERROR = api.Metric(
    rows=_squared_error_rows,
    pooling=api.MeanOfExamples(),
    unit="score^2",
    direction="lower",
    optimum=0.0,
)
