# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Success rates on their way from a prediction to the table, of a task that is made here."""

import csv
import dataclasses
import io
import itertools

import numpy as np
import pytest

from perceiver_bench import registry, report
from perceiver_bench.commands.evaluate import evaluate, table
from perceiver_bench.data.sources import MemorySource
from perceiver_bench.metrics.success import success_metrics
from perceiver_bench.results import record, tables
from perceiver_bench.task import NO_DATA

NAME = "hand/robots"
TASKS = ("open_drawer", "close_jar")

pytestmark = pytest.mark.usefixtures("robots")


def outcomes(source, cause_of):
    causes = np.array([cause_of(source[place]) for place in range(len(source))], np.int32)
    return {"success": (causes == 0).astype(np.float32), "cause": causes}


@pytest.fixture
def robots(monkeypatch):
    """Registers a task of ten episodes of two tasks, each run twice."""
    episodes = [
        {"task": task, "variation": 0, "seed": seed, "run": run}
        for task, seed, run in itertools.product(range(2), range(10), range(2))
    ]
    task = dataclasses.replace(
        registry.get("glue/sst2"),
        name=NAME,
        protocol="hand-made/robots",
        source=lambda _, __, split: MemorySource(episodes, {"split": split}),
        prepare_assets=lambda _, __: {},
        preprocess=lambda _, __: lambda example, ___: {k: np.int32(v) for k, v in example.items()},
        metrics=success_metrics(TASKS),
        baselines={
            # Of the drawer nine of ten, of the jar six, three to the planner and one in time.
            "lucky": lambda _, held_out, __: outcomes(
                held_out,
                lambda one: (
                    3 * (one["seed"] == 0) if one["task"] == 0 else int("0000001113"[one["seed"]])
                ),
            ),
            "hopeless": lambda _, held_out, __: outcomes(held_out, lambda _: 2),
        },
        in_parts=lambda _, __, ___: {},
        paper_rows=("rlbench/average", *(f"rlbench/{name}" for name in TASKS)),
    )
    registry.names()  # the others are found before
    monkeypatch.setitem(registry._TASKS, NAME, lambda: task)


def run(baseline, tmp_path, limit=None):
    evaluate(
        NAME,
        checkpoint_name=f"baseline:{baseline}",
        data_dir=NO_DATA,
        limit=limit,
        results_dir=tmp_path,
    )
    return record.read_all(tmp_path)[-1]


def test_success_reaches_the_record_with_its_interval(tmp_path):
    """Wilson's intervals of 9 and of 6 of 10, as scipy.stats.binomtest has them."""
    metrics = run("lucky", tmp_path).metrics
    assert list(metrics) == list(success_metrics(TASKS))
    values = {name: one.value for name, one in metrics.items()}
    assert values == pytest.approx(
        {
            "success_rate": 75,
            "open_drawer_success_rate": 90,
            "close_jar_success_rate": 60,
            "planner_failures": 15,
            "wrong_object_failures": 0,
            "time_failures": 10,
        }
    )
    drawer, jar = (metrics[f"{name}_success_rate"] for name in TASKS)
    assert drawer.interval == pytest.approx((59.585, 98.212), abs=0.001)
    assert jar.interval == pytest.approx((31.267, 83.182), abs=0.001)
    assert (drawer.n, metrics["success_rate"].n) == (20, 40)
    low, high = metrics["success_rate"].interval or (0, 0)
    assert 50 < low < 75 < high < 95


def test_success_stands_in_the_table_beside_the_published_rows(tmp_path):
    run("hopeless", tmp_path)
    text = table(NAME, tmp_path)
    (mean,) = (line for line in text.splitlines() if line.startswith("| baseline hopeless | succ"))
    assert "| success_rate (%) ↑ | 0.00 [0.00, 16.11] | 40 |" in mean
    assert "another protocol, rlbench18-test/best_on_validation; " in text
    lines = csv.DictReader(
        io.StringIO(tables.tables_csv(record.read_all(tmp_path), report.paper_rows))
    )
    published = {(line["protocol"], line["metric"]): line["paper"] for line in lines}
    assert published["rlbench18-test/best_on_validation", "success_rate"] == "42.7"
    assert published["rlbench18-test/final_checkpoint", "success_rate"] == "49.4"
    assert published["rlbench18-test/best_on_validation", "open_drawer_success_rate"] == "80"
    assert published["rlbench18-test/final_checkpoint", "close_jar_success_rate"] == "55.2"


def test_a_single_episode_has_an_interval_and_no_standard_error(tmp_path):
    found = run("lucky", tmp_path, limit=2)
    assert found.partial
    assert list(found.metrics) == [
        name for name in success_metrics(TASKS) if name != "close_jar_success_rate"
    ]
    assert found.metrics["success_rate"].standard_error is None
    assert found.metrics["success_rate"].interval == pytest.approx((0, 79.35), abs=0.005)
