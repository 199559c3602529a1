# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Rows of a Parquet file, as plain Python values."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from perceiver_bench.errors import UserError


def parquet_rows(
    path: pathlib.Path,
    counts: dict[str, int],
    *,
    only: str | None = None,
    max_bytes: int | None = None,
) -> Iterator[tuple[int, Sequence[Any]]]:
    """Yields the names of the columns, then every row with its number from 1.

    Rows hold the column `only`, if one is named, and are read a thousand at a time. Bytes of
    a text that are not UTF-8 become the replacement character; their rows are added to
    `counts["num_lines_with_broken_utf8"]`.

    Raises:
        UserError: if pyarrow is missing, the file is damaged or has no column `only`, or its
            text has more than `max_bytes`, however small the file is.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError(
            f"{path}: Parquet needs pyarrow; pip install 'perceiver-bench[parquet]'"
        ) from None
    number, total = 0, 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = tuple(file.schema_arrow.names)
            if only not in (None, *names):
                raise UserError(f"{path}: it has no column {only!r}, only {', '.join(names)}")
            yield 0, names
            for batch in file.iter_batches(1024, columns=[only] if only else None):
                columns = [
                    # Text that is not UTF-8 would be an error of the conversion.
                    array.cast(pyarrow.large_binary()) if _is_text(pyarrow, array) else array
                    for array in batch.columns
                ]
                for cells in zip(*(column.to_pylist() for column in columns), strict=True):
                    number += 1
                    row = [_text(cell) for cell in cells]
                    counts["num_lines_with_broken_utf8"] += any(
                        isinstance(cell, bytes) and text.encode() != cell
                        for cell, text in zip(cells, row, strict=True)
                    )
                    total += sum(len(cell) for cell in cells if isinstance(cell, bytes))
                    if max_bytes is not None and total > max_bytes:
                        raise UserError(f"{path}: it unpacks to more than {max_bytes:,} bytes")
                    yield number, row
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{path}: not a Parquet file that can be read: {reason}") from error


def _is_text(pyarrow: Any, array: Any) -> bool:
    return pyarrow.types.is_string(array.type) or pyarrow.types.is_large_string(array.type)


def _text(cell: Any) -> Any:
    return cell.decode(errors="replace") if isinstance(cell, bytes) else cell
