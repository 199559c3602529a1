# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Sources of examples: files of benchmarks read into memory."""

import collections
import dataclasses
import hashlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from perceiver_bench.errors import UserError
from perceiver_bench.task import Example


@dataclasses.dataclass(frozen=True)
class MemorySource:
    """Examples held in memory; a `Source`."""

    examples: Sequence[Example]
    fingerprint: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Example:
        return self.examples[index]


def find_file(data_dir: pathlib.Path, name: str, layout: str) -> pathlib.Path:
    """Returns the path of `name` in `data_dir`.

    Raises:
        UserError: if the folder or the file is missing, with the expected `layout`.
    """
    if not data_dir.is_dir():
        raise UserError(f"--data_dir={data_dir}: no such folder; it should hold {layout}")
    path = data_dir / name
    if not path.is_file():
        raise UserError(f"--data_dir={data_dir}: it has no file {name}; it should hold {layout}")
    return path


def read_tsv(path: pathlib.Path, header: Sequence[str], num_labels: int) -> MemorySource:
    r"""Reads a tab-separated file with a header and a column `label` of 0 to `num_labels` - 1.

    The format is that of GLUE: quotes are ordinary characters, and a line ends at `\n`
    alone (`\r\n` is taken too), whatever other line separators of Unicode a text holds.
    Text is kept as it is. Bytes that are not UTF-8 become the replacement character, and
    the fingerprint counts their lines.

    Returns:
        Examples with each column under its name, `label` as an int, and the row's `index`.

    Raises:
        UserError: naming the file and the line, for any deviation from the format.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        lines.pop()  # the file's last line is ended too
    rows, num_broken = [], 0
    for line in lines:
        text = line.removesuffix(b"\r").decode(errors="replace")
        # A file may hold the replacement character itself, so only a round trip tells.
        num_broken += text.encode() != line.removesuffix(b"\r")
        rows.append(text.split("\t"))
    _check_rows(path, rows, header)

    labels = {str(label): label for label in range(num_labels)}
    examples = []
    for index, row in enumerate(rows[1:]):
        example: Example = dict(zip(header, row, strict=True))
        if example["label"] not in labels:
            raise UserError(
                f"{path}, line {index + 2}: the label is {_shown(example['label'])}"
                f" and should be one of {', '.join(labels)}"
            )
        example["label"] = labels[example["label"]]
        examples.append({**example, "index": index})
    counts = collections.Counter(example["label"] for example in examples)
    return MemorySource(
        tuple(examples),
        {
            "file": path.name,
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "num_examples": len(examples),
            "label_counts": {name: counts[label] for name, label in labels.items()},
            "num_lines_with_broken_utf8": num_broken,
        },
    )


def _check_rows(path: pathlib.Path, rows: list[list[str]], header: Sequence[str]) -> None:
    """Raises UserError unless `rows` begin with `header` and all have its width."""
    if not rows:
        raise UserError(f"{path}: the file is empty; the header {_shown(header)} is due")
    if rows[0] != list(header):
        raise UserError(
            f"{path}, line 1: the header is {_shown(rows[0])} and should be {_shown(header)}"
        )
    if len(rows) == 1:
        raise UserError(f"{path}: the file has a header and no rows")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise UserError(
                f"{path}, line {number}: {len(row)} columns, and {len(header)} are due:"
                f" {', '.join(header)}"
            )


def _shown(value: str | Sequence[str]) -> str:
    """Returns `value` for a message: on one line and not long, whatever a file holds."""
    text = repr(value if isinstance(value, str) else "\t".join(value))
    return text if len(text) <= 80 else f"{text[:80]}..."
