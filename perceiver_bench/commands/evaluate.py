# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=evaluate`: a checkpoint or a baseline on a task, and its record."""

import functools
import math
import os
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import tqdm
from absl import logging

from perceiver_bench import config as configs
from perceiver_bench import distributed, registry, report
from perceiver_bench.commands.setup import check_held_out, writable_folder
from perceiver_bench.commands.subject import Subject, assets_of, find_subject, training_source
from perceiver_bench.data import pipeline
from perceiver_bench.errors import UserError
from perceiver_bench.evaluation import evaluate as evaluation
from perceiver_bench.evaluation import spread
from perceiver_bench.evaluation.network import examples_at_once
from perceiver_bench.model.perceiver import num_params
from perceiver_bench.results import environment, record, tables
from perceiver_bench.results.command import Command, shown
from perceiver_bench.task import Metric, Source, Task
from perceiver_bench.train.step import structure


def evaluate(
    task_name: str,
    *,
    checkpoint_name: str,
    preset: str | None = None,
    changes: Sequence[str] = (),
    data_dir: pathlib.Path,
    limit: int | None = None,
    results_dir: pathlib.Path,
    made_by: Command | None = None,
) -> pathlib.Path:
    """Evaluates on the task's evaluation split; writes a record and returns its path.

    `made_by` is the command that the record names, where it is more than this evaluation.

    Raises:
        UserError: for data or weights that are missing, damaged or of another kind.
    """
    results_dir = writable_folder(results_dir, "results_dir")
    task = registry.get(task_name)
    subject = find_subject(task, checkpoint_name, preset, changes)
    held_out = task.source(subject.config.data, data_dir, task.splits[1])
    if subject.trained_on is not None and subject.trained_on == held_out.fingerprint.get("sha256"):
        raise UserError(
            f"--data_dir: {held_out.fingerprint.get('file')} is what --checkpoint="
            f"{checkpoint_name} was trained on; training data is no data to evaluate on"
        )
    distributed.check_alike(
        {
            "--checkpoint": checkpoint_name,
            "--limit": limit,
            **configs.flat(configs.to_dict(subject.config)),
            **configs.flat({"data": dict(held_out.fingerprint)}),
        }
    )
    start = time.monotonic()
    read_train = training_source(task, subject.config, data_dir)
    prepare = task.preprocess(subject.config.data, assets_of(subject, task, read_train))
    group = examples_at_once(task)
    num_examples = len(held_out) if limit is None else min(limit, len(held_out))
    num_batches = math.ceil(num_examples / group / jax.process_count())
    watch = functools.partial(tqdm.tqdm, desc=task.name, total=num_batches, disable=None)
    if subject.weights is None:
        check_held_out(read_train(), held_out)
        baseline = task.baselines[subject.checkpoint["baseline"]]
        prediction = baseline(read_train(), held_out, prepare)
        batches = pipeline.evaluation_batches(held_out, prepare, group, limit)
        rows = evaluation.baseline_rows(task, prediction, watch(batches), group)
    else:
        step = evaluation.make_rows_step(task, structure(subject.config.model), subject.config)
        params, state = jax.device_put((subject.weights.params, subject.weights.state))
        rows = spread.rows_of_network(task, held_out, prepare, step, params, state, limit, watch)
    measured = evaluation.pool(task, rows)
    if (counted := measured[task.main_metric].num_examples) < num_examples:
        logging.warning(
            "%s: %d of %d examples have nothing to measure",
            *(task.name, num_examples - counted, num_examples),
        )
    seconds = time.monotonic() - start
    command = made_by or Command(
        mode="evaluate",
        task=task_name,
        preset=preset,
        changes=tuple(changes),
        checkpoint=checkpoint_name,
        limit=limit,
        data_dir=shown(data_dir),
    )
    path = None
    if distributed.is_first():
        path = _write_record(
            task, subject, held_out, rows, measured, limit, seconds, command, results_dir
        )
    return pathlib.Path(os.fsdecode(distributed.gather(os.fsencode(path or ""))[0]))


def table(task_name: str, results_dir: pathlib.Path, *, made_up: bool = False) -> str:
    """Returns the task's table over all records of `results_dir`, as Markdown."""
    records = record.read_all(results_dir)
    return tables.task_table(task_name, records, report.paper_rows(task_name), made_up=made_up)


def _matmul_precision() -> str | None:
    # An option that JAX makes at import; `config.read` refuses those that a context can set.
    return jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]


def _metric_fields(metric: Metric, measured: evaluation.Measured) -> dict[str, Any]:
    """Returns what a record holds of one metric."""
    # One example has no standard error, nor has a mean over groups if one of them is single.
    is_defined = measured.num_examples > 1 and not math.isnan(measured.standard_error)
    fields = {
        "value": measured.value,
        "standard_error": measured.standard_error if is_defined else None,
        "n": measured.num_examples,
        "unit": metric.unit,
        "direction": metric.direction,
    }
    return fields if measured.interval is None else {**fields, "interval": [*measured.interval]}


def _num_examples(source: Source) -> int:
    """Returns how many examples a split has, with those that its data was written without."""
    found = source.fingerprint.get("num_examples")
    return max(len(source), found) if isinstance(found, int) else len(source)


def _write_record(
    task: Task,
    subject: Subject,
    held_out: Source,
    rows: evaluation.Rows,
    measured: Mapping[str, evaluation.Measured],
    limit: int | None,
    seconds: float,
    command: Command,
    results_dir: pathlib.Path,
) -> pathlib.Path:
    reasons = []
    if limit is not None and limit < len(held_out):
        reasons.append(f"--limit={limit} of {len(held_out)} examples")
    if skipped := held_out.fingerprint.get("num_skipped"):
        reasons.append(f"{skipped} bad files skipped")
    path = record.write(
        {
            "task": task.name,
            "task_version": task.version,
            "split": task.splits[1],
            "protocol": task.protocol_of(subject.config.data),
            "metrics": {
                name: _metric_fields(task.metrics[name], one) for name, one in measured.items()
            },
            "partial": bool(reasons),
            "partial_reason": "; ".join(reasons) or None,
            "preset": subject.preset,
            "overrides": list(subject.overrides),
            "config": configs.to_dict(subject.config),
            "dataset": dict(held_out.fingerprint),
            "coverage": {
                "num_measured": measured[task.main_metric].num_examples,
                "num_examples": _num_examples(held_out),
            },
            "checkpoint": subject.checkpoint,
            "init": subject.init,
            "seed": subject.seed,
            "num_params": num_params(subject.config.model) if subject.weights else None,
            **environment.environment(),
            "precision": {
                "dtype": subject.config.model.dtype,
                "jax_default_matmul_precision": _matmul_precision(),
            },
            "wall_seconds": round(seconds, 3),
            "learning_curve": list(subject.curve) or None,
            "command": command.flags(),
        },
        results_dir,
        rows,
    )
    logging.info("record: %s", path)
    return path
