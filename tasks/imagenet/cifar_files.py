# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Reads CIFAR-10: the binary and the Python version of its files, unpacked or as archives."""

import collections
import dataclasses
import functools
import gzip
import hashlib
import io
import pathlib
import tarfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perceiver_bench import api

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CLASSES = tuple((str(label), name) for label, name in enumerate(NAMES))
"""The number and the name of each class, in the order of the labels."""

_BATCHES = {"train": tuple(f"data_batch_{n}" for n in range(1, 6)), "test": ("test_batch",)}
_BATCH_SIZE = 10_000
_ROW_BYTES = 3 * 32 * 32
# Somewhat more than the files have: a batch 31 MB, all of them together 186 MB.
_MAX_FILE_BYTES = 1 << 25
_MAX_UNPACKED_BYTES = 1 << 28
_AGAIN = "fetch it again"
_BROKEN_ARCHIVE = (
    *(tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError),
    *(ValueError, LookupError, OverflowError, RecursionError),
)

Read = Callable[[str], bytes | None]
"""Returns the content of a file, or None if there is no such file."""


@dataclasses.dataclass(frozen=True)
class _Version:
    """One of the two forms of the files.

    `images(path, content)` returns the rows [n, 3072] and the labels [n] of a batch;
    `names(path, content)` the classes that `names_file` tells.
    """

    folder: str
    archive: str
    suffix: str
    names_file: str
    images: Callable[[pathlib.Path, bytes], tuple[np.ndarray, Sequence[int]]]
    names: Callable[[pathlib.Path, bytes], Any]


def open_source(config: api.ImageData, data_dir: pathlib.Path, split: str) -> api.MemorySource:
    """Returns the images of `train` or `test`.

    The files lie in `data_dir`, in the folder within it that the archive unpacks to, or in
    the archive. Unpacked files win over archives, and the binary version over Python's,
    whose pickles are read without running them.

    An example holds `name`; `pixels` uint8 [32, 32, 3], RGB; `label`; and `is_bad`, False.

    Raises:
        UserError: naming the file, for one that is missing, damaged or not of CIFAR-10, for
            a batch that is there twice, and for ReaL labels, which are of ImageNet.
    """
    if config.real_labels:
        raise api.UserError(
            f"--set=data.real_labels={config.real_labels}: they are of ImageNet; leave it empty"
        )
    version, place, read = _find(data_dir)
    _check_names(version, place, read)
    examples: list[api.Example] = []
    files: dict[str, dict[str, Any]] = {}
    for batch in _BATCHES[split]:
        file = batch + version.suffix
        content = read(file)
        if content is None:
            due = "data_batch_1 to data_batch_5" if split == "train" else "test_batch"
            raise api.UserError(f"{place}: it has no {file}; {split} takes {due}")
        digest = hashlib.sha256(content).hexdigest()
        for other, facts in files.items():
            if digest == facts["sha256"]:
                raise api.UserError(f"{place / file}: the same bytes as {other}; {_AGAIN}")
        files[file] = {"file": file, "bytes": len(content), "sha256": digest}
        examples += _examples(place / file, batch, *version.images(place / file, content))
    counts = collections.Counter(example["label"] for example in examples)
    fingerprint = {
        "file": version.folder,
        "num_examples": len(examples),
        "official_num_examples": len(_BATCHES[split]) * _BATCH_SIZE,
        "label_counts": {name: counts[label] for label, name in enumerate(NAMES)},
        "files": files,
    }
    return api.MemorySource(tuple(examples), fingerprint)


def _examples(
    path: pathlib.Path, batch: str, rows: np.ndarray, labels: Sequence[int]
) -> list[api.Example]:
    """Returns the examples of a batch: a row is a red, a green and a blue plane."""
    for index, label in enumerate(labels):
        if type(label) is not int or not 0 <= label < len(NAMES):
            raise api.UserError(
                f"{path}: the label of image {index} is {label!r:.80}, and CIFAR-10's are"
                f" 0 to {len(NAMES) - 1}; {_AGAIN}"
            )
    images = np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    images.flags.writeable = False
    return [
        {"name": f"{batch}/{index:04}", "pixels": pixels, "label": label, "is_bad": False}
        for index, (pixels, label) in enumerate(zip(images, labels, strict=True))
    ]


def _find(data_dir: pathlib.Path) -> tuple[_Version, pathlib.Path, Read]:
    """Returns the version that is there, the place of its files, and what reads them."""
    due = " or ".join(f"{version.folder} or {version.archive}" for version in _VERSIONS)
    if not data_dir.is_dir():
        raise api.UserError(f"--data_dir={data_dir}: no such folder; it should hold {due}")
    for version in _VERSIONS:
        files = [batch + version.suffix for split in _BATCHES.values() for batch in split]
        for folder in (data_dir, data_dir / version.folder):
            if any((folder / file).is_file() for file in files):
                return version, folder, functools.partial(_read_file, folder)
    for version in _VERSIONS:
        archive = data_dir / version.archive
        if archive.is_file():
            unpacked = _unpack(archive)
            return (
                version,
                archive,
                functools.partial(_read_member, archive, unpacked, version.folder),
            )
    raise api.UserError(
        f"--data_dir={data_dir}: it has no batches of CIFAR-10; it should hold {due}"
    )


def _read_file(folder: pathlib.Path, name: str) -> bytes | None:
    path = folder / name
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise api.UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    _check_size(path, len(content))
    return content


def _unpack(path: pathlib.Path) -> tarfile.TarFile:
    """Returns an archive, unpacked in memory."""
    try:
        with gzip.open(path) as file:
            content = file.read(_MAX_UNPACKED_BYTES + 1)
        if len(content) > _MAX_UNPACKED_BYTES:
            raise api.UserError(f"{path}: it unpacks to more than CIFAR-10 has; {_AGAIN}")
        archive = tarfile.open(fileobj=io.BytesIO(content), mode="r:")  # noqa: SIM115
        archive.getmembers()
    except _BROKEN_ARCHIVE as error:
        raise api.UserError(f"{path}: damaged or cut off: {error}; {_AGAIN}") from error
    except OSError as error:
        raise api.UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    return archive


def _read_member(
    path: pathlib.Path, archive: tarfile.TarFile, folder: str, name: str
) -> bytes | None:
    """Returns a file of an archive, which holds all in one folder."""
    place = path / name
    for member in archive.getmembers():
        if member.name == f"{folder}/{name}" and member.isreg():
            _check_size(place, member.size)
            try:
                file = archive.extractfile(member)
                assert file is not None  # for it is a regular file
                return file.read()
            except _BROKEN_ARCHIVE as error:
                raise api.UserError(f"{place}: damaged or cut off: {error}; {_AGAIN}") from error
    return None


def _check_size(path: pathlib.Path, size: int) -> None:
    if size > _MAX_FILE_BYTES:
        raise api.UserError(f"{path}: larger than any file of CIFAR-10; {_AGAIN}")


def _check_names(version: _Version, place: pathlib.Path, read: Read) -> None:
    """Raises UserError if the files tell other classes, or another order of them."""
    content = read(version.names_file)
    if content is None:
        return
    path = place / version.names_file
    names = version.names(path, content)
    if names != list(NAMES):
        raise api.UserError(
            f"{path}: its classes are {names!r:.80} in place of {', '.join(NAMES)}; {_AGAIN}"
        )


def _binary_images(path: pathlib.Path, content: bytes) -> tuple[np.ndarray, list[int]]:
    """A record is one byte of the label and the row."""
    width = 1 + _ROW_BYTES
    if not content or len(content) % width:
        raise api.UserError(
            f"{path}: {len(content):,} bytes are no records of {width:,} bytes; {_AGAIN}"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, width)
    return records[:, 1:], records[:, 0].tolist()


def _binary_names(_: pathlib.Path, content: bytes) -> list[str]:
    return content.decode("latin1").split()


def _python_images(path: pathlib.Path, content: bytes) -> tuple[np.ndarray, list[int]]:
    """A batch is a dict; `data` are the rows, `labels` a list."""
    batch = api.read_pickle(io.BytesIO(content), path, lists=True)
    if not isinstance(batch, dict) or not {"data", "labels"} <= batch.keys():
        raise api.UserError(f"{path}: no dict with 'data' and 'labels'; {_AGAIN}")
    rows, labels = batch["data"], batch["labels"]
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8:
        raise api.UserError(f"{path}: 'data' is no array of uint8; {_AGAIN}")
    if rows.ndim != 2 or rows.shape[1] != _ROW_BYTES or not len(rows):
        raise api.UserError(
            f"{path}: 'data' has the shape {rows.shape}, and [n, {_ROW_BYTES}] is due; {_AGAIN}"
        )
    if not isinstance(labels, list) or len(labels) != len(rows):
        raise api.UserError(f"{path}: 'labels' is no list of {len(rows):,} numbers; {_AGAIN}")
    return rows, labels


def _python_names(path: pathlib.Path, content: bytes) -> Any:
    facts = api.read_pickle(io.BytesIO(content), path, lists=True)
    return facts.get("label_names") if isinstance(facts, dict) else None


_VERSIONS = (
    _Version(
        folder="cifar-10-batches-bin",
        archive="cifar-10-binary.tar.gz",
        suffix=".bin",
        names_file="batches.meta.txt",
        images=_binary_images,
        names=_binary_names,
    ),
    _Version(
        folder="cifar-10-batches-py",
        archive="cifar-10-python.tar.gz",
        suffix="",
        names_file="batches.meta",
        images=_python_images,
        names=_python_names,
    ),
)
