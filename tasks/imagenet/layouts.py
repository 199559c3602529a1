# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The layouts in which ImageNet lies on disks; the first that is found in this order is read.

| layout | train | validation |
|---|---|---|
| `folders` | `train/<wnid>/*.JPEG` | `val/<wnid>/*.JPEG` or `validation/<wnid>/*.JPEG` |
| `flat` | | `val/ILSVRC2012_val_00000001.JPEG` and on, with the devkit |
| `tar` | `ILSVRC2012_img_train.tar` | `ILSVRC2012_img_val.tar`, with the devkit |
| `parquet` | `data/train-00000-of-00294.parquet` and on | `data/validation-...` |

The flat images may lie in `ILSVRC2012_img_val/` or in the data folder itself too, and so may
the Parquet files. The devkit is `ILSVRC2012_devkit_t12/` or its `.tar.gz`.
"""

import pathlib

import numpy as np

from perceiver_bench import api

from . import devkit, files, parquet_files, tar_files

_CLASS_FOLDERS = {"train": ("train",), "validation": ("val", "validation")}
_FLAT_FOLDERS = ("val", "ILSVRC2012_img_val", "")
LAYOUTS = {
    "train": (
        f"train/n01440764/*.JPEG and the other classes, or {tar_files.TRAIN}, or"
        " data/train-00000-of-00294.parquet and on"
    ),
    "validation": (
        "val/n01440764/*.JPEG and the other classes, or val/ILSVRC2012_val_00000001.JPEG and on"
        f" or {tar_files.VALIDATION} with {devkit.ARCHIVE}, or"
        " data/validation-00000-of-00014.parquet and on"
    ),
}
"""What `--data_dir` should hold for each split, for messages."""


def open_images(data_dir: pathlib.Path, split: str) -> files.ImageFiles:
    """Returns the image files of `train` or `validation`.

    Raises:
        UserError: if no layout is found, or what is found is incomplete or not ImageNet.
    """
    if split not in LAYOUTS:
        raise api.UserError(f"the split {split!r} is none of {', '.join(LAYOUTS)}")
    if not data_dir.is_dir():
        raise api.UserError(f"--data_dir={data_dir}: no such folder; it should hold {_due(split)}")
    for open_layout in (_folders, _flat, _tar, parquet_files.open_shards):
        found = open_layout(data_dir, split)
        if found is not None:
            return found
    raise api.UserError(f"--data_dir={data_dir}: no images; it should hold {_due(split)}")


def _due(split: str) -> str:
    return f"{LAYOUTS[split]} (split {split})"


def _folders(data_dir: pathlib.Path, split: str) -> files.ImageFiles | None:
    for name in _CLASS_FOLDERS[split]:
        found = files.class_folders(data_dir / name, split)
        if found is not None:
            return found
    return None


def _flat(data_dir: pathlib.Path, split: str) -> files.ImageFiles | None:
    if split != "validation":
        return None
    for name in _FLAT_FOLDERS:
        folder = data_dir / name
        found = files.images_in(folder)
        if not any(devkit.validation_number(image) for image, _ in found):
            continue
        names = [image for image, _ in found]
        return files.FolderFiles(
            folder,
            names,
            devkit.validation_labels(data_dir, names),
            np.array([size for _, size in found], np.int64),
            "flat",
            files.OFFICIAL_NUM_EXAMPLES[split],
        )
    return None


def _tar(data_dir: pathlib.Path, split: str) -> files.ImageFiles | None:
    path = data_dir / (tar_files.TRAIN if split == "train" else tar_files.VALIDATION)
    if not path.is_file():
        return None
    if split == "train":
        return tar_files.open_train(path)
    return tar_files.open_validation(path, data_dir)
