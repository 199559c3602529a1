# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Reads the PNG files of RLBench: 8 bits, RGB, not interlaced, and no others.

Pillow fills missing rows with black, which would be depth 0. So a file is proven to be whole
before, and nothing of it but its pixels reaches Pillow.
"""

import io
import pathlib
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image

from perceiver_bench import api

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BEGIN = _SIGNATURE + b"\x00\x00\x00\x0dIHDR"
_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_HEAD_BYTES = 33
# RLBench's are 128 x 128; people record up to some 1024 x 1024.
_MAX_SIDE = 4096
# Noise is stored as it is, and what is not pixels is little.
_MAX_BYTES = 4 * _MAX_SIDE**2


class _Damaged(ValueError):
    """What is wrong with a file."""


def picture_size(path: pathlib.Path) -> tuple[int, int]:
    """Returns height and width in pixels, from the first bytes of a file.

    Raises:
        UserError: naming the file, if it is missing or no such PNG.
    """
    with _opened(path) as file:
        try:
            return _size(file.read(_HEAD_BYTES))
        except _Damaged as error:
            raise api.UserError(f"{path}: {error}") from error


def read_picture(path: pathlib.Path) -> np.ndarray:
    """Returns the colours of a file, uint8 [H, W, 3].

    Raises:
        UserError: naming the file, if it is missing, no such PNG, damaged or cut off; and
            before memory is taken for it if it is larger than 4096 x 4096.
    """
    with _opened(path) as file:
        content = file.read(_MAX_BYTES)
    try:
        height, width = _size(content[:_HEAD_BYTES])
        packed = [part[8:-4] for part in _parts(content) if part[4:8] == b"IDAT"]
        _check_rows(b"".join(packed), height * (1 + 3 * width))
        whole = content[:_HEAD_BYTES] + b"".join(map(_data_part, packed)) + _END
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


def _size(head: bytes) -> tuple[int, int]:
    if not head:
        raise _Damaged("the file is empty")
    if len(head) < _HEAD_BYTES or not head.startswith(_BEGIN):
        raise _Damaged(f"not a PNG file, or cut off: it begins with {head[:8]!r}")
    width, height = struct.unpack(">II", head[16:24])
    if not 0 < width <= _MAX_SIDE or not 0 < height <= _MAX_SIDE:
        raise _Damaged(f"{width} x {height} pixels, and 1 to {_MAX_SIDE} a side are due")
    # Bits, colours, packing, filters, interlacing.
    if head[24:29] != b"\x08\x02\x00\x00\x00":
        raise _Damaged("not an RGB picture of 8 bits without interlacing, as RLBench writes them")
    return height, width


def _parts(content: bytes) -> Iterator[bytes]:
    """Yields every part whole: length, kind, content and checksum."""
    position, kind = len(_SIGNATURE), b""
    while kind != b"IEND":
        begin = content[position : position + 8]
        length, kind = struct.unpack(">I4s", begin) if len(begin) == 8 else (0, b"")
        part = content[position : position + 12 + length]
        if len(part) < 12 + length:
            raise _Damaged("cut off")
        if zlib.crc32(part[4:-4]) != int.from_bytes(part[-4:], "big"):
            raise _Damaged(f"damaged: the checksum of its part {kind!r} is wrong")
        yield part
        position += len(part)


def _data_part(packed: bytes) -> bytes:
    body = b"IDAT" + packed
    return struct.pack(">I", len(packed)) + body + struct.pack(">I", zlib.crc32(body))


def _check_rows(packed: bytes, due: int) -> None:
    unpacker = zlib.decompressobj()
    try:
        # One byte more shows what is too long.
        found = len(unpacker.decompress(packed, due + 1))
    except zlib.error as error:
        raise _Damaged(f"damaged: {error}") from error
    if found != due or not unpacker.eof:
        raise _Damaged("damaged: its pixels do not fill its size")
