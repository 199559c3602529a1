# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The development kit of the challenge: what the images of the validation set show.

`ILSVRC2012_validation_ground_truth.txt` has one number a line, the ILSVRC2012_ID of a class,
from 1; line 1 is of ILSVRC2012_val_00000001.JPEG. `meta.mat` says which wnid has which
number. That order is not the one of the sorted wnids: 1 is n02119789, label 278.
"""

import gzip
import io
import pathlib
import re
import tarfile
import zlib
from collections.abc import Sequence

import numpy as np

from perceiver_bench import api

from . import classes, files, mat_file

FOLDER = "ILSVRC2012_devkit_t12"
ARCHIVE = f"{FOLDER}.tar.gz"
GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
SYNSETS = "meta.mat"

# Many times the official sizes; both files together have less than 2 MB.
_MAX_BYTES = 1 << 24
_MAX_ARCHIVE_BYTES = 1 << 26
_NUMBER = re.compile(r"ILSVRC2012_val_(\d{8})(?:_n\d{8})?\.\w+", re.ASCII)
_AGAIN = f"unpack {ARCHIVE} again"

_FIELDS = ("ILSVRC2012_ID", "WNID", "num_children")


def validation_number(name: str) -> int | None:
    """Returns the number in the name of an image of the validation set, None if it has none.

    The images are ILSVRC2012_val_00000001.JPEG and on; the Hugging Face copy adds the wnid.
    """
    match = _NUMBER.fullmatch(name.rpartition("/")[2])
    return int(match[1]) if match else None


def validation_labels(data_dir: pathlib.Path, names: Sequence[str]) -> np.ndarray:
    """Returns the labels of images of the validation set, int32 [number of names].

    Raises:
        UserError: if the devkit is missing or damaged; for a name without a number, a number
            that is there twice and one that the ground truth has no line for.
    """
    content, text, place = _contents(data_dir)
    truth = _ground_truth(text, _labels_by_number(content, place), place)
    labels = np.empty(len(names), np.int32)
    first: dict[int, str] = {}
    for i, name in enumerate(names):
        number = validation_number(name)
        if number is None:
            raise api.UserError(
                f"{name!r:.300}: no image of the validation set, whose names are as"
                " ILSVRC2012_val_00000001.JPEG; rename or remove it"
            )
        if number in first:
            raise api.UserError(
                f"{name!r:.300} and {first[number]!r:.300} are one image; remove one of them"
            )
        if not 1 <= number <= len(truth):
            raise api.UserError(
                f"{place}/{GROUND_TRUTH}: it has {len(truth):,} lines and none for {name}; {_AGAIN}"
            )
        first[number] = name
        labels[i] = truth[number - 1]
    return labels


def _contents(data_dir: pathlib.Path) -> tuple[bytes, bytes, str]:
    """Returns the table of synsets, the ground truth, and where they are, for messages."""
    folder = data_dir / FOLDER / "data"
    if folder.is_dir():
        return _read(folder / SYNSETS), _read(folder / GROUND_TRUTH), str(folder)
    archive = data_dir / ARCHIVE
    if not archive.is_file():
        raise api.UserError(
            f"--data_dir={data_dir}: it has neither {FOLDER}/ nor {ARCHIVE}, and the flat"
            " validation images have no labels but those in it; put one of them there"
        )
    try:
        with gzip.open(archive) as file:
            unpacked = file.read(_MAX_ARCHIVE_BYTES + 1)
        if len(unpacked) > _MAX_ARCHIVE_BYTES:
            raise api.UserError(f"{archive}: it unpacks to more than {_MAX_ARCHIVE_BYTES:,} bytes")
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as tar:
            found = [_member(tar, f"{FOLDER}/data/{name}") for name in (SYNSETS, GROUND_TRUTH)]
    except (OSError, EOFError, zlib.error, tarfile.TarError, KeyError) as error:
        reason = str(error).strip("'\"")
        raise api.UserError(
            f"{archive}: it cannot be read ({reason:.100}); download it again"
        ) from error
    return found[0], found[1], f"{archive}/{FOLDER}/data"


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.getmember(name)
    file = tar.extractfile(member) if member.isreg() else None
    if file is None:
        raise KeyError(f"{name} is no file")
    return file.read()


def _read(path: pathlib.Path) -> bytes:
    if not path.is_file():
        raise api.UserError(f"{path}: it is missing; {_AGAIN}")
    with files.reading(path), path.open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise api.UserError(f"{path}: more than {_MAX_BYTES:,} bytes; {_AGAIN}")
    return content


def _ground_truth(text: bytes, labels: np.ndarray, place: str) -> np.ndarray:
    """Returns the label of every line."""
    lines = text.decode("ascii", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        if not re.fullmatch(r"[ \t]*0*[1-9]\d{0,3}[ \t]*", line) or int(line) > len(labels):
            raise api.UserError(
                f"{place}/{GROUND_TRUTH}, line {number}: {line!r:.40}, and a class from 1 to"
                f" {len(labels):,} is due; {_AGAIN}"
            )
    return labels[np.array([int(line) - 1 for line in lines], np.int64)]


def _labels_by_number(content: bytes, place: str) -> np.ndarray:
    """Returns the label of the class with ILSVRC2012_ID 1 and on, int32 [1000]."""
    place = f"{place}/{SYNSETS}"
    try:
        table = mat_file.read_table(content, "synsets", _FIELDS, _MAX_BYTES)
    except ValueError as error:
        raise api.UserError(
            f"{place}: no table of synsets that can be read ({error!s:.100}); {_AGAIN}"
        ) from error
    # The table holds what is above the classes as well; that has children.
    leaves = [row[:2] for row in zip(*table.values(), strict=True) if row[2] == 0]
    numbers = [number for number, _ in leaves]
    wnids = [str(wnid) for _, wnid in leaves]
    labels = classes.labels_of(wnids, f"{place}: ")
    num_classes = len(classes.WNIDS)
    due = set(range(1, num_classes + 1))
    if len(numbers) != num_classes or set(numbers) != due or len(set(wnids)) < num_classes:
        raise api.UserError(
            f"{place}: its {len(numbers):,} classes are not {num_classes:,} with the numbers 1 to"
            f" {num_classes:,}; {_AGAIN}"
        )
    return labels[np.argsort(np.array(numbers))]
