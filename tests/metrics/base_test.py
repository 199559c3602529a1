# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import math
import statistics

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from perceiver_bench import errors
from perceiver_bench.metrics import base

POOLINGS = [
    base.MeanOfExamples(),
    base.PooledOverElements(),
    base.OverAll(lambda rows: float(np.mean(rows["sum"] / rows["weight"]))),
]
FINITE = st.floats(-1e6, 1e6)
ROWS = st.lists(st.tuples(FINITE, st.integers(1, 1000)), min_size=2, max_size=30)


def rows_of(pairs):
    sums, weights = zip(*pairs, strict=True)
    return {"sum": np.array(sums), "weight": np.array(weights, np.float32)}


@given(ROWS)
def test_mean_of_examples_is_the_mean_and_its_error_that_of_a_mean(pairs):
    rows = rows_of(pairs)
    each = [a / b for a, b in pairs]
    pooling = base.MeanOfExamples(scale=100.0)
    assert pooling.value(rows) == pytest.approx(100 * statistics.fmean(each), rel=1e-9, abs=1e-6)
    expected = 100 * statistics.stdev(each) / math.sqrt(len(each))
    assert pooling.standard_error(rows) == pytest.approx(expected, rel=1e-6, abs=1e-4)


def test_the_two_poolings_differ_where_weights_do():
    rows = rows_of([(1.0, 1), (0.0, 3)])
    assert base.MeanOfExamples().value(rows) == 0.5
    assert base.PooledOverElements().value(rows) == 0.25


def test_pooled_over_elements_by_hand():
    # R = 9 / 6; residuals -0.5, -1, 1.5; sqrt(3.5 * 3 / 2) / 6.
    rows = rows_of([(1.0, 1), (2.0, 2), (6.0, 3)])
    pooling = base.PooledOverElements(scale=2.0)
    assert pooling.value(rows) == pytest.approx(3.0)
    assert pooling.standard_error(rows) == pytest.approx(2 * math.sqrt(5.25) / 6)


def test_error_of_the_ratio_agrees_with_the_bootstrap():
    rng = np.random.default_rng(1)
    weights = rng.integers(1, 20, 400).astype(float)
    sums = weights * rng.normal(2, 1, 400)
    bootstrap = scipy.stats.bootstrap(
        (sums, weights),
        lambda s, w: np.sum(s) / np.sum(w),
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=2000,
        rng=2,
    )
    error = base.PooledOverElements().standard_error({"sum": sums, "weight": weights})
    assert error == pytest.approx(bootstrap.standard_error, rel=0.1)


@pytest.mark.parametrize("pooling", POOLINGS[:2])
@given(pairs=ROWS, garbage=st.floats())
def test_examples_without_weight_change_nothing(pooling, pairs, garbage):
    rows, padded = rows_of(pairs), rows_of([*pairs, (garbage, 0)])
    assert pooling.value(padded) == pooling.value(rows)
    assert pooling.standard_error(padded) == pooling.standard_error(rows)


def test_sums_are_taken_in_float64():
    # In float32 adding 1 to 2**24 changes nothing.
    sums = np.array([2**24, 1, 1], np.float32)
    pooling = base.PooledOverElements(scale=3.0)
    assert pooling.value({"sum": sums, "weight": np.ones(3, np.float32)}) == 2**24 + 2


def test_over_all_gets_all_rows_and_its_error_is_that_of_resampling():
    rng = np.random.default_rng(3)
    first = rng.normal(size=500)
    rows = {"first": first, "second": first + rng.normal(size=500)}

    def pearson(rows):
        return scipy.stats.pearsonr(rows["first"], rows["second"]).statistic

    pooling = base.OverAll(pearson)
    assert pooling.name == "OverAll(pearson)"
    correlation = pooling.value(rows)
    assert correlation == pytest.approx(np.corrcoef(rows["first"], rows["second"])[0, 1])
    # For normal variables the error of a correlation is (1 - r**2) / sqrt(n - 1).
    expected = (1 - correlation**2) / math.sqrt(499)
    assert pooling.standard_error(rows) == pytest.approx(expected, rel=0.1)
    assert pooling.standard_error(rows) == pooling.standard_error(rows)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_no_examples_is_an_error(pooling):
    empty = {"sum": np.zeros(0), "weight": np.zeros(0)}
    for compute in (pooling.value, pooling.standard_error):
        with pytest.raises(errors.UserError, match="no examples"):
            compute(empty)


@pytest.mark.parametrize("pooling", POOLINGS[:2])
def test_only_examples_without_weight_are_no_examples(pooling):
    with pytest.raises(errors.UserError, match="no examples"):
        pooling.value(rows_of([(1.0, 0)]))


@pytest.mark.parametrize("pooling", POOLINGS[:2])
@pytest.mark.parametrize("weight", [np.nan, -1.0])
def test_a_weight_that_is_none_is_a_fault(pooling, weight):
    with pytest.raises(ValueError, match="weights"):
        pooling.value({"sum": np.ones(2), "weight": np.array([1.0, weight])})


@pytest.mark.parametrize("pooling", POOLINGS[:2])
def test_undefined_sums_are_not_hidden_and_one_example_has_no_error(pooling):
    assert math.isnan(pooling.value(rows_of([(math.nan, 1), (1.0, 1)])))
    assert math.isnan(pooling.standard_error(rows_of([(1.0, 1)])))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_rows_of_different_lengths_are_a_fault(pooling):
    with pytest.raises(ValueError, match="differ in length"):
        pooling.value({"sum": np.ones(3), "weight": np.ones(2)})
