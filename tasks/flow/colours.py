# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Flow in the colours of Middlebury: hue for the direction, saturation for the speed.

Baker et al., A Database and Evaluation Methodology for Optical Flow, IJCV 2011. Motion to the
right is red, down yellow, to the left cyan to blue, up blue to magenta; none is white.
"""

import numpy as np

# The steps from each of the six corners of the wheel to the next, more where the eye
# sees more: red, yellow, green, cyan, blue, magenta, and red again.
_STEPS = (15, 6, 4, 11, 13, 6)
_CORNERS = np.array(
    [(255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 255, 255), (0, 0, 255), (255, 0, 255)]
)


def wheel() -> np.ndarray:
    """Returns the 55 colours of the wheel, uint8 [55, 3] in RGB."""
    parts = []
    for start, end, steps in zip(_CORNERS, np.roll(_CORNERS, -1, axis=0), _STEPS, strict=True):
        # The table of the benchmark rounds the way that was gone down.
        way = 255 * np.arange(steps)[:, None] // steps
        parts.append(start + np.sign(end - start) * way)
    return np.concatenate(parts).astype(np.uint8)


def flow_colours(flow: np.ndarray, maximum: float, known: np.ndarray | None = None) -> np.ndarray:
    """Returns the picture of a flow field, uint8 [H, W, 3] in RGB.

    Args:
        flow: [H, W, 2], in pixels.
        maximum: the speed in pixels, above 0, that gets the full colour. Faster motion is
            drawn darker.
        known: bool [H, W]; pixels that are not known, and those that are no number, are
            black. All are known if None.
    """
    shown = np.all(np.isfinite(flow), axis=-1)
    if known is not None:
        shown &= known
    # Adding 0 makes -0 a 0, whose angle is another.
    u, v = np.moveaxis(np.where(shown[..., None], flow, 0).astype(np.float64) + 0.0, -1, 0)
    colours = wheel().astype(np.float64)
    # From 0 for motion to the right, clockwise, for the y axis points down. In the benchmark's
    # code it is the last colour, and not the first again, that closes the circle.
    turn = (np.arctan2(-v, -u) / np.pi + 1) / 2 * (len(colours) - 1)
    before = np.floor(turn).astype(int)
    share = (turn - before)[..., None]
    hue = (1 - share) * colours[before] + share * colours[(before + 1) % len(colours)]
    speed = np.hypot(u, v)[..., None] / maximum
    # A speed that is far too large must not turn into NaN times 0.
    colour = np.where(speed <= 1, 255 - np.minimum(speed, 1) * (255 - hue), 0.75 * hue)
    return np.where(shown[..., None], np.floor(colour), 0).astype(np.uint8)
