# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""`metrics.jsonl` in the workdir: one JSON object a line, the truth about a run."""

import contextlib
import json
import os
import pathlib
from typing import Any

from perceiver_bench.errors import UserError
from perceiver_bench.files import write_atomically


class MetricsLog:
    """Appends rows to `metrics.jsonl`; a resumed run first drops rows it will write again.

    With `writes` false it writes nothing: another process does.

    Raises:
        UserError: here and in `write`, if the file cannot be written.
    """

    def __init__(self, workdir: pathlib.Path, step: int, *, writes: bool = True):
        if not writes:
            self.path = pathlib.Path(os.devnull)
            self._file = self.path.open("a")
            return
        self.path = workdir / "metrics.jsonl"
        rows = [row for row in read_metrics(self.path) if row["step"] <= step]
        write_atomically(self.path, "".join(json.dumps(row) + "\n" for row in rows).encode())
        self._file = self.path.open("a")

    def write(self, step: int, **values: Any) -> None:
        """Appends one row and flushes it."""
        try:
            self._file.write(json.dumps({"step": step, **values}) + "\n")
            self._file.flush()
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Closes the file, of which every row is written already."""
        with contextlib.suppress(OSError):
            self._file.close()


def read_metrics(path: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the rows of a log; a last line cut short by a crash is left out.

    Raises:
        UserError: if a line is not a row with its step.
    """
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(errors="replace").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            break
        if not isinstance(row, dict) or not isinstance(row.get("step"), int):
            raise UserError(f"{path}: line {len(rows) + 1} has no step; remove the file")
        rows.append(row)
    return rows
