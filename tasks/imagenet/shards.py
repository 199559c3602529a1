# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Writing ArrayRecord shards, for repeated training; `shard_files` reads them."""

import hashlib
import json
import pathlib
import tempfile
from typing import Any

from absl import logging
from array_record.python import array_record_module  # pyright: ignore[reportAttributeAccessIssue]

from perceiver_bench import api

from . import checks, layouts, shard_files, threads
from .files import ImageFiles

SHARD_BYTES = 1 << 28
"""A shard ends with the image that makes it this large."""

# Images are compressed already; groups of one are what random access needs.
_OPTIONS = "group_size:1,uncompressed"


def prepare(config: api.ImageData, data_dir: pathlib.Path, outputs: pathlib.Path) -> None:
    """Writes shards of every split that `data_dir` has to the folder `outputs`.

    Raises:
        UserError: if it has none, for more than `config.skip_bad` bad files in a split, and
            if `outputs` holds shards of other images.
    """
    found: dict[str, ImageFiles] = {}
    for split in shard_files.SPLITS:
        try:
            found[split] = layouts.open_images(data_dir, split)
        except api.UserError as error:
            is_absent = str(error).startswith(f"--data_dir={data_dir}: no images")
            if not is_absent or (split == shard_files.SPLITS[-1] and not found):
                raise
            logging.warning("no shards of %s: %s", split, error)
    # All are looked at before the first is written, which may take hours.
    checked = {split: checks.check(files, split, config.skip_bad) for split, files in found.items()}
    for split, files in found.items():
        write(files, checked[split], split, config.skip_bad, outputs)


def write(
    files: ImageFiles, checked: checks.Checked, split: str, skip_bad: int, folder: pathlib.Path
) -> None:
    """Writes the images of a split to shards, without the bad ones; files stay as they are.

    Every image is decoded, so that all bad ones are found now. The shards are there whole
    or not at all. What is there already is not written again; another split is added.

    Raises:
        UserError: naming bad files, if there are more than `skip_bad`; and if `folder` holds
            shards of other images, or cannot be written.
    """
    if _is_there(files, checked, split, folder):
        logging.info("%s: the shards of %s are there already", folder, split)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{split}-", dir=folder) as name:
            made = pathlib.Path(name)
            entry, index = _write_shards(files, checked, split, skip_bad, made)
            count = len(entry["shards"])
            for number in range(count):
                (made / str(number)).rename(folder / shard_files.shard_name(split, number, count))
    except OSError as error:
        raise api.UserError(
            f"--outputs={folder}: cannot write there: {error.strerror or error}"
        ) from error
    api.write_atomically(folder / shard_files.index_name(split), index)
    # Read again, for another process may have added its split.
    splits = {**shard_files.read_manifest(folder), split: entry}
    manifest = {"version": shard_files.VERSION, "splits": splits}
    text = json.dumps(manifest, indent=1) + "\n"
    api.write_atomically(folder / shard_files.MANIFEST, text.encode())
    logging.info("%s: %d shards of %s", folder, count, split)


def _is_there(files: ImageFiles, checked: checks.Checked, split: str, folder: pathlib.Path) -> bool:
    """Returns whether a folder has the shards already.

    Raises:
        UserError: if it has shards of other images, damaged ones, or files of their names.
    """
    if split in shard_files.read_manifest(folder):
        there = shard_files.ShardFiles(folder, split).facts
        due = ["num_examples", "names_digest", "labels_digest"]
        if checks.can_look(files):
            due.append("sha256")
        if any(there[name] != checked.facts[name] for name in due):
            raise api.UserError(
                f"--outputs={folder}: it has shards of other {split} images; name another folder"
            )
        return True
    strays = sorted(folder.glob(f"{split}-*.array_record"))
    if strays:
        raise api.UserError(
            f"--outputs={folder}: {strays[0].name} is there, and {shard_files.MANIFEST} does not"
            f" name shards of {split}; remove such files or name another folder"
        )
    return False


def _write_shards(
    files: ImageFiles, checked: checks.Checked, split: str, skip_bad: int, folder: pathlib.Path
) -> tuple[dict[str, Any], bytes]:
    """Writes shards named 0, 1, ...; returns what the manifest says of them, and the index."""

    def load(index: int) -> tuple[bytes, str | None]:
        content = files.read(index)
        return content, checked.bad.get(index) or checks.fault(content)

    pieces: list[bytes] = []
    bad: dict[int, str] = {}
    copies: dict[int, int] = {}
    firsts: dict[bytes, int] = {}
    kept: list[int] = []
    sizes: list[int] = []
    writer = _Writer(folder)
    loaded = threads.in_order(load, len(files.names), f"writing {split} shards")
    for index, (content, reason) in enumerate(loaded):
        pieces.append(checks.piece(len(content), content))
        if not reason:
            # Not all layouts are looked at for copies before.
            first = firsts.setdefault(hashlib.sha256(content).digest(), index)
            if first != index and checks.copies_are_bad(files, split):
                reason = checks.copy_of(files, first)
            elif first != index:
                copies[index] = first
        if reason:
            bad[index] = reason
        elif len(bad) <= skip_bad:  # or else nothing will come of it but a list of the bad
            start = shard_files.header(files.names[index], int(files.labels[index]))
            writer.write(start + content)
            kept.append(index)
            sizes.append(len(content))
    writer.close()
    checks.refuse_or_skip(files, split, bad, skip_bad)
    facts = checks.with_skipped(checks.facts(files, split, pieces, len(copies)), files, bad)
    names = [files.names[index] for index in kept]
    labels = files.labels[kept].tolist()
    text = json.dumps({"names": names, "labels": labels, "sizes": sizes}).encode()
    entry = {
        "facts": {name: facts[name] for name in facts if name in shard_files.FACTS},
        "shards": writer.shards,
        "index_sha256": hashlib.sha256(text).hexdigest(),
    }
    return entry, text


class _Writer:
    """Writes records to files named 0, 1, ..., none much larger than SHARD_BYTES.

    Attributes:
        shards: the number of records and the bytes of every file that is closed.
    """

    def __init__(self, folder: pathlib.Path):
        self.shards: list[dict[str, int]] = []
        self._folder = folder
        self._writer: Any = None
        self._num_records = self._num_bytes = 0

    def write(self, record: bytes) -> None:
        """Writes a record, to a new file if the last one is full."""
        if self._num_bytes >= SHARD_BYTES:
            self.close()
        if self._writer is None:
            path = str(self._folder / str(len(self.shards)))
            self._writer = array_record_module.ArrayRecordWriter(path, _OPTIONS)
        self._writer.write(record)
        self._num_records += 1
        self._num_bytes += len(record)

    def close(self) -> None:
        """Ends the last file, if there is one.

        Raises:
            OSError: if it could not be written, which is not known before.
        """
        if self._writer is None:
            return
        path = self._folder / str(len(self.shards))
        try:
            self._writer.close()
            num_found = shard_files.count_records(path)
        except RuntimeError as error:
            raise OSError(str(error)) from error
        if num_found != self._num_records:
            raise OSError(f"{num_found:,} of {self._num_records:,} records in {path}")
        self.shards.append({"num_examples": num_found, "bytes": path.stat().st_size})
        self._writer, self._num_records, self._num_bytes = None, 0, 0
