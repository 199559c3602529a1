# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The rows of every example, in a file beside the record that was made from them.

The file is an .npz with an array [n, ...] named METRIC/ROW for each row of each metric, of
the type that the row was computed in, so that pooling them gives the record's value to the
last digit. The examples are in the order of the data; those that a metric leaves out are
there with weight 0.
"""

import hashlib
import io
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from perceiver_bench import npz
from perceiver_bench.errors import UserError

# Far above any file; keeps a hostile one from filling the memory.
_MAX_BYTES = 2**30
_NUMBERS = "biuf"


def pack(rows: Mapping[str, Mapping[str, Any]]) -> tuple[bytes, dict[str, Any]]:
    """Returns the file's content and what identifies it: `sha256` and `num_examples`.

    Equal rows give equal bytes, whatever order they come in.

    Raises:
        ValueError: if the rows are not all of the same number of examples.
    """
    arrays = {}
    for metric in sorted(rows):
        for name in sorted(rows[metric]):
            row = np.asarray(rows[metric][name])
            # bfloat16, which files of NumPy cannot name, is a part of float32.
            arrays[f"{metric}/{name}"] = row if row.dtype.kind in _NUMBERS else row.astype("f4")
    sizes = {len(row) for row in arrays.values()}
    if len(sizes) != 1:
        raise ValueError(f"rows of {sorted(sizes)} examples")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    content = buffer.getvalue()
    return content, {
        "sha256": hashlib.sha256(content).hexdigest(),
        "num_examples": sizes.pop(),
    }


def read(path: pathlib.Path, metric: str, sha256: str, num_examples: int) -> dict[str, np.ndarray]:
    """Reads the rows of one metric, arrays [num_examples, ...] by name.

    Raises:
        UserError: if the file is missing, is not the one with this digest, or does not hold
            rows of that many examples for the metric.
    """
    mend = "copy the file from where the record was made, or evaluate again (--mode=evaluate)"
    try:
        with path.open("rb") as file:
            if path.stat().st_size > _MAX_BYTES:
                raise ValueError(f"it is larger than {_MAX_BYTES:,} bytes")
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise ValueError("it is not what the record was written with")
            file.seek(0)
            arrays = npz.read_arrays(file, max_bytes=_MAX_BYTES, prefix=f"{metric}/")
    except FileNotFoundError:
        raise UserError(f"{path}: the record's file of examples is missing; {mend}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not the record's file of examples ({error}); {mend}") from error
    if not arrays:
        raise UserError(f"{path}: it has no rows of {metric}; {mend}")
    for name, array in arrays.items():
        if array.dtype.kind not in _NUMBERS or array.shape[:1] != (num_examples,):
            raise UserError(
                f"{path}: {name} holds {array.dtype} of shape {list(array.shape)}, numbers of"
                f" {num_examples:,} examples are due; {mend}"
            )
    return {name.removeprefix(f"{metric}/"): array for name, array in arrays.items()}
