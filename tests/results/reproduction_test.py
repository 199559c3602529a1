# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import collections
import dataclasses
import json
import pathlib

import pytest

from perceiver_bench import registry
from perceiver_bench.commands.setup import build_config
from perceiver_bench.results import command, record, reproduction
from perceiver_bench.results.command import Command

RESULTS = pathlib.Path(__file__).resolve().parents[2] / "results"
FLAGS = ("--mode=train", "--task=glue/sst2", "--preset=small", "--seed=0", "--workdir=W")
CURVE = ({"step": 200, "accuracy": 93.0},)


def fields(result):
    return {one.field: (one.then, one.now) for one in result.fields}


def test_a_record_tells_its_command(make):
    run = make(0, command=FLAGS, learning_curve=None)
    assert reproduction.command_of(run) == command.parse(FLAGS)
    with pytest.raises(ValueError, match="--task=glue/sst2 is not the record's glue/rte"):
        reproduction.command_of(make(0, task="glue/rte", command=FLAGS))


def test_the_command_of_an_old_record_is_made_of_its_fields(make):
    common = {"task": "glue/sst2", "preset": "small", "changes": ("train.steps=5",)}
    curve = {"overrides": ("train.steps=5",), "learning_curve": CURVE}
    training = Command(mode="train", init="out/mlm", seed=0, workdir="run/best", **common)
    assert reproduction.command_of(make(0, init="out/mlm", **curve)) == training
    evaluation = Command(mode="evaluate", checkpoint="run/best", **common)
    whole = make(0, overrides=("train.steps=5",))
    assert reproduction.command_of(whole) == evaluation
    reason = "--limit=5 of 872 examples; 2 bad files skipped"
    part = make(0, partial=True, partial_reason=reason, **curve)
    assert reproduction.command_of(part) == dataclasses.replace(evaluation, limit=5)
    baseline = Command(mode="evaluate", task="glue/sst2", checkpoint="baseline:majority")
    assert reproduction.command_of(make(0, baseline="majority")) == baseline


def test_every_record_of_the_repository_has_a_command_that_can_be_given():
    modes = collections.Counter()
    for run in record.read_all(RESULTS):
        found = reproduction.command_of(run)
        task = registry.get(found.task)
        assert command.parse(found.flags()) == found
        if found.preset in (None, *task.presets):
            assert build_config(task, found.preset, found.changes)
        modes[found.mode, run.baseline is None] += 1
    assert modes["train", True] > 30
    assert modes["evaluate", True] >= 5
    assert modes["evaluate", False] > 20


def test_the_same_run_again_is_the_same(make):
    result = reproduction.compared(make(0), make(1, wall_seconds=9.0))
    assert result.is_same
    assert (result.obstacles, result.fields) == ((), ())
    assert [one.change for one in result.metrics] == [0.0]


def test_a_metric_that_differs_is_told_in_standard_errors(make):
    now = make(1, value=93.0 + 0.43)
    (one,) = reproduction.compared(make(0), now).metrics
    assert one.change == pytest.approx(0.43)
    assert one.standard_errors == pytest.approx(0.5)
    assert not one.is_same
    last_digit = make(1, value=93.00000000000001)
    assert not reproduction.compared(make(0), last_digit).is_same
    for name, value in (("n", 871), ("standard_error", 0.87)):
        metrics = {"accuracy": dataclasses.replace(make(0).metrics["accuracy"], **{name: value})}
        assert not reproduction.compared(make(0), make(1, metrics=metrics)).is_same


@pytest.mark.parametrize("error", [None, 0.0])
def test_a_metric_without_a_standard_error_has_no_difference_in_them(make, error):
    metrics = {"accuracy": dataclasses.replace(make(0).metrics["accuracy"], standard_error=error)}
    (one,) = reproduction.compared(make(0, metrics=metrics), make(1, value=94.0)).metrics
    assert (one.change, one.standard_errors) == (1.0, None)


def test_a_lost_metric_differs_and_a_new_one_does_not(make):
    accuracy = make(0).metrics["accuracy"]
    two = make(0, metrics={"accuracy": accuracy, "f1": accuracy})
    lost, new = reproduction.compared(two, make(1)), reproduction.compared(make(1), two)
    assert (lost.is_same, new.is_same) == (False, True)
    assert [(one.name, one.change) for one in lost.metrics] == [("accuracy", 0.0), ("f1", None)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task_version": 2}, "task_version was 1 and is 2"),
        ({"protocol": "glue-dev-v2"}, "protocol was 'glue-dev-v1' and is 'glue-dev-v2'"),
        ({"split": "train"}, "split was 'dev' and is 'train'"),
        ({"partial": True, "partial_reason": "3 bad"}, "partial_reason was None and is '3 bad'"),
        (
            {"dataset": {"dev.tsv": {"size": 11, "sha256": "ab"}}},
            "the data is another: dev.tsv.size differ",
        ),
        ({"dataset": {"b": 1}}, "the data is another: b, dev.tsv.sha256, dev.tsv.size differ"),
    ],
)
def test_what_does_not_compare_says_why(make, changes, message):
    result = reproduction.compared(make(0), make(1, **changes))
    assert result.obstacles == (message,)
    assert not result.is_same


def test_a_fact_that_only_one_fingerprint_has_is_told_and_is_no_other_data(make):
    whole = make(0).dataset
    now = make(1, dataset={"dev.tsv": {**whole["dev.tsv"], "lines": 5}, "official": 872})
    for result in (reproduction.compared(make(0), now), reproduction.compared(now, make(0))):
        assert result.is_same
        assert fields(result).keys() == {"data.dev.tsv.lines", "data.official"}


def test_what_else_differs_is_told_field_by_field(make):
    run = make(0)
    now = make(
        1,
        config={**run.config, "model": {"dtype": "bfloat16", "depth": 3}},
        checkpoint={"path": "elsewhere/best", "step": 200, "digest": "ff", "format": "orbax"},
        versions={"python": "3.12.1", "jax": "0.10.2", "scipy": "1.18"},
        git={"commit": "ff", "dirty": True},
        device={**run.device, "kind": "TPU v4"},
        precision={**run.precision, "jax_default_matmul_precision": "highest"},
        seed=1,
    )
    result = reproduction.compared(run, now)
    assert result.is_same
    assert fields(result) == {
        "config.model.dtype": ("float32", "bfloat16"),
        "config.model.depth": (None, 3),
        "checkpoint.digest": ("ef01", "ff"),
        "seed": (0, 1),
        "versions.python": ("3.11.0", "3.12.1"),
        "git.commit": ("0123456789abcdef", "ff"),
        "git.dirty": (False, True),
        "device.kind": ("cpu", "TPU v4"),
        "precision.jax_default_matmul_precision": (None, "highest"),
    }
    assert json.dumps([dataclasses.asdict(one) for one in result.fields])


def test_what_an_old_record_does_not_know_of_its_machine_is_no_difference(make):
    run = make(0)
    old = make(0, device={**run.device, "processor": None, "cores": None}, git=None)
    assert reproduction.compared(old, run).fields == ()
    gone = fields(reproduction.compared(run, make(1, git=None)))
    assert gone == {"git.commit": ("0123456789abcdef", None), "git.dirty": (False, None)}
