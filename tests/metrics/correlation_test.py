# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import logging
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from perceiver_bench.metrics import correlation

MEASURES = (correlation.matthews, correlation.f1, correlation.pearson, correlation.spearman)
CLASSES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40)
# Of few values, so that many are equal, and of many.
NUMBERS = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e3, 1e3).map(lambda x: round(x, 3)))
SCORES = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=40)


def rows_of(pairs):
    predicted, label = np.array(pairs, np.float64).T
    return {"predicted": predicted, "label": label}


@pytest.mark.filterwarnings("ignore:A single label was found")  # where it is 0 by convention
@given(CLASSES)
def test_matthews_is_that_of_scikit_learn(pairs):
    rows = rows_of(pairs)
    expected = 100 * sklearn.metrics.matthews_corrcoef(rows["label"], rows["predicted"])
    assert correlation.matthews(rows) == pytest.approx(expected, abs=1e-9)


@given(CLASSES)
def test_f1_is_that_of_scikit_learn(pairs):
    rows = rows_of(pairs)
    expected = sklearn.metrics.f1_score(rows["label"], rows["predicted"], zero_division=0)
    assert correlation.f1(rows) == pytest.approx(100 * expected, abs=1e-9)


@pytest.mark.parametrize(
    ("measure", "reference"),
    [
        (correlation.pearson, scipy.stats.pearsonr),
        (correlation.spearman, scipy.stats.spearmanr),
    ],
)
@given(pairs=SCORES)
def test_correlations_are_those_of_scipy(measure, reference, pairs):
    rows = rows_of(pairs)
    if np.ptp(rows["predicted"]) == 0 or np.ptp(rows["label"]) == 0:
        assert measure(rows) == 0
        return
    expected = 100 * reference(rows["predicted"], rows["label"]).statistic
    assert measure(rows) == pytest.approx(expected, abs=1e-6)


def test_measures_by_hand():
    # Of 6: 2 hits of class 1, 1 false alarm, 1 miss, 2 right rejections.
    classes = rows_of([(1, 1), (1, 1), (1, 0), (0, 1), (0, 0), (0, 0)])
    assert correlation.matthews(classes) == pytest.approx(100 * (2 * 2 - 1 * 1) / 9)
    assert correlation.f1(classes) == pytest.approx(100 * 4 / 6)
    # The deviations are -1, 0, 1 and -1, 2, -1 thirds of what is by hand 0.
    assert correlation.pearson(rows_of([(1, 0), (2, 1), (3, 0)])) == pytest.approx(0, abs=1e-12)
    assert correlation.spearman(rows_of([(1, 1), (2, 10), (3, 100), (4, 99)])) == pytest.approx(80)


@pytest.mark.parametrize("measure", MEASURES)
def test_constant_predictions_give_zero_and_it_is_said(measure, caplog):
    pooling = correlation.Agreement(measure)
    rows = {"predicted": np.zeros(5), "label": np.array([0, 1, 1, 0, 1])}
    with caplog.at_level(logging.WARNING, logger="absl"):
        assert pooling.value(rows) == 0
    assert pooling.standard_error(rows) == 0
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"all predictions are equal; {measure.__name__} is 0"]
    assert pooling.name == f"OverAll({measure.__name__})"


@pytest.mark.parametrize("measure", MEASURES)
def test_constant_labels_and_single_examples_give_a_number(measure):
    for rows in (rows_of([(0, 1), (1, 1), (1, 1)]), rows_of([(0, 0)]), rows_of([(1, 1)])):
        assert math.isfinite(correlation.Agreement(measure).value(rows))


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_correlations_do_not_depend_on_the_scale(scale):
    rows = rows_of([(1, 2), (2, 1), (3, 5), (4, 4)])
    scaled = {"predicted": rows["predicted"] * scale, "label": rows["label"]}
    for measure in (correlation.pearson, correlation.spearman):
        assert measure(scaled) == pytest.approx(measure(rows), rel=1e-12)


def test_an_undefined_score_is_not_hidden_and_an_undefined_class_is_wrong():
    nan = rows_of([(1, 1), (math.nan, 2), (3, 3)])
    assert math.isnan(correlation.pearson(nan))
    assert math.isnan(correlation.spearman(nan))
    logits = jnp.array([[1.0, 1.0], [0.0, 1.0], [jnp.nan, 0.0], [0.0, jnp.nan]])
    rows = correlation.binary_classes({"logits": logits}, {"label": jnp.array([0, 1, 0, 1])})
    assert rows["predicted"].tolist() == [0, 1, 1, 0]
    assert rows["label"].tolist() == [0, 1, 0, 1]


def test_metrics_read_logits_and_labels():
    rng = np.random.default_rng(0)
    classes = {"label": rng.integers(2, size=50).astype(np.int32)}
    logits = {"logits": rng.normal(size=(50, 2)).astype(np.float32)}
    scores = {"label": rng.normal(size=50).astype(np.float32)}
    outputs = {"logits": rng.normal(size=(50, 1)).astype(np.float32)}
    predicted, label = logits["logits"].argmax(-1), classes["label"]
    output, score = outputs["logits"][:, 0], scores["label"]
    for metric, prediction, batch, expected in (
        (
            correlation.MATTHEWS,
            logits,
            classes,
            sklearn.metrics.matthews_corrcoef(label, predicted),
        ),
        (correlation.F1, logits, classes, sklearn.metrics.f1_score(label, predicted)),
        (correlation.PEARSON, outputs, scores, scipy.stats.pearsonr(output, score).statistic),
        (correlation.SPEARMAN, outputs, scores, scipy.stats.spearmanr(output, score).statistic),
    ):
        value = metric.pooling.value(jax.jit(metric.rows)(prediction, batch))
        assert value == pytest.approx(100 * expected, abs=1e-5)
        assert (metric.unit, metric.direction, metric.optimum) == ("x100", "higher", 100)


def test_the_error_of_matthews_is_that_of_a_share():
    rng = np.random.default_rng(0)
    label = np.arange(4000) % 2
    predicted = np.where(rng.random(label.size) < 0.8, label, 1 - label)
    error = correlation.MATTHEWS.pooling.standard_error({"predicted": predicted, "label": label})
    # Of balanced classes it is twice the accuracy, less one.
    assert error == pytest.approx(2 * 100 * math.sqrt(0.8 * 0.2 / label.size), rel=0.1)
