# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A flow pair in reverse: the paper's first phase of training feeds each pair both ways.

No data set has the flow from the second frame to the first, so it is "approximated by
averaging flows ending at a pixel" (paper, section H). A flow ends at the pixel nearest to its
end point. Spreading it over the four pixels around instead would fill a few holes, but also
paint a rim of an object's motion on background that only the second frame shows.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np


def reverse(example: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the raw example of the pair from the second frame to the first.

    The flow at a pixel is minus the mean of the known flows that end there. Pixels of the
    first frame that are marked as occluded take no part: what is seen where they end is
    something else. Where no flow ends, the flow is not known.

    A pixel where one that is marked as visible ends is visible in both frames. Of all others
    it is not known whether they are occluded, for a pixel where nothing ends may also be a
    gap in a surface that grows. Which pixels are foreground is not known.
    """
    height, width = example["flow_known"].shape
    u, v = np.moveaxis(example["flow"].astype(np.float64), -1, 0)
    # Halves go up, all of them: halves to even would send two flows of 0.5 to one pixel.
    end_x = np.floor(u + (np.arange(width) + 0.5))
    end_y = np.floor(v + (np.arange(height)[:, None] + 0.5))
    is_used = example["flow_known"] & (example["occlusion"] != 1)
    is_used &= (end_x >= 0) & (end_x < width) & (end_y >= 0) & (end_y < height)
    ends = (end_y[is_used] * width + end_x[is_used]).astype(np.int64)

    def total(weights: np.ndarray | None) -> np.ndarray:
        return np.bincount(ends, weights, height * width).reshape(height, width)

    count = total(None)
    num_visible = total(example["occlusion"][is_used] == 0)
    # Zero minus the mean, and not its negative, so that no motion is 0 and not -0.
    flow = [0 - total(plane[is_used]) / np.maximum(count, 1) for plane in (u, v)]
    return {
        "images": example["images"][::-1].copy(),
        "flow": np.stack(flow, axis=-1).astype(np.float32),
        "flow_known": count > 0,
        "occlusion": np.where(num_visible > 0, 0, -1).astype(np.int8),
        "foreground": np.full((height, width), -1, np.int8),
        "name": f"{example['name']}, reversed",
    }
