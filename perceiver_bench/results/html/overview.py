# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Ours beside the published number, of every task where the two compare."""

import dataclasses
from collections.abc import Sequence

from perceiver_bench.results import comparable, seeds
from perceiver_bench.results.groups import Group
from perceiver_bench.results.html import numbers, task_tables
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
    spread: tuple[str, ...]
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
    return (), reasons[0] if reasons else "no record"


def _of_group(task: str, group: Group, rows: Sequence[ReportedRow]) -> tuple[Comparison, ...]:
    # A setting that lacks the main metric of the first cannot be ranked with it.
    metric = group.settings[0].first.main_metric
    ranked = [one for one in group.settings if metric in one.metrics] or group.settings[:1]
    setting = seeds.best(ranked)
    return tuple(
        _comparison(task, group, setting, metric, row)
        for metric in setting.metrics
        if (row := comparable.reference_row(setting.first, metric, rows))
    )


def _comparison(
    task: str, group: Group, setting: seeds.Setting, metric: str, row: ReportedRow
) -> Comparison:
    measured, summary = setting.first.metrics[metric], setting.summary(metric)
    value, spread = numbers.of_setting(setting, metric)
    baseline, height = _best_baseline(group, metric)
    difference = numbers.signed(summary.mean - row.value, measured.unit)
    return Comparison(
        task=task,
        column=task_tables.Column(metric, measured.unit, measured.direction),
        name=seeds.preset_label(setting.first),
        chosen_from=len(group.settings),
        value=value,
        spread=spread,
        published=row,
        difference=difference,
        standing=_standing(difference, summary.mean - row.value, measured.direction),
        baseline=baseline,
        bar=_bar(measured.unit, summary.mean, row.value, _ends(setting, metric), height),
    )


def _best_baseline(group: Group, metric: str) -> tuple[str, float | None]:
    """Returns the best baseline by a metric with its number in words, and the number."""
    found = {run.baseline: run.metrics[metric] for run in group.baselines if metric in run.metrics}
    if not found:
        return "", None
    choose = max if next(iter(found.values())).direction == "higher" else min
    name, best = choose(found.items(), key=lambda one: one[1].value)
    return f"{name} {numbers.fixed(best.value, best.unit)}", best.value


def _standing(shown: str, difference: float, direction: str) -> str:
    """Returns how ours stands to the published number; equal if no shown digit differs."""
    if not any(digit in shown for digit in "123456789"):
        return "equal"
    return "better" if (difference > 0) == (direction == "higher") else "worse"


def _ends(setting: seeds.Setting, metric: str) -> tuple[float, float] | None:
    """Returns the ends of the interval, or of one standard error to both sides, if there are."""
    measured, summary = setting.first.metrics[metric], setting.summary(metric)
    found = summary.interval or measured.interval
    if found is None and measured.standard_error is not None:
        found = summary.mean - measured.standard_error, summary.mean + measured.standard_error
    return found


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
