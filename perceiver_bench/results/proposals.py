# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Baselines from records: what the newest runs measured, with a tolerance from their spread.

The tolerance is three times the root of the squared standard error over examples (bootstrap
or closed form, as the metric's pooling has it) and the variance over seeds, where there are
several, together; rounded up to two digits.
"""

import decimal
import math
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from perceiver_bench.errors import UserError, nearest
from perceiver_bench.results import baselines, record, seeds
from perceiver_bench.results.baselines import Expectation, Tolerance
from perceiver_bench.results.groups import Group, groups
from perceiver_bench.results.record import Record

NUM_STANDARD_ERRORS = 3
"""Of a normal distribution 99.7 % are within so many."""


def write_baseline(
    results_dir: pathlib.Path, tasks: Sequence[str], baseline_file: pathlib.Path
) -> list[str]:
    """Writes what the newest records measured to a new baseline file.

    Args:
        results_dir: the folder of the records.
        tasks: whose; all that have records if there are none.
        baseline_file: the file, which must not exist yet.

    Returns:
        What is not in it and why, in words.

    Raises:
        UserError: if a task has no whole record, no metric has a standard error, or the file
            exists or cannot be written.
    """
    if not results_dir.is_dir():
        raise UserError(f"--results_dir={results_dir}: no such folder; name the one with records/")
    records = record.read_all(results_dir)
    whole = {found.task for found in records if not found.partial}
    if not whole:
        raise UserError(f"--results_dir={results_dir}: has no whole record; evaluate first")
    for task in tasks:
        if task not in whole:
            raise UserError(
                f"--task={task}: {results_dir} has no whole record of it;"
                f" evaluate first.{nearest(task, whole)}"
            )
    expectations: list[Expectation] = []
    left_out: list[str] = []
    for task in sorted(set(tasks) or whole):
        found, without = propose(found for found in records if found.task == task)
        expectations += found
        left_out += without
    if not expectations:
        raise UserError(
            f"--baseline={baseline_file}: no metric has a standard error to make a tolerance of;"
            " write the file by hand"
        )
    baselines.write(expectations, baseline_file)
    return left_out


def propose(records: Iterable[Record]) -> tuple[list[Expectation], list[str]]:
    """Returns what one task's newest whole records measured, and what is left out and why.

    Of runs that compare with each other in several groups, the newest group counts; of it, every
    setting (the mean of its seeds) and every baseline.
    """
    newest, *older = [group for group in groups(records) if group.settings or group.baselines]
    runs = [setting.runs for setting in newest.settings]
    runs += [(found,) for found in newest.baselines]
    chosen: dict[str, tuple[Record, ...]] = {}
    left_out = [f"older records by {group.key}" for group in older]
    for some in sorted(runs, key=lambda some: max(run.date_utc for run in some)):
        words = repr(_run(some))
        if words in chosen:  # a preset that was changed since
            left_out.append(f"older runs of {_label(chosen[words])}")
        chosen[words] = some
    expectations = []
    for some in chosen.values():
        metrics = seeds.Setting(some).metrics
        found = {metric: _expectation(newest, some, metric) for metric in metrics}
        expectations += [one for one in found.values() if one is not None]
        if without := [metric for metric, one in found.items() if one is None]:
            left_out.append(f"{_label(some)}: no standard error of {', '.join(without)}")
    task = next(iter(chosen.values()))[0].task
    return expectations, [f"{task}: {words}" for words in left_out]


def _expectation(group: Group, runs: Sequence[Record], metric: str) -> Expectation | None:
    """Returns what runs of one setting measured; None if nothing tells how well."""
    first = runs[0].metrics[metric]
    summary = seeds.Setting(tuple(runs)).summary(metric)
    errors = [run.metrics[metric].standard_error or 0.0 for run in runs]
    spread = math.hypot(max(errors), summary.deviation or 0.0)
    if not spread:
        return None
    return Expectation(
        task=runs[0].task,
        task_version=group.task_version,
        run=_run(runs),
        split=group.split,
        protocol=group.protocol,
        dataset_fingerprint=group.dataset_fingerprint,
        metric=metric,
        unit=first.unit,
        direction=first.direction,
        expected=float(summary.mean),
        tolerance=Tolerance("absolute", _rounded_up(NUM_STANDARD_ERRORS * spread)),
        why=_why(runs, max(errors), summary.deviation, first.n),
    )


def _run(runs: Sequence[Record]) -> dict[str, Any]:
    """Returns the fields that find runs of one setting again."""
    first = runs[0]
    if first.baseline is not None:
        return {"baseline": first.baseline}
    run: dict[str, Any] = {
        "preset": first.preset,
        "overrides": first.overrides,
        "init": first.init,
    }
    if len(runs) == 1:
        run["seed"] = first.seed
    if first.seed is None:
        run["checkpoint"] = first.checkpoint["digest"]
    return run


def _label(runs: Sequence[Record]) -> str:
    """Returns what runs of one setting are, in words."""
    return seeds.preset_label(runs[0]) or f"baseline {runs[0].baseline}"


def _why(runs: Sequence[Record], error: float, deviation: float | None, num: int) -> str:
    """Says which runs the numbers are of and what the tolerance is made of."""
    last = max(runs, key=lambda run: (run.date_utc, run.run_id))
    commit = f", commit {last.git['commit'][:10]}" if last.git else ""
    origin = f"record {last.run_id}{commit}"
    examples = f"the standard error over {num} examples, {error:.3g}"
    times = f"{NUM_STANDARD_ERRORS} times"
    if deviation is None:
        return f"Measured by {origin}. The tolerance is {times} {examples}."
    return (
        f"The mean of {len(runs)} seeds, the last {origin}. The tolerance is {times} the root of"
        f" the squares of {examples}, and of the deviation over seeds, {deviation:.3g}, together."
    )


def _rounded_up(width: float) -> float:
    """Returns `width` rounded up to two digits."""
    number = decimal.Decimal(str(width))
    step = decimal.Decimal(1).scaleb(number.adjusted() - 1)
    return float((number / step).to_integral_value(decimal.ROUND_CEILING) * step)
