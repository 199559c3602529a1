# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""From evaluations to a comparison of their examples."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
import tiny_runs
from tiny_runs import TASK

from perceiver_bench import registry
from perceiver_bench.commands.compare import compare
from perceiver_bench.commands.evaluate import evaluate
from perceiver_bench.data.sources import MemorySource
from perceiver_bench.errors import UserError
from perceiver_bench.metrics.success import success_metrics
from perceiver_bench.results import example_rows, record
from perceiver_bench.task import NO_DATA


@pytest.fixture(scope="module")
def results(base, tmp_path_factory):
    """Records of two baselines of `TASK`, in a folder of results."""
    folder = tmp_path_factory.mktemp("results")
    for baseline in ("majority", "bag_of_words"):
        evaluate_baseline(TASK, baseline, tiny_runs.data_dir(base), folder)
    return folder


def evaluate_baseline(name, baseline, data_dir, results_dir, limit=None):
    return evaluate(
        name,
        checkpoint_name=f"baseline:{baseline}",
        data_dir=data_dir,
        limit=limit,
        results_dir=results_dir,
    )


def check_exact(path):
    """Asserts that a record's metrics are what its file of examples gives, to the last digit."""
    found = record.read(path)
    assert found.examples is not None
    task = registry.get(found.task)
    for name, measured in found.metrics.items():
        file = path.with_name(found.examples["file"])
        identity = {key: found.examples[key] for key in ("sha256", "num_examples")}
        rows = example_rows.read(file, name, **identity)
        assert task.metrics[name].pooling.value(rows) == measured.value
        expected = task.metrics[name].pooling.standard_error(rows)
        assert measured.standard_error in (None, pytest.approx(expected, rel=1e-12))
    return found


@pytest.mark.parametrize(
    ("name", "baseline"),
    [
        ("glue/cola", "bag_of_words"),
        ("glue/stsb", "bag_of_words"),
        ("glue/mnli_matched", "majority"),
        ("imagenet/cifar10", "mean_colour"),
        ("flow/kitti2015", "zero"),
        ("language/bytes", "unigram"),
    ],
)
def test_the_file_gives_the_record_to_the_last_digit(tmp_path, name, baseline):
    task = registry.get(name)
    task.write_demo(tmp_path / "data", 0)
    path = evaluate_baseline(name, baseline, tmp_path / "data", tmp_path / "results", limit=20)
    found = check_exact(path)
    assert path.with_suffix(".npz").stat().st_size < 100_000
    assert found.examples["num_examples"] == max(one.n for one in found.metrics.values())


def test_a_network_has_a_file_too(base):
    _, path = tiny_runs.trained(base)
    found = check_exact(path)
    assert found.examples["num_examples"] == tiny_runs.NUM_DEV


def test_the_file_does_not_depend_on_how_many_examples_are_computed_at_once(
    base, tmp_path, monkeypatch
):
    contents = []
    task = registry.get(TASK)
    for group in (task.evaluation_group, 5, 100):
        made = dataclasses.replace(task, evaluation_group=group)
        monkeypatch.setitem(registry._TASKS, TASK, lambda made=made: made)
        path = evaluate_baseline(TASK, "bag_of_words", tiny_runs.data_dir(base), tmp_path)
        contents.append(path.with_suffix(".npz").read_bytes())
    assert len(set(contents)) == 1


def test_records_are_compared_by_path_and_by_run(results, tmp_path):
    paths = sorted((results / "records").rglob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    by_path = compare([str(path) for path in paths], metric=None, results_dir=tmp_path)
    by_run = compare([path.stem for path in paths], metric=None, results_dir=results)
    assert by_path == by_run
    majority, words = map(record.read, paths)
    head, table, difference, outcomes, changed, *_ = by_path.split("\n\n")[1:]
    assert head.startswith(f"Protocol {majority.protocol}, task version 1, split dev, data ")
    assert f"| A | {majority.run_id} | baseline majority |" in table
    values = [run.metrics["accuracy"].value for run in (majority, words)]
    assert [line.split(" | ")[-1].rstrip(" |") for line in table.splitlines()[2:]] == [
        f"{value:.2f}" for value in values
    ]
    assert difference.startswith(f"B - A: {values[1] - values[0]:+.2f} %, 95 % interval [")
    assert "(paired bootstrap over 51 examples, 10,000 resamples); McNemar's exact" in difference
    assert outcomes.startswith("Of 51 examples B is better on ")
    assert changed.splitlines()[0] == "| example | A | B |"


def test_the_result_is_written_as_json(results, tmp_path):
    paths = sorted((results / "records").rglob("*.json"))
    text = compare(
        [str(path) for path in paths],
        metric="cross_entropy",
        results_dir=results,
        outputs=tmp_path / "new" / "comparison.json",
    )
    found = json.loads((tmp_path / "new" / "comparison.json").read_text())
    assert found["task"] == TASK
    assert found["runs"] == [path.stem for path in paths]
    assert found["difference"] == found["values"][1] - found["values"][0]
    assert found["interval"][0] < found["interval"][1]
    assert found["exact_p_value"] is None
    assert len(found["changed"]) == 20
    assert set(found["changed"][0]) == {"example", "first", "second"}
    assert f"B - A: {found['difference']:+.3f} nats" in text


def test_what_the_interval_does_not_say_is_told(base, results):
    (baseline, *_) = (results / "records").rglob("*.json")
    _, path = tiny_runs.trained(base)
    text = compare([str(path), str(baseline)], metric=None, results_dir=results)
    assert "It says nothing about other seeds of the training" in text
    assert "| 0 |" in text.splitlines()[6]
    both = compare([str(baseline)] * 2, metric=None, results_dir=results)
    assert "other seeds" not in both
    assert "B - A: +0.00 %, 95 % interval [+0.00, +0.00], p = 1 " in both
    assert "better on 0, worse on 0 and equal on 51." in both


def test_partial_runs_say_so(base, tmp_path):
    data = tiny_runs.data_dir(base)
    names = [str(evaluate_baseline(TASK, "majority", data, tmp_path, limit=9)) for _ in range(2)]
    text = compare(names, metric=None, results_dir=tmp_path)
    assert text.endswith("- Both runs are partial: --limit=9 of 51 examples.\n")


@pytest.mark.parametrize("number", [0, 1, 3, 6])
def test_two_records_are_due(results, number):
    with pytest.raises(UserError, match=f"two records are due, .* got {number}; .* several seeds"):
        compare(["a"] * number, metric=None, results_dir=results)


def test_success_of_tasks_is_compared_by_episodes(tmp_path, monkeypatch):
    """Two tasks of ten episodes, each run twice: 9 and 6 of 10 succeed, then 9 and 9."""
    episodes = [
        {"task": task, "variation": 0, "seed": seed, "run": run}
        for task, seed, run in itertools.product(range(2), range(10), range(2))
    ]

    def baseline(jars):
        def predict(_, held_out, __):
            found = [
                one["seed"] < (9 if one["task"] == 0 else jars)
                for one in (held_out[place] for place in range(len(held_out)))
            ]
            success = np.array(found, np.float32)
            return {"success": success, "cause": np.where(success == 1, 0, 3).astype(np.int32)}

        return predict

    task = dataclasses.replace(
        registry.get("glue/sst2"),
        name="hand/robots",
        source=lambda _, __, split: MemorySource(episodes, {"split": split}),
        prepare_assets=lambda _, __: {},
        preprocess=lambda _, __: lambda example, ___: {k: np.int32(v) for k, v in example.items()},
        metrics=success_metrics(("drawer", "jar")),
        baselines={"worse": baseline(6), "better": baseline(9)},
        in_parts=lambda _, __, ___: {},
    )
    registry.names()
    monkeypatch.setitem(registry._TASKS, task.name, lambda: task)
    names = [
        str(evaluate_baseline(task.name, one, NO_DATA, tmp_path)) for one in ("worse", "better")
    ]
    text = compare(names, metric=None, results_dir=tmp_path)
    assert "B - A: +15.00 %" in text
    assert "over 20 examples" in text
    assert "McNemar's exact test: p = 0.25" in text
    assert "Of 20 examples B is better on 3, worse on 0 and equal on 17." in text
    assert [line for line in text.splitlines() if line.endswith("| 0 | 1 |")] == [
        *("| 32 | 0 | 1 |", "| 34 | 0 | 1 |", "| 36 | 0 | 1 |")
    ]
    drawer = compare(names, metric="drawer_success_rate", results_dir=tmp_path)
    assert "B - A: +0.00 %, 95 % interval [+0.00, +0.00], p = 1" in drawer
    assert "over 10 examples" in drawer
