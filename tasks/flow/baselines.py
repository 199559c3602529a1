# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What a network has to beat: no motion at all, and two classical methods of OpenCV.

Both see the frames in grey, as their files have them, and nothing is trained.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from perceiver_bench import api

# Below it, on either side, OpenCV's DIS reads outside its arrays.
_DIS_LEAST_SIDE = 16
# Zeros of the frames' size would be taken for a first guess, and change what is found.
_NO_START = np.empty(0, np.float32)


class Fields:
    """A flow field, float32 [H, W, 2], for each pair of a source; computed when asked for."""

    def __init__(self, source: api.Source, estimate: Callable[[np.ndarray], np.ndarray]) -> None:
        self._source = source
        self._estimate = estimate

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> np.ndarray:
        return self._estimate(self._source[index]["images"]).astype(np.float32)


def zero(_: api.Source, held_out: api.Source, __: api.Prepare) -> Mapping[str, Fields]:
    """Returns fields without motion."""
    return {"flow": Fields(held_out, lambda images: np.zeros((*images.shape[1:3], 2)))}


def farneback(_: api.Source, held_out: api.Source, __: api.Prepare) -> Mapping[str, Fields]:
    """Returns the flow of Farneback's polynomial expansion, with OpenCV's usual parameters."""
    return {"flow": Fields(held_out, _farneback)}


def dis(_: api.Source, held_out: api.Source, __: api.Prepare) -> Mapping[str, Fields]:
    """Returns the flow of dense inverse search, preset medium.

    Frames of a side below 16 pixels are padded to it by replication, below and on the
    right, and the flow is cropped back.
    """
    return {"flow": Fields(held_out, _dis)}


def _grey(images: np.ndarray) -> list[np.ndarray]:
    return [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]


def _farneback(images: np.ndarray) -> np.ndarray:
    first, second = _grey(images)
    return cv2.calcOpticalFlowFarneback(
        first,
        second,
        _NO_START,
        pyr_scale=0.5,
        levels=3,
        winsize=15,
        iterations=3,
        poly_n=5,
        poly_sigma=1.2,
        flags=0,
    )


def _dis(images: np.ndarray) -> np.ndarray:
    height, width = images.shape[1:3]
    below, right = (max(_DIS_LEAST_SIDE - side, 0) for side in (height, width))
    first, second = _grey(np.pad(images, ((0, 0), (0, below), (0, right), (0, 0)), mode="edge"))
    # A new one for each pair: it keeps buffers between calls.
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return method.calc(first, second, _NO_START)[:height, :width]
