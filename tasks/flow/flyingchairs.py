# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""FlyingChairs: chairs in front of photographs, moved by affine maps (Dosovitskiy et al. 2015)."""

import pathlib

from perceiver_bench import api

from . import common, demo, phases, reading


def source(config: api.FlowData, data_dir: pathlib.Path, split: str) -> api.Source:
    """Returns the pairs of a split."""
    del config
    pairs = reading.open_pairs("flyingchairs", data_dir, split)
    return phases.BothWays(pairs) if split == "train" else pairs


@api.register("flow/flyingchairs")
def flyingchairs() -> api.Task:
    """Returns the task."""
    return common.task(
        "flow/flyingchairs",
        summary="chairs moved over photographs; end-point error over all pixels",
        protocol="flyingchairs-validation/error-over-pixels",
        layout="FlyingChairs_release/data and, for the official split, FlyingChairs_train_val.txt",
        splits=("train", "validation"),
        source=source,
        main_metric="end_point_error_over_pixels",
        without=("matched", "unmatched", "foreground", "background", "valid"),
        demo_presets=(),
        write_demo=demo.write_flyingchairs,
        paper_rows=(),
    )
