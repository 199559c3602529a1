# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import dataclasses
import math
import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_expectations import due

from perceiver_bench.errors import UserError
from perceiver_bench.results import baselines, gate, record, verdicts
from perceiver_bench.results.baselines import Tolerance
from perceiver_bench.results.record import MetricValue


def _metric(value=93.0, standard_error=0.5, unit="%", direction="higher", n=872):
    return MetricValue(
        value=value, standard_error=standard_error, n=n, unit=unit, direction=direction
    )


def _due(made, **changes):
    """An expectation that a hand-made record meets."""
    of_record = {
        name: getattr(made, name)
        for name in ("task", "task_version", "split", "protocol", "dataset_fingerprint")
    }
    return due(**{**of_record, "run": {"preset": "small"}, **changes})


ABSOLUTE = Tolerance("absolute", 0.1)
RELATIVE = Tolerance("relative", 0.01)
ERRORS = Tolerance("standard_errors", 3)


@pytest.mark.parametrize(
    ("tolerance", "expected", "inside", "outside"),
    [
        # In floats 1.1 - 1.0 is above 0.1, and 0.3 - 0.2 below it.
        (ABSOLUTE, 1.1, (1.0, 1.2), (0.9999999999999999, 1.2000000000000002)),
        (ABSOLUTE, 0.2, (0.1, 0.3), (0.09999999999999999, 0.30000000000000004)),
        (RELATIVE, 50.0, (49.5, 50.5), (49.49999999999999, 50.50000000000001)),
        (RELATIVE, -50.0, (-49.5, -50.5), (-49.49999999999999, -50.50000000000001)),
        (ERRORS, 93.0, (91.5, 94.5), (91.49999999999999, 94.50000000000001)),
    ],
)
def test_the_boundary_is_within_and_the_next_number_is_not(
    make, tolerance, expected, inside, outside
):
    for values, verdict in ((inside, "pass"), (outside, "out of tolerance")):
        for value in values:
            made = make(1, metrics={"accuracy": _metric(value)})
            found = gate.judge(_due(made, expected=expected, tolerance=tolerance), [made])
            assert found.verdict == verdict, value
            assert abs(found.difference) == pytest.approx(1, rel=1e-9)


@settings(deadline=None, max_examples=100)
@given(
    expected=st.integers(-(10**6), 10**6),
    distance=st.integers(0, 10**6),
    kind=st.sampled_from(["absolute", "relative", "standard_errors"]),
    amount=st.floats(0.001, 0.999),
    direction=st.sampled_from(["higher", "lower"]),
)
def test_both_sides_are_treated_alike(make, expected, distance, kind, amount, direction):
    sides = []
    for value in (expected - distance, expected + distance):
        made = make(1, metrics={"accuracy": _metric(value, 1234.5, direction=direction)})
        due = _due(made, expected=expected, tolerance=Tolerance(kind, amount), direction=direction)
        sides.append(gate.judge(due, [made]))
    below, above = sides
    assert below.verdict == above.verdict
    assert below.width == above.width
    assert below.difference == -above.difference
    width = {"absolute": amount, "relative": amount * abs(expected)}.get(kind, amount * 1234.5)
    if not math.isclose(distance, width):
        assert (above.verdict == "pass") == (distance < width)


@pytest.mark.parametrize(
    ("value", "direction", "words"),
    [
        (93.2, "higher", "93.2 is 2.00 tolerances above the expected 93 ± 0.1, which is better,"),
        (92.8, "higher", "92.8 is 2.00 tolerances below the expected 93 ± 0.1, which is worse"),
        (93.2, "lower", "93.2 is 2.00 tolerances above the expected 93 ± 0.1, which is worse"),
        (92.8, "lower", "92.8 is 2.00 tolerances below the expected 93 ± 0.1, which is better,"),
    ],
)
def test_twice_the_tolerance_is_told_in_a_sentence(make, value, direction, words):
    made = make(1, metrics={"accuracy": _metric(value, direction=direction)})
    found = gate.judge(_due(made, direction=direction), [made])
    assert (found.verdict, round(abs(found.difference), 9)) == ("out of tolerance", 2)
    assert found.reason.startswith(words)
    assert found.record == made


def test_a_standard_error_of_0_leaves_nothing_but_equality(make):
    made = make(1, metrics={"accuracy": _metric(100.0, 0)})
    due = _due(made, expected=100.0, tolerance=ERRORS)
    assert gate.judge(due, [made]).verdict == "pass"
    found = gate.judge(dataclasses.replace(due, expected=93.0), [made])
    assert (found.verdict, found.difference) == ("out of tolerance", math.inf)


def test_numbers_beyond_all_floats_are_judged(make):
    made = make(1, metrics={"accuracy": _metric(-1.7e308, 1.7e308)})
    due = _due(made, expected=1.7e308, tolerance=Tolerance("absolute", 1e-300))
    assert gate.judge(due, [made]).difference == -math.inf
    found = gate.judge(dataclasses.replace(due, tolerance=ERRORS), [made])
    assert (found.verdict, found.width) == ("pass", math.inf)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"protocol": "glue-test"}, "protocol is glue-dev-v1, due is glue-test"),
        ({"split": "test"}, "split is dev, due is test"),
        ({"task_version": 2}, "task version is 1, due is 2"),
        ({"dataset_fingerprint": "ab" * 32}, "data is 6bd7c99c1ca6, due is abababababab"),
        ({"num_examples": 873}, "accuracy is over 872 examples, due are 873"),
        ({"metric": "f1"}, "has no metric f1, only accuracy"),
        ({"unit": "1"}, "unit of accuracy is %, due is 1"),
        ({"direction": "lower"}, "direction of accuracy is higher, due is lower"),
        (
            {"protocol": "x", "split": "y"},
            "protocol is glue-dev-v1, due is x and split is dev, due is y",
        ),
    ],
)
def test_what_does_not_compare_is_told_in_a_sentence(make, changes, reason):
    made = make(1)
    found = gate.judge(_due(made, **changes), [made])
    assert found.verdict == "not comparable"
    data = made.dataset_fingerprint[:12]
    assert found.reason == f"record {made.run_id}: {reason}".replace("6bd7c99c1ca6", data)
    assert found.value is found.record is found.difference is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_not_comparable(make, value):
    made = make(1, metrics={"accuracy": _metric(value)})
    found = gate.judge(_due(made), [made])
    assert found.verdict == "not comparable"
    assert f"accuracy is {value}, which is no finite number" in found.reason


@pytest.mark.parametrize("error", [None, math.nan])
def test_standard_errors_need_one(make, error):
    made = make(1, metrics={"accuracy": _metric(standard_error=error)})
    found = gate.judge(_due(made, tolerance=ERRORS), [made])
    assert found.verdict == "not comparable"
    assert "accuracy has no standard error: give the tolerance as absolute" in found.reason
    assert gate.judge(_due(made), [made]).verdict == "pass"


def test_a_missing_record_is_not_a_pass(make):
    made = make(1)
    due = _due(made)
    assert gate.judge(due, []).verdict == "not comparable"
    assert gate.judge(due, []).reason == "no record of this task"
    other = make(2, task="glue/cola", task_version=1)
    assert gate.judge(due, [other]).reason == "no record of this task"


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"preset": "base"}, "preset is small, due is base"),
        ({"overrides": ("a=b", "c=d")}, "overrides is none, due is a=b c=d"),
        ({"init": "run/best"}, "init is none, due is run/best"),
        ({"seed": None}, "seed is 0, due is none"),
        ({"seed": 1}, "seed is 0, due is 1"),
        ({"checkpoint": "ef02"}, "checkpoint is ef01, due is ef02"),
        ({"baseline": "majority"}, "baseline is none, due is majority"),
    ],
)
def test_every_field_of_the_run_tells_runs_apart(make, run, words):
    near, far = make(1), make(2, preset="tiny", seed=5, checkpoint={"digest": "00"})
    found = gate.judge(_due(near, run=run), [near, far])
    assert found.verdict == "not comparable"
    assert found.reason.startswith("no record of this run; of the nearest, ")
    assert near.run_id not in found.reason or found.reason.endswith(f"{near.run_id}, {words}")
    exact = {"preset": "small", "overrides": (), "init": None, "seed": 0, "checkpoint": "ef01"}
    assert gate.judge(_due(near, run=exact), [near, far]).record == near


def test_a_baseline_is_judged_only_where_it_is_named(make):
    ours, majority = make(1), make(2, value=50.0, baseline="majority")
    due = _due(ours, run={})
    assert gate.judge(due, [ours, majority]).record == ours
    assert gate.judge(due, [majority]).verdict == "not comparable"
    named = dataclasses.replace(due, run={"baseline": "majority"}, expected=50.0)
    assert gate.judge(named, [ours, majority]).record == majority


def test_the_newest_whole_record_is_judged(make):
    old, new = make(1, value=80.0), make(2)
    partial = make(3, value=99.0, partial=True, partial_reason="--limit=5 of 872 examples")
    assert gate.judge(_due(old), [old, new, partial]).record == new
    found = gate.judge(_due(old), [partial])
    assert found.verdict == "not comparable"
    assert found.reason == "there are partial records only (--limit=5 of 872 examples)"


def test_an_older_good_record_does_not_hide_a_newer_one_of_other_data(make):
    good, other = make(1), make(2, dataset={"dev.tsv": {"size": 11}})
    assert gate.judge(_due(good), [good]).verdict == "pass"
    found = gate.judge(_due(good), [good, other])
    assert found.verdict == "not comparable"
    assert other.run_id in found.reason


def test_a_setting_that_is_not_comparable_does_not_hide_one_that_is(make):
    due, other = make(1), make(2, protocol="other", overrides=("data.protocol=other",))
    assert gate.judge(_due(due), [due, other]).record == due


def test_several_settings_are_not_chosen_from(make):
    first, second = make(1), make(2, overrides=("train.steps=9",))
    found = gate.judge(_due(first), [first, second])
    assert found.verdict == "not comparable"
    assert found.reason.startswith("runs of several settings are comparable (preset small, ")
    assert "overrides train.steps=9" in found.reason
    named = _due(first, run={"preset": "small", "overrides": ()})
    assert gate.judge(named, [first, second]).record == first
    # Other seeds are no other setting.
    seed = make(3, seed=7)
    assert gate.judge(named, [first, second, seed]).record == seed


def test_data_that_is_not_named_has_to_be_whole_and_the_verdict_says_so(make):
    data = {"num_examples": 1, "official_num_examples": 1041}
    part = make(1, dataset=data)
    due = _due(part, dataset_fingerprint=None)
    found = gate.judge(due, [part])
    assert found.verdict == "not comparable"
    assert "data is 1 of 1,041 examples of the official set" in found.reason
    whole = make(1, dataset={**data, "num_examples": 1041})
    found = gate.judge(due, [whole])
    assert (found.verdict, found.reason) == ("pass", "the baseline does not name the data")
    report = gate.Report(baseline_file=_FILE, findings=(found,))
    assert "pass, data not named" in verdicts.to_text(report)
    # Where the part is what is expected, it may be one.
    assert gate.judge(_due(part), [part]).verdict == "pass"


_FILE = pathlib.Path("baseline.yaml")
_VERDICTS = ("pass", "out of tolerance", "not comparable")


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ((0,), 0),
        ((0, 0), 0),
        ((0, 1), 1),
        ((0, 2), 2),
        ((2, 1), 1),
        ((0, 2, 1), 1),
        ((2, 2), 2),
    ],
)
def test_out_of_tolerance_comes_before_not_comparable(make, found, code):
    due = _due(make(1))
    findings = [gate.Finding(expectation=due, verdict=_VERDICTS[n], reason="") for n in found]
    assert gate.Report(_FILE, tuple(findings)).exit_code == code


def test_files_are_checked_from_end_to_end(tmp_path, run):
    results = tmp_path / "results"
    record.write(run, results)
    (made,) = record.read_all(results)
    path = tmp_path / "baseline.yaml"
    due = _due(made, run={"overrides": ("train.steps=200",)}, metric="accuracy")
    baselines.write([due, dataclasses.replace(due, metric="f1")], path)
    report = gate.check(path, results)
    assert [finding.verdict for finding in report.findings] == ["pass", "not comparable"]
    assert gate.check(path, results, [made.task]) == report
    with pytest.raises(UserError, match=r"^--task=glue/sst: .* Did you mean 'glue/sst2'\?$"):
        gate.check(path, results, ["glue/sst"])
    with pytest.raises(UserError, match=r"^--results_dir=.*none: no such folder"):
        gate.check(path, tmp_path / "none")


def test_a_broken_record_is_an_error_and_no_missing_one(tmp_path, run):
    written = record.write(run, tmp_path)
    (made,) = record.read_all(tmp_path)
    baselines.write([_due(made, run={})], tmp_path / "baseline.yaml")
    written.write_bytes(written.read_bytes()[:-9])
    with pytest.raises(UserError, match="not a record"):
        gate.check(tmp_path / "baseline.yaml", tmp_path)


def test_the_table_is_exactly_this(make):
    made = make(1, metrics={"accuracy": _metric(93.4)})
    report = gate.Report(
        _FILE,
        (
            gate.judge(_due(made, expected=93.3), [made]),
            gate.judge(_due(made, tolerance=Tolerance("relative", 0.002)), [made]),
            gate.judge(_due(made, tolerance=ERRORS, run={}, task="a/b", unit="nats"), [made]),
        ),
    )
    # fmt: off
    assert verdicts.to_text(report) == (
        "task                      metric             expected  tolerance            found"
        "  difference in tolerances  verdict           why\n"
        "glue/sst2 (preset small)  accuracy (%) ↑     93.3      ± 0.1                93.4 "
        "  +1.00                     pass              made by hand\n"
        "glue/sst2 (preset small)  accuracy (%) ↑     93        ± 0.2 % = 0.186      93.4 "
        "  +2.15                     out of tolerance  made by hand\n"
        "a/b                       accuracy (nats) ↑  93        ± 3 standard errors       "
        "                            not comparable    made by hand\n"
        "\n"
        "out of tolerance: glue/sst2 accuracy (preset small): 93.4 is 2.15 tolerances above the"
        " expected 93 ± 0.186, which is better, and to be explained too.\n"
        "not comparable: a/b accuracy: no record of this task.\n"
        "baseline.yaml: 1 of 3 within tolerance, 1 out of tolerance, 1 not comparable.\n"
    )
    # fmt: on


def test_markdown_holds_no_markup_of_a_baseline(make):
    made = make(1)
    due = _due(made, why="<b>x</b> | [y](z)")
    text = verdicts.to_markdown(gate.Report(_FILE, (gate.judge(due, [made]),)))
    assert text.startswith("## baseline.yaml\n\n| task | metric |")
    assert "&lt;b&gt;x&lt;/b&gt; \\| [y]\\(z)" in text
    assert text.count("\n|") == 3
    assert (
        "- baseline.yaml: 1 of 1 within tolerance, 0 out of tolerance, 0 not comparable.\n" in text
    )
