# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of images as textures; broken ones are skipped and counted."""

import concurrent.futures
import functools
import hashlib
import os
import pathlib
from typing import NamedTuple

import numpy as np
import tqdm
from absl import logging
from PIL import Image

from perceiver_bench import api

MAX_SIDE = 512
_MIN_SIDE = 16
_MAX_PIXELS = 64_000_000
_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".webp", ".tif", ".tiff"))
# What Pillow raises for files that are no images, are cut short, or would fill the memory.
_FAULTS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    OverflowError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class Images(NamedTuple):
    """The names of the usable and the broken images of a folder; a digest of the usable ones."""

    names: tuple[str, ...]
    broken: tuple[str, ...]
    sha256: str


def scan(folder: pathlib.Path) -> Images:
    """Returns the images of a folder and those below it, each read once to see if it is whole.

    Raises:
        UserError: if the folder is missing or has no usable image.
    """
    if not folder.is_dir():
        raise api.UserError(f"{folder}: no such folder; textures are made from a folder of images")
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    stats = [path.stat() for path in paths]
    known = tuple(
        (str(path.relative_to(folder)), stat.st_size, stat.st_mtime_ns)
        for path, stat in zip(paths, stats, strict=True)
    )
    images = _scan(folder.resolve(), known)
    if not images.names:
        kinds = ", ".join(sorted(_SUFFIXES))
        found = f"all of its {len(known)} are broken" if known else f"it has no file of {kinds}"
        raise api.UserError(f"{folder}: no usable image for textures: {found}")
    return images


# The splits of a run look at the same folder.
@functools.lru_cache(maxsize=4)
def _scan(folder: pathlib.Path, known: tuple[tuple[str, int, int], ...]) -> Images:
    names = [name for name, _, _ in known]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = list(
            tqdm.tqdm(
                pool.map(_digest, (folder / name for name in names)),
                desc="reading textures",
                total=len(names),
                disable=None,
            )
        )
    whole = [(name, digest) for name, digest in zip(names, digests, strict=True) if digest]
    broken = tuple(name for name, digest in zip(names, digests, strict=True) if not digest)
    if broken:
        logging.warning(
            "%s: %d of %d images are broken and skipped, the first is %s",
            folder,
            len(broken),
            len(names),
            broken[0],
        )
    total = hashlib.sha256("".join(f"{name} {digest}\n" for name, digest in whole).encode())
    return Images(tuple(name for name, _ in whole), broken, total.hexdigest())


def _digest(path: pathlib.Path) -> str | None:
    """Returns the digest of an image's pixels, None if it cannot be used."""
    try:
        return hashlib.sha256(read(path).tobytes()).hexdigest()
    except _FAULTS:
        return None


def read(path: pathlib.Path) -> np.ndarray:
    """Returns an image uint8 [height, width, 3], no side longer than MAX_SIDE.

    Raises:
        OSError, ValueError, SyntaxError: if it is broken, or too small or too large to be used.
    """
    with Image.open(path) as image:
        if min(image.size) < _MIN_SIDE or image.width * image.height > _MAX_PIXELS:
            raise ValueError(f"an image of {image.width} x {image.height} is no texture")
        # JPEG decodes to a half or a quarter at less cost.
        image.draft("RGB", (MAX_SIDE, MAX_SIDE))
        if "transparency" in image.info:
            image = image.convert("RGBA")
        colours = image.convert("RGB")
    colours.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    return np.array(colours)
