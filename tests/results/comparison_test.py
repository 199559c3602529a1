# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0

import dataclasses
import hashlib
import io
import json

import numpy as np
import pytest

from perceiver_bench import registry
from perceiver_bench.errors import UserError
from perceiver_bench.metrics.base import OverAll
from perceiver_bench.results import comparison, record
from perceiver_bench.results.comparison import Change, compare
from perceiver_bench.task import Metric

# Right by the first run 7, by the second 9 of 12; they differ on 6.
FIRST = np.array([1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0])
SECOND = np.array([1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 0])


def right(outcomes):
    return {"sum": np.asarray(outcomes, np.float32), "weight": np.ones(len(outcomes), np.float32)}


@pytest.fixture
def written(tmp_path, run):
    """Writes a record of glue/sst2 with the rows of its accuracy, and returns its path."""

    def write(rows, *, metric="accuracy", **changes):
        kind = registry.get(changes.get("task", "glue/sst2")).metrics[metric]
        value = {
            "value": kind.pooling.value(rows),
            "standard_error": None,
            "n": len(next(iter(rows.values()))),
            "unit": kind.unit,
            "direction": kind.direction,
        }
        fields = {**run, "metrics": {metric: value}, **changes}
        return record.write(fields, tmp_path, {metric: rows})

    return write


@pytest.fixture
def pair(written):
    return written(right(FIRST)), written(right(SECOND), seed=1)


def rewrite(path, **changes):
    """Changes fields of a record after it was written."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def replace_rows(path, **rows):
    """Gives a record another file of examples, and the digest of that."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{f"accuracy/{name}": row for name, row in rows.items()})
    path.with_suffix(".npz").write_bytes(buffer.getvalue())
    examples = json.loads(path.read_text())["examples"]
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    rewrite(path, examples={**examples, "sha256": digest})


def test_two_runs_by_hand(pair):
    """Three gained, one lost: McNemar's p is that of 1 or fewer of 4 coins, twice."""
    found = compare(*pair)
    assert [run.run_id for run in found.runs] == [path.stem for path in pair]
    assert found.values == pytest.approx((100 * 7 / 12, 100 * 9 / 12))
    assert found.difference == pytest.approx(100 * 2 / 12)
    assert (found.wins, found.losses, found.num_units) == (3, 1, 12)
    assert found.exact_p_value == pytest.approx(2 * (1 + 4) / 16)
    assert 0.2 < found.p_value < 0.6
    assert found.interval[0] < 0 < found.difference < found.interval[1]
    assert found.changed == (Change(6, 1, 0), Change(7, 0, 1), Change(8, 0, 1), Change(9, 0, 1))
    assert (found.metric, found.unit, found.direction) == ("accuracy", "%", "higher")
    assert found.weigh_alike
    assert not found.are_distances


def test_a_run_does_not_differ_from_itself(pair):
    found = compare(pair[0], pair[0])
    assert (found.difference, found.interval) == (0, (0, 0))
    assert (found.p_value, found.exact_p_value) == (1, 1)
    assert (found.wins, found.losses, found.changed) == (0, 0, ())


def test_exchanging_the_runs_turns_everything_round(pair):
    there, back = compare(*pair), compare(*reversed(pair))
    assert there.difference == -back.difference
    assert there.interval == pytest.approx([-end for end in reversed(back.interval)])
    assert (there.p_value, there.exact_p_value) == (back.p_value, back.exact_p_value)
    assert (there.wins, there.losses) == (back.losses, back.wins)
    turned = [Change(one.example, one.second, one.first) for one in back.changed]
    assert there.changed == tuple(turned)


def test_where_lower_is_better_less_is_a_win_and_the_largest_changes_come_first(written):
    first, second = np.arange(30.0), np.arange(30.0)
    second[[3, 20, 7]] += [-1, 4, -2]
    kind = {"metric": "cross_entropy"}
    found = compare(written(right(first), **kind), written(right(second), **kind))
    assert found.difference == pytest.approx(1 / 30)
    assert (found.wins, found.losses) == (2, 1)
    assert [one.example for one in found.changed] == [20, 7, 3]
    assert found.exact_p_value is None
    second = first + 1 + np.arange(30) % 2
    most = compare(written(right(first), **kind), written(right(second), **kind)).changed
    assert [one.example for one in most] == [*range(1, 30, 2), 0, 2, 4, 6, 8]


def test_of_a_correlation_the_distances_from_the_labels_tell(written):
    label = np.linspace(0, 5, 20)
    of_task = {"metric": "pearson_correlation", "task": "glue/stsb"}
    noise = np.random.default_rng(0).normal(size=(2, 20))
    runs = [
        written({"predicted": label + one, "label": label}, **of_task)
        for one in noise * [[1.5], [0.5]]
    ]
    found = compare(*runs)
    expected = [100 * np.corrcoef(label + one, label)[0, 1] for one in noise * [[1.5], [0.5]]]
    assert found.values == pytest.approx(expected)
    assert found.wins == np.sum(np.abs(noise[1]) * 0.5 < np.abs(noise[0]) * 1.5)
    assert found.wins + found.losses == 20
    assert found.are_distances
    assert found.num_resamples == 2000


def test_rows_that_say_nothing_of_examples_have_no_wins(written, monkeypatch):
    pooling = OverAll(lambda rows: float(np.mean(rows["own"])))
    task = registry.get("glue/sst2")
    kind = Metric(rows=dict, pooling=pooling, unit="1", direction="higher", optimum=1.0)
    registry.names()
    made = dataclasses.replace(task, metrics={**task.metrics, "own": kind})
    monkeypatch.setitem(registry._TASKS, "glue/sst2", lambda: made)
    runs = [written({"own": np.arange(9.0) ** power}, metric="own") for power in (1, 2)]
    found = compare(*runs)
    assert found.difference == pytest.approx(np.mean(np.arange(9.0) ** 2) - 4)
    assert (found.wins, found.losses, found.changed) == (None, None, ())
    assert found.interval[0] < found.difference < found.interval[1]


def refuse(first, second, message, metric=None):
    with pytest.raises(UserError, match=message) as caught:
        compare(first, second, metric)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "glue/rte"}, "field task is 'glue/sst2' and 'glue/rte'"),
        ({"task_version": 2}, "field task_version is 1 and 2"),
        ({"protocol": "other"}, "field protocol is 'glue-dev-v1' and 'other'"),
        ({"split": "train"}, "field split is 'dev' and 'train'"),
        (
            {"dataset": {"dev.tsv": {"size": 11, "sha256": "ab"}, "num": 1}},
            "field dataset_fingerprint is .* and .*; of the data dev.tsv, num differ",
        ),
        (
            {"partial": True, "partial_reason": "--limit=12 of 872 examples"},
            "one is of the whole split and the other of --limit=12 of 872 examples",
        ),
    ],
    ids=["task", "version", "protocol", "split", "data", "limit"],
)
def test_runs_of_something_else_are_refused_with_what_differs(pair, written, changes, message):
    other = written(right(SECOND), **changes)
    first, second = pair[0].stem, other.stem
    refuse(pair[0], other, f"records {first} and {second} do not compare: {message}")


def test_partial_runs_compare_if_they_are_of_the_same_examples(written):
    limits = [{"partial": True, "partial_reason": f"--limit={size} of 872"} for size in (12, 11)]
    first, second = (written(right(rows), **limits[0]) for rows in (FIRST, SECOND))
    assert compare(first, second).wins == 3
    refuse(first, written(right(SECOND[:11]), **limits[1]), "--limit=12 of 872 and the other")


def test_runs_with_other_metrics_are_refused(pair, written):
    other = written(right(SECOND), metric="cross_entropy")
    refuse(pair[0], other, "only one of them has accuracy, cross_entropy; evaluate both again")
    refuse(*pair, "--metric=acuracy: .* Did you mean 'accuracy'", metric="acuracy")


def test_a_metric_that_the_task_has_lost_is_refused(pair, monkeypatch):
    task = registry.get("glue/sst2")
    made = dataclasses.replace(task, metrics={"f1": task.metrics["accuracy"]})
    monkeypatch.setitem(registry._TASKS, "glue/sst2", lambda: made)
    refuse(*pair, "--metric=accuracy: glue/sst2 has it no more; evaluate both runs again")


def test_a_record_without_a_file_of_examples_says_how_to_make_one(pair, run, tmp_path):
    old = record.write({**run, "metrics": json.loads(pair[0].read_text())["metrics"]}, tmp_path)
    refuse(pair[0], old, f"record {old.stem} has no file of examples.*--mode=evaluate")
    pair[1].with_suffix(".npz").unlink()
    refuse(*pair, f"{pair[1].stem}.npz: the record's file of examples is missing; copy")


def test_a_record_that_does_not_follow_from_its_examples_is_refused(pair):
    metrics = json.loads(pair[1].read_text())["metrics"]
    metrics["accuracy"]["value"] += 1e-6
    rewrite(pair[1], metrics=metrics)
    refuse(*pair, "its rows give 75.0 for accuracy, and the record says 75.000001")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"sum": np.full(12, np.nan), "weight": np.ones(12)}, "its rows give nan for accuracy"),
        ({"sum": np.full(12, np.inf), "weight": np.ones(12)}, "its rows give inf for accuracy"),
        ({"sum": np.ones(12), "weight": np.full(12, np.nan)}, "not what version 1 of glue/sst2"),
        ({"sum": np.ones(12)}, "not what version 1 of glue/sst2 pools .KeyError"),
        ({"sum": np.ones((12, 2)), "weight": np.ones(12)}, "not what version|its rows give"),
        ({"sum": np.ones(11), "weight": np.ones(11)}, "numbers of 12 examples are due"),
        ({"sum": np.array([{}] * 12), "weight": np.ones(12)}, "holds Python objects"),
    ],
    ids=["nan", "inf", "weight", "missing", "matrix", "short", "objects"],
)
def test_hostile_rows_are_refused(pair, rows, message):
    replace_rows(pair[1], **rows)
    refuse(*pair, message)


def test_examples_that_count_in_one_run_only_are_refused(written):
    first, second = right(FIRST), right(SECOND)
    second["weight"][3] = 0
    refuse(written(first), written(second), "counts in one of them does not in the other")
    first["weight"][4] = 0
    refuse(written(first), written(second), "counts in one of them does not in the other")


def test_examples_with_other_labels_are_refused(written):
    of_task = {"metric": "f1", "task": "glue/mrpc"}
    label = np.array([0, 1, 1, 0, 1])
    first = written({"predicted": label, "label": label}, **of_task)
    refuse(first, written({"predicted": label, "label": label[::-1]}, **of_task), "row label diff")


def test_other_weights_are_told(written):
    """A tokenizer cuts texts into more words than another does."""
    of_task = {"metric": "bits_per_byte", "task": "language/bytes"}
    sums, weight = np.arange(1.0, 9), np.full(8, 4.0)
    first, second = (
        written({"sum": sums, "weight": size}, **of_task) for size in (weight, 2 * weight)
    )
    assert compare(first, first).weigh_alike
    found = compare(first, second)
    assert not found.weigh_alike
    assert found.difference == pytest.approx(4.5 / 8 - 4.5 / 4)


def test_examples_of_no_weight_are_left_out_and_keep_their_places(written):
    first, second = right(FIRST), right(SECOND)
    for rows in (first, second):
        rows["weight"][[0, 7]] = 0
    found = compare(written(first), written(second))
    assert found.num_units == 10
    assert [one.example for one in found.changed] == [6, 8, 9]


def test_every_field_of_a_comparison_is_explained():
    for field in dataclasses.fields(comparison.Comparison):
        assert field.name in comparison.Comparison.__doc__
