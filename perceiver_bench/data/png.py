# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Checks PNG files before a library decodes them.

OpenCV, the one library here that keeps 16-bit colours, prints its complaints to standard
error and says no more than that it failed; Pillow fills missing rows with black, which would
be a picture, or a depth of 0. What passes here decodes without a word.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RGB = 2
_PALETTE = 3
_CHANNELS = {0: 1, RGB: 3, _PALETTE: 1, 4: 2, 6: 4}
_COLOURS = {0: "grey", RGB: "RGB", _PALETTE: "a palette", 4: "grey with alpha", 6: "RGB with alpha"}
_BITS = {0: (1, 2, 4, 8, 16), RGB: (8, 16), _PALETTE: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
HEAD_BYTES = 33
"""The signature and the header."""
END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_NUM_FILTERS = 5
# Of the seven passes: first column and row, steps between columns and rows.
_INTERLACED = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


class Damaged(ValueError):
    """A file that is no PNG, or not a whole one."""


class Header(NamedTuple):
    """What a PNG claims to be."""

    width: int
    height: int
    bits: int
    colour: int
    is_interlaced: bool

    @classmethod
    def of(cls, head: bytes) -> "Header":
        """Returns the header that stands in the first HEAD_BYTES of a file.

        Raises:
            Damaged: if there is none.
        """
        if not head.startswith(SIGNATURE):
            raise Damaged(f"not a PNG file: it begins with {head[:8]!r}")
        if len(head) < HEAD_BYTES:
            raise Damaged("cut off in its header")
        if head[8:16] != b"\x00\x00\x00\x0dIHDR":
            raise Damaged("it has no header")
        width, height, bits, colour, packing, filtering, interlaced = struct.unpack(
            ">IIBBBBB", head[16:29]
        )
        if bits not in _BITS.get(colour, ()) or packing or filtering or interlaced > 1:
            raise Damaged(f"its header is none of a PNG: {head[24:29].hex(' ')}")
        return cls(width, height, bits, colour, bool(interlaced))

    @property
    def kind(self) -> tuple[int, int]:
        """Bits of a channel, and the colour type of the format."""
        return self.bits, self.colour

    @property
    def description(self) -> str:
        """The kind in words."""
        return f"{self.bits} bits, {_COLOURS[self.colour]}"

    def passes(self) -> list[tuple[int, int]]:
        """Returns rows, and bytes of a row with its filter's number, of every pass.

        There is one pass, or the seven of interlacing; those without pixels are left out.
        """
        passes = []
        for left, top, across, down in _INTERLACED if self.is_interlaced else ((0, 0, 1, 1),):
            columns = (self.width - left + across - 1) // across
            rows = (self.height - top + down - 1) // down
            if columns > 0 and rows > 0:
                passes.append((rows, 1 + (columns * self.bits * _CHANNELS[self.colour] + 7) // 8))
        return passes


def checked(content: bytes, header: Header) -> bytes:
    """Returns the file with nothing but what its pixels need, proven to be whole.

    Raises:
        Damaged: if a part is missing or its checksum is wrong, or if it does not unpack to
            the rows that the header claims.
    """
    kept = {b"IDAT", b"PLTE"} if header.colour == _PALETTE else {b"IDAT"}
    parts, packed = [content[:HEAD_BYTES]], []
    for kind, part in _parts(content):
        if kind in kept:
            parts.append(part)
        if kind == b"IDAT":
            packed.append(part[8:-4])
    _check_rows(b"".join(packed), header)
    return b"".join(parts) + END


def _parts(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields kind and content of every part, its length and its checksum among it."""
    position, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        begin = content[position : position + 8]
        length, kind = struct.unpack(">I4s", begin) if len(begin) == 8 else (0, b"")
        part = content[position : position + 12 + length]
        if len(part) < 12 + length:
            raise Damaged("cut off")
        if zlib.crc32(part[4:-4]) != int.from_bytes(part[-4:], "big"):
            raise Damaged(f"damaged: the checksum of its part {kind!r} is wrong")
        yield kind, part
        position += len(part)


def _check_rows(packed: bytes, header: Header) -> None:
    due = sum(rows * row_bytes for rows, row_bytes in header.passes())
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(packed, due + 1)  # one byte more shows what is too long
    except zlib.error as error:
        raise Damaged(f"damaged: {error}") from error
    if len(content) != due or not unpacker.eof or unpacker.unused_data:
        raise Damaged(f"damaged: its pixels do not fill {header.width} x {header.height}")
    begin = 0
    for rows, row_bytes in header.passes():
        end = begin + rows * row_bytes
        if max(content[begin:end:row_bytes]) >= _NUM_FILTERS:
            raise Damaged("damaged: a row has an unknown filter")
        begin = end
