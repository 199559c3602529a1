# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Files of optical flow, put together by hand: no code of the package writes them."""

import io
import struct
import zlib

import PIL.Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def part(kind, content):
    """A part of a PNG, with its checksum."""
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png_of(header, rows, *others):
    """A PNG put together by hand: (width, height, bits, colour, interlaced), raw rows."""
    width, height, bits, colour, interlaced = header
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    body = rows if isinstance(rows, bytes) else zlib.compress(b"".join(rows))
    return (
        SIGNATURE
        + part(b"IHDR", head)
        + b"".join(others)
        + part(b"IDAT", body)
        + part(b"IEND", b"")
    )


def pfm_of(values, order):
    """FlyingThings3D's file of values [H,W,3], with the last row first."""
    height, width, _ = values.shape
    scale = {"<": "-1.000000", ">": "1.0"}[order]
    return f"PF\n{width} {height}\n{scale}\n".encode() + values[::-1].astype(f"{order}f4").tobytes()


def flo_of(flow, order="<"):
    """Middlebury's file of flow [H,W,2]."""
    height, width, _ = flow.shape
    return (
        struct.pack(f"{order}fii", 202021.25, width, height) + flow.astype(f"{order}f4").tobytes()
    )


def saved(array, kind, **options):
    """What Pillow writes."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()
