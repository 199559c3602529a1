# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The lines of tables as text by column: ours, over seeds, the baselines', the published."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from perceiver_bench.results import comparable, seeds
from perceiver_bench.results.groups import Group
from perceiver_bench.results.markdown import digits
from perceiver_bench.results.record import Record
from perceiver_bench.results.reported import ReportedRow

_COLUMNS = (
    *("task", "task_version", "protocol", "split", "dataset_fingerprint", "kind", "row"),
    *("metric", "unit", "direction", "value", "standard_error", "interval_low", "interval_high"),
    *("n", "paper", "difference", "not_comparable", "deviation", "best", "num_seeds"),
    *("preset", "overrides", "init", "seed"),
    *("checkpoint_step", "commit", "dirty", "date", "run_id"),
)


def lines(
    task_name: str,
    group: Group,
    reported_rows: Sequence[ReportedRow],
    *,
    every_seed: bool,
    made_up: bool = False,
) -> list[dict[str, str]]:
    """Returns the lines of a group: runs and seeds of each setting, baselines, published rows.

    Those of published rows that do not compare come last; `not_comparable` says why.

    Args:
        task_name: whose records these are.
        group: the records.
        reported_rows: the task's published rows.
        every_seed: whether the runs that a line over seeds sums up have their own lines too.
        made_up: whether the data is, so that nothing compares.
    """
    shared = {
        "task": task_name,
        "task_version": str(group.task_version),
        "protocol": group.protocol,
        "split": group.split,
        "dataset_fingerprint": group.dataset_fingerprint,
    }
    by_reason = comparable.apart(group, reported_rows, made_up=made_up)
    against = by_reason[""]
    found: list[dict[str, str]] = []
    for setting in group.settings:
        if every_seed or len(setting.runs) == 1:
            found += [line for run in setting.runs for line in _run_lines(run, against)]
        if len(setting.runs) > 1:
            found += [_seeds_line(setting, name, against) for name in setting.metrics]
    found += [line for record in group.baselines for line in _run_lines(record, against)]
    found += [_paper_line(row, reason) for reason, rows in by_reason.items() for row in rows]
    return [{**shared, **line} for line in found]


def _run_lines(record: Record, rows: Sequence[ReportedRow]) -> list[dict[str, str]]:
    """Returns the line of each metric of a run or a baseline."""
    found = []
    for metric, measured in record.metrics.items():
        line = _common(record, metric, measured.value, rows)
        decimals = digits(measured.unit)
        if measured.standard_error is not None:
            line["standard_error"] = f"{measured.standard_error:.{decimals}f}"
        if measured.interval is not None:
            line |= _interval(measured.interval, decimals)
        if record.seed is not None:
            line["seed"] = str(record.seed)
        found.append({**line, **_origin([record]), "run_id": record.run_id})
    return found


def _seeds_line(setting: seeds.Setting, metric: str, rows: Sequence[ReportedRow]) -> dict[str, str]:
    """Returns the line of one metric over several seeds; its value is their mean."""
    summary = setting.summary(metric)
    decimals = digits(setting.first.metrics[metric].unit)
    assert summary.interval is not None
    return {
        **_common(setting.first, metric, summary.mean, rows),
        **_interval(summary.interval, decimals),
        **_origin(setting.runs),
        "kind": "seeds",
        "row": seeds.seeds_label(setting.runs),
        "deviation": f"{summary.deviation:.{decimals}f}",
        "best": f"{summary.best:.{decimals}f}",
        "num_seeds": str(summary.num_seeds),
    }


def _interval(ends: tuple[float, float], decimals: int) -> dict[str, str]:
    low, high = (f"{end:.{decimals}f}" for end in ends)
    return {"interval_low": low, "interval_high": high}


def _common(
    record: Record, metric: str, value: float, rows: Sequence[ReportedRow]
) -> dict[str, str]:
    """Returns what the line of one run and that of several seeds both have."""
    measured = record.metrics[metric]
    decimals = digits(measured.unit)
    line = {
        "kind": "run" if record.baseline is None else "baseline",
        "row": row_label(record),
        "metric": metric,
        "unit": measured.unit,
        "direction": measured.direction,
        "value": f"{value:.{decimals}f}",
        "n": str(measured.n),
        "preset": record.preset or "",
        "overrides": " ".join(record.overrides),
        "init": record.init or "",
    }
    if record.baseline is None and (row := comparable.reference_row(record, metric, rows)):
        line["paper"] = row.printed
        line["difference"] = f"{value - row.value:+.{decimals}f}"
    return line


def _origin(runs: Sequence[Record]) -> dict[str, str]:
    """Returns step, commit and date of runs; `several` where they differ, the latest date."""
    steps = {run.checkpoint.get("step") for run in runs}
    commits = {run.git["commit"][:10] if run.git else None for run in runs}
    dirty = {run.git["dirty"] if run.git else None for run in runs}
    line = {"date": max(run.date_utc for run in runs)[:10]}
    for name, values in (("checkpoint_step", steps), ("commit", commits), ("dirty", dirty)):
        value = "several" if len(values) > 1 else values.pop()
        if value is not None:
            line[name] = str(value).lower()
    return line


def row_label(record: Record) -> str:
    """Returns the name of a run's row."""
    if record.baseline is not None:
        return f"baseline {record.baseline}"
    return seeds.seeds_label([record])


def published_label(row: ReportedRow) -> str:
    """Returns the name of a published row."""
    return f"{row.model} [{place(row)}]"


def place(row: ReportedRow) -> str:
    """Returns where a published number stands: source, table, split and protocol."""
    where = (row.source, row.table or row.page_or_section, row.split, row.protocol)
    return ", ".join(filter(None, where))


def _paper_line(row: ReportedRow, reason: str) -> dict[str, str]:
    """Returns what is particular to the line of a published number."""
    line = {
        "kind": "paper",
        "row": published_label(row),
        "metric": row.metric,
        "unit": row.unit,
        "direction": row.direction,
        "paper": row.printed,
        "not_comparable": reason,
    }
    return {**line, "protocol": row.protocol} if row.protocol else line


def to_csv(found: Iterable[Mapping[str, str]]) -> str:
    """Returns lines as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue()
