# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Heads of several tasks, and the two places where a task can be named: query and input."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from flax import nnx
from random_networks import fast_jit, random_batch, random_weights

from perceiver_bench.config import LearnedQuery, TanhLogits, TaskLogits, TaskQuery
from perceiver_bench.model import presets
from perceiver_bench.model.weights import mapping

LANGUAGE = presets.preset("language_tiny")
NUM_TASKS = 3
HEAD = TaskLogits(num_tasks=NUM_TASKS, num_outputs=2)
QUERY = dataclasses.replace(LANGUAGE, query=TaskQuery(num_tasks=NUM_TASKS, channels=32), head=HEAD)
TASKS = np.array([2, 0, 1, 2], np.int32)


@functools.cache
def compiled(config):
    structure, _ = mapping.empty_model(config)
    return fast_jit(lambda state, batch: nnx.merge(structure, state)(batch)["logits"])


def run(weights, batch):
    state = nnx.split(mapping.to_model(weights))[1]
    return np.asarray(compiled(weights.config)(state, batch))


def query_batch():
    return {**random_batch(QUERY, 4), "task": TASKS}


def test_each_task_has_the_tanh_head_of_a_network_of_its_own():
    weights = random_weights(QUERY)
    batch = query_batch()
    found = run(weights, batch)
    assert found.shape == (4, NUM_TASKS, 2)
    single = dataclasses.replace(
        QUERY,
        query=LearnedQuery(num_queries=1, channels=32),
        head=TanhLogits(num_outputs=2),
    )
    del batch["task"]
    for task in range(NUM_TASKS):
        params = {
            **weights.params,
            "query": {"queries": weights.params["query"]["task_queries"][task : task + 1]},
            "head": weights.params["head"][f"task_{task}"],
        }
        own = dataclasses.replace(weights, config=single, params=params)
        due = run(own, batch)
        mine = task == TASKS
        np.testing.assert_allclose(found[mine, task], due[mine], rtol=0, atol=1e-5)


def test_only_the_asked_query_and_the_own_head_learn():
    weights = random_weights(QUERY)
    structure, state = nnx.split(mapping.to_model(weights))
    batch = query_batch()

    def loss(state, tasks):
        logits = nnx.merge(structure, state)({**batch, "task": tasks})
        return logits["logits"][np.arange(4), tasks].sum()

    tasks = np.array([1, 1, 1, 1])
    leaves = mapping.flatten(nnx.to_pure_dict(fast_jit(jax.grad(loss))(state, tasks)))
    assert [bool(row.any()) for row in leaves["query.task_queries"]] == [False, True, False]
    for path, leaf in leaves.items():
        if path.startswith("head."):
            assert np.asarray(leaf).any() == path.startswith("head.task_1."), path


def test_more_than_one_output_is_refused():
    config = dataclasses.replace(
        LANGUAGE, query=LearnedQuery(num_queries=3, channels=32), head=HEAD
    )
    with pytest.raises(ValueError, match="3 outputs for a head of one"):
        run(random_weights(config), random_batch(config))


@pytest.mark.parametrize("part", ["query", "input"])
def test_a_head_of_other_tasks_is_refused(part):
    parts = {
        "query": TaskQuery(num_tasks=2, channels=32),
        "input": dataclasses.replace(LANGUAGE.input, num_task_tokens=2),
    }
    with pytest.raises(ValueError, match="the head is for 3 tasks, tokens or query for 2"):
        dataclasses.replace(LANGUAGE, head=HEAD, **{part: parts[part]})


@pytest.mark.parametrize("num_tokens", [1, NUM_TASKS], ids=["shared", "of each task"])
def test_the_output_at_the_task_token_is_that_of_its_position(num_tokens):
    inputs = dataclasses.replace(LANGUAGE.input, num_task_tokens=num_tokens)
    config = dataclasses.replace(LANGUAGE, input=inputs, head=HEAD)
    weights = random_weights(config)
    batch = {**random_batch(config, 4), "output_positions": np.zeros((4, 1), np.int32)}
    assert batch["inputs"].shape[1] == inputs.max_length - 1
    batch["task"] = TASKS
    found = run(weights, batch)
    assert found.shape == (4, NUM_TASKS, 2)
    moved = np.roll(TASKS, 1)
    other = run(weights, {**batch, "task": moved})
    changed = np.abs(other - found).max(axis=(1, 2)) > 1e-3
    np.testing.assert_array_equal(changed, (moved != TASKS) & (num_tokens > 1))
