# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`--mode=compare`: two records of one task side by side, as Markdown and as JSON."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence

from perceiver_bench.errors import UserError
from perceiver_bench.files import write_atomically
from perceiver_bench.results import lines, markdown, record, seeds
from perceiver_bench.results.comparison import Comparison
from perceiver_bench.results.comparison import compare as compare_records
from perceiver_bench.results.record import Record


def compare(
    names: Sequence[str],
    *,
    metric: str | None,
    results_dir: pathlib.Path,
    outputs: pathlib.Path | None = None,
) -> str:
    """Returns what distinguishes two runs, as Markdown; writes it as JSON to `outputs` too.

    Args:
        names: of two records: paths, or run ids within `results_dir`.
        metric: what is compared; the task's main metric by default.
        results_dir: where run ids are looked up.
        outputs: the JSON file.

    Raises:
        UserError: unless there are two records that compare, with their files of examples.
    """
    if len(names) != 2:
        raise UserError(
            f"--record: two records are due, comma between, got {len(names)}; runs of several seeds"
            " are compared pair by pair, and their means in the table of --mode=report"
        )
    first, second = (record.find(name, results_dir) for name in names)
    comparison = compare_records(first, second, metric)
    if outputs is not None:
        write_atomically(outputs, f"{json.dumps(as_json(comparison), indent=1)}\n".encode())
    return as_markdown(comparison)


def as_json(comparison: Comparison) -> dict:
    """Returns a comparison's fields as JSON values; the runs are named by their ids."""
    fields = {one.name: getattr(comparison, one.name) for one in dataclasses.fields(comparison)}
    return {
        **fields,
        "task": comparison.runs[0].task,
        "runs": [run.run_id for run in comparison.runs],
        "changed": [dataclasses.asdict(change) for change in comparison.changed],
    }


def as_markdown(comparison: Comparison) -> str:
    """Returns a comparison as Markdown: both runs, their difference, what changed."""
    task = comparison.runs[0]
    unit, decimals = comparison.unit, markdown.digits(comparison.unit)
    heading = markdown.heading(comparison.metric, unit, comparison.direction)
    runs = [
        (name, *_describe(run), f"{value:.{decimals}f}")
        for name, run, value in zip("AB", comparison.runs, comparison.values, strict=True)
    ]
    header = ("", "run", "model", "checkpoint step", "seed", "commit", heading)
    parts = [
        f"## {task.task}: {comparison.metric}\n",
        markdown.escape(
            f"Protocol {task.protocol}, task version {task.task_version}, split {task.split},"
            f" data {task.dataset_fingerprint[:12]}.\n"
        ),
        markdown.table(header, runs),
        _difference(comparison, decimals),
        _outcomes(comparison),
    ]
    if comparison.changed:
        changed = [
            (str(one.example), f"{one.first:.6g}", f"{one.second:.6g}")
            for one in comparison.changed
        ]
        parts.append(markdown.table(("example", "A", "B"), changed))
    if notes := _notes(comparison):
        parts.append("".join(f"- {note}\n" for note in notes))
    return "\n".join(parts)


def _describe(run: Record) -> tuple[str, str, str, str, str]:
    """Returns a run's id, model, step, seed and commit."""
    step = run.checkpoint.get("step")
    commit = f"{run.git['commit'][:10]}{' (dirty)' if run.git['dirty'] else ''}" if run.git else ""
    return (
        run.run_id,
        seeds.preset_label(run) if run.baseline is None else lines.row_label(run),
        "" if step is None else str(step),
        "" if run.seed is None else str(run.seed),
        commit,
    )


def _difference(comparison: Comparison, decimals: int) -> str:
    """Returns the sentence of the difference, its interval and its p-value."""
    unit = "" if comparison.unit == "1" else f" {comparison.unit}"
    text = f"B - A: {comparison.difference:+.{decimals}f}{unit}"
    if comparison.interval is None:
        return (
            f"{text}, without an interval: all examples differ alike, or one stands alone in its"
            f" task, so that nothing varies{_exact(comparison)}.\n"
        )
    low, high = comparison.interval
    return (
        f"{text}, 95 % interval [{low:+.{decimals}f}, {high:+.{decimals}f}],"
        f" {_p_value(comparison.p_value)} (paired bootstrap over {comparison.num_units:,} examples,"
        f" {comparison.num_resamples:,} resamples){_exact(comparison)}.\n"
    )


def _exact(comparison: Comparison) -> str:
    if comparison.exact_p_value is None:
        return ""
    return f"; McNemar's exact test: {_p_value(comparison.exact_p_value)}"


def _p_value(value: float | None) -> str:
    assert value is not None
    return "p < 1e-9" if value < 1e-9 else f"p = {value:.2g}"


def _outcomes(comparison: Comparison) -> str:
    """Returns the sentence of wins and losses, and what the table after it shows."""
    if comparison.wins is None or comparison.losses is None:
        return "The rows of this metric do not tell on which examples a run is better.\n"
    same = comparison.num_units - comparison.wins - comparison.losses
    text = (
        f"Of {comparison.num_units:,} examples B is better on {comparison.wins:,}, worse on"
        f" {comparison.losses:,} and equal on {same:,}."
    )
    if not comparison.changed:
        return f"{text}\n"
    distances = ", as distances from their labels" if comparison.are_distances else ""
    return (
        f"{text} These changed most{distances}, by their place in the order of the data from 0:\n"
    )


def _notes(comparison: Comparison) -> list[str]:
    """Returns what to keep in mind about the numbers."""
    found = []
    if reason := comparison.runs[0].partial_reason:
        found.append(f"Both runs are partial: {markdown.escape(reason)}.")
    if any(run.baseline is None for run in comparison.runs):
        found.append(
            "The interval is over examples. It says nothing about other seeds of the training:"
            " compare the means over several (`--seeds`, `--mode=report`)."
        )
    if not comparison.weigh_alike:
        found.append(
            "Examples count for more in one run than in the other: the runs cut or counted the"
            " data in different ways."
        )
    return found
