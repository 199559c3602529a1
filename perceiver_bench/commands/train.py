# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=train`: trains a task, or goes on with the run in its workdir."""

import hashlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import optax
from absl import logging
from jax.sharding import Mesh

from perceiver_bench import config as configs
from perceiver_bench import distributed, registry
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
from perceiver_bench.evaluation import spread
from perceiver_bench.model.perceiver import num_params
from perceiver_bench.model.weights.mapping import Weights, unflatten
from perceiver_bench.results.command import Command, shown
from perceiver_bench.task import Task
from perceiver_bench.train import checkpoint, loop, optim, sharding, weights
from perceiver_bench.train import mesh as meshes
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
    mesh: str | None = None,
) -> pathlib.Path:
    """Trains to the last step, evaluates from the checkpoint, returns the record's path.

    A run that `workdir` already holds goes on from its newest checkpoint, on whatever `mesh`
    (`train.mesh.make`) it was saved. With `keep_compiled` compiled programs stay in the workdir
    for that.

    Raises:
        UserError: for data, weights, folders or a mesh that will not do, another run in the
            workdir, other flags or data than another process has, or a loss that is not finite.
        loop.Interrupted: after SIGTERM, with the state saved.
    """
    task = registry.get(task_name)
    if not task.is_trained:
        raise UserError(
            f"--task={task_name}: is for evaluation only, of checkpoints that"
            f" {' or '.join(task.checkpoints_of)} trains"
        )
    preset = preset or task.default_preset
    command = Command(
        mode="train",
        task=task_name,
        preset=preset,
        changes=tuple(changes),
        init=str(init) if init else None,
        seed=seed,
        mesh=mesh,
        data_dir=shown(data_dir),
        workdir=str(workdir),
    )
    config = build_config(task, preset, changes)
    devices = meshes.make(mesh, num_params(config.model))
    meshes.check(config, devices)
    writable_folder(results_dir, "results_dir")
    train_split, evaluation_split = task.splits
    source = task.source(config.data, data_dir, train_split)
    held_out = task.source(config.data, data_dir, evaluation_split)
    check_held_out(source, held_out)
    config = with_steps(config, len(source))
    batch_size = config.train.batch_size
    workdir = writable_folder(workdir, "workdir")
    if keep_compiled:
        cache_compilations(workdir)
    identity = run_identity(task, seed, init, source.fingerprint)
    given = {"--preset": preset, "--mesh": mesh, "--workdir": str(workdir)}
    distributed.check_alike(
        {**configs.flat(identity), **given, **configs.flat(configs.to_dict(config))}
    )
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
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in assets.items()}
    distributed.check_alike(digests)
    preprocess = task.preprocess(config.data, assets)
    transformation = optim.optimizer(config.train.optimizer, config.train.steps)
    shapes = jax.eval_shape(lambda: initial_state(config.model, transformation, seed))
    shardings = sharding.of_state(shapes, devices)
    rows = evaluation.make_rows_step(task, structure(config.model), config)

    def measure(state: TrainState) -> dict[str, float]:
        params, model_state = sharding.local_copy((state.params, state.model_state), devices)
        collected = spread.rows_of_network(task, held_out, preprocess, rows, params, model_state)
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
            shardings,
        ),
        evaluate=measure,
        batches=pipeline.training_batches(
            source,
            preprocess,
            batch_size,
            seed,
            config.train.steps,
            task.mix(config.data) if task.mix else None,
            None if distributed.is_alone() else sharding.local_rows(devices, batch_size),
        ),
        schedule=optim.schedule(config.train.optimizer, config.train.steps),
        mesh=devices,
        extras=assets,
        metadata={
            "identity": identity,
            "preset": preset,
            "overrides": list(changes),
        },
        main_metric=task.main_metric,
        higher_is_better=task.metrics[task.main_metric].direction == "higher",
    )
    state = initial_state(config.model, transformation, seed, shardings)
    if pretrained:
        state = _initialised(task, transformation, state, pretrained, shardings, devices)
    logging.info(
        "%s: %s parameters on --mesh=%s",
        *(task.name, f"{num_params(config.model):,}", meshes.describe(devices)),
    )
    loop.train(run, *loop.resume(run, state))
    return evaluate(
        task_name,
        checkpoint_name=str(workdir),
        data_dir=data_dir,
        results_dir=results_dir,
        made_by=command,
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
    shardings: TrainState,
    devices: Mesh,
) -> TrainState:
    """Returns the fresh state with all but the task's fresh parts taken from `pretrained`."""
    fresh = sharding.local_copy(state.params, devices)
    leaves = weights.take_over(fresh, pretrained, task.fresh_parts)
    params = sharding.place(unflatten(leaves), shardings.params)
    begin = jax.jit(transformation.init, out_shardings=shardings.optimizer_state)
    return state._replace(params=params, optimizer_state=begin(params))
