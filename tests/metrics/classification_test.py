# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

from perceiver_bench.metrics import classification


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    prediction = {"logits": rng.normal(size=(64, 3)).astype(np.float32)}
    return prediction, {"label": rng.integers(3, size=64).astype(np.int32)}


def score(metric, prediction, batch):
    return metric.pooling.value(jax.jit(metric.rows)(prediction, batch))


def test_accuracy_is_that_of_scikit_learn_in_percent(case):
    prediction, batch = case
    expected = sklearn.metrics.accuracy_score(batch["label"], prediction["logits"].argmax(-1))
    assert classification.ACCURACY.unit == "%"
    assert score(classification.ACCURACY, *case) == pytest.approx(100 * expected)


def test_cross_entropy_is_that_of_scikit_learn(case):
    prediction, batch = case
    logits = prediction["logits"].astype(np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = sklearn.metrics.log_loss(batch["label"], probabilities)
    assert score(classification.CROSS_ENTROPY, *case) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_label_smoothing_spreads_the_target_evenly(case, smoothing):
    prediction, batch = case
    target = np.eye(3)[batch["label"]] * (1 - smoothing) + smoothing / 3
    expected = -(target * np.asarray(jax.nn.log_softmax(prediction["logits"]))).sum(-1)
    loss = classification.cross_entropy(prediction, batch, smoothing)
    assert loss.shape == (64,)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_perfect_predictions_score_the_optimum(case):
    batch = case[1]
    prediction = {"logits": 100 * np.eye(3, dtype=np.float32)[batch["label"]]}
    for metric in (classification.ACCURACY, classification.CROSS_ENTROPY):
        assert score(metric, prediction, batch) == metric.optimum


def test_equal_logits_go_to_the_lower_class_and_nan_is_wrong():
    logits = jnp.array([[1.0, 1.0], [1.0, 1.0], [jnp.nan, 0.0], [0.0, jnp.nan]])
    rows = classification.correct({"logits": logits}, {"label": jnp.array([0, 1, 0, 1])})
    assert rows["sum"].tolist() == [1, 0, 0, 0]
    assert rows["weight"].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_loss_and_gradient_are_finite_for_extreme_logits(dtype):
    logits = jnp.array([[3e4, -3e4], [-3e4, 3e4], [0, 0]], dtype)
    batch = {"label": jnp.array([1, 1, 0])}

    def total(logits):
        return classification.cross_entropy({"logits": logits}, batch, 0.1).sum()

    value, gradient = jax.value_and_grad(total)(logits)
    assert jnp.isfinite(value)
    assert value.dtype == jnp.float32
    assert jnp.isfinite(gradient).all()
