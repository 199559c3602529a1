# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of learning curves."""

import io
import pathlib
from collections.abc import Sequence

import matplotlib.style
from matplotlib.figure import Figure

from perceiver_bench.files import write_atomically
from perceiver_bench.results import tables
from perceiver_bench.results.record import Record
from perceiver_bench.results.reported import ReportedRow


def plot_learning_curves(
    records: Sequence[Record], path: pathlib.Path, reported_rows: Sequence[ReportedRow] = ()
) -> None:
    """Draws one task's main metric against the training step to a PNG file.

    Each record with a learning curve is a line; dashed horizontal lines are the baselines
    and the published number that the first run is compared with. The same input gives the
    same bytes with the same matplotlib.

    Raises:
        UserError: if the file cannot be written.
        ValueError: if no record has a learning curve.
    """
    curves = [record for record in records if record.learning_curve]
    if not curves:
        raise ValueError("no record has a learning curve")
    metric = curves[0].main_metric
    unit = curves[0].metrics[metric].unit
    # A person's own matplotlibrc must not change the picture.
    with matplotlib.style.context("default", after_reset=True):
        figure = Figure(figsize=(7, 4), dpi=100, layout="constrained")
        axes = figure.add_subplot()
        for record in curves:
            points = [point for point in record.learning_curve or () if metric in point]
            axes.plot(
                [point["step"] for point in points],
                [point[metric] for point in points],
                marker="o",
                markersize=3,
                label=f"{tables.preset_label(record)} ({tables.label(record)})",
            )
        dashed = [
            (tables.label(record), record.metrics[metric].value)
            for record in records
            if record.baseline is not None and metric in record.metrics
        ]
        if row := tables.reference_row(curves[0], metric, reported_rows):
            dashed.append((f"{row.model} [{row.source}]", row.value))
        for number, (name, value) in enumerate(dashed):
            axes.axhline(value, linestyle="--", color=f"C{len(curves) + number}", label=name)
        axes.set_xlabel("training step")
        axes.set_ylabel(metric if unit == "1" else f"{metric} ({unit})")
        axes.set_title(curves[0].task)
        axes.grid(alpha=0.3)
        # A dollar sign in a name is a name, not a formula.
        for text in axes.legend(fontsize="small").get_texts():
            text.set_parse_math(False)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", metadata={"Software": None})
    write_atomically(path, picture.getvalue())
