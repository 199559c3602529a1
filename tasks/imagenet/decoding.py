# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""From the bytes of an image file to RGB pixels.

JPEG and PNG are read, whatever the file's name: ImageNet has a PNG named .JPEG, and
four-channel and greyscale JPEGs. Everything else is refused.

The pixels of a JPEG depend on who decodes it, so they belong to a protocol.

`original`: those of `tf.io.decode_jpeg(..., channels=3)`, value by value, with the fast
inexact transform that TensorFlow takes by default. Pillow does not offer it, simplejpeg does.

`pillow`: those of Pillow, by the exact transform. Two thirds of all values differ from
`original`, by 1.2 of 255 levels on average.

The original training code differs from `original` in three things that few images show:

- It decodes the crop alone (`decode_and_crop_jpeg`), where the colours of the last column,
  or of the first, lack their neighbours outside. Of 100 central crops 13 differ there: in
  one value of 10,000 in all, by up to 16 levels.
- It reads TensorFlow Datasets' copy, in which the 22 training images of four channels and
  the PNG (as commonly known; none is in validation) are stored again as JPEGs of quality 100.
- simplejpeg refuses colours that are sampled otherwise than 4:4:4, 4:4:0, 4:4:1, 4:2:2, 4:2:0
  or 4:1:1, which no usual program writes. Pillow decodes them then.

The decoder sees a file of which nothing is left but what its pixels need. So no broken EXIF,
colour profile or comment reaches Pillow, which it would warn of, and whether a file is whole
does not depend on its settings: it can be told to fill what is missing with grey.
"""

import contextlib
import io
import re
import struct
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import Image

from perceiver_bench import api

from .preprocessing import Protocol

MAX_PIXELS = 2**26
"""The largest image that is decoded; those of ImageNet have up to 61 million pixels. Pillow
warns of more than 89 million."""

_JPEG = b"\xff\xd8\xff"
_END_OF_JPEG = b"\xff\xd9"
# In compressed data 0xff is followed by 0, or by the number of a restart.
_MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd7])")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE, _END, _SCAN, _JFIF, _ADOBE = 0xC2, 0xD9, 0xDA, 0xE0, 0xEE
_METADATA = frozenset((*range(0xE0, 0xF0), 0xFE)) - {_JFIF, _ADOBE}

# What libjpeg sees in place of missing data has to be neither grey nor the end.
_NOISE = b"\x5a\x33\xc5" * 512
_GREY = 128


class BadImage(ValueError):
    """A file that is no image, or not a whole one; the text says what is wrong with it."""


class _Jpeg(NamedTuple):
    """What the pixels of a JPEG need, up to its end marker, and of which kind it is."""

    content: bytes
    num_channels: int
    is_adobe: bool
    is_progressive: bool


def looks_whole(head: bytes, tail: bytes) -> bool:
    """Returns whether a file begins and ends as a whole JPEG or PNG does.

    For a scan of many files that decodes none. False means no more than that the file has to
    be decoded to know: bytes may follow an image.

    Args:
        head: The first 8 bytes of the file.
        tail: The last 12 bytes of the file.
    """
    if head.startswith(_JPEG):
        return tail.endswith(_END_OF_JPEG)
    return head.startswith(api.png.SIGNATURE) and tail.endswith(api.png.END)


def decode(content: bytes, protocol: Protocol) -> np.ndarray:
    """Returns the pixels of a JPEG or PNG file: uint8 [H, W, 3], RGB.

    As in the original training code, the orientation that EXIF claims is ignored, so are
    colour profiles, and of transparent images the colours are taken as they are stored. Of
    16 bits the upper 8 are taken. Of animations the image for readers without animation is
    taken. Bytes after the image are allowed. A PNG has the same pixels in both protocols.

    Raises:
        BadImage: if the file is empty, no JPEG or PNG, cut short, damaged, or larger than
            MAX_PIXELS, which is found before memory is taken for them.
    """
    if not content:
        raise BadImage("empty")
    if content.startswith(_JPEG):
        return _decode_jpeg(content, protocol)
    if content.startswith(api.png.SIGNATURE):
        return _decode_png(content)
    raise BadImage(f"neither JPEG nor PNG (it begins with {content[:8]!r})")


def _decode_jpeg(content: bytes, protocol: Protocol) -> np.ndarray:
    jpeg = _whole_jpeg(content)
    pixels = _jpeg_pixels(jpeg, protocol)
    # libjpeg turns missing data into grey, or blurs a progressive image, without a word that
    # Pillow would pass on. Had the data been there, what follows it would not matter. The
    # second look is for the few images that may lack data.
    is_rgb = pixels.shape[-1] == 3
    if jpeg.is_progressive or not is_rgb or np.all(pixels[-1, -1] == _GREY):
        noisy = jpeg.content[: -len(_END_OF_JPEG)] + _NOISE + _END_OF_JPEG
        if np.any(_jpeg_pixels(jpeg._replace(content=noisy), protocol) != pixels):
            raise BadImage("cut short, though it has an end")
    return pixels if is_rgb else _without_black(pixels, jpeg.is_adobe)


def _whole_jpeg(content: bytes) -> _Jpeg:
    parts, position = [content[:2]], 2
    is_adobe, is_progressive, num_frames, num_channels = False, False, 0, 0
    kept_from = None  # the first scan; from there on everything is kept
    while marker := _MARKER.search(content, position):
        kind = marker[1][0]
        if kind == _END and kept_from is not None:
            kept = b"".join(parts) + content[kept_from : marker.end()]
            return _Jpeg(kept, num_channels, is_adobe, is_progressive)
        position = marker.end() + int.from_bytes(content[marker.end() : marker.end() + 2], "big")
        segment = content[marker.start() : position]
        if kind in _FRAMES:
            num_frames += 1
            num_channels = _check_frame(segment, num_frames)
        if kind == _SCAN and kept_from is None:
            kept_from = marker.start()
        if kept_from is None and kind not in _METADATA:
            parts.append(segment)
        is_progressive |= kind == _PROGRESSIVE
        is_adobe |= kind == _ADOBE and segment[4:9] == b"Adobe" and len(segment) >= 16
    raise BadImage("cut short")


def _check_frame(segment: bytes, num_frames: int) -> int:
    """Returns the number of channels."""
    if len(segment) < 10:
        raise BadImage("cut short")
    bits, height, width, channels = struct.unpack(">BHHB", segment[4:10])
    if num_frames > 1 or bits != 8 or channels not in (1, 3, 4):
        raise BadImage(f"damaged: frame {num_frames} has {channels} channels of {bits} bits")
    _check_size(width, height)
    return channels


def _jpeg_pixels(jpeg: _Jpeg, protocol: Protocol) -> np.ndarray:
    """Returns [H, W, 3] RGB, or [H, W, 4] as stored."""
    if protocol == "original":
        colours = "RGB" if jpeg.num_channels != 4 else "CMYK"
        # What it refuses Pillow reads, or tells what is wrong with it. Strictly it would
        # refuse what libjpeg warns of, such as stray bytes, which TensorFlow does not mind.
        with contextlib.suppress(ValueError):
            return simplejpeg.decode_jpeg(jpeg.content, colours, fastdct=True, strict=False)
    image = _load(jpeg.content, "JPEG")
    if image.mode == "CMYK":
        return 255 - np.asarray(image)  # Pillow has taken them to be inverted
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _without_black(stored: np.ndarray, is_adobe: bool) -> np.ndarray:
    """Returns RGB of cyan, magenta, yellow and black, which Adobe stores inverted."""
    light = (stored if is_adobe else 255 - stored).astype(np.uint16)
    return (light[..., :3] * light[..., 3:] // 255).astype(np.uint8)


def _decode_png(content: bytes) -> np.ndarray:
    try:
        header = api.png.Header.of(content[: api.png.HEAD_BYTES])
        _check_size(header.width, header.height)
        whole = api.png.checked(content, header)
    except api.png.Damaged as error:
        raise BadImage(str(error)) from error
    image = _load(whole, "PNG")
    if image.mode == "I;16":  # to which Pillow's conversion would give 255 above 255
        return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[..., None], 3, axis=-1)
    return np.asarray(image.convert("RGB"))


def _check_size(width: int, height: int) -> None:
    if not width * height:
        raise BadImage(f"no pixels ({width} x {height})")
    if width * height > MAX_PIXELS:
        raise BadImage(f"larger than {MAX_PIXELS} pixels ({width} x {height})")


def _load(content: bytes, kind: str) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(content), formats=(kind,))
        image.load()
    except Image.UnidentifiedImageError as error:
        raise BadImage("damaged in its header") from error
    except (OSError, SyntaxError, ValueError, IndexError, struct.error) as error:
        raise BadImage(f"damaged: {error}") from error
    return image
