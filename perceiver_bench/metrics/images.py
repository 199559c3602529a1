# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Image classification: logits [B, classes] against labels, of the images that count.

    prediction: `logits` [B, classes].
    batch: `label` [B], integers; `weight` [B], 0 for an image that was skipped and 1 for any
        other, and without it all count; `real_labels` bool [B, classes], where the ReaL labels
        are known.

Equal logits go to the lower class in every metric, and a NaN among them makes an answer wrong.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from perceiver_bench.metrics.base import MeanOfExamples, OverAll
from perceiver_bench.metrics.classification import correct, cross_entropy
from perceiver_bench.task import Arrays, Metric

_TOP = 5


def top1(prediction: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, jax.Array]:
    """Returns whether the largest logit is the label's, `sum` and `weight` [B]."""
    return _counted(correct(prediction, batch)["sum"], batch)


def top5(prediction: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, jax.Array]:
    """Returns whether the label's logit is among the five largest, `sum` and `weight` [B].

    Of five classes or fewer that is any.
    """
    logits = jnp.asarray(prediction["logits"], jnp.float32)
    classes = jnp.arange(logits.shape[-1])
    label = jnp.asarray(batch["label"])[:, None]
    is_label = classes == label
    of_label = jnp.where(is_label, logits, -jnp.inf).max(axis=-1, keepdims=True)
    # Counted, not sorted: of 1000 classes that is many times faster.
    is_ahead = (logits > of_label) | ((logits == of_label) & (classes < label))
    hit = is_label.any(axis=-1) & (is_ahead.sum(axis=-1) < _TOP)
    broken = jnp.isnan(logits).any(axis=-1)
    return _counted(jnp.where(hit & ~broken, 1.0, 0.0), batch)


def real(prediction: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, jax.Array]:
    """Returns whether the largest logit is of one of the ReaL labels, `sum` and `weight` [B].

    Images that were given none are left out (Beyer et al., arXiv:2006.07159, section 3.3).

    Raises:
        ValueError: if the ReaL labels are not of the logits' classes.
    """
    logits = jnp.asarray(prediction["logits"], jnp.float32)
    if "real_labels" not in batch:
        nothing = jnp.zeros(logits.shape[:1])
        return {"sum": nothing, "weight": nothing}
    labels = jnp.asarray(batch["real_labels"], bool)
    if labels.shape != logits.shape:
        raise ValueError(f"ReaL labels {labels.shape} for logits {logits.shape}")
    answer = jnp.argmax(logits, axis=-1, keepdims=True)
    hit = jnp.take_along_axis(labels, answer, axis=-1)[:, 0]
    broken = jnp.isnan(logits).any(axis=-1)
    counted = _counted(jnp.where(hit & ~broken, 1.0, 0.0), batch)
    has_labels = labels.any(axis=-1)
    return {name: jnp.where(has_labels, row, 0.0) for name, row in counted.items()}


def _cross_entropy(prediction: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, jax.Array]:
    return _counted(cross_entropy(prediction, batch), batch)


def _with_label(prediction: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, jax.Array]:
    return {**top1(prediction, batch), "label": jnp.asarray(batch["label"])}


def _counted(sums: jax.Array, batch: Mapping[str, Any]) -> dict[str, jax.Array]:
    """Returns `sum` and `weight` [B], both 0 for the images that do not count."""
    weights = jnp.asarray(batch.get("weight", jnp.ones_like(sums)), jnp.float32)
    # Not a product alone: 0 times NaN is NaN.
    return {"sum": jnp.where(weights == 0, 0.0, weights * sums), "weight": weights}


def mean_per_class(rows: Arrays) -> float:
    """Returns the mean over classes of their accuracy in percent; classes without images have none.

    Args:
        rows: `sum`, `weight` and `label` [n] of at least one image.
    """
    labels = rows["label"].astype(np.int64)
    images = np.bincount(labels, rows["weight"])
    right = np.bincount(labels, rows["sum"])
    present = images > 0
    return float(100 * np.mean(right[present] / images[present]))


class _OverCounted(OverAll):
    """A function over all examples that have weight."""

    def value(self, rows: Arrays) -> float:
        """Returns the function's value; raises UserError if no example has weight."""
        return super().value(_with_weight(rows))

    def standard_error(self, rows: Arrays) -> float:
        """Returns the spread over 1000 resamples of the examples, always the same ones."""
        return super().standard_error(_with_weight(rows))


def _with_weight(rows: Arrays) -> dict[str, np.ndarray]:
    counts = np.asarray(rows["weight"]) > 0
    return {name: np.asarray(row)[counts] for name, row in rows.items()}


def _accuracy(rows: Any, pooling: Any, *, optional: bool = False) -> Metric:
    return Metric(
        rows=rows, pooling=pooling, unit="%", direction="higher", optimum=100.0, optional=optional
    )


IMAGE_METRICS: Mapping[str, Metric] = {
    "top1_accuracy": _accuracy(top1, MeanOfExamples(scale=100.0)),
    "top5_accuracy": _accuracy(top5, MeanOfExamples(scale=100.0)),
    "real_accuracy": _accuracy(real, MeanOfExamples(scale=100.0), optional=True),
    "mean_per_class_accuracy": _accuracy(_with_label, _OverCounted(mean_per_class)),
    "cross_entropy": Metric(
        rows=_cross_entropy, pooling=MeanOfExamples(), unit="nats", direction="lower", optimum=0.0
    ),
}
"""All by name, the main one first."""
