# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""KITTI: street scenes with flow measured by laser (Geiger et al. 2012, Menze et al. 2015)."""

import functools

from perceiver_bench import api

from . import common, demo, reading, submission


def _task(year: int, summary: str, **parts) -> api.Task:
    dataset = f"kitti{year}"
    read = functools.partial(reading.open_benchmark, dataset)
    return common.task(
        f"flow/{dataset}",
        summary=summary,
        protocol="kitti-training/error-over-images",
        splits=("training", "training"),
        source=read,
        main_metric="end_point_error_over_images",
        demo_presets=(),
        write_demo=functools.partial(demo.write_kitti, dataset),
        predict=submission.kitti(dataset, read),
        submission=submission.KITTI_FILES[dataset],
        **parts,
    )


@api.register("flow/kitti2015")
def kitti2015() -> api.Task:
    """Returns the task."""
    return _task(
        2015,
        "streets with moving cars; mean of the images' end-point errors, Fl-all",
        layout="training/image_2, flow_occ and flow_noc, obj_map",
        paper_rows=("flow/kitti2015",),
    )


@api.register("flow/kitti2012")
def kitti2012() -> api.Task:
    """Returns the task."""
    return _task(
        2012,
        "streets where only the camera moves; mean of the images' end-point errors, Fl-all",
        layout="training/colored_0, flow_occ and flow_noc",
        without=("foreground", "background", "valid"),
        paper_rows=(),
    )
