# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of frames with their truth, each read when it is asked for."""

import dataclasses
import filecmp
import functools
import hashlib
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import logging

from perceiver_bench import api

from . import files, layouts
from .listing import Pair

# As published; a part of a benchmark is not compared with it.
OFFICIAL_NUM_PAIRS: Mapping[tuple[str, str], int] = {
    ("sintel_clean", "all"): 1041,
    ("sintel_final", "all"): 1041,
    ("sintel_clean", "test"): 552,
    ("sintel_final", "test"): 552,
    ("kitti2012", "all"): 194,
    ("kitti2012", "test"): 195,
    ("kitti2015", "all"): 200,
    ("kitti2015", "test"): 200,
    ("flyingchairs", "all"): 22_872,
    ("flyingchairs", "train"): 22_232,
    ("flyingchairs", "validation"): 640,
    ("autoflow", "all"): 40_000,
}
# Read for the fingerprint in all: the files of a few pairs whole, of many a piece of each.
_DIGEST_BYTES = 1 << 27
_FILES = tuple(field.name for field in dataclasses.fields(Pair) if field.name != "name")


@dataclasses.dataclass(frozen=True)
class PairSource:
    """The pairs of a data set; a `Source`.

        An example holds `name`; `images` uint8 [2,H,W,3]; and where there is truth `flow`
    float32 [H,W,2] in pixels, 0 where not known; `flow_known` bool [H,W]; `occlusion` int8
    [H,W], 1 for what the second frame does not show, 0 for what it does; `foreground` int8
    [H,W], 1 for an object, 0 for background; and `invalid` int8 [H,W], 1 where Sintel calls
    its truth not valid, 0 elsewhere. All three are -1 where no map tells.

    Attributes:
        pairs: the files.
        fingerprint: the number of pairs and of maps, the bytes of all files, and a digest
            of their names, sizes and contents; of large data sets, of the middle of each
            file. Moving the folder changes nothing.
    """

    pairs: tuple[Pair, ...]
    fingerprint: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> api.Example:
        pair = self.pairs[index]
        first, second = files.read_image(pair.first), files.read_image(pair.second)
        _check_size(pair.second, second, pair.first, first)
        example: api.Example = {"name": pair.name, "images": np.stack([first, second])}
        if pair.flow is None:
            return example
        flow, known = files.read_flow(pair.flow)
        _check_size(pair.flow, flow, pair.first, first)
        return {
            **example,
            "flow": flow,
            "flow_known": known,
            "occlusion": _occlusion(pair, known, first),
            "foreground": _mask(pair, pair.objects, first),
            "invalid": _mask(pair, pair.invalid, first),
        }


def open_pairs(dataset: str, data_dir: pathlib.Path, split: str) -> PairSource:
    """Returns the pairs of one of `layouts.DATASETS` and their fingerprint.

    Raises:
        UserError: for a folder that is not of the layout, and files that are missing.
    """
    pairs = layouts.DATASETS[dataset](data_dir, split)
    facts: dict[str, Any] = {"file": f"{dataset}, split {split}", "num_examples": len(pairs)}
    if (dataset, split) in OFFICIAL_NUM_PAIRS:
        facts["official_num_examples"] = OFFICIAL_NUM_PAIRS[dataset, split]
    for kind in ("occlusion", "invalid", "matched_flow", "objects"):
        facts[f"num_{kind}"] = sum(getattr(pair, kind) is not None for pair in pairs)
    try:
        facts |= _digest(dataset, pairs)
        copies = sum(
            filecmp.cmp(pair.flow, pair.matched_flow, shallow=False)
            for pair in pairs
            if pair.flow is not None and pair.matched_flow is not None
        )
    except OSError as error:
        raise api.UserError(
            f"{error.filename or data_dir}: cannot be read: {error.strerror or error}"
        ) from error
    if copies:
        _tell_copies(data_dir, dataset, copies)
        facts["num_flow_occ_that_are_flow_noc"] = copies
    return PairSource(pairs, facts)


def open_benchmark(
    dataset: str, config: api.FlowData, data_dir: pathlib.Path, split: str
) -> PairSource:
    """Returns the pairs of a benchmark; its split `training` is all that have truth."""
    del config
    return open_pairs(dataset, data_dir, "all" if split == "training" else split)


def _digest(dataset: str, pairs: tuple[Pair, ...]) -> dict[str, Any]:
    """Returns the bytes of all files, and the digest of their names, sizes and middles."""
    digest, total = hashlib.sha256(f"{dataset}\n".encode()), 0
    found = [(pair, kind) for pair in pairs for kind in _FILES if getattr(pair, kind) is not None]
    piece = _DIGEST_BYTES // max(len(found), 1)
    for pair, kind in found:
        path: pathlib.Path = getattr(pair, kind)
        with path.open("rb") as file:
            size = file.seek(0, 2)
            total += size
            name = f"{pair.name} {kind} {path.parent.name}/{path.name} {size}\n"
            digest.update(name.encode(errors="surrogateescape"))
            file.seek(max(0, (size - piece) // 2))
            digest.update(file.read(piece))
    return {"bytes": total, "sha256": digest.hexdigest()}


@functools.cache
def _tell_copies(data_dir: pathlib.Path, dataset: str, copies: int) -> None:
    logging.warning(
        "--data_dir=%s: in %s pairs of %s flow_occ is a copy of flow_noc, so that errors leave"
        " out what the second frame does not show",
        data_dir,
        f"{copies:,}",
        dataset,
    )


def _check_size(path: pathlib.Path, array: np.ndarray, first: pathlib.Path, image: Any) -> None:
    if array.shape[:2] != image.shape[:2]:
        (height, width), (due_height, due_width) = array.shape[:2], image.shape[:2]
        raise api.UserError(
            f"{path}: {width} x {height} pixels, and {first} has {due_width} x {due_height};"
            " unpack the data set again"
        )


def _mask(pair: Pair, path: pathlib.Path | None, image: np.ndarray) -> np.ndarray:
    """Returns int8 [H,W]: 1 where a map is not 0, 0 where it is, and -1 without a map."""
    if path is None:
        return np.full(image.shape[:2], -1, np.int8)
    mask = files.read_mask(path)
    _check_size(path, mask, pair.first, image)
    return (mask > 0).astype(np.int8)


def _occlusion(pair: Pair, known: np.ndarray, image: np.ndarray) -> np.ndarray:
    if pair.matched_flow is None:
        return _mask(pair, pair.occlusion, image)
    _, matched = files.read_flow(pair.matched_flow)
    _check_size(pair.matched_flow, matched, pair.first, image)
    return np.where(known, np.where(matched, 0, 1), -1).astype(np.int8)
