# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Sources of examples: files of benchmarks read into memory."""

import dataclasses
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
