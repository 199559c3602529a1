# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The encoded image files of a split, by index; and those that lie in folders.

Nothing is decoded here: a file of an image's name is listed, whatever it holds.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import weakref
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import numpy as np
import tqdm

from perceiver_bench import api

from . import classes

OFFICIAL_NUM_EXAMPLES: Mapping[str, int] = MappingProxyType(
    {"train": 1_281_167, "validation": 50_000}
)
"""The images of the splits of ImageNet, as the challenge of 2012 published them."""
MAX_IMAGE_BYTES = 1 << 26
"""The largest file that is read; the largest of ImageNet is a quarter of it."""

_IMAGE = re.compile(r"[^.].*\.(?:jpe?g|png)", re.IGNORECASE | re.DOTALL)


class ImageFiles(Protocol):
    """The encoded image files of one split, in a fixed order.

    Attributes:
        names: of the files, each different: such as `n01440764/n01440764_10026.JPEG` or
            `ILSVRC2012_val_00000001.JPEG`.
        labels: int32 [n], the place of the class among the sorted wnids.
        sizes: int64 [n], in bytes; -1 where only reading tells (Parquet).
        layout: what they were read from, such as `folders`.
        official_num_examples: how many the whole split has; None where nothing says it.
    """

    @property
    def names(self) -> Sequence[str]: ...
    @property
    def labels(self) -> np.ndarray: ...
    @property
    def sizes(self) -> np.ndarray: ...
    @property
    def layout(self) -> str: ...
    @property
    def official_num_examples(self) -> int | None: ...

    def read(self, index: int) -> bytes:
        """Returns the content of a file; threads may read at the same time.

        Raises:
            UserError: naming the file, if it cannot be read or is beyond MAX_IMAGE_BYTES.
        """
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Listed:
    """What all `ImageFiles` have; raises UserError for a name that is there twice.

    `place` is the folder or the file that holds them, for messages.
    """

    place: pathlib.Path
    names: Sequence[str]
    labels: np.ndarray
    sizes: np.ndarray
    layout: str
    official_num_examples: int | None

    def __post_init__(self):
        if not self.names:
            raise api.UserError(f"{self.place}: it has no images; unpack or copy the data again")
        _check_names(self.place, self.names)


@dataclasses.dataclass(frozen=True, eq=False)
class FolderFiles(Listed):
    """Image files below the folder `place`; an `ImageFiles`."""

    def read(self, index: int) -> bytes:
        """Returns the content of a file."""
        path = os.path.join(self.place, self.names[index])
        with reading(path), open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            check_image_size(path, size)
            return file.read(size)


class SharedFile:
    """A file that many threads read at any place; opened once a process, by the first."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        with reading(path):
            self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)
        self.size = os.fstat(self._descriptor).st_size

    def __reduce__(self):
        return SharedFile, (self.path,)

    def read(self, start: int, count: int) -> bytes:
        """Returns `count` bytes from `start`, fewer only at the end of the file."""
        with reading(self.path):
            return os.pread(self._descriptor, count, start)


def is_image_name(name: str) -> bool:
    """Returns whether a name ends in .JPEG, .jpg or .png, in any case, and is not hidden."""
    return _IMAGE.fullmatch(name) is not None


def check_image_size(name: str, size: int) -> None:
    """Raises UserError for a file too large for an image."""
    if size > MAX_IMAGE_BYTES:
        raise api.UserError(
            f"{name}: {size:,} bytes, and an image has at most {MAX_IMAGE_BYTES:,}; remove it"
        )


@contextlib.contextmanager
def reading(path: pathlib.Path | str) -> Iterator[None]:
    """Makes a UserError that names the path of the operating system's error."""
    try:
        yield
    except OSError as error:
        raise api.UserError(f"{path}: cannot be read: {error.strerror or error}") from error


def class_folders(folder: pathlib.Path, split: str) -> FolderFiles | None:
    """Returns the images in the folders of classes, `<wnid>/*.JPEG`, by class, then name.

    What has no image's name, or a hidden one, is not counted. None is returned if there are
    no folders.

    Raises:
        UserError: for folders that are no wnids, images beside the folders (as a sorting into
            classes leaves them that was stopped) and names of images that are no files.
    """
    wnids, strays = [], []
    for entry in _entries(folder):
        if not entry.name.startswith("."):
            if entry.is_dir():
                wnids.append(entry.name)
            elif is_image_name(entry.name):
                strays.append(entry.name)
    if not wnids:
        return None
    wnids.sort()
    labels = classes.labels_of(wnids, f"{folder}{os.sep}")
    if strays:
        raise api.UserError(
            f"{folder}: {len(strays):,} images, such as {min(strays)!r:.80}, lie beside the folders"
            " of the classes; finish sorting them into the folders"
        )
    names: list[str] = []
    sizes: list[int] = []
    counts = []
    for wnid in tqdm.tqdm(wnids, desc=f"listing {folder.name}", unit="class", disable=None):
        found = images_in(folder / wnid)
        names += [f"{wnid}/{name}" for name, _ in found]
        sizes += [size for _, size in found]
        counts.append(len(found))
    return FolderFiles(
        folder,
        names,
        np.repeat(labels, counts),
        np.array(sizes, np.int64),
        "folders",
        OFFICIAL_NUM_EXAMPLES[split],
    )


def images_in(folder: pathlib.Path) -> list[tuple[str, int]]:
    """Returns the names and the bytes of the images in a folder, sorted by name.

    Raises:
        UserError: for a name of an image that is no file, such as a broken link.
    """
    found = []
    with reading(folder):
        for entry in _entries(folder):
            if is_image_name(entry.name):
                if not entry.is_file():
                    raise api.UserError(f"{entry.path!r:.300}: no file, or a broken link; mend it")
                found.append((entry.name, entry.stat().st_size))
    return sorted(found)


def _entries(folder: pathlib.Path) -> Iterator[os.DirEntry[str]]:
    """Yields the entries of a folder, none if there is no such folder."""
    missing = contextlib.suppress(FileNotFoundError, NotADirectoryError)
    with reading(folder), missing, os.scandir(folder) as entries:
        yield from entries


def _check_names(place: pathlib.Path, names: Sequence[str]) -> None:
    for name in names:
        if not name.isprintable():
            raise api.UserError(f"{place}: {name!r:.300} is no name that can be printed; rename it")
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = [name for name in names if name in seen or seen.add(name)]
        raise api.UserError(
            f"{place}: {len(twice):,} names are there again, first {twice[0]!r:.300}; remove copies"
        )
