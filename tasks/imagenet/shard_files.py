# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""ArrayRecord shards of encoded images: their format, and reading them.

A folder of shards holds, for each of its splits, `train-00000-of-00546.array_record` and so
on, and `train-index.json` with names, labels and sizes in order. `shards.json`, written
last, says what the splits are and how many images and bytes each shard has. A record is the
length of its header in four bytes, the header as JSON, name and label, and the image file
as it was.
"""

import concurrent.futures
import hashlib
import json
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import grain
import numpy as np
from array_record.python import array_record_module  # pyright: ignore[reportAttributeAccessIssue]

from perceiver_bench import api

from .classes import WNIDS
from .files import MAX_IMAGE_BYTES

MANIFEST = "shards.json"
SPLITS = ("train", "validation")
VERSION = 1
_MAX_MANIFEST_BYTES = 1 << 22
_MAX_INDEX_BYTES = 1 << 28
_NUM_THREADS = 16
_AGAIN = "copy it again, or write all shards again with --mode=prepare"


def has_shards(folder: pathlib.Path) -> bool:
    """Returns whether a folder is one of shards."""
    return (folder / MANIFEST).is_file()


class ShardFiles:
    """The images of one split of a folder of shards; an `ImageFiles`.

    `facts` is what identifies them: that of the files that they were written from, with the
    bad ones that were left out then.

    Raises:
        UserError: for a split that is not there, and shards that are missing, damaged or
            not those of the manifest.
    """

    layout = "shards"

    def __init__(self, folder: pathlib.Path, split: str):
        manifest = read_manifest(folder)
        if split not in manifest:
            raise api.UserError(
                f"{folder / MANIFEST}: there are shards of {' and '.join(manifest) or 'nothing'},"
                f" none of {split}; write them too with --mode=prepare"
            )
        entry = manifest[split]
        index = _read_index(folder, split, entry)
        self.names: list[str] = index["names"]
        self.labels = np.array(index["labels"], np.int32)
        self.sizes = np.array(index["sizes"], np.int64)
        self.official_num_examples: int | None = entry["facts"]["official_num_examples"]
        self.facts: Mapping[str, Any] = {
            **{"file": f"{split} (shards)", "layout": self.layout, "split": split},
            **entry["facts"],
        }
        shards = entry["shards"]
        self._ends = np.cumsum([shard["num_examples"] for shard in shards])
        self._paths = [folder / shard_name(split, i, len(shards)) for i in range(len(shards))]
        with concurrent.futures.ThreadPoolExecutor(_NUM_THREADS) as pool:
            list(pool.map(_check_shard, self._paths, shards))
        # The numbers are known, so that no shard is opened before it is read.
        self._records = grain.sources.ArrayRecordDataSource(
            [
                f"{path}[0:{shard['num_examples']}]"
                for path, shard in zip(self._paths, shards, strict=True)
            ]
        )

    def read(self, index: int) -> bytes:
        """Returns the file of an image; threads may read at the same time.

        Raises:
            UserError: naming the shard, if it is damaged or of other images.
        """
        name = self.names[index]
        try:
            record = self._records[index]
        except (RuntimeError, ValueError, OSError) as error:
            raise self._fault(index, f"damaged, {name} cannot be read") from error
        start = header(name, int(self.labels[index]))
        if not record.startswith(start) or len(record) - len(start) != self.sizes[index]:
            raise self._fault(index, f"another image stands in the place of {name}")
        return record[len(start) :]

    def _fault(self, index: int, reason: str) -> api.UserError:
        path = self._paths[np.searchsorted(self._ends, index, side="right")]
        return api.UserError(f"{path}: {reason}; {_AGAIN}")


def shard_name(split: str, number: int, count: int) -> str:
    """Returns the file name of a shard, one of `count`."""
    return f"{split}-{number:05d}-of-{count:05d}.array_record"


def index_name(split: str) -> str:
    """Returns the name of the file of names, labels and sizes."""
    return f"{split}-index.json"


def header(name: str, label: int) -> bytes:
    """Returns what stands before the image file in a record."""
    text = json.dumps({"name": name, "label": label}).encode()
    return len(text).to_bytes(4, "big") + text


def read_manifest(folder: pathlib.Path) -> dict[str, Any]:
    """Returns what is known of every split; none if there is no manifest.

    Raises:
        UserError: if it is of another version, or not as it was written.
    """
    path = folder / MANIFEST
    if not has_shards(folder):
        return {}
    manifest = _read_json(path, _MAX_MANIFEST_BYTES)
    if not isinstance(manifest, dict) or manifest.get("version") != VERSION:
        raise api.UserError(f"{path}: no list of shards of version {VERSION}; {_AGAIN}")
    splits = manifest.get("splits")
    if not isinstance(splits, dict):
        raise api.UserError(f"{path}: it has no splits; {_AGAIN}")
    for split, entry in splits.items():
        if fault := _entry_fault(entry):
            raise api.UserError(f"{path}: {split!r:.80}: {fault}; {_AGAIN}")
    return splits


def count_records(path: pathlib.Path) -> int:
    """Returns the number of records of a shard.

    Raises:
        RuntimeError: if it is no ArrayRecord file.
    """
    reader = array_record_module.ArrayRecordReader(
        str(path), "readahead_buffer_size:0,max_parallelism:0", file_reader_buffer_size=1 << 15
    )
    try:
        return reader.num_records()
    finally:
        reader.close()


def _check_shard(path: pathlib.Path, due: Mapping[str, int]) -> None:
    """Raises UserError unless a shard has the bytes and the images of the manifest."""
    try:
        size = path.stat().st_size
        if size != due["bytes"]:
            raise api.UserError(
                f"{path}: {size:,} bytes, and {MANIFEST} has {due['bytes']:,}; {_AGAIN}"
            )
        found = count_records(path)
    except OSError as error:
        raise api.UserError(f"{path}: cannot be read: {error.strerror}; {_AGAIN}") from error
    except RuntimeError as error:
        raise api.UserError(f"{path}: damaged, no ArrayRecord file; {_AGAIN}") from error
    if found != due["num_examples"]:
        raise api.UserError(
            f"{path}: {found:,} images, and {MANIFEST} has {due['num_examples']:,}; {_AGAIN}"
        )


def _read_index(folder: pathlib.Path, split: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `names`, `labels` and `sizes`, as many as the shards have images."""
    path = folder / index_name(split)
    index = _read_json(path, _MAX_INDEX_BYTES, entry["index_sha256"])
    num_examples = sum(shard["num_examples"] for shard in entry["shards"])
    kinds: dict[str, Callable[[Any], bool]] = {
        "names": _is_name,
        "labels": lambda one: _is_count(one) and one < len(WNIDS),
        "sizes": lambda one: _is_count(one) and one <= MAX_IMAGE_BYTES,
    }
    for name, is_right in kinds.items():
        values = index.get(name) if isinstance(index, dict) else None
        if not isinstance(values, list) or not all(map(is_right, values)):
            raise api.UserError(f"{path}: it has no {name} as they should be; {_AGAIN}")
        if len(values) != num_examples:
            raise api.UserError(
                f"{path}: {len(values):,} {name}, and the shards have {num_examples:,} images;"
                f" {_AGAIN}"
            )
    if len(set(index["names"])) < num_examples:
        raise api.UserError(f"{path}: it has a name twice; {_AGAIN}")
    return index


def _read_json(path: pathlib.Path, max_bytes: int, digest: str | None = None) -> Any:
    try:
        if (size := path.stat().st_size) > max_bytes:
            raise api.UserError(f"{path}: {size:,} bytes are too many; {_AGAIN}")
        content = path.read_bytes()
        if digest and hashlib.sha256(content).hexdigest() != digest:
            raise api.UserError(f"{path}: not the one that {MANIFEST} names; {_AGAIN}")
        return json.loads(content)
    except OSError as error:
        raise api.UserError(f"{path}: cannot be read: {error.strerror}; {_AGAIN}") from error
    except (ValueError, RecursionError) as error:
        raise api.UserError(f"{path}: no JSON; {_AGAIN}") from error


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 53


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_name, value))


FACTS: Mapping[str, Callable[[Any], bool]] = {
    "num_examples": _is_count,
    "official_num_examples": lambda value: value is None or _is_count(value),
    "num_classes": _is_count,
    "names_digest": _is_digest,
    "labels_digest": _is_digest,
    "sha256": _is_digest,
    "num_copies": _is_count,
    "num_skipped": _is_count,
    "skipped": _is_names,
}
"""What the manifest has of the facts of a split, and what each may be."""
_NOT_ALWAYS = {"num_copies", "num_skipped", "skipped"}


def _entry_fault(entry: Any) -> str | None:
    """Returns why what the manifest says of a split cannot be, or None."""
    if not isinstance(entry, dict) or entry.keys() != {"facts", "shards", "index_sha256"}:
        return "it does not have facts, shards and index_sha256"
    facts, shards = entry["facts"], entry["shards"]
    always = FACTS.keys() - _NOT_ALWAYS
    if not isinstance(facts, dict) or not always <= facts.keys() <= FACTS.keys():
        return "its facts are others"
    for name, value in facts.items():
        if not FACTS[name](value):
            return f"{name} is {value!r:.80}"
    if bool(facts.get("num_skipped")) != bool(facts.get("skipped")):
        return "of num_skipped and skipped there is one alone"
    if not _is_digest(entry["index_sha256"]):
        return "index_sha256 is no digest"
    if not isinstance(shards, list) or not shards:
        return "it has no shards"
    for shard in shards:
        if (
            not isinstance(shard, dict)
            or shard.keys() != {"num_examples", "bytes"}
            or not all(map(_is_count, shard.values()))
            or not shard["num_examples"]
        ):
            return f"a shard is {shard!r:.80}"
    num_examples = sum(shard["num_examples"] for shard in shards) + facts.get("num_skipped", 0)
    if num_examples != facts["num_examples"]:
        return f"num_examples is {facts['num_examples']:,}, and the shards have {num_examples:,}"
    return None
