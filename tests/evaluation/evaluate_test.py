# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perceiver_bench import registry
from perceiver_bench.data import pipeline
from perceiver_bench.data.sources import MemorySource
from perceiver_bench.evaluation import evaluate

TASK = registry.get("glue/sst2")


def labelled(labels):
    source = MemorySource([{"label": label} for label in labels], {})
    return lambda group, limit=None: pipeline.evaluation_batches(
        source, lambda example, _: {"label": np.int32(example["label"])}, group, limit
    )


@settings(max_examples=20, deadline=None)
@given(labels=st.lists(st.integers(0, 1), min_size=1, max_size=20), group=st.integers(1, 8))
def test_rows_are_of_every_example_once_and_in_order(labels, group):
    def step(batch):
        noise = np.where(batch["valid"], 0, np.nan)  # what padding computes must not matter
        return {"accuracy": {"sum": batch["label"] + noise, "weight": np.ones(group)}}

    rows = evaluate.collect((batch, step(batch)) for batch in labelled(labels)(group))
    np.testing.assert_array_equal(rows["accuracy"]["sum"], labels)
    assert rows["accuracy"]["weight"].shape == (len(labels),)


@pytest.mark.parametrize("limit", [None, 1, 5, 8, 11])
def test_a_baseline_is_measured_as_numpy_does(limit):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 11)
    logits = rng.standard_normal((11, 2)).astype(np.float32)
    rows = evaluate.baseline_rows(TASK, {"logits": logits}, labelled(labels.tolist())(4, limit), 4)
    measured = evaluate.pool(TASK, rows)
    size = limit or 11
    hits = logits[:size].argmax(-1) == labels[:size]
    assert measured["accuracy"].value == pytest.approx(100 * hits.mean())
    exponents = np.exp(logits.astype(np.float64))
    surprise = -np.log(exponents[np.arange(11), labels] / exponents.sum(-1))[:size]
    assert measured["cross_entropy"].value == pytest.approx(surprise.mean(), rel=1e-6)
    assert {one.num_examples for one in measured.values()} == {size}
    if size > 1:
        error = surprise.std(ddof=1) / np.sqrt(size)
        assert measured["cross_entropy"].standard_error == pytest.approx(error, rel=1e-5)


def test_metrics_come_in_the_order_of_the_task():
    assert list(evaluate.metric_rows(TASK, {"logits": np.eye(2)}, {"label": np.arange(2)})) == [
        "accuracy",
        "cross_entropy",
    ]
    turned = dataclasses.replace(TASK, metrics=dict(reversed(TASK.metrics.items())))
    rows = evaluate.metric_rows(turned, {"logits": np.eye(2)}, {"label": np.arange(2)})
    assert list(evaluate.pool(turned, rows)) == ["cross_entropy", "accuracy"]
