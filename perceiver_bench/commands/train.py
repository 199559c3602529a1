# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=train`: trains a task, or goes on with the run in its workdir."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import optax
from absl import logging

from perceiver_bench import registry
from perceiver_bench.commands.evaluate import evaluate
from perceiver_bench.commands.setup import (
    build_config,
    cache_compilations,
    check_held_out,
    with_steps,
    writable_folder,
)
from perceiver_bench.data import pipeline
from perceiver_bench.errors import UserError
from perceiver_bench.evaluation import evaluate as evaluation
from perceiver_bench.evaluation.network import examples_at_once
from perceiver_bench.model.perceiver import num_params
from perceiver_bench.model.weights.mapping import Weights, unflatten
from perceiver_bench.task import Task
from perceiver_bench.train import checkpoint, loop, optim, sharding, weights
from perceiver_bench.train.step import TrainState, initial_state, make_train_step, structure


def train(
    task_name: str,
    *,
    preset: str | None = None,
    changes: Sequence[str] = (),
    data_dir: pathlib.Path,
    workdir: pathlib.Path,
    init: pathlib.Path | None = None,
    seed: int = 0,
    results_dir: pathlib.Path,
    keep_compiled: bool = False,
) -> pathlib.Path:
    """Trains to the last step, evaluates from the checkpoint, returns the record's path.

    A run that `workdir` already holds goes on from its newest checkpoint. With
    `keep_compiled` compiled programs stay in the workdir for that.

    Raises:
        UserError: for data, weights or folders that will not do, another run in the
            workdir, or a loss that is not finite.
        loop.Interrupted: after SIGTERM, with the state saved.
    """
    task = registry.get(task_name)
    if not task.is_trained:
        raise UserError(
            f"--task={task_name}: is for evaluation only, of checkpoints that"
            f" {' or '.join(task.checkpoints_of)} trains"
        )
    config = build_config(task, preset, changes)
    mesh = sharding.data_mesh()
    sharding.check_batch_size(config.train.batch_size, config.train.accumulation, mesh)
    writable_folder(results_dir, "results_dir")
    train_split, evaluation_split = task.splits
    source = task.source(config.data, data_dir, train_split)
    held_out = task.source(config.data, data_dir, evaluation_split)
    check_held_out(source, held_out)
    config = with_steps(config, len(source))
    workdir = writable_folder(workdir, "workdir")
    if keep_compiled:
        cache_compilations(workdir)
    identity = run_identity(task, seed, init, source.fingerprint)
    old = loop.check_workdir(workdir, config, identity)
    pretrained = weights.load_any(init, config.model) if init and not old else None
    if old:
        # A run keeps the files that it made at its start in its checkpoints.
        assets = checkpoint.extras(old)
    elif pretrained and pretrained.extras:
        # Pretrained weights know nothing of any other tokens than their own.
        assets = pretrained.extras
    else:
        assets = task.prepare_assets(config.data, lambda: source)
    preprocess = task.preprocess(config.data, assets)
    transformation = optim.optimizer(config.train.optimizer, config.train.steps)
    rows = evaluation.make_rows_step(task, structure(config.model), config)

    def measure(state: TrainState) -> dict[str, float]:
        # On one device, as a later evaluation will be: the numbers have to be the same.
        params, model_state = jax.device_put((state.params, state.model_state), jax.devices()[0])
        batches = pipeline.evaluation_batches(held_out, preprocess, examples_at_once(task))
        collected = evaluation.collect(batches, lambda batch: rows(params, model_state, batch))
        return {name: one.value for name, one in evaluation.pool(task, collected).items()}

    run = loop.Run(
        config=config,
        workdir=workdir,
        step=make_train_step(
            task,
            config.model,
            transformation,
            config.train.label_smoothing,
            config.train.accumulation,
        ),
        evaluate=measure,
        iterator=pipeline.training_batches(
            source,
            preprocess,
            config.train.batch_size,
            seed,
            config.train.steps,
            task.mix(config.data) if task.mix else None,
        ),
        schedule=optim.schedule(config.train.optimizer, config.train.steps),
        mesh=mesh,
        extras=assets,
        metadata={
            "identity": identity,
            "preset": preset or task.default_preset,
            "overrides": list(changes),
        },
        main_metric=task.main_metric,
        higher_is_better=task.metrics[task.main_metric].direction == "higher",
    )
    state = initial_state(config.model, transformation, seed)
    if pretrained:
        state = _initialised(task, transformation, state, pretrained)
    logging.info("%s: %s parameters", task.name, f"{num_params(config.model):,}")
    loop.train(run, *loop.resume(run, state))
    return evaluate(
        task_name, checkpoint_name=str(workdir), data_dir=data_dir, results_dir=results_dir
    )


def run_identity(
    task: Task, seed: int, init: pathlib.Path | None, fingerprint: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns what tells a run from others of its configuration; checkpoints hold it."""
    return {
        "task": task.name,
        "task_version": task.version,
        "seed": seed,
        "init": str(init) if init else None,
        "data": dict(fingerprint),
    }


def _initialised(
    task: Task,
    transformation: optax.GradientTransformation,
    state: TrainState,
    pretrained: Weights,
) -> TrainState:
    """Returns the fresh state with all but the task's fresh parts taken from `pretrained`."""
    leaves = weights.take_over(state.params, pretrained, task.fresh_parts)
    params = jax.tree.map(jax.numpy.asarray, unflatten(leaves))
    return state._replace(params=params, optimizer_state=transformation.init(params))
