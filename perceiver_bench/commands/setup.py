# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What training and evaluation prepare alike: configuration and folders."""

import dataclasses
import hashlib
import math
import pathlib
import platform
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from perceiver_bench import config as configs
from perceiver_bench import overrides
from perceiver_bench.benchmark.table import cpu_flags
from perceiver_bench.errors import UserError, nearest
from perceiver_bench.model.weights.mapping import flatten
from perceiver_bench.task import Source, Task
from perceiver_bench.train.step import structure

_MAY_BE_ZERO = ("min_padding", "num_task_tokens")


def build_config(task: Task, preset: str | None, changes: Sequence[str]) -> configs.RunConfig:
    """Returns the preset of the task with every `--set` applied.

    Raises:
        UserError: for an unknown preset, a wrong override, or sizes that contradict.
    """
    name = preset or task.default_preset
    if name not in task.presets:
        raise UserError(
            f"--preset={name}: {task.name} has no such preset.{nearest(name, task.presets)}"
        )
    return _consistent(overrides.apply(task.presets[name], changes))


def _consistent(config: configs.RunConfig) -> configs.RunConfig:
    """Raises UserError if the data is of other sizes than the network takes."""
    if isinstance(config.model.input, configs.TextInput):
        inputs = config.model.input
        limits = {"vocab_size": inputs.vocab_size, "max_length": inputs.max_text_length}
        for field, limit in limits.items():
            data, model = getattr(config.data, field), getattr(inputs, field)
            if data < 1:
                raise UserError(f"--set=data.{field}={data}: at least 1 is due")
            if data > limit:
                token = "" if limit == model else ", of which a task token takes one"
                raise UserError(
                    f"--set=data.{field}={data}: more than model.input.{field}={model}{token};"
                    " set both"
                )
    if isinstance(config.data, configs.FlowData):
        assert isinstance(config.model.input, configs.FlowInput)
        if config.data.size != config.model.input.size:
            raise UserError(
                f"--set=data.size={config.data.size}: model.input.size={config.model.input.size}"
                " is another; set both"
            )
    if isinstance(config.data, configs.VoxelData):
        assert isinstance(config.model.input, configs.VoxelInput)
        if config.data.size != config.model.input.size:
            raise UserError(
                f"--set=data.size={config.data.size}: model.input.size={config.model.input.size}"
                " is another; set both"
            )
    steps = config.train.steps
    if steps < 0 or (not steps and config.train.epochs <= 0):
        raise UserError(
            f"--set=train.steps={steps}: at least 1 is due, or 0 and a positive train.epochs"
        )
    for name in ("batch_size", "accumulation", "log_every", "evaluate_every", "checkpoint_every"):
        if getattr(config.train, name) < 1:
            raise UserError(f"--set=train.{name}={getattr(config.train, name)}: at least 1 is due")
    buildable(config.model)
    return config


def with_steps(config: configs.RunConfig, num_examples: int) -> configs.RunConfig:
    """Returns `config` with `train.steps` as many as its epochs take, where it names none."""
    train = config.train
    steps = train.steps or math.ceil(train.epochs * num_examples / train.batch_size)
    return dataclasses.replace(config, train=dataclasses.replace(train, steps=max(steps, 1)))


def check_held_out(source: Source, held_out: Source) -> None:
    """Raises UserError if a split to evaluate on is the very data of training."""
    trained = _files_by_digest(source.fingerprint)
    for digest, file in _files_by_digest(held_out.fingerprint).items():
        if digest in trained:
            raise UserError(
                f"--data_dir: {file} holds the same bytes as {trained[digest]};"
                " training data is no data to evaluate on"
            )


def _files_by_digest(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the files of a fingerprint, and of those that it is made of, by their digest."""
    found = {}
    if "sha256" in fingerprint:
        found[fingerprint["sha256"]] = fingerprint.get("file")
    for part in fingerprint.values():
        if isinstance(part, Mapping):
            found |= _files_by_digest(part)
    return found


def buildable(model: configs.ModelConfig) -> configs.ModelConfig:
    """Returns the configuration of a network whose sizes agree with each other.

    Raises:
        UserError: if they do not, such as channels that do not divide into the heads.
    """
    for path, value in flatten(configs.to_dict(model)).items():
        if type(value) is int and value < 1 and not path.endswith(_MAY_BE_ZERO):
            raise UserError(f"--set: {path}={value} of the model: at least 1 is due")
    try:
        structure(model)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise UserError(f"--set: no network of these sizes: {error}") from error
    return model


def writable_folder(path: pathlib.Path, flag: str) -> pathlib.Path:
    """Creates a folder and proves that files can be written there; returns it absolute.

    Raises:
        UserError: naming the flag if they cannot.
    """
    probe = path / f".probe-{uuid.uuid4().hex}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"probe")
        probe.unlink()
    except OSError as error:
        raise UserError(f"--{flag}={path}: cannot write there: {error.strerror}") from error
    return path.resolve()


def cache_compilations(workdir: pathlib.Path) -> None:
    """Keeps compiled programs in `workdir/compilation_cache`, so that a restart need not wait.

    A folder for each kind of processor: a program may use instructions that another lacks.
    A cache that the environment names already stays as it is.
    """
    if jax.config.jax_compilation_cache_dir:  # pyright: ignore[reportAttributeAccessIssue]
        return
    kind = f"{platform.machine()}-{jax.devices()[0].device_kind}-{cpu_flags()}"
    digest = hashlib.sha256(kind.encode()).hexdigest()[:12]
    folder = workdir / "compilation_cache" / digest
    jax.config.update("jax_compilation_cache_dir", str(folder))
