# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_cases import CASES, MEAN, POOLED, SIZE, SPEARMAN, SUCCESS, episodes, metric, ones

from perceiver_bench.metrics.base import MeanOfExamples
from perceiver_bench.metrics.correlation import MATTHEWS
from perceiver_bench.results import resampling
from perceiver_bench.results.units import units


def compared(kind, first, second):
    """The difference, its resamples, what they say, and the units of the first run."""
    a, b = units(kind, first), units(kind, second)
    difference = kind.pooling.value(second) - kind.pooling.value(first)
    resampled = resampling.differences(a, b)
    return difference, resampled, resampling.spread(difference, resampled, a.strata), a


def confidence(freedom):
    """The percentile interval that a bootstrap over `freedom + 1` examples is widened to."""
    widened = math.sqrt((freedom + 1) / freedom) * scipy.stats.t.ppf(0.975, freedom)
    return 2 * scipy.stats.norm.cdf(widened) - 1


@pytest.fixture
def few(monkeypatch):
    """Draws fewer resamples, where their number decides nothing."""
    monkeypatch.setattr(resampling, "_NUM_RESAMPLES", 1000)
    monkeypatch.setattr(resampling, "_NUM_CALLED", 100)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", CASES)
def test_a_run_compared_with_itself_does_not_differ(name):
    kind, rows = CASES[name]
    difference, resampled, spread, _ = compared(kind, rows, rows)
    assert difference == 0
    assert not resampled.any()
    assert spread == resampling.Spread((0.0, 0.0), 1.0)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", CASES)
def test_exchanging_the_runs_exchanges_the_ends(name):
    kind, rows = CASES[name]
    other = {
        row: np.random.default_rng(3).permutation(values)
        if row.rpartition("/")[2] in ("sum", "predicted") and name not in ("mean", "pooled")
        else values
        for row, values in rows.items()
    }
    if name in ("mean", "pooled"):
        other["sum"] = rows["sum"] * np.random.default_rng(3).random(SIZE)
    there, back = compared(kind, rows, other), compared(kind, other, rows)
    assert there[0] == -back[0]
    assert there[2].interval == pytest.approx([-end for end in reversed(back[2].interval)])
    assert there[2].p_value == back[2].p_value
    assert len(there[1]) == (100 if units(kind, rows).is_called else 1000)


def test_the_interval_of_a_mean_is_that_of_scipy():
    generator = np.random.default_rng(0)
    first = generator.exponential(size=SIZE)
    second = first + generator.exponential(0.5, size=SIZE) - 0.3
    difference, resampled, spread, _ = compared(MEAN, ones(first), ones(second))
    expected = scipy.stats.bootstrap(
        (first, second),
        lambda a, b, axis: 100 * np.mean(b - a, axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        method="percentile",
        confidence_level=confidence(SIZE - 1),
        rng=np.random.default_rng(1),
    )
    assert np.std(resampled, ddof=1) == pytest.approx(expected.standard_error, rel=0.03)
    width = np.diff(expected.confidence_interval)[0]
    assert spread.interval == pytest.approx(expected.confidence_interval, abs=0.03 * width)
    assert difference == pytest.approx(100 * np.mean(second - first))


def test_the_interval_of_a_pooled_ratio_is_that_of_scipy():
    generator = np.random.default_rng(4)
    weights = generator.integers(1, 20, SIZE)
    first, second = (weights * generator.gamma(2, mean, SIZE) for mean in (0.5, 0.6))
    runs = [{"sum": sums, "weight": weights} for sums in (first, second)]
    _, _, spread, _ = compared(POOLED, *runs)
    expected = scipy.stats.bootstrap(
        (first, second, weights),
        lambda a, b, w, axis: 100 * np.sum(b - a, axis=axis) / np.sum(w, axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        method="percentile",
        confidence_level=confidence(SIZE - 1),
        rng=np.random.default_rng(1),
    )
    width = np.diff(expected.confidence_interval)[0]
    assert spread.interval == pytest.approx(expected.confidence_interval, abs=0.03 * width)


def test_the_interval_of_a_correlation_is_that_of_scipy():
    generator = np.random.default_rng(7)
    label = generator.normal(size=SIZE)
    first, second = (label + generator.normal(scale=one, size=SIZE) for one in (1.0, 0.7))

    def difference(a, b, c):
        return 100 * (scipy.stats.spearmanr(b, c)[0] - scipy.stats.spearmanr(a, c)[0])

    runs = [{"predicted": one, "label": label} for one in (first, second)]
    found, _, spread, _ = compared(SPEARMAN, *runs)
    assert found == pytest.approx(difference(first, second, label))
    expected = scipy.stats.bootstrap(
        (first, second, label),
        difference,
        paired=True,
        vectorized=False,
        n_resamples=2000,
        method="percentile",
        confidence_level=confidence(SIZE - 1),
        rng=np.random.default_rng(1),
    )
    width = np.diff(expected.confidence_interval)[0]
    assert spread.interval == pytest.approx(expected.confidence_interval, abs=0.08 * width)


@pytest.mark.parametrize("shift", [0.0, 0.15, 0.3, 0.5])
def test_the_p_value_is_near_that_of_a_permutation_test(shift):
    generator = np.random.default_rng(9)
    change = shift + generator.normal(size=80)
    expected = scipy.stats.permutation_test(
        (change,),
        np.mean,
        permutation_type="samples",
        n_resamples=20_000,
        rng=np.random.default_rng(1),
    )
    spread = compared(MEAN, ones(np.zeros(80)), ones(change))[2]
    assert spread.p_value == pytest.approx(expected.pvalue, abs=0.02)
    assert (spread.p_value < 0.05) == (not spread.interval[0] <= 0 <= spread.interval[1])


def test_episodes_are_drawn_within_their_task():
    """By hand: the variance of a mean of three means, each of its own episodes."""
    generator = np.random.default_rng(11)
    sizes, changes = (6, 10, 25), []
    outcomes = [[], []]
    for task, size in enumerate(sizes):
        both = generator.integers(0, 2, (2, size))
        changes.append(both[1] - both[0])
        for run in range(2):
            outcomes[run] += [(task, seed, both[run, seed]) for seed in range(size)]
    difference, resampled, spread, first = compared(SUCCESS, *map(episodes, outcomes))
    variance = sum(np.var(change) / len(change) for change in changes) / 9
    assert difference == pytest.approx(100 * np.mean([np.mean(change) for change in changes]))
    assert np.mean(resampled) == pytest.approx(difference, abs=0.4)
    assert np.std(resampled) == pytest.approx(100 * math.sqrt(variance), rel=0.03)
    assert spread.interval[0] < difference < spread.interval[1]
    assert not first.count_alike


def test_runs_of_one_episode_are_drawn_together():
    """Five runs of every episode that all end alike say no more than one of each."""
    generator = np.random.default_rng(12)
    single = [
        [(task, seed, int(generator.integers(0, 2))) for task in range(2) for seed in range(8)]
        for _ in range(2)
    ]
    once = compared(SUCCESS, *map(episodes, single))
    repeated = compared(
        SUCCESS, *(episodes([one for one in run for _ in range(5)]) for run in single)
    )
    assert repeated[0] == pytest.approx(once[0])
    np.testing.assert_allclose(repeated[1], once[1], atol=1e-9)
    assert repeated[2].p_value == once[2].p_value
    np.testing.assert_array_equal(repeated[3].places, 5 * once[3].places)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(1, 60))
def test_as_many_of_each_stratum_are_drawn_as_there_are(strata, num_resamples):
    strata = np.array(strata)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "_NUM_DRAWN", 100)
        drawn = list(resampling._draws(strata, num_resamples))
    assert sum(map(len, drawn)) == num_resamples
    assert all(one.size <= max(100, len(strata)) for one in drawn)
    for row in np.concatenate(drawn):
        np.testing.assert_array_equal(np.bincount(strata[row]), np.bincount(strata))


@pytest.mark.parametrize("size", [10, 25])
def test_the_interval_and_the_test_are_wrong_as_often_as_they_say(size):
    """Bounds are four standard deviations wide; the plain percentile interval is too narrow."""
    generator, hits, plain, positives, trials = np.random.default_rng(0), 0, 0, 0, 1500
    for _ in range(trials):
        change = generator.normal(size=size)
        resampled = change[generator.integers(size, size=(1000, size))].mean(axis=1)
        spread = resampling.spread(np.mean(change), resampled, np.zeros(size))
        low, high = np.quantile(resampled, [0.025, 0.975])
        hits += spread.interval[0] <= 0 <= spread.interval[1]
        plain += low <= 0 <= high
        positives += spread.p_value < 0.05
    assert abs(hits / trials - 0.95) < 0.0225
    assert plain < hits
    assert abs(positives / trials - 0.05) < 0.0225
    assert size > 10 or plain / trials < 0.925


def test_nothing_is_said_where_nothing_varies():
    alike = compared(MEAN, ones(np.zeros(9)), ones(np.full(9, 0.1)))
    assert alike[0] == pytest.approx(10)
    assert alike[2] is None
    assert compared(MEAN, ones([0.0]), ones([1.0]))[2] is None
    lonely = (
        [(0, 0, 1), (1, 0, 1), (1, 1, 0), (1, 2, 1)],
        [(0, 0, 1), (1, 0, 0), (1, 1, 0), (1, 2, 1)],
    )
    assert compared(SUCCESS, *map(episodes, lonely))[2] is None
    assert compared(MEAN, ones([1.0]), ones([1.0]))[2] == resampling.Spread((0.0, 0.0), 1.0)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (2, 8), (8, 2), (30, 12), (0, 25)])
def test_mcnemars_test_is_that_of_the_binomial_distribution(gained, lost):
    first = np.repeat([0, 1, 1, 0], [gained, lost, 20, 5])
    second = np.repeat([1, 0, 1, 0], [gained, lost, 20, 5])
    found = resampling.mcnemar(units(MEAN, ones(first)), units(MEAN, ones(second)))
    changed, fewer = gained + lost, min(gained, lost)
    tail = sum(math.comb(changed, one) for one in range(fewer + 1)) / 2**changed
    assert found == pytest.approx(min(1, 2 * tail))
    assert found == pytest.approx(
        resampling.mcnemar(units(MEAN, ones(second)), units(MEAN, ones(first)))
    )


def test_mcnemars_test_by_hand_and_where_it_is_not_due():
    tasks = [
        [(t, s, int((t + s + run) % 3 == 0)) for t in range(2) for s in range(6)] for run in (0, 1)
    ]
    first, second = (units(SUCCESS, episodes(run)) for run in tasks)
    assert resampling.mcnemar(first, second) is not None
    uneven = [units(SUCCESS, episodes([*run, (1, 6, 0)])) for run in tasks]
    assert resampling.mcnemar(*uneven) is None
    shares = units(MEAN, ones([0, 0.5, 1]))
    assert resampling.mcnemar(shares, shares) is None
    kind, rows = CASES["matthews"]
    assert resampling.mcnemar(*(units(kind, rows) for _ in range(2))) is None
    weighted = units(POOLED, {"sum": np.array([0, 3.0]), "weight": np.array([2.0, 3.0])})
    assert resampling.mcnemar(weighted, weighted) is None
    plain = units(POOLED, ones([0, 1, 1]))
    assert resampling.mcnemar(plain, units(POOLED, ones([1, 1, 0]))) == 1


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=2, max_size=30))
def test_any_two_runs_exchange(pairs):
    first, second = (ones(column) for column in zip(*pairs, strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "_NUM_RESAMPLES", 200)
        there, back = compared(MEAN, first, second), compared(MEAN, second, first)
    assert there[0] == -back[0]
    np.testing.assert_array_equal(there[1], -back[1])
    if there[2] is None:
        assert back[2] is None
    else:
        assert there[2].p_value == back[2].p_value
        ends = [-end for end in reversed(back[2].interval)]
        rounding = 1e-12 * np.max(np.abs(there[1]))
        assert there[2].interval == pytest.approx(ends, abs=rounding)


def test_pairs_tell_more_than_two_runs_apart():
    """The same examples are hard for both runs, so that their difference varies less."""
    generator = np.random.default_rng(2)
    hard = generator.normal(size=SIZE)
    first, second = (hard + 0.1 * generator.normal(size=SIZE) for _ in range(2))
    resampled = compared(metric(MeanOfExamples()), ones(first), ones(second))[1]
    apart = math.sqrt((np.var(first) + np.var(second)) / SIZE)
    assert np.std(resampled) < 0.3 * apart


def test_warnings_of_resamples_are_silent_and_come_back(caplog):
    rows = {"predicted": np.zeros(6), "label": np.array([0, 1, 0, 1, 0, 1])}
    found = units(MATTHEWS, rows)
    resampling.differences(found, found)
    assert not caplog.records
    MATTHEWS.pooling.value(rows)
    assert any("all predictions are equal" in one.getMessage() for one in caplog.records)


def test_a_metric_that_is_a_function_of_all_is_resampled_less_often():
    called = {name for name, (kind, rows) in CASES.items() if units(kind, rows).is_called}
    assert called == set(CASES) - {"mean", "pooled", "tasks"}
    for name, expected in (("mean", 10_000), ("f1", 2_000)):
        found = units(*CASES[name])
        assert len(resampling.differences(found, found)) == expected
