# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The step, with a network of one matrix; contract_test.py runs it with the real ones."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from random_networks import QUICK

from perceiver_bench import registry
from perceiver_bench.config import OptimizerConfig
from perceiver_bench.model import presets
from perceiver_bench.train import step as step_module
from perceiver_bench.train.optim import optimizer
from perceiver_bench.train.step import initial_state, make_train_step, structure

TASK = registry.get("glue/sst2")
CONFIG = presets.preset("language_tiny")  # not built but where a test says so
RATE, SMOOTHING = 0.1, 0.2


class Network(nnx.Module):
    """Logits from inputs [B, 4], with noise in training, and a count as batch norm has one."""

    def __init__(self, config, *, rngs):
        del config
        self.matrix = nnx.Param(jax.random.normal(rngs.params(), (4, 2)))
        self.calls = nnx.BatchStat(jnp.zeros((), jnp.int32))

    def __call__(self, batch, *, key=None):
        self.calls[...] = self.calls[...] + 1
        noise = 0 if key is None else jax.random.normal(key, (4, 2))
        return {"logits": batch["inputs"] @ (self.matrix[...] + noise)}


@pytest.fixture
def states(monkeypatch):
    """The states around two steps of gradient descent, the numbers of both, and the batch."""
    monkeypatch.setattr(step_module, "PerceiverIO", Network)
    graph = nnx.split(Network(None, rngs=nnx.Rngs(0)))[0]
    monkeypatch.setattr(step_module, "structure", lambda _: graph)
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((3, 4)).astype(np.float32)
    batch = {"inputs": inputs, "label": np.array([0, 1, 1], np.int32)}
    take = make_train_step(TASK, CONFIG, optax.sgd(RATE), SMOOTHING)
    state = initial_state(CONFIG, optax.sgd(RATE), 0)
    found, numbers = [jax.tree.map(jnp.copy, state)], []  # a step reuses the state's memory
    for _ in range(2):
        state, some = take(state, batch)
        found.append(jax.tree.map(jnp.copy, state))
        numbers.append({name: float(number) for name, number in some.items()})
    return found, numbers, batch


def by_hand(state, batch, key=None):
    """The loss and its gradient in NumPy, with the noise of that step or of a given key."""
    key = jax.random.fold_in(state.key, state.step) if key is None else key
    matrix = np.asarray(state.params["matrix"], np.float64) + np.asarray(
        jax.random.normal(key, (4, 2))
    )
    exponents = np.exp(batch["inputs"] @ matrix)
    probabilities = exponents / exponents.sum(-1, keepdims=True)
    target = (1 - SMOOTHING) * np.eye(2)[batch["label"]] + SMOOTHING / 2
    loss = -(target * np.log(probabilities)).sum(-1).mean()
    return loss, batch["inputs"].T @ (probabilities - target) / len(target)


def test_a_step_descends_the_gradient_of_the_loss_that_it_reports(states):
    found, numbers, batch = states
    for before, after, some in zip(found, found[1:], numbers, strict=False):
        loss, gradient = by_hand(before, batch)
        expected = np.asarray(before.params["matrix"]) - RATE * gradient
        np.testing.assert_allclose(after.params["matrix"], expected, rtol=1e-4, atol=1e-6)
        assert some["loss"] == pytest.approx(loss, rel=1e-5)
        assert some["gradient_norm"] == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
        assert some["parameter_norm"] == pytest.approx(np.linalg.norm(expected), rel=1e-5)


@pytest.mark.parametrize("num_parts", [2, 3, 6])
def test_a_batch_in_parts_gives_the_mean_of_their_gradients(states, num_parts):
    found, _, _ = states
    before = found[0]
    rng = np.random.default_rng(1)
    inputs = rng.standard_normal((6, 4)).astype(np.float32)
    batch = {"inputs": inputs, "label": np.array([0, 1, 1, 0, 1, 0], np.int32)}
    take = make_train_step(TASK, CONFIG, optax.sgd(RATE), SMOOTHING, num_parts)
    after, some = take(jax.tree.map(jnp.copy, before), batch)
    keys = jax.random.split(jax.random.fold_in(before.key, before.step), num_parts)
    losses, gradients = [], []
    for number, key in enumerate(keys):
        part = {name: array[number::num_parts] for name, array in batch.items()}
        loss, gradient = by_hand(before, part, key)
        losses.append(loss)
        gradients.append(gradient)
    expected = np.asarray(before.params["matrix"]) - RATE * np.mean(gradients, axis=0)
    np.testing.assert_allclose(after.params["matrix"], expected, rtol=1e-4, atol=1e-6)
    assert some["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert int(after.model_state["calls"]) == num_parts
    assert int(after.step) == 1


def test_steps_and_statistics_are_carried_on_and_the_key_stays(states):
    found, numbers, _ = states
    assert [int(state.step) for state in found] == [0, 1, 2]
    assert [int(state.model_state["calls"]) for state in found] == [0, 1, 2]
    keys = [jax.random.key_data(state.key).tolist() for state in found]
    assert keys[0] == keys[1] == keys[2]
    assert numbers[0]["loss"] != numbers[1]["loss"]


def test_equal_seeds_give_equal_states_and_others_do_not(states):
    one, again, other = states[0][0], *(initial_state(CONFIG, optax.sgd(RATE), n) for n in (0, 1))
    assert np.array_equal(one.params["matrix"], again.params["matrix"])
    assert not np.array_equal(one.params["matrix"], other.params["matrix"])
    assert one.key == again.key
    assert one.key != other.key


def test_the_structure_of_a_network_holds_no_arrays_and_is_made_once():
    graph = structure(CONFIG)
    assert structure(presets.preset("language_tiny")) is graph
    assert not jax.tree.leaves(graph)


def test_steps_are_traced_once(states):
    """A second trace would be a second compilation: minutes for a large network."""
    found, _, batch = states
    traces = []

    def loss(*arguments):
        traces.append(arguments)
        return TASK.loss(*arguments)

    task = dataclasses.replace(TASK, loss=loss)
    take = make_train_step(task, CONFIG, optax.sgd(RATE), SMOOTHING)
    state = jax.tree.map(jnp.copy, found[0])
    for _ in range(3):
        state, _ = take(state, batch)
    assert len(traces) == 1
    assert int(state.step) == 3


def test_a_training_step_of_optical_flow_needs_less_than_four_gigabytes():
    """One pair of frames at the size of the paper; the scores alone would be 3 GB."""
    config = presets.preset("flow")

    def loss(prediction, batch, _):
        return jnp.square(prediction["flow"] - batch["flow"]).mean((1, 2, 3))

    task = dataclasses.replace(TASK, loss=loss)
    transformation = optimizer(OptimizerConfig(name="lamb"), 10)
    state = jax.eval_shape(lambda: initial_state(config, transformation, 0))
    height, width = config.input.size
    batch = {
        "images": jax.ShapeDtypeStruct((1, 2, height, width, 3), jnp.float32),
        "flow": jax.ShapeDtypeStruct((1, height, width, 2), jnp.float32),
    }
    lowered = make_train_step(task, config, transformation, 0.0).lower(state, batch)
    # Faster code would need as much, and three times the time to compile.
    memory = lowered.compile(compiler_options=QUICK).memory_analysis()
    assert memory.temp_size_in_bytes + memory.argument_size_in_bytes < 4e9
