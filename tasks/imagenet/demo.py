# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Small data sets of drawings in the true layouts of ImageNet and CIFAR-10."""

import functools
import io
import pathlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from perceiver_bench import api

from . import cifar_files, drawing

NUM_TRAINING = 3000
NUM_HELD_OUT = 500

# The classes of ImageNet that come nearest to the drawings.
WNIDS = {
    "disc": "n04409515",  # tennis ball
    "ring": "n07693725",  # bagel
    "triangle": "n09472597",  # volcano
    "cross": "n02690373",  # airliner
    "dots": "n02110341",  # dalmatian
    "horizontal stripes": "n04590129",  # window shade
    "vertical stripes": "n03930313",  # picket fence
    "checkerboard": "n06785654",  # crossword puzzle
    "patchwork": "n04033995",  # quilt
    "halves": "n09428293",  # seashore
}

_CIFAR_BATCH_SIZE = 200


def write_imagenet(folder: pathlib.Path, seed: int) -> None:
    """Writes `train/<wnid>/<wnid>_<n>.JPEG` and `val/<wnid>/ILSVRC2012_val_<n>.JPEG`.

    Ten classes have 300 drawings to train with and 50 others held out. Most are wider than
    high or the other way round, with a shorter side of 40 to 52 pixels and a longer one of
    up to 64. The files' names depend on nothing, their bytes on the seed alone.
    """
    for name, content in _imagenet_files(seed).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not one by one atomically: 3,500 files would wait for the disk for most of a minute.
        path.write_bytes(content)


@functools.cache
def _imagenet_files(seed: int) -> dict[str, bytes]:
    """Returns the content of every file by its name; both tasks of ImageNet write them."""
    files = {}
    for index, (kind, rng) in enumerate(_kinds(NUM_TRAINING, (seed, 0))):
        wnid = WNIDS[kind]
        files[f"train/{wnid}/{wnid}_{index // len(WNIDS)}.JPEG"] = _jpeg(kind, rng)
    for index, (kind, rng) in enumerate(_kinds(NUM_HELD_OUT, (seed, 1))):
        files[f"val/{WNIDS[kind]}/ILSVRC2012_val_{index + 1:08}.JPEG"] = _jpeg(kind, rng)
    return files


def write_cifar10(folder: pathlib.Path, seed: int) -> None:
    """Writes `cifar-10-batches-bin` with five batches to train with and one held out.

    A batch has 200 drawings. The classes bear the names of CIFAR-10's, and no more.
    """
    folder = folder / "cifar-10-batches-bin"
    batches = [f"data_batch_{number}.bin" for number in range(1, 6)]
    for part, name in enumerate([*batches, "test_batch.bin"]):
        records = bytearray()
        for index, (kind, rng) in enumerate(_kinds(_CIFAR_BATCH_SIZE, (seed, part))):
            records.append(index % len(drawing.KINDS))
            records += drawing.draw(kind, 32, 32, rng).transpose(2, 0, 1).tobytes()
        api.write_atomically(folder / name, bytes(records))
    names = "".join(f"{name}\n" for name in cifar_files.NAMES)
    api.write_atomically(folder / "batches.meta.txt", f"{names}\n".encode())


def _kinds(count: int, key: tuple[int, ...]) -> Iterator[tuple[str, np.random.Generator]]:
    """Yields the kinds in turn, each with a generator of its own."""
    for index in range(count):
        yield drawing.KINDS[index % len(drawing.KINDS)], np.random.default_rng((*key, index))


def _jpeg(kind: str, rng: np.random.Generator) -> bytes:
    """Returns the file of a drawing of random size."""
    short, long = sorted(rng.integers(40, (53, 65)).tolist())
    height, width = (short, long) if rng.random() < 0.5 else (long, short)
    file = io.BytesIO()
    Image.fromarray(drawing.draw(kind, height, width, rng)).save(file, "JPEG", quality=90)
    return file.getvalue()
