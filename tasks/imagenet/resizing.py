# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Bicubic resizing, as TensorFlow 2 and as Pillow do it.

Both use Keys' cubic kernel with a = -1/2. Pillow stretches it by the factor by which an image
shrinks, so that every pixel counts (antialiasing), and rounds to whole grey levels; TensorFlow
always looks at four pixels a side, and neither rounds nor clips.
"""

import functools

import numpy as np
import scipy.sparse
from PIL import Image

# TensorFlow looks the kernel up at whole multiples of 1/1024.
_TABLE_STEPS = 1024


def _keys_kernel() -> np.ndarray:
    """Returns Keys' kernel at 0, 1/1024, ..., 2: float32 [2049]."""
    near = np.arange(_TABLE_STEPS) / _TABLE_STEPS
    far = 1 + np.arange(_TABLE_STEPS + 1) / _TABLE_STEPS
    inner = (1.5 * near - 2.5) * near**2 + 1
    outer = ((-0.5 * far + 2.5) * far - 4) * far + 2
    return np.concatenate([inner, outer]).astype(np.float32)


_KERNEL = _keys_kernel()


@functools.lru_cache(maxsize=4096)
def bicubic_weights(size: int, new_size: int) -> scipy.sparse.csr_array:
    """Returns the float32 matrix [new_size, size] that resizes one axis without antialiasing.

    A new pixel is a mean of the four around the place of its centre. The place is rounded to
    1/1024 of a pixel. Of pixels beyond the edge the weight is zero, and those of the others
    are scaled to a sum of 1.
    """
    places = (np.arange(new_size, dtype=np.float32) + np.float32(0.5)) * (
        np.float32(size) / np.float32(new_size)
    ) - np.float32(0.5)
    first = np.floor(places)
    # Halves are rounded to even.
    steps = np.rint((places - first) * np.float32(_TABLE_STEPS)).astype(np.int64)
    columns = first.astype(np.int64)[:, None] + np.arange(-1, 3)
    distances = np.abs(steps[:, None] - _TABLE_STEPS * np.arange(-1, 3))
    is_inside = (columns >= 0) & (columns < size)
    weights = np.where(is_inside, _KERNEL[distances], np.float32(0))
    weights *= np.float32(1) / functools.reduce(np.add, weights.T)[:, None]
    rows = np.broadcast_to(np.arange(new_size)[:, None], columns.shape)
    entries = (weights[is_inside], (rows[is_inside], columns[is_inside]))
    return scipy.sparse.csr_array(entries, shape=(new_size, size))


def resize_bicubic(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns uint8 pixels [H, W, 3] resized without antialiasing: float32 [h, w, 3].

    The same as `tf.image.resize(pixels, size, "bicubic")` of TensorFlow 2. Values overshoot
    0 and 255 at edges.
    """
    height, width, channels = pixels.shape
    new_height, new_width = size
    rows = pixels.reshape(height, -1).astype(np.float32)
    # A sparse product runs on one core and frees the interpreter, unlike a dense one.
    found = bicubic_weights(height, new_height) @ rows
    columns = found.reshape(new_height, width, channels).swapaxes(0, 1).reshape(width, -1)
    found = bicubic_weights(width, new_width) @ columns
    found = found.reshape(new_width, new_height, channels).swapaxes(0, 1)
    return np.ascontiguousarray(found)


def resize_antialiased(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns uint8 pixels [H, W, 3] resized by Pillow's bicubic filter: uint8 [h, w, 3]."""
    height, width = size
    image = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image)
