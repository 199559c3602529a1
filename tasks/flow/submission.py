# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Submissions to the servers of Sintel and KITTI: a flow field for every pair of the test sets."""

import functools
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from perceiver_bench import api

from . import files, reading

# Pairs of the scenes of Sintel's test set, 552 in all.
_SINTEL_SCENES = {
    "PERTURBED_market_3": 49,
    "PERTURBED_shaman_1": 49,
    "ambush_1": 22,
    "ambush_3": 40,
    "bamboo_3": 49,
    "cave_3": 49,
    "market_1": 49,
    "market_4": 49,
    "mountain_2": 49,
    "temple_1": 49,
    "tiger": 49,
    "wall": 49,
}
SINTEL_FILES = tuple(
    f"{rendering}/{scene}/frame{number + 1:04}.flo"
    for rendering in ("clean", "final")
    for scene, num_pairs in _SINTEL_SCENES.items()
    for number in range(num_pairs)
)
"""What Sintel's bundler reads; both renderings are one submission."""
KITTI_FILES = {
    # The server of 2015 takes disparities too, in folders of their own.
    "kitti2015": tuple(f"flow/{number:06}_10.png" for number in range(200)),
    "kitti2012": tuple(f"{number:06}_10.png" for number in range(195)),
}

Read = Callable[[Any, pathlib.Path, str], reading.PairSource]


def sintel(rendering: str, read: Read) -> api.Writer:
    """Returns the writer of a .flo file for every pair of one rendering of the test set."""
    due = tuple(name for name in SINTEL_FILES if name.startswith(f"{rendering}/"))

    def file_of(pair: str) -> str:
        # The bundler leaves out the underscore of the frame.
        return f"{rendering}/{pair.replace('frame_', 'frame')}.flo"

    return functools.partial(_write, read, due, file_of, files.flo_bytes)


def kitti(dataset: str, read: Read) -> api.Writer:
    """Returns the writer of a 16-bit PNG for every pair of the test set."""
    due = KITTI_FILES[dataset]
    folder = pathlib.PurePosixPath(due[0]).parent

    def content_of(flow: np.ndarray) -> bytes:
        return files.kitti_png_bytes(flow, np.ones(flow.shape[:2], bool))

    return functools.partial(
        _write, read, due, lambda pair: str(folder / f"{pair}.png"), content_of
    )


def _write(
    read: Read,
    due: Sequence[str],
    file_of: Callable[[str], str],
    content_of: Callable[[np.ndarray], bytes],
    config: api.FlowData,
    assets: Mapping[str, bytes],
    data_dir: pathlib.Path,
    run: api.Predict,
) -> Iterator[tuple[str, bytes]]:
    """Yields the files of the test pairs; `read`, `due` and what makes names and contents first.

    Raises:
        UserError: if the test pairs are not the official ones, or a flow is not finite.
    """
    del assets
    source = _test_set(read, config, data_dir, due, file_of)
    found = run(source)
    for pair in source.pairs:
        # A rehearsal predicts nothing.
        one = next(found, None)
        yield file_of(pair.name), b"" if one is None else content_of(one[2]["flow"])


def _test_set(
    read: Read,
    config: api.FlowData,
    data_dir: pathlib.Path,
    due: Sequence[str],
    file_of: Callable[[str], str],
) -> reading.PairSource:
    """Returns the test pairs; raises UserError unless they are those of the official set."""
    source = read(config, data_dir, "test")
    found = {file_of(pair.name) for pair in source.pairs}
    missing = [name for name in due if name not in found]
    if missing or len(found) != len(due):
        what = f"{missing[0]} has no frames" if missing else "some are not of the official set"
        raise api.UserError(
            f"--data_dir={data_dir}: a submission needs the {len(due)} pairs of the official test"
            f" set, and of {len(found)} here {what}"
        )
    return source
