# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Reads the official files of a task, or the Hugging Face copy of them."""

import collections
import functools
import math
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from absl import logging

from perceiver_bench import api

from .scores import MAX_SCORE
from .specs import Spec

_HUB_SUFFIXES = (".parquet", ".jsonl", ".jsonl.gz", ".json", ".json.gz")
_NO_LABELS = "a test file has no labels, and --mode=predict writes its submission"


def layout(spec: Spec, splits: tuple[str, ...] = ("train", "dev")) -> str:
    """Returns the files of the splits, in the official download and in the copy."""
    official = " and ".join(f"{spec.folder}/{spec.files[split]}" for split in splits)
    copied = " and ".join(f"{spec.hub_files[split]}*.parquet" for split in splits)
    return f"{official}, or {spec.hub}/ with {copied} (or .jsonl)"


def read(spec: Spec, data_dir: pathlib.Path, split: str) -> api.MemorySource:
    """Returns the examples of `train`, `dev` or `test`; the official file wins over the copy.

    An example holds `texts`, the sentence or the two of a pair; `label`, the class or the
    score, but for the test split; and `index`, which in the test split is the file's own.

    Raises:
        UserError: naming the file and the line, for what is missing or no example of the
            task, a training or a test file in place of another, and numbers that are twice.
    """
    path = data_dir / spec.folder / spec.files[split]
    is_official = path.is_file()
    if is_official:
        texts, label, index, header = spec.texts, spec.label, spec.index, spec.header.get(split)
        _check_not_test(path, header)
    else:
        path = _hub_file(spec, data_dir, split)
        texts, label, index, header = spec.hub_texts, "label", "idx", None
    last = index if split == "test" else label
    table = api.read_table(
        path, texts, (last,), header=header, skip_other_widths=spec.skips_other_widths
    )
    facts: dict[str, Any] = {"official_num_examples": spec.num_rows[split]}
    if split == "test":
        values = {"index": _indices(table, last)}
    else:
        labels = _labels(spec, table, last, is_official)
        values = {"label": labels, "index": range(len(labels))}
        facts |= _label_statistics(spec, labels)
    examples = [
        {"texts": _texts(table, i, texts), **dict(zip(values, some, strict=True))}
        for i, some in enumerate(zip(*values.values(), strict=True))
    ]
    _check_size(spec, path, split, len(examples))
    return api.MemorySource(tuple(examples), {**table.fingerprint, **facts})


def _hub_file(spec: Spec, data_dir: pathlib.Path, split: str) -> pathlib.Path:
    """Returns the one file of the split in the Hugging Face copy."""
    stem = spec.hub_files[split]
    endings = "|".join(re.escape(suffix) for suffix in _HUB_SUFFIXES)
    pattern = re.compile(rf"{stem}(-\d+-of-\d+)?({endings})")
    folder = data_dir / spec.hub
    found = [match for path in sorted(folder.glob("*")) if (match := pattern.fullmatch(path.name))]
    if not found:
        due = layout(spec, ("test",)) if split == "test" else layout(spec)
        return api.find_file(data_dir, f"{spec.folder}/{spec.files[split]}", due)
    if len(found) > 1 or found[0][1] not in (None, "-00000-of-00001"):
        names = " and ".join(match[0] for match in found[:2])
        raise api.UserError(f"{folder}: it holds {names}; one file with the whole split is due")
    return folder / found[0][0]


def _check_not_test(path: pathlib.Path, header: Sequence[str] | None) -> None:
    """Raises UserError for a test file, which names its columns, where no file names them."""
    if header is None:
        return
    try:
        with path.open("rb") as file:
            first = file.readline(100).removeprefix(b"\xef\xbb\xbf").strip()
    except OSError:
        return  # to be told by what reads the whole
    if first == b"index\tsentence":
        raise api.UserError(f"{path}: it has no column 'label'; {_NO_LABELS}")


def _texts(table: api.Table, i: int, names: Sequence[str]) -> tuple[str, ...]:
    texts = table.rows[i][: len(names)]
    for name, text in zip(names, texts, strict=True):
        if not isinstance(text, str):
            raise api.UserError(f"{table.place(i)}: {name!r} is {text!r:.80} and should be text")
    return texts


def _labels(spec: Spec, table: api.Table, column: str, is_official: bool) -> list[Any]:
    """Returns the class or the score of every row."""
    if column not in table.header:
        raise api.UserError(f"{table.path}: it has no column {column!r}; {_NO_LABELS}")
    if spec.labels is None:
        known, due = {}, f"a number of 0 to {MAX_SCORE:g}"
    else:
        words = spec.labels if is_official else range(len(spec.labels))
        known = {word: label for label, word in enumerate(words)}
        due = f"one of {', '.join(map(str, known))}"
    labels = []
    for i, row in enumerate(table.rows):
        cell = row[-1]
        if spec.labels is None:
            label = _score(cell)
        else:
            # Of Python's values True is the integer 1, and 1.0 as well.
            label = known.get(cell) if type(cell) in (int, str) else None
        if label is None:
            why = _NO_LABELS if cell in (-1, "-1") else f"it should be {due}"
            raise api.UserError(f"{table.place(i)}: {column!r} is {cell!r:.80}; {why}")
        labels.append(label)
    return labels


def _score(cell: Any) -> float | None:
    """Returns a score of 0 to 5, or None for anything else."""
    if isinstance(cell, str):
        cell = float(cell) if re.fullmatch(r"[0-9]+(\.[0-9]*)?", cell) else None
    if type(cell) not in (int, float) or not 0 <= cell <= MAX_SCORE:
        return None
    return float(cell)


def _indices(table: api.Table, column: str) -> list[int]:
    """Returns the number of every row, the file's own if it has them, none of them twice."""
    if column not in table.header:
        return list(range(len(table.rows)))
    first: dict[int, int] = {}
    for i, row in enumerate(table.rows):
        cell = row[-1]
        if isinstance(cell, str) and re.fullmatch(r"[0-9]{1,9}", cell):
            cell = int(cell)
        if type(cell) is not int:
            raise api.UserError(f"{table.place(i)}: {column!r} is {cell!r:.80} and no number")
        if cell in first:
            raise api.UserError(
                f"{table.place(i)}: {column!r} is {cell}, as it is at {table.place(first[cell])}"
            )
        first[cell] = i
    return list(first)


def _label_statistics(spec: Spec, labels: list[Any]) -> dict[str, Any]:
    if spec.labels is None:
        return {"mean_label": math.fsum(labels) / len(labels)}
    counts = collections.Counter(labels)
    return {"label_counts": {word: counts[i] for i, word in enumerate(spec.labels)}}


def _check_size(spec: Spec, path: pathlib.Path, split: str, size: int) -> None:
    """Raises UserError if the file has as many rows as training; tells another odd size."""
    if size == spec.num_rows[split]:
        return
    if split != "train" and size == spec.num_rows.get("train"):
        raise api.UserError(
            f"{path}: {size:,} rows, as many as the official training file has;"
            " training data is no data to evaluate on"
        )
    _tell_size(path, size, spec.num_rows[split])


@functools.cache
def _tell_size(path: pathlib.Path, size: int, official: int) -> None:
    logging.warning("%s: %s rows; the official file has %s", path, f"{size:,}", f"{official:,}")
