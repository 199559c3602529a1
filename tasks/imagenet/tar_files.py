# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Images in the official tar files, read where they lie.

Opening a tar walks its headers, from each to the next; nothing is unpacked. The tar of the
training images holds a tar for each class, `n01440764.tar`, walked in the same way.
"""

import dataclasses
import io
import pathlib
import tarfile
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tqdm

from perceiver_bench import api

from . import classes, devkit, files

TRAIN = "ILSVRC2012_img_train.tar"
VALIDATION = "ILSVRC2012_img_val.tar"

_INNER = ".tar"
_BLOCK = 512
_MAX_HEADER_BYTES = 1 << 20
_AGAIN = "download or copy it again"


@dataclasses.dataclass(frozen=True, eq=False)
class TarFiles(files.Listed):
    """Image files inside a tar; an `ImageFiles`."""

    tar: files.SharedFile
    starts: np.ndarray

    def read(self, index: int) -> bytes:
        """Returns the content of a file."""
        size = int(self.sizes[index])
        files.check_image_size(f"{self.place}: {self.names[index]}", size)
        content = self.tar.read(int(self.starts[index]), size)
        if len(content) < size:
            raise api.UserError(f"{self.place}: {self.names[index]} is cut short; {_AGAIN}")
        return content


class _Member(NamedTuple):
    """A file in a tar: where its content is in the file on disk, and its bytes."""

    name: str
    start: int
    size: int


class _Window(io.RawIOBase):
    """A part of a file, as a file of its own to read headers from."""

    def __init__(self, file: files.SharedFile, start: int, size: int):
        self._file, self._start, self._size = file, start, size
        self._position = 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        count = max(0, min(size, self._size - self._position))
        content = self._file.read(self._start + self._position, count)
        self._position += len(content)
        return content


def open_train(path: pathlib.Path) -> TarFiles:
    """Returns the images of the tar of tars, by class, then by name.

    Raises:
        UserError: for a tar that is cut short, which one and how much of it is whole; for
            tars whose names are no wnids, and what else the tar should not hold.
    """
    tar = files.SharedFile(path)
    inner: dict[str, _Member] = {}
    for member in _members(tar, _Member(str(path), 0, tar.size)):
        name = member.name.rpartition("/")[2]
        if not name.endswith(_INNER) or name.removesuffix(_INNER) in inner:
            raise api.UserError(
                f"{path}: {member.name!r:.300} is no tar of a class, such as n01440764.tar, or is"
                f" there twice; {_AGAIN}"
            )
        inner[name.removesuffix(_INNER)] = member._replace(name=f"{path}/{name}")
    wnids = sorted(inner)
    labels = classes.labels_of(wnids, f"{path}: ")
    names: list[str] = []
    places = [_places([])]
    for wnid in tqdm.tqdm(wnids, desc=f"indexing {path.name}", unit="class", disable=None):
        images = sorted(_images(tar, inner[wnid]))
        names += [f"{wnid}/{image.name}" for image in images]
        places.append(_places(images))
    labels = np.repeat(labels, [len(some) for some in places[1:]])
    return _opened(tar, names, labels, np.concatenate(places), "train")


def open_validation(path: pathlib.Path, data_dir: pathlib.Path) -> TarFiles:
    """Returns the images of the flat tar, by name, with the labels of the devkit.

    Raises:
        UserError: for a tar that is cut short, how many of its files are whole; for what the
            tar should not hold, and as `devkit.validation_labels` does.
    """
    tar = files.SharedFile(path)
    images = _images(tar, _Member(str(path), 0, tar.size))
    progress = tqdm.tqdm(images, desc=f"indexing {path.name}", unit="image", disable=None)
    listed = sorted(progress)
    names = [image.name for image in listed]
    labels = devkit.validation_labels(data_dir, names)
    return _opened(tar, names, labels, _places(listed), "validation")


def _places(members: Sequence[_Member]) -> np.ndarray:
    """Returns where members begin and their sizes, int64 [number of members, 2]."""
    return np.array([(member.start, member.size) for member in members], np.int64).reshape(-1, 2)


def _opened(
    tar: files.SharedFile, names: list[str], labels: np.ndarray, places: np.ndarray, split: str
) -> TarFiles:
    starts, sizes = places.T
    num_examples = files.OFFICIAL_NUM_EXAMPLES[split]
    return TarFiles(tar.path, names, labels, sizes, "tar", num_examples, tar, starts)


def _images(tar: files.SharedFile, place: _Member) -> Iterator[_Member]:
    """Yields the images of the tar that lies at `place`, named without folders."""
    for member in _members(tar, place):
        name = member.name.rpartition("/")[2]
        if files.is_image_name(name):
            yield member._replace(name=name)


def _members(tar: files.SharedFile, place: _Member) -> Iterator[_Member]:
    """Yields the files of the tar that lies at `place`, but for folders and hidden files.

    Raises:
        UserError: naming the place, for a tar that is cut short or damaged, with how many
            files before are whole; and for links in the place of files.
    """
    count, end = 0, 0
    try:
        with tarfile.open(fileobj=_Window(tar, place.start, place.size), mode="r:") as archive:
            for info in archive:
                # Python's reader is led backwards by a negative size, and never ends.
                if not end <= info.offset < info.offset_data <= archive.offset:
                    raise tarfile.ReadError(f"a header that leads back from byte {info.offset:,}")
                end = archive.offset
                if info.isdir() or info.name.rpartition("/")[2].startswith("."):
                    continue
                if not info.isreg() or info.issparse():
                    raise api.UserError(
                        f"{place.name}: {info.name!r:.300} is a link or no plain file; {_AGAIN}"
                    )
                if info.offset_data + info.size > place.size:
                    raise tarfile.ReadError(f"{info.name!r:.100} is not all there")
                count += 1
                yield _Member(info.name, place.start + info.offset_data, info.size)
        # A missing or a damaged header is the end for Python; the true one is a block of zeros.
        if tar.read(place.start + end, min(_BLOCK, max(place.size - end, 0))) != bytes(_BLOCK):
            raise tarfile.ReadError(f"neither a header nor the end at byte {end:,}")
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise api.UserError(
            f"{place.name}: cut short or damaged after {count:,} whole files ({reason:.150});"
            f" {_AGAIN}"
        ) from error
