# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from perceiver_bench.results import seeds
from perceiver_bench.results.record import MetricValue


def test_mean_deviation_and_best_are_those_of_the_sample(make):
    """Of 80, 81 and 85: mean 82, squares 4 + 1 + 9 = 14, over two degrees of freedom 7."""
    (setting,) = seeds.settings(make(i, value=v, seed=i) for i, v in enumerate((85.0, 80.0, 81.0)))
    summary = setting.summary("accuracy")
    assert (summary.mean, summary.best, summary.num_seeds) == (82.0, 85.0, 3)
    assert summary.deviation == pytest.approx(math.sqrt(7))
    assert seeds.seeds_label(setting.runs) == "ours, 3 seeds"


def test_interval_is_that_of_students_t(make):
    """Of 80, 82 and 84: 82, and 4.3027 of Student's t with two degrees, times 2 / sqrt(3)."""
    (setting,) = seeds.settings(make(i, value=80.0 + 2 * i, seed=i) for i in range(3))
    low, high = setting.summary("accuracy").interval
    assert (low, high) == pytest.approx((82 - 4.968, 82 + 4.968), abs=5e-4)


def test_one_seed_has_no_deviation(make):
    (setting,) = seeds.settings([make(1, value=80.0, seed=4)])
    assert setting.summary("accuracy") == seeds.Summary(80.0, None, None, 80.0, 1)
    assert seeds.seeds_label(setting.runs) == "ours, seed 4"


def test_the_best_of_an_error_is_the_lowest(make):
    def error(value):
        one = MetricValue(value=value, standard_error=None, n=10, unit="px", direction="lower")
        return {"error": one}

    runs = [make(i, metrics=error(v), seed=i) for i, v in enumerate((3.0, 1.0))]
    runs += [make(5, metrics=error(1.5), overrides=("train.steps=2",))]
    settings = seeds.settings(runs)
    assert settings[0].summary("error").best == 1.0
    assert seeds.best(settings) is settings[1]


@settings(deadline=None)
@given(values=st.lists(st.floats(-100, 100), min_size=2, max_size=6))
def test_any_values_are_summed_up_as_by_numpy(make, values):
    runs = [make(i, value=v, seed=i) for i, v in enumerate(values)]
    summary = seeds.settings(runs)[0].summary("accuracy")
    assert summary.mean == pytest.approx(np.mean(values), abs=1e-12)
    assert summary.deviation == pytest.approx(np.std(values, ddof=1), abs=1e-9)
    assert summary.best == max(values)
    error = scipy.stats.sem(values)
    expected = np.mean(values) + error * np.array(scipy.stats.t.interval(0.95, len(values) - 1))
    assert summary.interval == pytest.approx(tuple(expected), abs=1e-8)


@pytest.mark.parametrize(
    "change",
    [
        {"preset": "other"},
        {"overrides": ("train.steps=2",)},
        {"init": "runs/mlm"},
        {"config": {"data": None}},  # the preset of that name has changed
        {"seed": None},
    ],
)
def test_what_differs_in_more_than_the_seed_is_another_setting(change, make):
    runs = [make(1, seed=0), make(2, seed=1), make(3, **{"seed": 2, **change})]
    assert sorted(len(setting.runs) for setting in seeds.settings(runs)) == [1, 2]


def test_a_repeated_run_takes_the_place_of_the_one_before(make):
    runs = [make(1, value=70.0, seed=0), make(2, value=80.0, seed=1), make(3, value=75.0, seed=0)]
    (setting,) = seeds.settings(seeds.latest(runs))
    assert [run.metrics["accuracy"].value for run in setting.runs] == [75.0, 80.0]
    started = [*runs, make(4, value=60.0, seed=0, init="runs/mlm")]
    assert len(seeds.latest(started)) == 3


def test_training_settings_make_no_other_model(make):
    runs = [
        make(1, overrides=("train.batch_size=16",)),
        make(2, overrides=("train.batch_size=32", "train.optimizer.learning_rate=1e-4")),
        make(3, overrides=("model.encoder.num_latents=512", "train.batch_size=16")),
        make(4, init="/home/of/runs/mlm/best"),
    ]
    models = seeds.by_model(seeds.settings(runs))
    assert {label: len(settings) for label, settings in models.items()} == {
        "small": 2,
        "small; model.encoder.num_latents=512": 1,
        "small; from mlm/best": 1,
    }
