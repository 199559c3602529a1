# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of text and labels: tab-separated files, JSON lines and Parquet."""

import dataclasses
import gzip
import hashlib
import json
import pathlib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from perceiver_bench.data.parquet import parquet_rows
from perceiver_bench.errors import UserError

# The largest table that is read whole, MNLI's training set, has 0.4 GB. One that unpacks to
# far more is a mistake or an attack, and would fill the memory.
MAX_BYTES = 1 << 31
_MAX_LINE_BYTES = 1 << 24
_BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)

Numbered = Iterator[tuple[int, Sequence[Any]]]
"""The header of a file, then its rows, each with the number of its line from 1."""


@dataclasses.dataclass(frozen=True)
class Table:
    """Columns of one file.

    Attributes:
        path: the file.
        header: the names of all its columns.
        rows: of every row the columns that were asked for, None for one that is not there.
        numbers: the line, or in Parquet the row, that each of `rows` stands on, from 1.
        fingerprint: what identifies the file, and what was mended or left out.
    """

    path: pathlib.Path
    header: Sequence[str]
    rows: Sequence[tuple[Any, ...]]
    numbers: Sequence[int]
    fingerprint: Mapping[str, Any]

    def place(self, index: int) -> str:
        """Returns where `rows[index]` stands, for a message."""
        return _place(self.path, self.numbers[index])


def read_table(
    path: pathlib.Path,
    required: Sequence[str],
    optional: Sequence[str] = (),
    *,
    header: Sequence[str] | None = None,
    skip_other_widths: bool = False,
) -> Table:
    r"""Reads columns of a .tsv, .parquet, .jsonl or .json file; the last two also as .gz.

    Tab-separated files are those of GLUE: quotes are ordinary characters, and a line ends
    at `\n` alone (`\r\n` is taken too), whatever other line separators of Unicode a text
    holds. Their cells are text; JSON and Parquet have types. Text is kept as it is; what is
    not UTF-8 becomes the replacement character, and the fingerprint counts its lines.

    Args:
        path: the file.
        required: names of columns.
        optional: names of columns that may be missing; in `rows` they come last.
        header: the columns of a tab-separated file that does not name them.
        skip_other_widths: whether lines of a tab-separated file that are not as wide as its
            header are left out and counted, instead of being an error.

    Raises:
        UserError: naming the file and the line, for any deviation from the format.
    """
    counts = {"num_lines_with_broken_utf8": 0}
    if skip_other_widths:
        counts["num_lines_of_other_width"] = 0
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if path.suffix == ".tsv":
            numbered = _tab_separated(path, header, counts)
        elif path.suffix == ".parquet":
            numbered = parquet_rows(path, counts, max_bytes=MAX_BYTES)
        else:
            numbered = _json_lines(path, counts)
        found, numbers, rows = _chosen(path, numbered, required, optional)
    except _BROKEN as error:
        raise UserError(f"{path}: damaged or cut off: {error}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not rows:
        raise UserError(f"{path}: the file has no rows")
    fingerprint = {
        "file": path.name,
        "bytes": path.stat().st_size,
        "sha256": digest,
        "num_examples": len(rows),
    }
    return Table(path, found, rows, numbers, {**fingerprint, **counts})


def _chosen(
    path: pathlib.Path, numbered: Numbered, required: Sequence[str], optional: Sequence[str]
) -> tuple[Sequence[str], list[int], list[tuple[Any, ...]]]:
    """Returns the header, and of every row its number and the columns asked for."""
    _, header = next(numbered, (0, None))
    if header is None:
        raise UserError(f"{path}: the file is empty")
    for name in required:
        if name not in header:
            raise UserError(f"{path}: it has no column {name!r}; its columns are {shown(header)}")
    names = (*required, *optional)
    places = [header.index(name) if name in header else None for name in names]
    numbers, rows = [], []
    for number, cells in numbered:
        row = tuple(None if place is None else cells[place] for place in places)
        for name, cell in zip(required, row, strict=False):
            if cell is None:
                raise UserError(f"{_place(path, number)}: it has no {name!r}")
        numbers.append(number)
        rows.append(row)
    return header, numbers, rows


def _tab_separated(
    path: pathlib.Path, header: Sequence[str] | None, counts: dict[str, int]
) -> Numbered:
    if header is not None:
        yield 0, header
    for number, line in _lines(path):
        raw = line.removesuffix(b"\n").removesuffix(b"\r")
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        cells = _text(raw, counts).split("\t")
        if header is None or len(cells) == len(header):
            header = header or cells
            yield number, cells
        elif "num_lines_of_other_width" in counts:
            counts["num_lines_of_other_width"] += 1
        else:
            raise UserError(
                f"{_place(path, number)}: {len(cells)} columns, and {len(header)} are due:"
                f" {shown(header)}"
            )


def _json_lines(path: pathlib.Path, counts: dict[str, int]) -> Numbered:
    header = None
    for number, line in _lines(path):
        try:
            values = json.loads(_text(line, counts))
        except (ValueError, RecursionError) as error:
            raise UserError(f"{_place(path, number)}: not JSON: {error}") from error
        if not isinstance(values, dict):
            raise UserError(f"{_place(path, number)}: one JSON object a line is due")
        if header is None:
            header = tuple(values)
            yield 0, header
        yield number, [_without_surrogates(values.get(name)) for name in header]


def _lines(path: pathlib.Path) -> Iterator[tuple[int, bytes]]:
    """Yields the lines of a file, unpacked, with their numbers from 1."""
    total = number = 0
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        while line := file.readline(_MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > _MAX_LINE_BYTES:
                raise UserError(f"{_place(path, number)}: longer than {_MAX_LINE_BYTES:,} bytes")
            total += len(line)
            if total > MAX_BYTES:
                raise UserError(f"{path}: it unpacks to more than {MAX_BYTES:,} bytes")
            yield number, line


def _text(raw: bytes, counts: dict[str, int]) -> str:
    text = raw.decode(errors="replace")
    # A file may hold the replacement character itself, so only a round trip tells.
    counts["num_lines_with_broken_utf8"] += text.encode() != raw
    return text


def _without_surrogates(cell: Any) -> Any:
    """Returns text that UTF-8 can hold; JSON can spell halves of characters."""
    if not isinstance(cell, str):
        return cell
    return cell.encode(errors="surrogatepass").decode(errors="replace")


def _place(path: pathlib.Path, number: int) -> str:
    return f"{path}, {'row' if path.suffix == '.parquet' else 'line'} {number}"


def shown(value: Any) -> str:
    """Returns `value` for a message: on one line and not long, whatever a file holds."""
    text = ", ".join(value) if isinstance(value, list | tuple) else value
    text = repr(text)
    return text if len(text) <= 80 else f"{text[:80]}..."
