# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Pairs drawn as they are needed, in the manner of AutoFlow."""

import pathlib
from collections.abc import Mapping
from typing import Any

from perceiver_bench import api

from . import common, demo, generator, phases

# Of the pictures, not of a run: runs of all seeds are evaluated on the same pairs.
_SEED = 0
_BYTES_A_PIXEL = 17
_MAX_HELD_BYTES = 1 << 30


class Held:
    """The pairs of a source, each drawn once and then held in memory; a `Source`."""

    def __init__(self, source: api.Source) -> None:
        self._source = source
        self._held: dict[int, api.Example] = {}

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> api.Example:
        if index not in self._held:
            self._held[index] = self._source[index]
        return self._held[index]

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """That of the source."""
        return self._source.fingerprint


def source(config: api.FlowData, data_dir: pathlib.Path, split: str) -> api.Source:
    """Returns generated pairs of `config.size`, textured with the images in `data_dir`.

    Without a data_dir the textures are painted. Training pairs that fit into a gigabyte are
    drawn once, for drawing small ones takes longer than a small network's step.

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
    if not is_train:
        return pairs
    height, width = config.size
    is_small = config.num_pairs * height * width * _BYTES_A_PIXEL <= _MAX_HELD_BYTES
    return phases.BothWays(Held(pairs) if is_small else pairs)


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
