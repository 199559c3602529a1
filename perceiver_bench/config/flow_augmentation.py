# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Configuration of the augmentation of flow pairs."""

import dataclasses
from typing import Self

_PROBABILITIES = (
    "asymmetric_colour_probability",
    "eraser_probability",
    "spatial_probability",
    "stretch_probability",
    "horizontal_flip_probability",
    "vertical_flip_probability",
    "relative_motion_probability",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """What is drawn for each flow pair; every value is uniform in its range.

    Colour and spatial values are those of RAFT's public training on FlyingChairs; its
    `log2_scale` is (-0.4, 0.8) on FlyingThings3D, (-0.2, 0.6) on Sintel, and (-0.2, 0.4)
    without flips on KITTI. The paper takes the values that AutoFlow's authors tuned for
    RAFT, which are not published.

    Colour: factors of `brightness`, `contrast` and `saturation` lie within 1 plus or minus
    the value, the turn of `hue` within plus or minus the value (1 is the whole circle of
    colours). With `asymmetric_colour_probability` each frame has colours of its own.

    Eraser: with `eraser_probability` the second frame loses `eraser_count` rectangles to its
    mean colour, each side within `eraser_size` pixels of the crop.

    Space: with `spatial_probability` both frames are scaled by 2 to a power within
    `log2_scale` and then, with `stretch_probability`, each axis by 2 to a power within plus
    or minus `log2_stretch`. The flips have a probability each. Both frames turn by an angle
    within plus or minus `rotation` degrees (FlowNetPytorch's 10).

    Relative motion: with `relative_motion_probability` (this project's own; FlowNetPytorch
    always does it) the second frame turns about the middle of the crop by up to
    `relative_rotation` degrees more and moves by up to `relative_translation` pixels of the
    crop along each axis (FlowNetPytorch's 5 and 10).
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.5 / 3.14
    asymmetric_colour_probability: float = 0.2
    eraser_probability: float = 0.5
    eraser_count: tuple[int, int] = (1, 2)
    eraser_size: tuple[float, float] = (50.0, 99.0)
    spatial_probability: float = 0.8
    log2_scale: tuple[float, float] = (-0.1, 1.0)
    stretch_probability: float = 0.8
    log2_stretch: float = 0.2
    horizontal_flip_probability: float = 0.5
    vertical_flip_probability: float = 0.1
    rotation: float = 10.0
    relative_motion_probability: float = 0.5
    relative_rotation: float = 5.0
    relative_translation: float = 10.0

    def __post_init__(self) -> None:
        for name in (*_PROBABILITIES, "brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)}: 0 to 1 is due")
        for name in ("hue", "log2_stretch", "rotation", "relative_rotation"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}={getattr(self, name)}: at least 0 is due")
        if not self.relative_translation >= 0:
            raise ValueError(f"relative_translation={self.relative_translation}: at least 0 is due")
        for name in ("eraser_count", "eraser_size"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"{name}={low},{high}: two values of 0 or more, in order, are due")
        low, high = self.log2_scale
        if not low <= high:
            raise ValueError(f"log2_scale={low},{high}: the lower bound comes first")
        # Linear interpolation reads two pixels an axis: below half the size it skips some.
        if low - self.log2_stretch < -1:
            raise ValueError(
                f"log2_scale={low},{high} with log2_stretch={self.log2_stretch}: together they"
                " shrink to less than half the size, log2 -1"
            )

    def scaled(self, strength: float) -> Self:
        """Returns the same with each range and probability times `strength`.

        The count of rectangles stays, for their probability and their size shrink.

        Raises:
            ValueError: if `strength` is not in [0, 1].
        """
        if not 0 <= strength <= 1:
            raise ValueError(f"strength={strength}: 0 to 1 is due")
        values = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                values[field.name] = tuple(strength * bound for bound in value)
            else:
                values[field.name] = strength * value
        return dataclasses.replace(self, **{**values, "eraser_count": self.eraser_count})
