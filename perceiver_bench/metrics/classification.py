# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Classification: logits [B, classes] against integer labels [B]."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from perceiver_bench.metrics.base import MeanOfExamples
from perceiver_bench.task import Metric


def correct(prediction: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, jax.Array]:
    """Returns whether the largest logit is the label's, as rows for a pooling.

    Equal logits go to the lower class. A NaN among the logits makes an example wrong,
    since `argmax` would take it for the largest.

    Args:
        prediction: `logits` [B, classes].
        batch: `label` [B], integers.

    Returns:
        `sum` [B], 0 or 1, and `weight` [B], 1.
    """
    logits = jnp.asarray(prediction["logits"], jnp.float32)
    hit = jnp.argmax(logits, axis=-1) == batch["label"]
    broken = jnp.isnan(logits).any(axis=-1)
    sums = jnp.where(hit & ~broken, 1.0, 0.0)
    return {"sum": sums, "weight": jnp.ones_like(sums)}


def cross_entropy(
    prediction: Mapping[str, Any], batch: Mapping[str, Any], label_smoothing: float = 0.0
) -> jax.Array:
    """Returns the cross-entropy [B] in nats, in float32.

    The target is `1 - label_smoothing` on the label plus `label_smoothing` spread evenly
    over all classes.

    Args:
        prediction: `logits` [B, classes], finite.
        batch: `label` [B], integers.
        label_smoothing: in [0, 1].
    """
    logits = jnp.asarray(prediction["logits"], jnp.float32)
    surprise = -jax.nn.log_softmax(logits, axis=-1)
    labels = jnp.asarray(batch["label"])[:, None]
    of_label = jnp.take_along_axis(surprise, labels, axis=-1)[:, 0]
    return (1 - label_smoothing) * of_label + label_smoothing * surprise.mean(axis=-1)


def _cross_entropy_rows(
    prediction: Mapping[str, Any], batch: Mapping[str, Any]
) -> dict[str, jax.Array]:
    """Returns `cross_entropy` as rows for a pooling."""
    sums = cross_entropy(prediction, batch)
    return {"sum": sums, "weight": jnp.ones_like(sums)}


ACCURACY = Metric(
    rows=correct,
    pooling=MeanOfExamples(scale=100.0),
    unit="%",
    direction="higher",
    optimum=100.0,
)
CROSS_ENTROPY = Metric(
    rows=_cross_entropy_rows,
    pooling=MeanOfExamples(),
    unit="nats",
    direction="lower",
    optimum=0.0,
)
