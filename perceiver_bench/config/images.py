# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Configuration of image classification: preparation and augmentation."""

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageAugmentation:
    """What training does to an image; by default the published recipe (paper, section A.1).

    A crop of a random share of the area, `crop_area`, and a random aspect ratio (width over
    height), `crop_aspect`, is flipped in half of the cases, changed by
    `randaugment_layers` random operations of `randaugment_magnitude` (of 10), and resized.
    Then two images become one: by MixUp with a ratio of Beta(`mixup_alpha`, `mixup_alpha`)
    in one half of the batch, by CutMix in the other; where one of them is off (`mixup_alpha`
    0), by the other in the whole batch.
    """

    crop_area: tuple[float, float] = (0.08, 1.0)
    crop_aspect: tuple[float, float] = (3 / 4, 4 / 3)
    flip: bool = True
    randaugment_layers: int = 4
    randaugment_magnitude: float = 5.0
    mixup_alpha: float = 0.2
    cutmix: bool = True

    @property
    def mixes(self) -> bool:
        """Whether two images become one."""
        return self.mixup_alpha > 0 or self.cutmix


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageData:
    """How image files become examples of classification.

    Evaluation takes the middle of an image, a square of `central_share` of its shorter side,
    and resizes it to `size`. `protocol` names how: `original` as the original training code
    (bicubic without antialiasing, not clipped), `pillow` as Pillow (bicubic with antialiasing).

    `real_labels` is the path of the ReaL labels (real.json), empty for none. Up to `skip_bad`
    files that are no whole images, or copies of others, are left out.
    """

    size: tuple[int, int]
    protocol: Literal["original", "pillow"] = "original"
    central_share: float = 224 / 256
    augmentation: ImageAugmentation = dataclasses.field(default_factory=ImageAugmentation)
    real_labels: str = ""
    skip_bad: int = 0
