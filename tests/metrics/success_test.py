# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import itertools
import math
import statistics

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from perceiver_bench.errors import UserError
from perceiver_bench.metrics.success import MeanOverTasks, success_metrics, wilson
from perceiver_bench.results import reported

TASKS = ("open_drawer", "push_buttons", "close_jar")
METRICS = success_metrics(TASKS)
POOLING = MeanOverTasks()
COUNTS = st.lists(
    st.integers(1, 60).flatmap(lambda size: st.tuples(st.integers(0, size), st.just(size))),
    min_size=1,
    max_size=6,
)


def rows_of(counts):
    """Rows of `(successes, episodes)` of each task."""
    found = [
        (float(seed < hits), 1.0, task, 0, seed)
        for task, (hits, size) in enumerate(counts)
        for seed in range(size)
    ]
    columns = zip(*found, strict=True)
    names = ("sum", "weight", "task", "variation", "seed")
    return {name: np.array(column) for name, column in zip(names, columns, strict=True)}


def episodes(*outcomes):
    """Prediction and batch of `(task, seed, cause)`, each of variation 0."""
    task, seed, cause = (np.array(column, np.int32) for column in zip(*outcomes, strict=True))
    batch = {"task": task, "variation": np.zeros_like(task), "seed": seed}
    return {"success": (cause == 0).astype(np.float32), "cause": cause}, batch


def score(name, prediction, batch):
    return METRICS[name].pooling.value(METRICS[name].rows(prediction, batch))


def test_names_are_those_of_the_published_rows():
    assert list(METRICS) == [
        *("success_rate", *(f"{task}_success_rate" for task in TASKS)),
        *("planner_failures", "wrong_object_failures", "time_failures"),
    ]
    for benchmark in ("rlbench/average", *(f"rlbench/{task}" for task in TASKS)):
        for row in reported.rows(benchmark):
            main = METRICS[row.metric]
            assert (row.unit, row.direction) == (main.unit, main.direction)
    assert {name for name, one in METRICS.items() if one.optional} == set(list(METRICS)[1:4])


def test_values_by_hand():
    """One of two, none of one, two of three: 1/2, 0 and 2/3; of the failures one each."""
    case = episodes((0, 0, 0), (0, 1, 2), (1, 0, 1), (2, 0, 0), (2, 1, 3), (2, 2, 0))
    expected = {
        "success_rate": (50 + 0 + 200 / 3) / 3,
        "open_drawer_success_rate": 50,
        "push_buttons_success_rate": 0,
        "close_jar_success_rate": 200 / 3,
        "planner_failures": 100 / 3,
        "wrong_object_failures": 50 / 3,
        "time_failures": 100 / 9,
    }
    for name, value in expected.items():
        assert score(name, *case) == pytest.approx(value), name
    shares = ("success_rate", "planner_failures", "wrong_object_failures", "time_failures")
    assert sum(expected[name] for name in shares) == pytest.approx(100)


def test_all_successes_score_the_optimum_and_all_failures_do_not():
    won = episodes((0, 0, 0), (1, 0, 0), (2, 0, 0))
    lost = episodes((0, 0, 1), (1, 0, 2), (2, 0, 3))
    for name, metric in METRICS.items():
        assert score(name, *won) == metric.optimum
        assert score(name, *lost) != metric.optimum


def test_a_task_without_episodes_is_no_part_of_the_mean():
    case = episodes((0, 0, 0), (0, 1, 3), (2, 0, 0))
    assert score("success_rate", *case) == 75
    rows = METRICS["push_buttons_success_rate"].rows(*case)
    assert not rows["weight"].any()
    for number in (POOLING.value, POOLING.standard_error, POOLING.interval):
        with pytest.raises(UserError, match="no examples"):
            number(rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"success": np.float32([0.5])}, "success is 0 or 1"),
        ({"success": np.float32([math.nan])}, "success is 0 or 1"),
        ({"success": np.float32([0])}, "do not go with"),
        ({"cause": np.int32([1])}, "do not go with"),
        ({"success": np.float32([0]), "cause": np.int32([4])}, "do not go with"),
        ({"task": np.int32([3])}, r"tasks \[3\] of 3"),
        ({"task": np.int32([-1])}, r"tasks \[-1\] of 3"),
    ],
)
def test_an_outcome_that_there_is_not_is_a_fault(change, message):
    prediction, batch = episodes((0, 0, 0))
    both = {**prediction, **batch, **change}
    with pytest.raises(ValueError, match=message):
        METRICS["success_rate"].rows(both, both)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_one_task_is_that_of_scipy(count):
    hits, size = count
    expected = scipy.stats.binomtest(hits, size).proportion_ci(0.95, method="wilson")
    assert wilson(hits / size, size) == pytest.approx((expected.low, expected.high), abs=1e-12)
    found = POOLING.interval(rows_of([count]))
    assert found == pytest.approx((100 * expected.low, 100 * expected.high), abs=1e-9)


@pytest.mark.parametrize(
    ("hits", "size", "low", "high"),
    [(81, 263, 25.53, 36.62), (15, 148, 6.24, 16.05), (0, 20, 0.00, 16.11), (1, 29, 0.61, 17.18)],
)
def test_the_interval_of_one_task_is_the_published_one(hits, size, low, high):
    """Newcombe, Statistics in Medicine 17, 1998, 857-872, Table I, method 3."""
    found = POOLING.interval(rows_of([(hits, size)]))
    assert found == pytest.approx((low, high), abs=0.005)


def test_equal_tasks_are_as_one_of_all_their_episodes():
    for hits in (0, 1, 24, 50):
        expected = POOLING.interval(rows_of([(4 * hits, 200)]))
        assert POOLING.interval(rows_of([(hits, 50)] * 4)) == pytest.approx(expected, abs=1e-9)


def test_tasks_that_differ_leave_less_to_chance():
    """0 and 50 of 50: z^2 = 3.841459, so the shares drawn in are 0.035674 and 0.964326.

    The variance is 0.034401 / 100 and the mean 1/2, the variance 1/4 of 726.72 episodes; the
    half width there is z / (2 sqrt(726.72 + z^2)).
    """
    found = POOLING.interval(rows_of([(0, 50), (50, 50)]))
    assert found == pytest.approx((50 - 3.6256, 50 + 3.6256), abs=2e-4)
    low, high = POOLING.interval(rows_of([(50, 100)]))
    assert (low, high) == pytest.approx((40.38, 59.62), abs=0.005)


def test_nothing_and_everything_have_an_interval():
    """z^2 / (n + z^2) = 3.841459 / 53.841459."""
    width = 100 * 3.841459 / 53.841459
    assert POOLING.interval(rows_of([(0, 50)])) == pytest.approx((0, width), rel=1e-6)
    assert POOLING.interval(rows_of([(50, 50)])) == pytest.approx((100 - width, 100), rel=1e-6)
    assert POOLING.interval(rows_of([(0, 50)] * 4))[0] == 0
    assert POOLING.interval(rows_of([(50, 50)] * 4))[1] == 100


@given(COUNTS)
def test_the_interval_holds_the_mean_and_lies_within_its_range(counts):
    low, high = POOLING.interval(rows_of(counts))
    mean = POOLING.value(rows_of(counts))
    assert mean == pytest.approx(100 * statistics.fmean(hits / size for hits, size in counts))
    assert 0 <= low <= mean <= high <= 100
    assert high - low > 0.1


@given(COUNTS, st.data())
def test_one_more_success_lowers_neither_end(counts, data):
    chosen = data.draw(st.integers(0, len(counts) - 1))
    hits, size = counts[chosen]
    more = [*counts]
    more[chosen] = (min(hits + 1, size), size)
    before, after = POOLING.interval(rows_of(counts)), POOLING.interval(rows_of(more))
    assert after[0] >= before[0] - 1e-9
    assert after[1] >= before[1] - 1e-9


def test_more_episodes_and_more_tasks_make_it_narrower():
    def width(counts):
        low, high = POOLING.interval(rows_of(counts))
        return high - low

    assert width([(40, 50)]) < width([(20, 25)]) < width([(4, 5)])
    assert width([(20, 25)] * 18) < width([(20, 25)] * 3) < width([(20, 25)])


@pytest.mark.parametrize(
    ("shares", "sizes"),
    [
        ((0.98, 0.98), (50, 50)),
        ((0.9, 0.9), (50, 50)),
        ((0.5, 0.98), (50, 50)),
        ((0.1, 0.5), (30, 15)),
        ((0.9, 0.6, 1.0), (10, 10, 10)),
        ((0.95, 0.95, 0.95), (10, 10, 10)),
    ],
)
def test_it_covers_the_true_mean_in_at_least_93_of_100_cases(shares, sizes):
    """Every possible outcome, by its probability."""
    chances = [
        scipy.stats.binom.pmf(range(size + 1), size, share)
        for share, size in zip(shares, sizes, strict=True)
    ]
    covered = 0.0
    for hits in itertools.product(*(range(size + 1) for size in sizes)):
        chance = math.prod(one[count] for one, count in zip(chances, hits, strict=True))
        if chance > 1e-7:
            low, high = POOLING.interval(rows_of(list(zip(hits, sizes, strict=True))))
            covered += chance * (low <= 100 * statistics.fmean(shares) <= high)
    assert 0.93 < covered < 0.99


def test_equal_runs_of_an_episode_say_no_more_than_one():
    single = episodes(*((seed % 2, seed, (0, 1, 0)[seed % 3]) for seed in range(20)))
    five = [{name: np.tile(array, 5) for name, array in part.items()} for part in single]
    for name in ("success_rate", "push_buttons_success_rate", "planner_failures"):
        once, often = (METRICS[name].rows(*case) for case in (single, five))
        for number in (POOLING.value, POOLING.standard_error, POOLING.interval):
            assert number(often) == pytest.approx(number(once))


def test_runs_that_differ_count_by_their_mean():
    """Two episodes of two runs: 1 and 1/2, so 3/4 of 2; a third episode of a single run: 0."""
    two = episodes((0, 7, 0), (0, 7, 0), (0, 8, 0), (0, 8, 3))
    rows = METRICS["success_rate"].rows(*two)
    assert POOLING.value(rows) == 75
    assert POOLING.standard_error(rows) == pytest.approx(25)
    assert POOLING.interval(rows) == pytest.approx([100 * end for end in wilson(0.75, 2)])
    three = episodes((0, 7, 0), (0, 7, 0), (0, 8, 0), (0, 8, 3), (0, 9, 3))
    assert score("success_rate", *three) == pytest.approx(50)


def test_variations_of_one_seed_are_different_episodes():
    prediction, batch = episodes((0, 7, 0), (0, 7, 3))
    batch["variation"] = np.int32([0, 1])
    rows = METRICS["success_rate"].rows(prediction, batch)
    assert POOLING.interval(rows) == pytest.approx([100 * end for end in wilson(0.5, 2)])


def test_the_standard_error_is_that_of_independent_means():
    """Variances 1/4 / 3 of 1, 1, 1, 0 and 1/2 of 0, 1; a single episode has none."""
    rows = rows_of([(3, 4), (1, 2)])
    assert POOLING.standard_error(rows) == pytest.approx(50 * math.sqrt(0.25 / 4 + 0.5 / 2))
    assert math.isnan(POOLING.standard_error(rows_of([(3, 4), (1, 1)])))
    assert POOLING.standard_error(rows_of([(4, 4)])) == 0
