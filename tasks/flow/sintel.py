# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""MPI Sintel: 23 scenes of a film with their true flow, in two renderings (Butler et al. 2012)."""

import functools

from perceiver_bench import api

from . import common, demo, reading, submission


def _task(rendering: str, summary: str) -> api.Task:
    dataset = f"sintel_{rendering}"
    read = functools.partial(reading.open_benchmark, dataset)
    return common.task(
        f"flow/{dataset}",
        summary=summary,
        protocol="sintel-training/error-over-pixels",
        layout="MPI-Sintel/training/clean, final and flow",
        splits=("training", "training"),
        source=read,
        main_metric="end_point_error_over_pixels",
        without=("foreground", "background"),
        demo_presets=(),
        write_demo=demo.write_sintel,
        paper_rows=(f"flow/{dataset}",),
        predict=submission.sintel(rendering, read),
        submission=submission.SINTEL_FILES,
    )


@api.register("flow/sintel_clean")
def sintel_clean() -> api.Task:
    """Returns the task."""
    return _task("clean", "film scenes without blur and haze; end-point error over all pixels")


@api.register("flow/sintel_final")
def sintel_final() -> api.Task:
    """Returns the task."""
    return _task("final", "film scenes with blur and haze; end-point error over all pixels")
