# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The files of optical flow: .flo, KITTI's 16-bit .png, .pfm, frames and masks.

A file is never trusted: what its header claims is held against its size, and against a
maximum, before memory is taken. Every deviation is a `UserError` of one line.
"""

import io
import pathlib
import re
import struct
from collections.abc import Callable
from typing import NoReturn

import cv2
import numpy as np
from PIL import JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from perceiver_bench import api

MAX_PIXELS = 100_000_000
# Middlebury's rule: a flow beyond it, or NaN, is not known.
MAX_KNOWN = 1e9
FLO_TAG = 202021.25
_KITTI_UNITS, _KITTI_ZERO = 64, 32768  # KITTI's development kit: (value - 2^15) / 64

_MAX_BYTES = 12 * MAX_PIXELS + 4096  # a .pfm, of three floats a pixel
_HEAD_BYTES = 1024
_AGAIN = "copy or unpack it again"
_PFM = re.compile(
    rb"PF[ \t]*\r?\n(\d{1,9})[ \t\r\n]+(\d{1,9})[ \t]*\r?\n"
    rb"([-+]?\d{1,9}(?:\.\d{0,20})?(?:[eE][-+]?\d{1,2})?)[ \t]*\r?\n"
)
_SPACE = rb"(?:\s|#[^\n]*\n)+"
_PPM = re.compile(rb"P([56])" + 3 * (_SPACE + rb"(\d{1,9})") + rb"\s")
# The classes themselves: `Image.open` prints a warning for a size that is refused here.
_DECODERS: dict[bytes, Callable] = {
    api.png.SIGNATURE[:4]: PngImagePlugin.PngImageFile,
    b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile,
    b"RIFF": WebPImagePlugin.WebPImageFile,
}
_UNDECODABLE = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error)


def read_flow(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns the flow of a file and where it is known.

    The suffix says which format is due, and the content has to be of it: `.flo` (Middlebury,
    Sintel, FlyingChairs, AutoFlow) in either byte order; `.png` of 16 bits (KITTI, HD1K);
    `.pfm` (FlyingThings3D) in either byte order, of whose scale only the sign counts.

    Returns:
        Flow float32 [H,W,2] in pixels, u to the right and v down, 0 where not known; and
        bool [H,W]. In .flo and .pfm a pixel is not known where u or v is NaN or beyond 1e9;
        in .png where the third channel is 0.

    Raises:
        UserError: naming the file, for any deviation from its format.
    """
    head, size = _head(path)
    readers = {".flo": _read_flo, ".png": _read_kitti_png, ".pfm": _read_pfm}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise api.UserError(f"{path}: flow is read from .flo, .png (16-bit) and .pfm files")
    return reader(path, head, size)


def flo_bytes(flow: np.ndarray) -> bytes:
    """Returns the content of a .flo file, little-endian, for flow [H,W,2] in pixels.

    Raises:
        UserError: for NaN and for values beyond 1e9, which the format takes for not known.
    """
    _check_known(flow)
    height, width, _ = flow.shape
    return struct.pack("<fii", FLO_TAG, width, height) + flow.astype("<f4").tobytes()


def kitti_png_bytes(flow: np.ndarray, known: np.ndarray) -> bytes:
    """Returns the content of a 16-bit .png for flow [H,W,2] in pixels, known bool [H,W].

    As KITTI's development kit writes it: the nearest of steps of 1/64 px, clamped to -512
    and 511.98 px; the third channel is 1, and all three are 0 where the flow is not known.

    Raises:
        UserError: for NaN and for values beyond 1e9 where the flow is known.
    """
    flow = np.where(known[..., None], flow, 0).astype(np.float64)
    _check_known(flow)
    steps = np.clip(np.floor(flow * _KITTI_UNITS + _KITTI_ZERO + 0.5), 0, 65535)
    values = np.concatenate([steps, np.ones((*known.shape, 1))], axis=-1)
    values = np.where(known[..., None], values, 0).astype(np.uint16)
    done, content = cv2.imencode(".png", values[..., ::-1])  # OpenCV takes blue first
    if not done:
        raise ValueError(f"no .png of an array of shape {flow.shape}")
    return content.tobytes()


def read_image(path: pathlib.Path) -> np.ndarray:
    """Returns a .png, .ppm, .pgm, .jpg or .webp of 8 bits as uint8 [H,W,3], red first.

    The content says which format it is. Grey is repeated, and an alpha channel is dropped.

    Raises:
        UserError: naming the file, for one that is missing, no image, damaged or of 16 bits.
    """
    head, size = _head(path)
    if head[:2] in (b"P5", b"P6"):
        return _read_ppm(path, head, size)
    decoder = next((found for magic, found in _DECODERS.items() if head.startswith(magic)), None)
    if decoder is None:
        raise api.UserError(f"{path}: not an image; .png, .ppm, .jpg and .webp are read")
    if decoder is PngImagePlugin.PngImageFile:
        content = _checked_png(path, head, size, bits=8)
    else:
        content = _content(path, size)
    try:
        with decoder(io.BytesIO(content)) as image:
            _check_size(path, *image.size)
            return np.array(image.convert("RGB"))
    except _UNDECODABLE as error:
        raise api.UserError(f"{path}: damaged or cut off: {error}; {_AGAIN}") from error


def read_mask(path: pathlib.Path) -> np.ndarray:
    """Returns an 8-bit grey image, such as a mask or a map of objects, as uint8 [H,W].

    Raises:
        UserError: as `read_image` does, and for an image with colours.
    """
    image = read_image(path)
    if (image != image[..., :1]).any():
        raise api.UserError(f"{path}: it has colours, and a grey mask is due; {_AGAIN}")
    return image[..., 0]


def _head(path: pathlib.Path) -> tuple[bytes, int]:
    """Returns the first bytes of a file and its size."""
    try:
        if not path.is_file():
            raise api.UserError(f"{path}: no such file")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise api.UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not head:
        raise api.UserError(f"{path}: the file is empty; {_AGAIN}")
    if size > _MAX_BYTES:
        raise api.UserError(f"{path}: {size:,} bytes, and at most {_MAX_BYTES:,} are read")
    return head, size


def _content(path: pathlib.Path, size: int) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise api.UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(content) != size:
        raise api.UserError(f"{path}: it changes while it is read; wait until it is written")
    return content


def _check_size(path: pathlib.Path, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise api.UserError(f"{path}: its header says {width} x {height} pixels; {_AGAIN}")
    if width * height > MAX_PIXELS:
        raise api.UserError(
            f"{path}: its header says {width} x {height} pixels,"
            f" and at most {MAX_PIXELS:,} are read; {_AGAIN}"
        )


def _check_length(path: pathlib.Path, size: int, due: int, width: int, height: int) -> None:
    if size != due:
        fault = "cut off" if size < due else "too long"
        raise api.UserError(
            f"{path}: {fault}: {size:,} bytes, and {due:,} are due for {width} x {height}"
            f" pixels; {_AGAIN}"
        )


def _floats(content: bytes, dtype: str, offset: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(content, dtype, offset=offset).reshape(shape).astype(np.float32)


def _known_part(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns flow [H,W,2] with 0 where it is not known, and where it is known."""
    known = np.all(np.abs(flow) <= MAX_KNOWN, axis=-1)  # False for NaN
    return np.where(known[..., None], flow, np.float32(0)), known


def _check_known(flow: np.ndarray) -> None:
    if flow.ndim != 3 or flow.shape[-1] != 2:
        raise ValueError(f"flow [H,W,2] is due, not {flow.shape}")
    if not (np.abs(flow) <= MAX_KNOWN).all():
        raise api.UserError(
            "the flow holds NaN or values beyond 1e9, which files take for not known;"
            " take a checkpoint from before its training diverged"
        )


def _read_flo(path: pathlib.Path, head: bytes, size: int) -> tuple[np.ndarray, np.ndarray]:
    order = {struct.pack(f"{order}f", FLO_TAG): order for order in "<>"}.get(head[:4])
    if order is None:
        raise api.UserError(
            f"{path}: its tag is {head[:4]!r}, and a .flo file begins with {FLO_TAG}"
            " as a float ('PIEH'); take the file as it was released"
        )
    if size < 12:
        raise api.UserError(f"{path}: cut off: {size} bytes and no whole header; {_AGAIN}")
    width, height = struct.unpack(f"{order}ii", head[4:12])
    _check_size(path, width, height)
    _check_length(path, size, 12 + 8 * width * height, width, height)
    return _known_part(_floats(_content(path, size), f"{order}f4", 12, (height, width, 2)))


def _read_pfm(path: pathlib.Path, head: bytes, size: int) -> tuple[np.ndarray, np.ndarray]:
    header = _PFM.match(head)
    if header is None:
        _refuse_pfm(path, head)
    width, height, scale = int(header[1]), int(header[2]), float(header[3])
    if scale == 0:
        raise api.UserError(f"{path}: its scale is 0, and its sign tells the byte order; {_AGAIN}")
    _check_size(path, width, height)
    _check_length(path, size, header.end() + 12 * width * height, width, height)
    order = "<" if scale < 0 else ">"
    values = _floats(_content(path, size), f"{order}f4", header.end(), (height, width, 3))
    return _known_part(values[::-1, :, :2])  # rows are stored from the bottom


def _refuse_pfm(path: pathlib.Path, head: bytes) -> NoReturn:
    if head.startswith(b"Pf"):
        raise api.UserError(f"{path}: it has one channel, as disparity has; flow has three")
    raise api.UserError(f"{path}: no header of a .pfm file with three channels; {_AGAIN}")


def _read_kitti_png(path: pathlib.Path, head: bytes, size: int) -> tuple[np.ndarray, np.ndarray]:
    content = _checked_png(path, head, size, bits=16)
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise api.UserError(f"{path}: damaged: it does not decode; {_AGAIN}")
    known = decoded[..., 0] > 0  # OpenCV gives blue, the third channel, first
    flow = (decoded[..., :0:-1].astype(np.float32) - _KITTI_ZERO) / _KITTI_UNITS
    return np.where(known[..., None], flow, np.float32(0)), known


def _checked_png(path: pathlib.Path, head: bytes, size: int, *, bits: int) -> bytes:
    """Returns a whole .png file: of 16 bits in three channels, or of 8 bits of any kind."""
    try:
        header = api.png.Header.of(head)
        _check_size(path, header.width, header.height)
        if bits == 16 and header.kind != (16, api.png.RGB):
            raise api.UserError(
                f"{path}: a PNG of {header.description}, and flow needs 16 bits in three channels;"
                " take the file as it was released, which image editors do not keep"
            )
        if bits == 8 and header.bits > 8:
            raise api.UserError(
                f"{path}: a PNG of {header.description}, and a frame or a mask has 8 bits;"
                " a file of flow may stand in its place"
            )
        return api.png.checked(_content(path, size), header)
    except api.png.Damaged as error:
        raise api.UserError(f"{path}: {error}; {_AGAIN}") from error


def _read_ppm(path: pathlib.Path, head: bytes, size: int) -> np.ndarray:
    header = _PPM.match(head)
    if header is None:
        raise api.UserError(f"{path}: no whole header of a .ppm file; {_AGAIN}")
    kind, width, height, largest = map(int, header.groups())
    if largest != 255:
        raise api.UserError(f"{path}: its largest value is {largest}, and 255 (8 bits) is due")
    _check_size(path, width, height)
    channels = 3 if kind == 6 else 1
    _check_length(path, size, header.end() + channels * width * height, width, height)
    values = np.frombuffer(_content(path, size), np.uint8, offset=header.end())
    return np.broadcast_to(values.reshape(height, width, channels), (height, width, 3)).copy()
