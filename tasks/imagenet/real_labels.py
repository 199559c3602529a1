# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""ReaL labels: all that people saw in an image of ImageNet's validation set.

`real.json` of "Are we done with ImageNet?" (Beyer et al., 2020) holds for each of the
50,000 images, in the order of their numbers, the labels that are right; none where nobody
agreed, and such an image does not count.
"""

import json
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from perceiver_bench import api

NUM_IMAGES = 50_000
NUM_CLASSES = 1000
# Forty times the official file's 388 kB.
_MAX_BYTES = 16 * 2**20
_NUMBER = re.compile(r"(?:.*/)?ILSVRC2012_val_(\d{8})(?:_n\d{8})?\.[A-Za-z]+", re.ASCII)

RealLabels = Sequence[tuple[int, ...]]
"""The right labels of images, by index; none where an image does not count."""


def read(path: pathlib.Path) -> RealLabels:
    """Returns the right labels of image n of the validation set at place n - 1.

    Raises:
        UserError: naming `data.real_labels`, if the file is not real.json.
    """
    where = f"--set=data.real_labels={path}"
    mend = "give real.json of github.com/google-research/reassessed-imagenet"
    try:
        if not path.is_file():
            raise api.UserError(f"{where}: no such file; {mend}")
        if (size := path.stat().st_size) > _MAX_BYTES:
            raise api.UserError(f"{where}: {size:,} bytes are too many; {mend}")
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise api.UserError(f"{where}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise api.UserError(f"{where}: no JSON; {mend}") from error
    if not isinstance(value, list) or len(value) != NUM_IMAGES:
        raise api.UserError(f"{where}: no list of {NUM_IMAGES:,} lists; {mend}")
    for number, labels in enumerate(value, start=1):
        if not _is_labels(labels):
            raise api.UserError(
                f"{where}: entry {number:,} is no list of labels from 0 to {NUM_CLASSES - 1};"
                f" {mend}"
            )
    return [tuple(labels) for labels in value]


def of_images(labels: RealLabels, names: Sequence[str]) -> RealLabels:
    """Returns the right labels of the images of these names.

    Raises:
        UserError: for a name without the official number, from 1 to 50,000.
    """
    return [labels[_number(name) - 1] for name in names]


def _number(name: str) -> int:
    match = _NUMBER.fullmatch(name)
    if not match or not 1 <= int(match[1]) <= NUM_IMAGES:
        raise api.UserError(
            f"data.real_labels: the image {name} has no number of the validation set in its name,"
            " as ILSVRC2012_val_00000001.JPEG has; ReaL labels are for those images alone"
        )
    return int(match[1])


def _is_labels(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(label) is int and 0 <= label < NUM_CLASSES for label in value
    )
