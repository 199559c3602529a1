# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""RLBench's depth pictures: 24-bit numbers in the colours of a PNG."""

import numpy as np

DEPTH_SCALE = 2**24 - 1
"""The number that stands for the far plane; 0 stands for the near plane."""


def depth_in_metres(colours: np.ndarray, near: float, far: float) -> np.ndarray:
    """Returns the depth along the optical axis, float64 [H, W], metres.

    Args:
        colours: uint8 [H, W, 3]; red has the highest bits.
        near: depth of the number 0, metres.
        far: depth of the number `DEPTH_SCALE`, metres.
    """
    numbers = colours.astype(np.int64) @ np.array([65536, 256, 1])
    return near + numbers / DEPTH_SCALE * (far - near)
