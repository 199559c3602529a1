# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=evaluate`: a checkpoint or a baseline on a task, and its record."""

import dataclasses
import math
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import tqdm
from absl import logging

from perceiver_bench import config as configs
from perceiver_bench import overrides, registry, report
from perceiver_bench.commands.setup import build_config, writable_folder
from perceiver_bench.data import pipeline
from perceiver_bench.errors import UserError, nearest
from perceiver_bench.evaluation import evaluate as evaluation
from perceiver_bench.model.perceiver import num_params
from perceiver_bench.model.weights.mapping import Weights
from perceiver_bench.results import environment, record, tables
from perceiver_bench.task import Source, Task
from perceiver_bench.train import checkpoint, weights
from perceiver_bench.train.log import read_metrics
from perceiver_bench.train.step import structure

BASELINE = "baseline:"


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Subject:
    """What is evaluated: weights or a named baseline, and how the record names it."""

    config: configs.RunConfig
    checkpoint: dict[str, Any]
    weights: Weights | None = None
    preset: str | None = None
    overrides: tuple[str, ...] = ()
    seed: int | None = None
    curve: tuple[dict[str, Any], ...] = ()


def evaluate(
    task_name: str,
    *,
    checkpoint_name: str,
    preset: str | None = None,
    changes: Sequence[str] = (),
    data_dir: pathlib.Path,
    limit: int | None = None,
    results_dir: pathlib.Path,
) -> pathlib.Path:
    """Evaluates on the task's evaluation split; writes a record and returns its path.

    Raises:
        UserError: for data or weights that are missing, damaged or of another kind.
    """
    results_dir = writable_folder(results_dir, "results_dir")
    task = registry.get(task_name)
    subject = _subject(task, checkpoint_name, preset, changes)
    train_split, evaluation_split = task.splits
    held_out = task.source(data_dir, evaluation_split)
    start = time.monotonic()
    assets = subject.weights.extras if subject.weights else {}
    train_source = None
    # A training run's checkpoint holds its assets; other weights and baselines need them made.
    if subject.weights is None or subject.checkpoint["step"] is None:
        train_source = task.source(data_dir, train_split)
        assets = task.prepare_assets(subject.config.data, train_source)
    batches = pipeline.evaluation_batches(
        held_out, task.preprocess(subject.config.data, assets), task.evaluation_group, limit
    )
    num_examples = len(held_out) if limit is None else min(limit, len(held_out))
    progress = tqdm.tqdm(
        batches, desc=task.name, total=math.ceil(num_examples / task.evaluation_group), disable=None
    )
    if subject.weights is None:
        assert train_source is not None
        prediction = task.baselines[subject.checkpoint["baseline"]](train_source, held_out)
        rows = evaluation.baseline_rows(task, prediction, progress, task.evaluation_group)
    else:
        params, state = jax.tree.map(
            jax.numpy.asarray, (subject.weights.params, subject.weights.state)
        )
        step = evaluation.make_rows_step(task, structure(subject.config.model))
        rows = evaluation.collect(progress, lambda batch: step(params, state, batch))
    measured = evaluation.pool(task, rows)
    seconds = time.monotonic() - start
    return _write_record(task, subject, held_out, measured, limit, seconds, results_dir)


def table(task_name: str, results_dir: pathlib.Path, *, made_up: bool = False) -> str:
    """Returns the task's table over all records of `results_dir`, as Markdown."""
    records = record.read_all(results_dir)
    return tables.task_table(task_name, records, report.paper_rows(task_name), made_up=made_up)


def _subject(task: Task, name: str, preset: str | None, changes: Sequence[str]) -> _Subject:
    """Finds what `--checkpoint` means for this task."""
    config = build_config(task, preset, changes)
    if name.startswith(BASELINE):
        baseline = name.removeprefix(BASELINE)
        if baseline not in task.baselines:
            raise UserError(
                f"--checkpoint={name}: {task.name} has no such baseline."
                + nearest(baseline, task.baselines)
            )
        return _Subject(config=config, checkpoint={"baseline": baseline})
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
        if saved_task != task.name:
            raise UserError(f"--checkpoint={name} was trained on {saved_task}, not on {task.name}")
        if preset:
            weights.load(path, config.model)
        config = overrides.apply(configs.from_dict(metadata["run"]), changes)
        preset, changes = metadata["preset"], [*metadata["overrides"], *changes]
    loaded, origin = weights.load(path, config.model)
    model = dataclasses.replace(config.model, activation=loaded.config.activation)
    return _Subject(
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
        seed=metadata.get("identity", {}).get("seed"),
        curve=_curve(path, origin["step"]),
    )


def _curve(workdir: pathlib.Path, step: int | None) -> tuple[dict[str, Any], ...]:
    """Returns the evaluations that a workdir's log holds, up to `step`."""
    rows = read_metrics(workdir / "metrics.jsonl") if workdir.is_dir() else []
    return tuple(
        {"step": row["step"], **row["evaluation"]}
        for row in rows
        if "evaluation" in row and row["step"] <= (step or 0)
    )


def _matmul_precision() -> str | None:
    # An option that JAX makes at import; `config.read` refuses those that a context can set.
    return jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]


def _write_record(
    task: Task,
    subject: _Subject,
    held_out: Source,
    measured: Mapping[str, evaluation.Measured],
    limit: int | None,
    seconds: float,
    results_dir: pathlib.Path,
) -> pathlib.Path:
    partial = limit is not None and limit < len(held_out)
    path = record.write(
        {
            "task": task.name,
            "task_version": task.version,
            "split": task.splits[1],
            "protocol": task.protocol,
            "metrics": {
                name: {
                    "value": one.value,
                    # One example has no standard error.
                    "standard_error": one.standard_error if one.num_examples > 1 else None,
                    "n": one.num_examples,
                    "unit": task.metrics[name].unit,
                    "direction": task.metrics[name].direction,
                }
                for name, one in measured.items()
            },
            "partial": partial,
            "partial_reason": f"--limit={limit} of {len(held_out)} examples" if partial else None,
            "preset": subject.preset,
            "overrides": list(subject.overrides),
            "config": configs.to_dict(subject.config),
            "dataset": dict(held_out.fingerprint),
            "checkpoint": subject.checkpoint,
            "seed": subject.seed,
            "num_params": num_params(subject.config.model) if subject.weights else None,
            **environment.environment(),
            "precision": {
                "dtype": subject.config.model.dtype,
                "jax_default_matmul_precision": _matmul_precision(),
            },
            "wall_seconds": round(seconds, 3),
            "learning_curve": list(subject.curve) or None,
        },
        results_dir,
    )
    logging.info("record: %s", path)
    return path
