# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Images in Parquet files, as the Hugging Face copy `ILSVRC/imagenet-1k` has them.

A row has `image`, with the file's `bytes` and its `path`, and `label`, the place among the
sorted wnids. The images are kept in the order of the rows. One is read together with its row
group, of a hundred rows in that copy, and the last groups are kept: reading in order is fast,
reading in random order is not.
"""

import collections
import contextlib
import dataclasses
import pathlib
import re
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tqdm

from perceiver_bench import api

from . import classes, files

_SHARD = r"{}-(\d{{5}})-of-(\d{{5}})(?:-[0-9a-f]{{16}})?\.parquet"
_WNID_AT_END = re.compile(r"_(n\d{8})\.\w+", re.ASCII)
_AGAIN = "download it again"

# A group of the Hugging Face copy has 11 MB.
_MAX_GROUP_BYTES = 1 << 30
_MAX_KEPT_BYTES = 1 << 28
_MAX_NAMES_BYTES = 1 << 28
_NUM_LOCKS = 16


class _Groups:
    """The images of row groups, of which the last are kept; shared by threads.

    Group `i` is the one with the number `numbers[i]` in the file `paths[i]`.
    """

    def __init__(self, paths: Sequence[pathlib.Path], numbers: Sequence[int]):
        self._paths, self._numbers = paths, numbers
        self._lock = threading.Lock()
        self._kept: collections.OrderedDict[int, list[bytes | None]] = collections.OrderedDict()
        self._num_bytes = 0
        # Threads that want the same group read it once; those of others need not wait.
        self._reading = [threading.Lock() for _ in range(_NUM_LOCKS)]

    def __reduce__(self):
        return _Groups, (self._paths, self._numbers)

    def __getitem__(self, group: int) -> list[bytes | None]:
        with self._reading[group % _NUM_LOCKS]:
            with self._lock:
                if group in self._kept:
                    self._kept.move_to_end(group)
                    return self._kept[group]
            images = self._read(group)
            with self._lock:
                self._kept[group] = images
                self._num_bytes += _num_bytes(images)
                while self._num_bytes > _MAX_KEPT_BYTES and len(self._kept) > 1:
                    self._num_bytes -= _num_bytes(self._kept.popitem(last=False)[1])
            return images

    def _read(self, group: int) -> list[bytes | None]:
        images: list[bytes | None] = []
        path, number, total = self._paths[group], self._numbers[group], 0
        for batch in _batches(path, number, ["image.bytes"], 64):
            total += batch.nbytes
            if total > _MAX_GROUP_BYTES:
                raise api.UserError(
                    f"{path}: row group {number} has more than {_MAX_GROUP_BYTES:,} bytes; write"
                    " the file again with smaller ones"
                )
            images += batch.column(0).field("bytes").to_pylist()
        return images


@dataclasses.dataclass(frozen=True, eq=False)
class ParquetFiles(files.Listed):
    """Image files in rows of Parquet files; an `ImageFiles`.

    `first_rows` [groups] is the index of the first image of each row group.
    """

    first_rows: np.ndarray
    groups: _Groups

    def read(self, index: int) -> bytes:
        """Returns the content of a file."""
        group = int(np.searchsorted(self.first_rows, index, side="right")) - 1
        place = index - int(self.first_rows[group])
        images = self.groups[group]
        content = images[place] if place < len(images) else None
        if content is None:
            raise api.UserError(f"{self.place}: {self.names[index]} has no bytes; {_AGAIN}")
        files.check_image_size(f"{self.place}: {self.names[index]}", len(content))
        return content


def open_shards(data_dir: pathlib.Path, split: str) -> ParquetFiles | None:
    """Returns the images of a split in `data_dir/data/` or `data_dir`, None if there are none.

    Raises:
        UserError: for a missing shard, one that cannot be read, other columns, a label that
            is no class or is not the one that the wnid in its name says; without pyarrow.
    """
    shards = _shards(data_dir / "data", split) or _shards(data_dir, split)
    if not shards:
        return None
    names: list[str] = []
    labels, counts = [], []
    paths: list[pathlib.Path] = []
    numbers: list[int] = []
    for path in tqdm.tqdm(shards, desc=f"indexing {split}", unit="shard", disable=None):
        row = 0
        for number in range(_num_groups(path)):
            some_names, some_labels = _rows(path, number, row)
            row += len(some_names)
            names += some_names
            labels.append(some_labels)
            counts.append(len(some_names))
            paths.append(path)
            numbers.append(number)
    return ParquetFiles(
        shards[0].parent,
        names,
        np.concatenate([np.empty(0, np.int32), *labels]),
        np.full(len(names), -1, np.int64),
        "parquet",
        files.OFFICIAL_NUM_EXAMPLES[split],
        np.cumsum([0, *counts], dtype=np.int64)[:-1],
        _Groups(paths, numbers),
    )


def _shards(folder: pathlib.Path, split: str) -> list[pathlib.Path]:
    """Returns the files of a split, in order; raises UserError if one is missing."""
    pattern = re.compile(_SHARD.format(split), re.ASCII)
    with files.reading(folder):
        entries = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [(path, match) for path in entries if (match := pattern.fullmatch(path.name))]
    if not found:
        return []
    due = int(found[-1][1][2])
    numbers = {int(match[1]) for _, match in found}
    missing = next((number for number in range(due) if number not in numbers), None)
    if missing is not None:
        raise api.UserError(
            f"{folder}: {split}-{missing:05}-of-{due:05}.parquet is missing; download it"
        )
    if len(found) > due:
        raise api.UserError(
            f"{folder}: {len(found):,} files {split}-*.parquet, and {found[-1][0].name} says"
            f" {due:,}; remove those of another copy"
        )
    return [path for path, _ in found]


def _num_groups(path: pathlib.Path) -> int:
    """Returns the number of row groups; raises UserError for other columns than are due."""
    pyarrow = _pyarrow(path)
    with _opened(path) as file:
        schema, count = file.schema_arrow, file.num_row_groups
    due = {"label": pyarrow.types.is_integer, "image": pyarrow.types.is_struct}
    for name, is_kind in due.items():
        if name not in schema.names or not is_kind(schema.field(name).type):
            raise api.UserError(
                f"{path}: its columns are {', '.join(schema.names):.200}; image (of bytes and path)"
                " and label (an integer) are due"
            )
    image = {field.name: field.type for field in schema.field("image").type}
    is_bytes = pyarrow.types.is_binary, pyarrow.types.is_large_binary
    is_text = pyarrow.types.is_string, pyarrow.types.is_large_string
    for name, kinds in {"bytes": is_bytes, "path": is_text}.items():
        if name not in image or not any(is_kind(image[name]) for is_kind in kinds):
            raise api.UserError(f"{path}: its image has no {name}; bytes and path are due")
    return count


def _rows(path: pathlib.Path, group: int, row: int) -> tuple[list[str], np.ndarray]:
    """Returns the names and the labels of a row group, whose first row is `row` of the file."""
    names, labels, total = [], [], 0
    for batch in _batches(path, group, ["image.path", "label"], 1024):
        total += batch.nbytes
        if total > _MAX_NAMES_BYTES:
            raise api.UserError(f"{path}: its names have more than {_MAX_NAMES_BYTES:,} bytes")
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        paths = columns["image"].field("path").to_pylist()
        names += [name or f"{path.name}:{row + len(names) + i}" for i, name in enumerate(paths)]
        labels += columns["label"].to_pylist()
    for i, (name, label) in enumerate(zip(names, labels, strict=True)):
        _check_label(f"{path}, row {row + i}", name, label)
    return names, np.array(labels, np.int32)


def _check_label(place: str, name: str, label: int | None) -> None:
    """Raises UserError for a label that is no class, or is not that of the name."""
    if label is None or not 0 <= label < len(classes.WNIDS):
        why = "; the test split has no labels" if label == -1 else f"; {_AGAIN}"
        raise api.UserError(
            f"{place}: the label is {label} and should be 0 to {len(classes.WNIDS) - 1}{why}"
        )
    match = _WNID_AT_END.search(name)
    if match and match[1] != classes.WNIDS[label]:
        raise api.UserError(
            f"{place}: the label is {label}, of {classes.WNIDS[label]}, and the name {name!r:.200};"
            " labels should be places among the sorted wnids"
        )


def _batches(path: pathlib.Path, group: int, columns: list[str], size: int) -> Iterator[Any]:
    """Yields rows of a row group as Arrow's batches of at most `size`."""
    with _opened(path) as file:
        yield from file.iter_batches(size, row_groups=[group], columns=columns, use_threads=False)


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[Any]:
    """Opens a Parquet file; makes a UserError that names it of every error of reading it."""
    pyarrow = _pyarrow(path)
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            yield file
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise api.UserError(
            f"{path}: not a Parquet file that can be read ({reason:.150}); {_AGAIN}"
        ) from error


def _pyarrow(path: pathlib.Path) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise api.UserError(
            f"{path}: Parquet needs pyarrow; pip install 'perceiver-bench[parquet]'"
        ) from None
    return pyarrow


def _num_bytes(images: list[bytes | None]) -> int:
    return sum(len(image) for image in images if image)
