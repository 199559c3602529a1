# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Reads the PNG files of RLBench: 8 bits, RGB, not interlaced, and no others.

A file is proven to be whole before, and nothing of it but its pixels reaches Pillow.
"""

import io
import pathlib
import struct
from typing import BinaryIO

import numpy as np
from PIL import Image

from perceiver_bench import api

# RLBench's are 128 x 128; people record up to some 1024 x 1024.
_MAX_SIDE = 4096
# Noise is stored as it is, and what is not pixels is little.
_MAX_BYTES = 4 * _MAX_SIDE**2


def picture_size(path: pathlib.Path) -> tuple[int, int]:
    """Returns height and width in pixels, from the first bytes of a file.

    Raises:
        UserError: naming the file, if it is missing or no such PNG.
    """
    with _opened(path) as file:
        try:
            header = _header(file.read(api.png.HEAD_BYTES))
        except api.png.Damaged as error:
            raise api.UserError(f"{path}: {error}") from error
    return header.height, header.width


def read_picture(path: pathlib.Path) -> np.ndarray:
    """Returns the colours of a file, uint8 [H, W, 3].

    Raises:
        UserError: naming the file, if it is missing, no such PNG, damaged or cut off; and
            before memory is taken for it if it is larger than 4096 x 4096.
    """
    with _opened(path) as file:
        content = file.read(_MAX_BYTES)
    try:
        whole = api.png.checked(content, _header(content[: api.png.HEAD_BYTES]))
        with Image.open(io.BytesIO(whole), formats=("PNG",)) as image:
            return np.array(image)
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise api.UserError(f"{path}: {error}; copy the episode again") from error


def _opened(path: pathlib.Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise api.UserError(f"{path}: missing; copy the episode again") from error
    except OSError as error:
        raise api.UserError(f"{path}: cannot be read: {error.strerror or error}") from error


def _header(head: bytes) -> api.png.Header:
    """Returns the header of a picture of RLBench; raises `Damaged` for any other."""
    if not head:
        raise api.png.Damaged("the file is empty")
    header = api.png.Header.of(head)
    if not 0 < header.width <= _MAX_SIDE or not 0 < header.height <= _MAX_SIDE:
        raise api.png.Damaged(
            f"{header.width} x {header.height} pixels, and 1 to {_MAX_SIDE} a side are due"
        )
    if header.kind != (8, api.png.RGB) or header.is_interlaced:
        raise api.png.Damaged(
            "not an RGB picture of 8 bits without interlacing, as RLBench writes them"
        )
    return header
