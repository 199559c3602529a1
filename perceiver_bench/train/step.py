# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The state of a training run and the pure function that takes one step."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from perceiver_bench.config import ModelConfig
from perceiver_bench.model.perceiver import PerceiverIO
from perceiver_bench.task import Task

Tree = dict[str, Any]


class TrainState(NamedTuple):
    """All that a step reads and writes.

    `step`: steps taken; `params` and `model_state` (batch norm): nested dicts of arrays;
    `key`: the PRNG key of the run, from which each step derives its own by its number.
    """

    step: jax.Array
    params: Tree
    model_state: Tree
    optimizer_state: Any
    key: jax.Array


@functools.cache
def structure(config: ModelConfig) -> nnx.GraphDef:
    """Returns the network's structure without any arrays."""
    return nnx.split(nnx.eval_shape(lambda: PerceiverIO(config, rngs=nnx.Rngs(0))))[0]


def initial_state(
    config: ModelConfig, transformation: optax.GradientTransformation, seed: int
) -> TrainState:
    """Draws fresh parameters; equal seeds give equal states."""

    @jax.jit
    def build() -> TrainState:
        model_key, run_key = jax.random.split(jax.random.key(seed))
        model = PerceiverIO(config, rngs=nnx.Rngs(model_key))
        _, params, model_state = nnx.split(model, nnx.Param, ...)
        params = nnx.to_pure_dict(params)
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            params=params,
            model_state=nnx.to_pure_dict(model_state),
            optimizer_state=transformation.init(params),
            key=run_key,
        )

    return build()


def make_train_step(
    task: Task,
    config: ModelConfig,
    transformation: optax.GradientTransformation,
    label_smoothing: float,
) -> Callable[[TrainState, dict[str, jax.Array]], tuple[TrainState, dict[str, jax.Array]]]:
    """Compiles `(state, batch) -> (state, numbers)`; the given state's memory is reused.

    The loss is the mean over the batch. The numbers are `loss`, `gradient_norm` (the global
    norm before clipping) and `parameter_norm` (after the update).
    """
    graph = structure(config)

    def step(state: TrainState, batch: dict[str, jax.Array]):
        key = jax.random.fold_in(state.key, state.step)

        def mean_loss(params: Any):
            model = nnx.merge(graph, params, state.model_state)
            losses = task.loss(model(batch, key=key), batch, label_smoothing)
            return losses.mean(), nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))

        (loss, model_state), gradients = jax.value_and_grad(mean_loss, has_aux=True)(state.params)
        updates, optimizer_state = transformation.update(
            gradients, state.optimizer_state, state.params
        )
        new_state = TrainState(
            step=state.step + 1,
            params=jax.tree.map(jnp.add, state.params, updates),
            model_state=model_state,
            optimizer_state=optimizer_state,
            key=state.key,
        )
        return new_state, {
            "loss": loss,
            "gradient_norm": optax.tree.norm(gradients),
            "parameter_norm": optax.tree.norm(new_state.params),
        }

    return jax.jit(step, donate_argnums=0)
