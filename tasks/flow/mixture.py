# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Training on several data sets by shares, such as Sintel, KITTI and HD1K for fine-tuning."""

import pathlib

from perceiver_bench import api

from . import common, demo, layouts, phases, reading

_EXAMPLE = "sintel_clean:0.5,kitti2015:0.5"


def source(config: api.FlowData, data_dir: pathlib.Path, split: str) -> api.Source:
    """Returns the pairs of a split of all data sets that `config.mixture` names.

    Raises:
        UserError: for names that are none of `layouts.DATASETS`, and data that is missing.
    """
    shares = api.mixture_shares(config.mixture, _EXAMPLE)
    unknown = [name for name in shares if name not in layouts.DATASETS]
    if unknown or not shares:
        raise api.UserError(
            f"--set=data.mixture={config.mixture}: write data sets and shares as {_EXAMPLE};"
            f" there are {', '.join(layouts.DATASETS)}"
        )
    pairs = api.Mixture(
        {name: reading.open_pairs(name, data_dir, split) for name in shares}, shares
    )
    return phases.BothWays(pairs) if split == "train" else pairs


@api.register("flow/mixture")
def mixture() -> api.Task:
    """Returns the task."""
    return common.task(
        "flow/mixture",
        summary="training on data sets by shares, held-out pairs of each; end-point error",
        protocol="mixture-held-out/error-over-pixels",
        layout="the folders of all data sets that data.mixture names",
        splits=("train", "validation"),
        source=source,
        mixture="sintel_clean:0.25,sintel_final:0.25,kitti2015:0.5",
        main_metric="end_point_error_over_pixels",
        demo_presets=(),
        write_demo=demo.write_mixture,
        paper_rows=(),
    )
