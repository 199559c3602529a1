# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The images of a split as examples, each decoded when it is asked for."""

import pathlib
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import logging

from perceiver_bench import api

from . import checks, decoding, layouts, real_labels, shard_files
from .files import ImageFiles
from .preprocessing import Protocol

_NOTHING = np.zeros((1, 1, 3), np.uint8)


class ImageSource:
    """The images of a split; a `Source`.

    An example holds `name`; `pixels` uint8 [H,W,3], RGB; `label`; `is_bad`; and
    `real_labels`, a tuple of all labels that are right, where they are given. A bad file
    that is skipped has one black pixel and the label 0.

    Args:
        files: the encoded images.
        checked: what is known of them.
        skip_bad: how many bad ones may be left out, those of `checked` among them.
        protocol: who decodes them.
        real: the labels that are right of every image, or None.
    """

    def __init__(
        self,
        files: ImageFiles,
        checked: checks.Checked,
        skip_bad: int,
        protocol: Protocol,
        real: real_labels.RealLabels | None = None,
    ):
        self.files = files
        self.checked = checked
        self.skip_bad = skip_bad
        self.protocol: Protocol = protocol
        self._real = real
        self._bad = dict(checked.bad)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.files.names)

    def __getitem__(self, index: int) -> api.Example:
        pixels = self._pixels(index)
        is_bad = pixels is None
        example: api.Example = {
            "name": self.files.names[index],
            "pixels": _NOTHING if is_bad else pixels,
            "label": 0 if is_bad else int(self.files.labels[index]),
            "is_bad": is_bad,
        }
        if self._real is not None:
            example["real_labels"] = () if is_bad else self._real[index]
        return example

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """What identifies the files, and which were skipped up to now.

        Files that turn out to be bad change the count alone, no digest.
        """
        with self._lock:
            return checks.with_skipped(self.checked.facts, self.files, self._bad)

    def _pixels(self, index: int) -> np.ndarray | None:
        """Returns the pixels, or None of a bad file.

        Raises:
            UserError: if it is one too many.
        """
        if index in self._bad:
            return None
        try:
            return decoding.decode(self.files.read(index), self.protocol)
        except decoding.BadImage as error:
            with self._lock:
                self._bad[index] = str(error)
                split = self.checked.facts["split"]
                checks.refuse_or_skip(self.files, split, self._bad, self.skip_bad)
            return None


def open_source(config: api.ImageData, data_dir: pathlib.Path, split: str) -> ImageSource:
    """Returns the images of a split, from shards if `data_dir` has them, or from its files.

    Raises:
        UserError: for data that is missing or damaged, more than `config.skip_bad` bad
            files, and ReaL labels that do not belong to the images.
    """
    if shard_files.has_shards(data_dir):
        files = shard_files.ShardFiles(data_dir, split)
        checked = checks.Checked({}, files.facts)
        if num_skipped := files.facts.get("num_skipped"):
            logging.warning(
                "--data_dir=%s: bad %s images that were left out of the shards: %s, such as %s",
                *(data_dir, split, f"{num_skipped:,}", files.facts["skipped"][0]),
            )
    else:
        files = layouts.open_images(data_dir, split)
        checked = checks.check(files, split, config.skip_bad)
    real = None
    if config.real_labels and split == "validation":
        labels = real_labels.read(pathlib.Path(config.real_labels).expanduser())
        real = real_labels.of_images(labels, files.names)
    return ImageSource(files, checked, config.skip_bad, config.protocol, real)
