# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
from metric_cases import CASES, SPEARMAN, metric, multitask

from perceiver_bench.metrics.base import MeanOfExamples, OverAll
from perceiver_bench.results.units import units


@pytest.mark.parametrize("name", CASES)
def test_the_metric_of_all_units_is_the_metric(name):
    kind, rows = CASES[name]
    found = units(kind, rows)
    everything = np.arange(len(found.places))
    assert found.metric(everything[None])[0] == pytest.approx(kind.pooling.value(rows), rel=1e-12)
    if "weight" in rows and name != "tasks":
        np.testing.assert_array_equal(found.places, np.flatnonzero(rows["weight"]))


def test_values_of_examples_and_which_way_is_better():
    sums = {"sum": np.array([3.0, 0.0, 1.0]), "weight": np.array([2.0, 0.0, 4.0])}
    for direction, gain in (("higher", 1), ("lower", -1)):
        found = units(metric(MeanOfExamples(), direction), sums)
        np.testing.assert_array_equal(found.values, [1.5, 0.25])
        np.testing.assert_array_equal(found.places, [0, 2])
        np.testing.assert_array_equal(found.gains, [gain, gain])
    found = units(SPEARMAN, {"predicted": np.array([3.5, 1.0]), "label": np.array([3, 2])})
    np.testing.assert_array_equal(found.values, [0.5, 1.0])
    np.testing.assert_array_equal(found.gains, [-1, -1])
    found = units(metric(OverAll(lambda rows: rows["own"].max())), {"own": np.array([3.5, 1.0])})
    assert np.isnan(found.values).all()


def test_of_several_data_sets_an_example_has_the_value_of_its_own():
    kind, rows = multitask(2)
    found = units(kind, rows)
    assert len(set(found.strata)) == 9
    for place, value, gain in zip(found.places, found.values, found.gains, strict=True):
        (own,) = (name.split("/")[0] for name in rows if "weight" in name and rows[name][place])
        if f"{own}/sum" in rows:
            assert (value, gain) == (rows[f"{own}/sum"][place], 1)
        else:
            wrong = rows[f"{own}/predicted"][place] != rows[f"{own}/label"][place]
            assert (value, gain) == (wrong, -1)
