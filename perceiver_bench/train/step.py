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
    config: ModelConfig,
    transformation: optax.GradientTransformation,
    seed: int,
    shardings: TrainState | None = None,
) -> TrainState:
    """Draws fresh parameters; equal seeds give equal states, wherever `shardings` puts them."""

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

    return jax.jit(build, out_shardings=shardings)()


def make_train_step(
    task: Task,
    config: ModelConfig,
    transformation: optax.GradientTransformation,
    label_smoothing: float,
    num_parts: int = 1,
    shardings: TrainState | None = None,
) -> Callable[[TrainState, dict[str, jax.Array]], tuple[TrainState, dict[str, jax.Array]]]:
    """Compiles `(state, batch) -> (state, numbers)`; the given state's memory is reused.

    The loss is the mean over the batch, or that over `num_parts` parts of it that are computed
    one after another. The numbers are `loss`, `gradient_norm` (the global norm before clipping)
    and `parameter_norm` (after the update). The state stays where `shardings` puts it.
    """
    graph = structure(config)

    def mean_loss(params: Any, model_state: Any, key: jax.Array, batch: dict[str, jax.Array]):
        model = nnx.merge(graph, params, model_state)
        losses = task.loss(model(batch, key=key), batch, label_smoothing)
        return losses.mean(), nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))

    differentiate = jax.value_and_grad(mean_loss, has_aux=True)
    if num_parts > 1:
        differentiate = _over_parts(differentiate, num_parts)

    def step(state: TrainState, batch: dict[str, jax.Array]):
        key = jax.random.fold_in(state.key, state.step)
        (loss, model_state), gradients = differentiate(state.params, state.model_state, key, batch)
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

    # The numbers are scalars, as is the count of steps.
    places = None if shardings is None else (shardings, shardings.step)
    return jax.jit(step, donate_argnums=0, out_shardings=places)


def _over_parts(differentiate: Callable[..., Any], num_parts: int) -> Callable[..., Any]:
    """Returns `differentiate` as the mean over equal parts of the batch, one after another.

    Each part has its own key; the model state goes from one to the next.
    """

    def in_parts(array: jax.Array) -> jax.Array:
        """Returns [parts, B / parts, ...]; a device keeps the examples that it has."""
        return array.reshape(-1, num_parts, *array.shape[1:]).swapaxes(0, 1)

    def whole(params: Any, model_state: Any, key: jax.Array, batch: dict[str, jax.Array]):
        def add_part(carry: Any, part: Any):
            model_state, *sums = carry
            (loss, model_state), gradients = differentiate(params, model_state, *part)
            return (model_state, *jax.tree.map(jnp.add, sums, [loss, gradients])), None

        first = (model_state, jnp.zeros(()), jax.tree.map(jnp.zeros_like, params))
        parts = (jax.random.split(key, num_parts), jax.tree.map(in_parts, batch))
        (model_state, *sums), _ = jax.lax.scan(add_part, first, parts)
        loss, gradients = jax.tree.map(lambda total: total / num_parts, sums)
        return (loss, model_state), gradients

    return whole
