# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Ours beside the published number, of every task where the two compare."""

import dataclasses
from collections.abc import Sequence

from perceiver_bench.results import comparable, seeds
from perceiver_bench.results.groups import Group
from perceiver_bench.results.html import numbers, task_tables
from perceiver_bench.results.lines import reference_row
from perceiver_bench.results.reported import ReportedRow


@dataclasses.dataclass(frozen=True)
class Bar:
    """Places on a scale from 0 to 100, for the drawing.

    Attributes:
        zero: where the number 0 is; ours begins there.
        ours, published: where the numbers are.
        low, high: ours minus and plus its spread; None without one.
        baseline: the best baseline's; None without one.
    """

    zero: float
    ours: float
    published: float
    low: float | None
    high: float | None
    baseline: float | None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One metric of a task: ours, the published number and the best baseline's.

    Attributes:
        task: its name.
        column: the metric.
        name: our preset and settings.
        chosen_from: how many settings ours is the best of.
        value, spread: ours.
        published: the row that it is compared with.
        difference: ours minus the published.
        standing: whether ours is better than the published, worse or equal, as shown.
        baseline: the best baseline and its number, empty without one.
        bar: all of it as a drawing.
    """

    task: str
    column: task_tables.Column
    name: str
    chosen_from: int
    value: str
    spread: str
    published: ReportedRow
    difference: str
    standing: str
    baseline: str
    bar: Bar


def comparisons(
    task: str, found: Sequence[Group], reported_rows: Sequence[ReportedRow], *, made_up: bool
) -> tuple[tuple[Comparison, ...], str]:
    """Returns the comparisons of one task, and why there are none, if there are none.

    They are of the newest group of records that compares with a published row, and in it of
    the setting with the best main metric.
    """
    if not reported_rows:
        return (), "no published number"
    reasons = []
    for group in found:
        if not group.settings:
            reasons.append("no whole run but baselines")
            continue
        by_reason = comparable.apart(group, reported_rows, made_up=made_up)
        if compared := _of_group(task, group, by_reason[""]):
            return compared, ""
        reasons.append(next(filter(None, by_reason), "no published number of these metrics"))
    return (), reasons[0]


def _of_group(task: str, group: Group, rows: Sequence[ReportedRow]) -> tuple[Comparison, ...]:
    # A setting that lacks the main metric of the first cannot be ranked with it.
    metric = group.settings[0].first.main_metric
    ranked = [one for one in group.settings if metric in one.metrics] or group.settings[:1]
    setting = seeds.best(ranked)
    references = {one: reference_row(setting.first, one, rows) for one in setting.metrics}
    return tuple(
        _comparison(task, group, setting, metric, row)
        for metric, row in references.items()
        if row is not None
    )


def _comparison(
    task: str, group: Group, setting: seeds.Setting, metric: str, row: ReportedRow
) -> Comparison:
    measured, summary = setting.first.metrics[metric], setting.summary(metric)
    column = task_tables.Column(metric, measured.unit, measured.direction)
    value, spread = numbers.of_setting(setting, metric)
    width = measured.standard_error if summary.deviation is None else summary.deviation
    ends = measured.interval if summary.deviation is None else None
    if ends is None and width is not None:
        ends = summary.mean - width, summary.mean + width
    sign = 1 if measured.direction == "higher" else -1
    baselines = [run for run in group.baselines if metric in run.metrics]
    best = max(baselines, key=lambda run: sign * run.metrics[metric].value, default=None)
    difference = numbers.signed(summary.mean - row.value, measured.unit)
    is_equal = not any(digit in difference for digit in "123456789")
    return Comparison(
        task=task,
        column=column,
        name=seeds.preset_label(setting.first),
        chosen_from=len(group.settings),
        value=value,
        spread=spread,
        published=row,
        difference=difference,
        standing="equal"
        if is_equal
        else "better"
        if sign * (summary.mean - row.value) > 0
        else "worse",
        baseline=f"{best.baseline} {numbers.fixed(best.metrics[metric].value, measured.unit)}"
        if best
        else "",
        bar=_bar(
            measured.unit,
            summary.mean,
            row.value,
            ends,
            best.metrics[metric].value if best else None,
        ),
    )


def _bar(
    unit: str,
    ours: float,
    published: float,
    ends: tuple[float, float] | None,
    baseline: float | None,
) -> Bar:
    """Places numbers on a scale that begins at 0, or below if one is; 100 ends that of shares."""
    every = [0.0, ours, published, *(ends or ()), *(() if baseline is None else (baseline,))]
    low, high = min(every), max(every)
    if unit in ("%", "x100"):
        high = 100.0
    else:
        high += (high - low) * 0.08
    length = (high - low) or 1.0

    def place(value: float) -> float:
        return round(min(max((value - low) / length, 0.0), 1.0) * 100, 2)

    return Bar(
        zero=place(0.0),
        ours=place(ours),
        published=place(published),
        low=place(ends[0]) if ends else None,
        high=place(ends[1]) if ends else None,
        baseline=None if baseline is None else place(baseline),
    )
