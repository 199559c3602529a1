# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Flow pairs for training: cropped to one size, with or without augmentation.

The flow stays exact: it follows both frames through one affine map each. `occlusion` and
`foreground` go on to speak of the scene: what a crop cuts off or the eraser hides in the
second frame is not marked as occluded.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from perceiver_bench import api

from . import augmentation_colour, augmentation_space


def augment(
    example: Mapping[str, Any],
    config: api.AugmentationConfig,
    size: tuple[int, int],
    strength: float,
    generator: np.random.Generator,
) -> dict[str, Any]:
    """Returns a raw example of exactly `size` (height, width), drawn as `config` says.

    All ranges and probabilities are times `strength`: 1 is the whole of `config`, 0 a random
    crop and nothing else. A pixel is known if it lies in the picture and the pixel nearest to
    it was known.

    Raises:
        ValueError: if `strength` is not in [0, 1].
    """
    config = config.scaled(strength)
    if strength == 0:
        return crop(example, size, generator)
    source_size = example["flow_known"].shape
    first, second = augmentation_space.draw_maps(config, source_size, size, generator)
    warped = augmentation_space.warp(example, first, second, size)
    images = augmentation_colour.jitter(warped["images"], config, generator)
    augmentation_colour.erase(images[1], config, generator)
    return {**warped, "images": images}


def crop(
    example: Mapping[str, Any], size: tuple[int, int], generator: np.random.Generator | None
) -> dict[str, Any]:
    """Returns a window of `size` (height, width) of a raw example, at random or the middle one.

    A picture smaller than the window stands in its middle and is continued by its edge;
    nothing is known of those pixels.
    """
    rows, rows_added = _window(example["flow_known"].shape[0], size[0], generator)
    columns, columns_added = _window(example["flow_known"].shape[1], size[1], generator)
    added = (rows_added, columns_added)

    def cut(name: str, fill: int) -> np.ndarray:
        return np.pad(example[name][rows, columns], added, constant_values=fill)

    known = example["flow_known"][rows, columns]
    flow = np.where(known[..., None], example["flow"][rows, columns], np.float32(0))
    return {
        "images": np.pad(
            example["images"][:, rows, columns], ((0, 0), *added, (0, 0)), mode="edge"
        ),
        "flow": np.pad(flow, (*added, (0, 0))),
        "flow_known": cut("flow_known", False),
        "occlusion": cut("occlusion", -1),
        "foreground": cut("foreground", -1),
        "name": example["name"],
    }


def _window(
    length: int, wanted: int, generator: np.random.Generator | None
) -> tuple[slice, tuple[int, int]]:
    """Returns which part of an axis to take, and how much to add before and after it."""
    missing = wanted - length
    if missing > 0:
        return slice(None), (missing // 2, missing - missing // 2)
    spare = length - wanted
    begin = spare // 2 if generator is None else int(generator.integers(spare, endpoint=True))
    return slice(begin, begin + wanted), (0, 0)
