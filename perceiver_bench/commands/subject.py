# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What `--checkpoint` means for a task: weights of any format, or a named baseline."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from perceiver_bench import config as configs
from perceiver_bench import overrides
from perceiver_bench.commands.setup import build_config
from perceiver_bench.data.sources import MemorySource
from perceiver_bench.errors import UserError, nearest
from perceiver_bench.model.weights.mapping import Weights
from perceiver_bench.task import Source, Task
from perceiver_bench.train import checkpoint, weights
from perceiver_bench.train.log import read_metrics

BASELINE = "baseline:"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Subject:
    """What is evaluated: weights or a named baseline, and how a record names it.

    Attributes:
        config: of the run that made the weights, with the changes of this one.
        checkpoint: the baseline's name, or path, step, digest and format of the weights.
        weights: None for a baseline.
        trained_on: the digest of the training data, where the checkpoint knows it.
        curve: the evaluations that the run's log holds, up to the checkpoint's step.
    """

    config: configs.RunConfig
    checkpoint: dict[str, Any]
    weights: Weights | None = None
    preset: str | None = None
    overrides: tuple[str, ...] = ()
    seed: int | None = None
    init: str | None = None
    trained_on: str | None = None
    curve: tuple[dict[str, Any], ...] = ()


def find_subject(task: Task, name: str, preset: str | None, changes: Sequence[str]) -> Subject:
    """Returns what `--checkpoint=NAME` means for this task, its weights read.

    Raises:
        UserError: for an unknown baseline, and for weights that are missing, damaged or of
            another network or task.
    """
    config = build_config(task, preset, changes)
    if name.startswith(BASELINE):
        baseline = name.removeprefix(BASELINE)
        if baseline not in task.baselines:
            raise UserError(
                f"--checkpoint={name}: {task.name} has no such baseline."
                + nearest(baseline, task.baselines)
            )
        return Subject(config=config, checkpoint={"baseline": baseline})
    path = pathlib.Path(name)
    metadata: dict[str, Any] = {}
    if weights.detect_format(path) == "orbax":
        folder = weights.checkpoint_folder(path)
        assert folder is not None
        metadata = checkpoint.read_metadata(folder)
    if "run" in metadata:
        # A training checkpoint knows its whole configuration. A preset that is named all
        # the same has to be of the same network.
        saved_task = metadata["identity"]["task"]
        if saved_task not in (task.name, task.trained_as, *task.checkpoints_of):
            raise UserError(f"--checkpoint={name} was trained on {saved_task}, not on {task.name}")
        if preset:
            weights.load(path, config.model)
        config = overrides.apply(configs.from_dict(metadata["run"]), changes)
        preset, changes = metadata["preset"], [*metadata["overrides"], *changes]
    identity = metadata.get("identity", {})
    loaded, origin = weights.load(path, config.model)
    model = dataclasses.replace(config.model, activation=loaded.config.activation)
    return Subject(
        config=dataclasses.replace(config, model=model),
        weights=loaded,
        checkpoint={
            "path": str(path),
            "step": origin["step"],
            "digest": weights.digest(loaded),
            "format": origin["format"],
        },
        preset=preset or task.default_preset,
        overrides=tuple(changes),
        seed=identity.get("seed"),
        init=identity.get("init"),
        trained_on=identity.get("data", {}).get("sha256"),
        # A log of another task holds another task's numbers.
        curve=_curve(path, origin["step"]) if identity.get("task") == task.name else (),
    )


def training_source(
    task: Task, config: configs.RunConfig, data_dir: pathlib.Path
) -> Callable[[], Source]:
    """Returns what reads the training data once it is needed; a task without has no examples."""
    if not task.is_trained:
        return lambda: MemorySource((), {})
    return functools.cache(lambda: task.source(config.data, data_dir, task.splits[0]))


def assets_of(
    subject: Subject, task: Task, read_train: Callable[[], Source]
) -> Mapping[str, bytes]:
    """Returns the assets that the weights were trained with, or makes them as training would.

    A training run's checkpoint holds them; other weights and baselines do not.
    """
    kept = subject.weights.extras if subject.weights else {}
    return kept or task.prepare_assets(subject.config.data, read_train)


def _curve(workdir: pathlib.Path, step: int | None) -> tuple[dict[str, Any], ...]:
    """Returns the evaluations that a workdir's log holds, up to `step`."""
    rows = read_metrics(workdir / "metrics.jsonl") if workdir.is_dir() else []
    return tuple(
        {"step": row["step"], **row["evaluation"]}
        for row in rows
        if "evaluation" in row and row["step"] <= (step or 0)
    )
