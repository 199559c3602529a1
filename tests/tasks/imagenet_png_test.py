# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""PNG files of every kind, made byte by byte."""

import io
import struct
import zlib

import numpy as np
import PIL.Image
import pytest
from perceiver_bench.tasks.imagenet import decoding

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def decode(content):
    """The pixels, which are the same in both protocols."""
    found = decoding.decode(content, "original")
    np.testing.assert_array_equal(decoding.decode(content, "pillow"), found)
    return found


def noise(channels=3):
    return np.random.default_rng(0).integers(0, 256, (7, 9, channels), np.uint8)


def encoded(pixels):
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def part(kind, content):
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png(width, height, bits, colour, rows, *, interlaced=0, extra=b""):
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    parts = part(b"IHDR", header), extra, part(b"IDAT", zlib.compress(rows)), part(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_damage_in_a_png_is_found():
    whole = encoded(noise())
    middle = len(whole) // 2
    damaged = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    with pytest.raises(decoding.BadImage, match="the checksum of its part b'IDAT' is wrong"):
        decode(damaged)
    with pytest.raises(decoding.BadImage, match="its pixels do not fill"):
        decode(png(10, 10, 8, 2, bytes(31 * 9)))  # a row too few


def unpacked(row, bits):
    """The samples of a row, of which bytes hold several, or two bytes hold one."""
    if bits == 16:
        return row[::2]  # the upper half
    shifts = range(8 - bits, -1, -bits)
    samples = np.stack([row >> shift & (2**bits - 1) for shift in shifts], axis=-1).reshape(-1)
    return samples * (255 // (2**bits - 1))


@pytest.mark.parametrize(
    ("bits", "colour"),
    [(1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (8, 2), (16, 2), (8, 4), (16, 4), (8, 6), (16, 6)],
)
def test_pngs_of_all_kinds(bits, colour):
    height, width, channels = 11, 13, CHANNELS[colour]
    row_bytes = (width * bits * channels + 7) // 8
    rows = np.random.default_rng(bits + colour).integers(0, 256, (height, row_bytes), np.uint8)
    content = b"".join(b"\0" + row.tobytes() for row in rows)
    due = np.stack([unpacked(row, bits)[: width * channels] for row in rows])
    due = due.reshape(height, width, channels)
    # Grey thrice, and without the opacity.
    due = due[..., :3] if channels > 2 else np.repeat(due[..., :1], 3, axis=-1)
    np.testing.assert_array_equal(decode(png(width, height, bits, colour, content)), due)


def test_an_interlaced_png():
    # 3 x 3: the first pass has the corner, the fourth the third column of the first row, the
    # fifth the third row of the first and third column, the sixth the second column of these
    # rows, the last the second row.
    image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    passes = [image[:1, :1], image[:1, 2:], image[2:, ::2], image[::2, 1:2], image[1:2]]
    rows = [b"\0" + row.tobytes() for one in passes for row in one]
    content = png(3, 3, 8, 2, b"".join(rows), interlaced=1)
    np.testing.assert_array_equal(decode(content), image)
    with pytest.raises(decoding.BadImage, match="its pixels do not fill"):
        decode(png(3, 3, 8, 2, b"".join(rows[:-1]), interlaced=1))


def test_transparent_pngs_show_the_colours_that_are_stored():
    pixels = noise(4)
    pixels[:3, :, 3] = 0
    found = decode(encoded(pixels))
    np.testing.assert_array_equal(found, pixels[..., :3])


def test_palettes_are_looked_up_and_their_transparency_ignored():
    colours = np.array([[9, 8, 7], [200, 0, 1], [3, 250, 60]], np.uint8)
    extra = part(b"PLTE", colours.tobytes()) + part(b"tRNS", b"\0\x80\xff")
    rows = np.array([[0, 1, 2], [2, 2, 1]], np.uint8)
    content = png(3, 2, 8, 3, b"".join(b"\0" + row.tobytes() for row in rows), extra=extra)
    np.testing.assert_array_equal(decode(content), colours[rows])


def test_a_png_that_claims_to_move_shows_its_image():
    # An animation without its frames; Pillow would warn.
    rows = b"".join(b"\0" + row.tobytes() for row in noise())
    content = png(9, 7, 8, 2, rows, extra=part(b"acTL", bytes(8)))
    np.testing.assert_array_equal(decode(content), noise())
