# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Draws the README's picture of generated training pairs for optical flow.

    python benchmarks/flow_samples.py [--textures=FOLDER] [--output=docs/flow_samples.png]

A row is a pair: the first frame, the second, the flow in colours, what is occluded.
"""

import argparse
import io
import pathlib
import sys
from collections.abc import Iterable

import numpy as np
from perceiver_bench.tasks.flow.colours import flow_colours
from perceiver_bench.tasks.flow.generator import GeneratedSource, Textures
from PIL import Image

from perceiver_bench.config.flow_generator import GeneratorConfig
from perceiver_bench.errors import UserError
from perceiver_bench.files import write_atomically
from perceiver_bench.task import Example

SIZE = (144, 192)
NUM_PAIRS = 4
SEED = 3
GAP = 4


def samples_picture(examples: Iterable[Example]) -> bytes:
    """Returns a PNG with a row for each example; all are of one size."""
    rows = []
    for example in examples:
        flow = example["flow"]
        fastest = max(float(np.hypot(*np.moveaxis(flow, -1, 0)).max()), 1e-6)
        occluded = np.where(example["occlusion"][..., None] == 1, 255, 0).repeat(3, axis=-1)
        frames = [_in_few_colours(frame) for frame in example["images"]]
        parts = [*frames, flow_colours(flow, fastest), occluded.astype(np.uint8)]
        rows.append(_joined(parts, axis=1))
    file = io.BytesIO()
    Image.fromarray(_joined(rows, axis=0)).save(file, "PNG", optimize=True)
    return file.getvalue()


def _in_few_colours(frame: np.ndarray) -> np.ndarray:
    """Returns a frame in 128 colours of its own, which make the file half as large."""
    return np.array(Image.fromarray(frame).quantize(128, Image.Quantize.MEDIANCUT).convert("RGB"))


def _joined(parts: list[np.ndarray], axis: int) -> np.ndarray:
    """Returns pictures [height, width, 3] side by side, white between them."""
    shape = list(parts[0].shape)
    shape[axis] = GAP
    gap = np.full(shape, 255, np.uint8)
    return np.concatenate([one for part in parts for one in (gap, part)][1:], axis=axis)


def main(argv: list[str]) -> int:
    """Writes the picture; 2 for a mendable fault, told in one line."""
    parser = argparse.ArgumentParser(
        description="Draws the README's picture of generated training pairs for optical flow."
    )
    parser.add_argument("--textures", type=pathlib.Path, help="folder of images; painted if none")
    parser.add_argument("--output", type=pathlib.Path, default="docs/flow_samples.png")
    flags = parser.parse_args(argv)
    try:
        textures = Textures(flags.textures, split="train", seed=SEED)
        source = GeneratedSource(GeneratorConfig(), textures, SIZE, NUM_PAIRS, SEED, "train")
        picture = samples_picture(source[index] for index in range(NUM_PAIRS))
        write_atomically(flags.output, picture)
    except UserError as error:
        print(f"flow_samples.py: {error}", file=sys.stderr)
        return 2
    print(f"{flags.output}: {len(picture) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
