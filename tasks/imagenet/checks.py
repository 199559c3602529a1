# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""A look at every image file of a split before a run: bad ones are named and counted.

Bad is a file that is empty, cut short or no image. So is a copy of another one, where a
picture that counts twice would make a wrong number: the official splits hold a few copies
themselves, and stay as they are.
"""

import collections
import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from absl import logging

from perceiver_bench import api

from . import decoding, ends, threads
from .files import ImageFiles

END_BYTES = 4096
"""The bytes at the beginning and at the end of a file that are looked at."""

_NUM_NAMED = 5
_NUM_LISTED = 20


@dataclasses.dataclass(frozen=True)
class Checked:
    """What is known of the files of a split.

    `bad` holds, by index, why a file is left out; `facts` what identifies the files, bad
    ones as well.
    """

    bad: Mapping[int, str]
    facts: Mapping[str, Any]


def check(files: ImageFiles, split: str, skip_bad: int) -> Checked:
    """Returns what a look at the size, the beginning and the end of every file tells.

    Files that do not look whole are decoded. Damage in the middle is not seen: it shows when
    a file is decoded in the run. Nor is anything seen where sizes are unknown (Parquet), for
    reading each image there means to read everything.

    Raises:
        UserError: naming bad files if there are more than `skip_bad`.
    """
    if not can_look(files):
        return Checked({}, facts(files, split))

    def look(index: int) -> tuple[bytes, str | None]:
        size = int(files.sizes[index])
        if not size:
            return piece(0, b""), "empty"
        head, tail = ends.read(files, index, END_BYTES)
        if decoding.looks_whole(head, tail):
            return piece(size, tail), None
        return piece(size, tail), fault(files.read(index))

    pieces: list[bytes] = []
    bad: dict[int, str] = {}
    for index, (one, reason) in enumerate(
        threads.in_order(look, len(files.names), f"checking {split} images")
    ):
        pieces.append(one)
        if reason:
            bad[index] = reason
    copies = _copies(files, pieces, bad)
    if copies_are_bad(files, split):
        bad |= {index: copy_of(files, first) for index, first in copies.items()}
        copies = {}
    tell_copies(files, split, copies)
    refuse_or_skip(files, split, bad, skip_bad)
    return Checked(bad, facts(files, split, pieces, len(copies)))


def can_look(files: ImageFiles) -> bool:
    """Returns whether parts of a file can be read, so that looking at all of them is cheap."""
    return bool((files.sizes >= 0).all())


def fault(content: bytes) -> str | None:
    """Returns why a file cannot be decoded (by the protocol `original`), or None if it can."""
    if not content:
        return "empty"
    try:
        decoding.decode(content, "original")
    except decoding.BadImage as error:
        return str(error)
    return None


def piece(size: int, tail: bytes) -> bytes:
    """Returns what a file gives to the digest of a split: of its size and its last bytes."""
    return size.to_bytes(8, "big") + hashlib.sha256(tail[-END_BYTES:]).digest()


def copies_are_bad(files: ImageFiles, split: str) -> bool:
    """Returns whether a copy is to be left out: in evaluation, if not on the official set."""
    return split != "train" and len(files.names) != files.official_num_examples


def copy_of(files: ImageFiles, first: int) -> str:
    """Returns what is wrong with a file of the same bytes as that of index `first`."""
    return f"a copy of {files.names[first]}"


def tell_copies(files: ImageFiles, split: str, copies: Mapping[int, int]) -> None:
    """Warns of copies that stay in, given with the indices of the first ones."""
    if copies:
        index, first = next(iter(copies.items()))
        logging.warning(
            "--data_dir: %s of %s %s images are copies of others, such as %s of %s",
            *(f"{len(copies):,}", f"{len(files.names):,}", split),
            *(files.names[index], files.names[first]),
        )


def refuse_or_skip(files: ImageFiles, split: str, bad: Mapping[int, str], skip_bad: int) -> None:
    """Warns of the bad files that are skipped.

    Raises:
        UserError: naming and counting them, if they are more than `skip_bad`, or all.
    """
    if not bad:
        return
    total = len(files.names)
    named = [f"{files.names[index]} ({reason})" for index, reason in sorted(bad.items())]
    is_one = len(bad) == 1
    counted = (
        f"--data_dir: {len(bad):,} of {total:,} {split} image{'s' if total != 1 else ''}"
        f" {'is' if is_one else 'are'} bad"
    )
    if len(bad) == total:
        raise api.UserError(f"{counted}: {_some(named, _NUM_NAMED)}; copy the data again")
    if len(bad) > skip_bad:
        raise api.UserError(
            f"{counted}: {_some(named, _NUM_NAMED)}; mend {'it' if is_one else 'them'} or go on"
            f" without with --skip_bad={len(bad)}"
        )
    logging.warning("%s and skipped: %s", counted, _some(named, _NUM_LISTED))


def facts(
    files: ImageFiles, split: str, pieces: Iterable[bytes] = (), num_copies: int = 0
) -> dict[str, Any]:
    """Returns what identifies the files of a split.

    `sha256` is of the `pieces` of all files, whatever their names, order and layout; without
    any, of names and labels. The digests of names and of labels keep to the files' order.
    """
    names = hashlib.sha256("\n".join(files.names).encode()).hexdigest()
    labels = hashlib.sha256(files.labels.astype("<i4").tobytes()).hexdigest()
    content = b"".join(sorted(pieces)) or f"{names}{labels}".encode()
    found = {
        "file": f"{split} ({files.layout})",
        "layout": files.layout,
        "split": split,
        "num_examples": len(files.names),
        "official_num_examples": files.official_num_examples,
        "num_classes": len(np.unique(files.labels)),
        "names_digest": names,
        "labels_digest": labels,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return found | ({"num_copies": num_copies} if num_copies else {})


def with_skipped(
    found: Mapping[str, Any], files: ImageFiles, bad: Mapping[int, str]
) -> dict[str, Any]:
    """Returns facts with the number of bad files, and the names of the first of them.

    Those that were left out when shards were written are among the facts already.
    """
    num_skipped = found.get("num_skipped", 0) + len(bad)
    if not num_skipped:
        return dict(found)
    names = [*found.get("skipped", ()), *(files.names[index] for index in sorted(bad))]
    return {**found, "num_skipped": num_skipped, "skipped": names[:_NUM_LISTED]}


def _copies(files: ImageFiles, pieces: list[bytes], bad: Mapping[int, str]) -> dict[int, int]:
    """Returns the index of the first of equal files by the index of every later one."""
    counts = collections.Counter(pieces)
    alike = [index for index, one in enumerate(pieces) if counts[one] > 1 and index not in bad]

    def digest(number: int) -> bytes:
        return hashlib.sha256(files.read(alike[number])).digest()

    found: dict[int, int] = {}
    firsts: dict[bytes, int] = {}
    digests = threads.in_order(digest, len(alike), "comparing images")
    for index, whole in zip(alike, digests, strict=True):
        first = firsts.setdefault(whole, index)
        if first != index:
            found[index] = first
    return found


def _some(texts: list[str], count: int) -> str:
    more = f", ... and {len(texts) - count:,} more" if len(texts) > count else ""
    return ", ".join(texts[:count]) + more
