# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What a worker runs of this package: a forward pass, a training step, a matrix product."""

import contextlib
import time
import types
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from perceiver_bench.benchmark.worker import Job
from perceiver_bench.config import ModelConfig, OptimizerConfig
from perceiver_bench.model import plan
from perceiver_bench.model.inference import Forward
from perceiver_bench.model.operations import network_operations
from perceiver_bench.model.weights import mapping
from perceiver_bench.task import Task
from perceiver_bench.train.optim import optimizer
from perceiver_bench.train.step import initial_state, make_train_step

MATMUL_SIZE = 2048
# Of the schedule only; a benchmark takes far fewer.
_STEPS = 1000


def _operations(config: ModelConfig, batch: dict[str, np.ndarray]) -> dict[str, int]:
    """Counts the operations of a forward pass: as we execute it, and as the paper does."""
    return network_operations(config, batch)._asdict()


def forward(config: ModelConfig, batch: dict[str, np.ndarray], *, plain: bool) -> Job:
    """Returns a forward pass; `plain` leaves the rewriting of attention out."""
    with plan.forced("plain") if plain else contextlib.nullcontext():
        compiled = Forward(config, batch)
    compiled.load(_random_weights(config))
    inputs = jax.device_put(batch)

    def run() -> dict[str, Any]:
        return compiled(inputs)

    run()
    facts = {"compile_seconds": compiled.compile_seconds, "operations": _operations(config, batch)}
    return Job(run, facts)


def _random_weights(config: ModelConfig) -> mapping.Weights:
    """Draws weights leaf by leaf, so that no second copy of them ever exists."""
    rng = np.random.default_rng(0)
    leaves = {}
    for path, due in mapping.expected_shapes(config).items():
        leaves[path] = mapping.aligned_empty(due.shape, due.dtype)
        if path.endswith("scale") or mapping.is_state(path):
            leaves[path].fill(1)
            continue
        rng.standard_normal(out=leaves[path], dtype=np.float32)
        if path.endswith("kernel"):
            leaves[path] /= np.sqrt(due.shape[-2])
    params, state = mapping.split_state(leaves)
    return mapping.Weights(config=config, params=params, state=state)


def train(config: ModelConfig, batch: dict[str, np.ndarray]) -> Job:
    """Returns a training step with LAMB; the loss is the mean square of every output."""

    def loss(prediction: dict[str, jax.Array], *_: Any) -> jax.Array:
        return sum((jnp.square(array).mean() for array in prediction.values()), jnp.zeros(()))

    # Of a task the step takes the loss alone.
    task = cast(Task, types.SimpleNamespace(loss=loss))
    transformation = optimizer(OptimizerConfig(name="lamb"), _STEPS)
    state = initial_state(config, transformation, seed=0)
    inputs = jax.device_put(batch)
    step = cast(Any, make_train_step(task, config, transformation, 0.0))
    start = time.perf_counter()
    compiled = step.lower(state, inputs).compile()
    compile_seconds = time.perf_counter() - start

    def run() -> dict[str, Any]:
        nonlocal state
        state, numbers = jax.block_until_ready(compiled(state, inputs))
        return numbers

    run()
    return Job(run, {"compile_seconds": compile_seconds, "operations": _operations(config, batch)})


def matmul() -> Job:
    """Returns a float32 product of square matrices, the yardstick of the machine."""
    shape = (MATMUL_SIZE, MATMUL_SIZE)
    left, right = (jax.random.normal(jax.random.key(seed), shape) for seed in range(2))
    product = jax.jit(jnp.matmul)

    def run() -> dict[str, Any]:
        return {"product": product(left, right).block_until_ready()}

    run()
    count = 2 * MATMUL_SIZE**3
    return Job(run, {"operations": {"executed": count, "plain": count}})
