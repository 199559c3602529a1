# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""MixUp and CutMix: one example made of two (arXiv:1710.09412 and arXiv:1905.04899).

MixUp adds two images, CutMix puts a box of the first on the second, and the labels share as
the images do. As in the original training code, each example is drawn its own ratio or box.
"""

from collections.abc import Mapping

import numpy as np

from perceiver_bench import api


def draw(
    size: tuple[int, int], augmentation: api.ImageAugmentation, generator: np.random.Generator
) -> dict[str, np.ndarray]:
    """Returns how one image of `size` (height, width) would be mixed with another.

    Returns:
        For MixUp `mixup_ratio` float32 [], the share of the first image; for CutMix
        `cutmix_box` int32 [4], the first image's top, left, bottom and right, the last two
        not included. Only what `augmentation` asks for.
    """
    drawn = {}
    if augmentation.mixup_alpha > 0:
        ratio = generator.beta(augmentation.mixup_alpha, augmentation.mixup_alpha)
        drawn["mixup_ratio"] = np.array(ratio, np.float32)
    if augmentation.cutmix:
        drawn["cutmix_box"] = _draw_box(size, generator)
    return drawn


def mix(
    batch: Mapping[str, np.ndarray], augmentation: api.ImageAugmentation
) -> dict[str, np.ndarray]:
    """Returns a batch of B mixed examples from 2B prepared ones.

    With one of MixUp and CutMix, example i is mixed of i and B + i. With both, the first
    B // 2 are by MixUp, of i and B // 2 + i among the first 2 (B // 2) examples; the others
    by CutMix, of the examples after those in the same way.

    Args:
        batch: `images` float32 [2B, H, W, 3], `label` int32 [2B], `weight` float32 [2B] and
            what `draw` gives. The memory of `images` is used for the result.
        augmentation: which of the two; at least one.

    Returns:
        `images` [B, H, W, 3]; `label` and `mixed_label` [B], of the first and the second
        image; `label_share` float32 [B], the share of the first; `weight` [B], the product
        of both, so that a bad image teaches nothing.

    Raises:
        ValueError: for an odd number of examples.
    """
    if len(batch["label"]) % 2:
        raise ValueError(f"{len(batch['label'])} examples cannot be mixed two by two")
    size = len(batch["label"]) // 2
    num_mixup = _num_mixup(size, augmentation)
    num_cutmix = size - num_mixup
    starts = np.arange(num_mixup), 2 * num_mixup + np.arange(num_cutmix)
    first = np.concatenate(starts)
    second = np.concatenate([starts[0] + num_mixup, starts[1] + num_cutmix])
    images, share = batch["images"], np.empty(size, np.float32)
    # In this order nothing is written over before it has been read: entry i has become free
    # when example i is mixed, for first[i] >= i and the pairs before it are done.
    for index, (one, other) in enumerate(zip(first, second, strict=True)):
        if index < num_mixup:
            share[index] = ratio = batch["mixup_ratio"][one]
            images[index] = ratio * images[one] + (np.float32(1) - ratio) * images[other]
        else:
            top, left, bottom, right = batch["cutmix_box"][one]
            share[index] = (bottom - top) * (right - left) / np.prod(images.shape[1:3])
            box = images[one, top:bottom, left:right].copy()
            images[index] = images[other]
            images[index, top:bottom, left:right] = box
    return {
        "images": images[:size],
        "label": batch["label"][first],
        "mixed_label": batch["label"][second],
        "label_share": share,
        "weight": batch["weight"][first] * batch["weight"][second],
    }


def _num_mixup(size: int, augmentation: api.ImageAugmentation) -> int:
    if not augmentation.cutmix:
        return size
    return size // 2 if augmentation.mixup_alpha > 0 else 0


def _draw_box(size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Returns a box [4] of a uniformly drawn share of the area, less what is cut off outside.

    Its middle is uniform over the image, so it may be cut off by the edge.
    """
    lengths = np.array(size)
    middle = generator.integers(lengths)
    side = np.sqrt(np.float32(1) - generator.random(dtype=np.float32))
    half = (side * lengths.astype(np.float32)).astype(np.int64) // 2
    corners = [np.clip(middle - half, 0, lengths), np.clip(middle + half, 0, lengths)]
    return np.concatenate(corners).astype(np.int32)
