# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of learning curves."""

import io
import pathlib
from collections.abc import Sequence

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from perceiver_bench.files import write_atomically
from perceiver_bench.results import comparable, lines, seeds
from perceiver_bench.results.groups import Group
from perceiver_bench.results.reported import ReportedRow


def drawn(group: Group) -> list[seeds.Setting]:
    """Returns the settings of a group that a picture shows: the best of each model's."""
    with_curves = (
        setting for setting in group.settings if all(run.learning_curve for run in setting.runs)
    )
    return [seeds.best(members) for members in seeds.by_model(with_curves).values()]


def plot_learning_curves(
    group: Group, path: pathlib.Path, reported_rows: Sequence[ReportedRow] = ()
) -> None:
    """Draws one task's main metric against the training step to a PNG file.

    Each model is a line, that of its best training setting: the mean over the seeds, in a
    band from the lowest to the highest. Dashed horizontal lines are the baselines and the
    published number that the first run is compared with. The same input gives the same bytes
    with the same matplotlib.

    Raises:
        UserError: if the file cannot be written.
        ValueError: if no run has a learning curve.
    """
    settings = drawn(group)
    if not settings:
        raise ValueError("no run has a learning curve")
    first = settings[0].first
    metric = first.main_metric
    unit = first.metrics[metric].unit
    # A person's own matplotlibrc must not change the picture.
    with matplotlib.style.context("default", after_reset=True):
        figure = Figure(figsize=(7, 4), dpi=100, layout="constrained")
        axes = figure.add_subplot()
        for setting in settings:
            _draw(axes, setting, metric)
        dashed = [
            (lines.row_label(record), record.metrics[metric].value)
            for record in group.baselines
            if metric in record.metrics
        ]
        compared = comparable.apart(group, reported_rows)[""]
        if row := comparable.reference_row(first, metric, compared):
            dashed.append((f"{row.model} [{row.source}]", row.value))
        for number, (name, value) in enumerate(dashed):
            axes.axhline(value, linestyle="--", color=f"C{len(settings) + number}", label=name)
        axes.set_xlabel("training step")
        axes.set_ylabel(metric if unit == "1" else f"{metric} ({unit})")
        axes.set_title(first.task)
        axes.grid(alpha=0.3)
        # A dollar sign in a name is a name, not a formula.
        for text in axes.legend(fontsize="small").get_texts():
            text.set_parse_math(False)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", metadata={"Software": None})
    write_atomically(path, picture.getvalue())


def _draw(axes: Axes, setting: seeds.Setting, metric: str) -> None:
    """Draws the mean over the seeds at the steps that all were evaluated at, and their range."""
    curves = [
        {point["step"]: point[metric] for point in run.learning_curve or () if metric in point}
        for run in setting.runs
    ]
    steps = [step for step in curves[0] if all(step in curve for curve in curves)]
    values = np.array([[curve[step] for step in steps] for curve in curves])
    name = f"{seeds.preset_label(setting.first)} ({seeds.seeds_label(setting.runs)})"
    (line,) = axes.plot(steps, values.mean(axis=0), marker="o", markersize=3, label=name)
    if len(curves) > 1:
        axes.fill_between(
            steps, values.min(axis=0), values.max(axis=0), color=line.get_color(), alpha=0.2, lw=0
        )
