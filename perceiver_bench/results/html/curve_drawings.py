# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Learning curves as the coordinates of a drawing, and as a table of the same numbers."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

from perceiver_bench.results import comparable, curves, seeds
from perceiver_bench.results.groups import Group
from perceiver_bench.results.html import numbers
from perceiver_bench.results.record import Record
from perceiver_bench.results.reported import ReportedRow

WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 40, 10, 10, 24


@dataclasses.dataclass(frozen=True)
class Tick:
    """A mark of an axis: its place and its number."""

    place: float
    text: str


@dataclasses.dataclass(frozen=True)
class Curve:
    """The mean over the seeds of a setting, in a band from the lowest to the highest.

    `path` and `band` are in the drawing's coordinates; `band` is empty for one seed.
    """

    name: str
    path: str
    band: str
    points: tuple[tuple[float, float], ...]
    values: dict[int, str]


@dataclasses.dataclass(frozen=True)
class Level:
    """A number that curves are seen against: a baseline's or the published one."""

    name: str
    value: str
    place: float


@dataclasses.dataclass(frozen=True)
class Drawing:
    """One picture; `steps` are those of any curve."""

    metric: str
    unit: str
    direction: str
    horizontal: tuple[Tick, ...]
    vertical: tuple[Tick, ...]
    curves: tuple[Curve, ...]
    levels: tuple[Level, ...]
    steps: tuple[int, ...]


def drawing(group: Group, comparable_rows: Sequence[ReportedRow]) -> Drawing | None:
    """Returns the main metric of a group against the training step; None without any curve.

    Each model is a curve, that of its best training setting.

    Args:
        group: the records.
        comparable_rows: the published rows that compare with them.
    """
    settings = curves.drawn(group)
    metric = settings[0].first.main_metric if settings else ""
    found = {}
    for setting in settings:
        steps, values = _points(setting, metric)
        if steps:
            found[_name(setting)] = steps, values
    if not found:
        return None
    heights = _heights(group, settings[0].first, metric, comparable_rows)
    extent = [*heights.values()]
    for _, values in found.values():
        extent += [float(values.min()), float(values.max())]
    every_step = sorted(set(itertools.chain(*(steps for steps, _ in found.values()))))
    axes = _Axes(_ticks(0, every_step[-1], 5), _ticks(min(extent), max(extent), 5))
    measured = settings[0].first.metrics[metric]
    return Drawing(
        metric=metric,
        unit=measured.unit,
        direction=measured.direction,
        horizontal=tuple(Tick(axes.across(one), numbers.short(one)) for one in axes.horizontal),
        vertical=tuple(Tick(axes.down(one), numbers.short(one)) for one in axes.vertical),
        curves=tuple(
            _curve(axes, name, steps, values, measured.unit)
            for name, (steps, values) in found.items()
        ),
        levels=tuple(
            Level(name, numbers.fixed(value, measured.unit), axes.down(value))
            for name, value in heights.items()
        ),
        steps=tuple(every_step),
    )


@dataclasses.dataclass(frozen=True)
class _Axes:
    """The round numbers of both axes, and the places of steps and values between them."""

    horizontal: list[float]
    vertical: list[float]

    def across(self, step: float) -> float:
        first, last = self.horizontal[0], self.horizontal[-1]
        return round(LEFT + (step - first) / (last - first) * (WIDTH - LEFT - RIGHT), 2)

    def down(self, value: float) -> float:
        first, last = self.vertical[0], self.vertical[-1]
        share = (value - first) / (last - first)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 2)

    def points(self, steps: Sequence[int], values: np.ndarray) -> tuple[tuple[float, float], ...]:
        return tuple((self.across(x), self.down(y)) for x, y in zip(steps, values, strict=True))


def _curve(axes: _Axes, name: str, steps: Sequence[int], values: np.ndarray, unit: str) -> Curve:
    """Returns the curve of values [seeds, steps]."""
    means = values.mean(axis=0)
    points = axes.points(steps, means)
    band = ()
    if len(values) > 1:
        lowest = axes.points(steps, values.min(axis=0))
        band = (*axes.points(steps, values.max(axis=0)), *lowest[::-1])
    shown = {step: numbers.fixed(mean, unit) for step, mean in zip(steps, means, strict=True)}
    return Curve(name, _path(points), _path(band), points, shown)


def _heights(
    group: Group, first: Record, metric: str, comparable_rows: Sequence[ReportedRow]
) -> dict[str, float]:
    """Returns the numbers of the baselines, and the one that the first run is compared with."""
    heights = {
        f"baseline {run.baseline}": run.metrics[metric].value
        for run in group.baselines
        if metric in run.metrics
    }
    if row := comparable.reference_row(first, metric, comparable_rows):
        heights[f"{row.model}, published"] = row.value
    return heights


def _name(setting: seeds.Setting) -> str:
    count = len(setting.runs)
    label = seeds.preset_label(setting.first)
    return f"{label}, {count} seeds" if count > 1 else label


def _points(setting: seeds.Setting, metric: str) -> tuple[list[int], np.ndarray]:
    """Returns the steps that all seeds were evaluated at, and the values [seeds, steps]."""
    found = [
        {int(point["step"]): point[metric] for point in run.learning_curve or () if metric in point}
        for run in setting.runs
    ]
    steps = sorted(step for step in found[0] if all(step in curve for curve in found))
    return steps, np.array([[curve[step] for step in steps] for curve in found], np.float64)


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Returns round numbers that hold everything from `low` to `high` between them."""
    return [
        float(tick)
        for tick in MaxNLocator(nbins=count, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    ]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)
