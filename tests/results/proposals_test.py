# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import dataclasses
import math
import pathlib

import pytest

from perceiver_bench.errors import UserError
from perceiver_bench.results import baselines, gate, proposals, record
from perceiver_bench.results.baselines import Tolerance
from perceiver_bench.results.record import MetricValue

ROOT = pathlib.Path(__file__).resolve().parents[2]


def _metric(value, standard_error):
    return MetricValue(
        value=value, standard_error=standard_error, n=872, unit="%", direction="higher"
    )


def test_one_run_gives_three_standard_errors(make):
    ((one,), left_out) = proposals.propose([make(1)])
    assert left_out == []
    assert one.run == {"preset": "small", "overrides": (), "init": None, "seed": 0}
    assert (one.expected, one.tolerance) == (93.0, Tolerance("absolute", 2.6))  # 3 * 0.86 = 2.58
    assert one.why == (
        "Measured by record 20260102T030401Z-00000001, commit 0123456789. The tolerance is 3 times"
        " the standard error over 872 examples, 0.86."
    )


def test_several_seeds_give_their_mean_and_their_spread_too(make):
    runs = [make(n, seed=n, metrics={"accuracy": _metric(90.0 + n, 0.5)}) for n in (1, 2, 3)]
    ((one,), _) = proposals.propose(runs)
    assert one.run == {"preset": "small", "overrides": (), "init": None}
    assert one.expected == 92.0
    assert one.tolerance == Tolerance("absolute", 3.4)  # 3 * root(0.5^2 + 1^2) = 3.354
    assert one.why == (
        "The mean of 3 seeds, the last record 20260102T030403Z-00000003, commit 0123456789. The"
        " tolerance is 3 times the root of the squares of the standard error over 872 examples,"
        " 0.5, and of the deviation over seeds, 1, together."
    )


def test_baselines_have_entries_and_weights_from_elsewhere_their_digest(make):
    foreign, majority = make(1, seed=None), make(2, baseline="majority")
    found, _ = proposals.propose([foreign, majority])
    assert [one.run for one in found] == [
        {"preset": "small", "overrides": (), "init": None, "seed": None, "checkpoint": "ef01"},
        {"baseline": "majority"},
    ]


def test_what_is_left_out_is_named(make):
    older = make(1, protocol="old")
    metrics = {"accuracy": _metric(93.0, 0.5), "f1": _metric(80.0, None), "x": _metric(100.0, 0.0)}
    partial = make(3, partial=True, partial_reason="--limit=5")
    found, left_out = proposals.propose([older, make(2, metrics=metrics), partial])
    assert [one.metric for one in found] == ["accuracy"]
    data = older.dataset_fingerprint[:12]
    assert left_out == [
        f"glue/sst2: older records by protocol old, task version 1, split dev, data {data}",
        "glue/sst2: small: no standard error of f1, x",
    ]


def test_seeds_of_a_preset_that_was_changed_do_not_stand_twice(make):
    old = [make(n, seed=n, config={"a": 1}) for n in (1, 2)]
    new = [make(n, seed=n, config={"a": 2}, value=50.0) for n in (3, 4)]
    found, left_out = proposals.propose([*old, *new])
    assert [one.expected for one in found] == [50.0]
    assert left_out == ["glue/sst2: older runs of small"]


@pytest.mark.parametrize(
    ("width", "rounded"),
    [(2.58, 2.6), (2.51, 2.6), (2.5, 2.5), (0.0123, 0.013), (996.0, 1000.0), (1e-9, 1e-9)],
)
def test_a_tolerance_is_rounded_up_to_two_digits(width, rounded):
    assert proposals._rounded_up(width) == rounded
    assert math.isclose(proposals._rounded_up(width), width, rel_tol=0.1)


def test_the_records_of_this_project_pass_a_baseline_that_is_made_of_them(tmp_path):
    path = tmp_path / "baseline.yaml"
    proposals.write_baseline(ROOT / "results", ["glue/sst2", "language/bytes"], path)
    report = gate.check(path, ROOT / "results")
    assert {finding.expectation.task for finding in report.findings} == {
        "glue/sst2",
        "language/bytes",
    }
    assert report.exit_code == 0
    # And a nudge by twice the tolerance does not.
    for expectation in baselines.read(path)[:3]:
        nudge = 2 * expectation.tolerance.amount
        records = record.read_all(ROOT / "results")
        for sign in (1, -1):
            moved = dataclasses.replace(expectation, expected=expectation.expected + sign * nudge)
            assert gate.judge(moved, records).verdict == "out of tolerance"


def test_all_tasks_with_records_are_the_default(tmp_path, run):
    record.write(run, tmp_path)
    record.write({**run, "task": "hand/made"}, tmp_path)
    assert proposals.write_baseline(tmp_path, [], tmp_path / "b.yaml") == []
    assert [one.task for one in baselines.read(tmp_path / "b.yaml")] == ["glue/sst2", "hand/made"]
    assert gate.check(tmp_path / "b.yaml", tmp_path).exit_code == 0


def test_nothing_to_write_is_an_error(tmp_path, run):
    path = tmp_path / "baseline.yaml"
    with pytest.raises(UserError, match=r"^--results_dir=.*none: no such folder"):
        proposals.write_baseline(tmp_path / "none", [], path)
    with pytest.raises(UserError, match=r"^--results_dir=.*: has no whole record; evaluate"):
        proposals.write_baseline(tmp_path, [], path)
    run["metrics"]["accuracy"]["standard_error"] = None
    record.write(run, tmp_path)
    with pytest.raises(UserError, match=r"^--task=glue/sst: .* Did you mean 'glue/sst2'\?$"):
        proposals.write_baseline(tmp_path, ["glue/sst"], path)
    with pytest.raises(UserError, match=r"^--baseline=.*no metric has a standard error"):
        proposals.write_baseline(tmp_path, [], path)
    assert not path.exists()
