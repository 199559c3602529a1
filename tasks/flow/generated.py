# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Pairs drawn as they are needed, in the manner of AutoFlow."""

import pathlib

from perceiver_bench import api

from . import common, demo, generator, phases

# Of the pictures, not of a run: runs of all seeds are evaluated on the same pairs.
_SEED = 0


def source(config: api.FlowData, data_dir: pathlib.Path, split: str) -> api.Source:
    """Returns generated pairs of `config.size`, textured with the images in `data_dir`.

    Without a data_dir the textures are painted.

    Raises:
        UserError: for a folder without images.
    """
    folder = None if data_dir == api.NO_DATA else data_dir
    is_train = split == "train"
    pairs = generator.GeneratedSource(
        config=config.generator,
        textures=generator.Textures(folder, split=split, seed=_SEED),
        size=config.size,
        num_pairs=config.num_pairs if is_train else config.num_held_out,
        seed=_SEED,
        split=split,
    )
    return phases.BothWays(pairs) if is_train else pairs


@api.register("flow/generated")
def generated() -> api.Task:
    """Returns the task."""
    return common.task(
        "flow/generated",
        summary="moving textured polygons, drawn in the manner of AutoFlow; end-point error",
        protocol="generated-pairs/error-over-pixels",
        layout="images for textures (optional)",
        splits=("train", "validation"),
        source=source,
        needs_data=False,
        main_metric="end_point_error_over_pixels",
        without=("foreground", "background", "valid"),
        default_preset="small",
        demo_presets=("tiny",),
        write_demo=demo.write_textures,
        paper_rows=(),
    )
