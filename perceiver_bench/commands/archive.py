# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The archive that a benchmark's server asks for: complete, or not there."""

import pathlib
import zipfile
from collections.abc import Collection, Iterable, Sequence
from typing import BinaryIO

from perceiver_bench import registry
from perceiver_bench.errors import UserError
from perceiver_bench.task import Task

# The same in every archive, so that equal predictions are equal bytes. Zip knows no earlier time.
_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_READABLE = 0o100644 << 16


def due_files(tasks: Sequence[Task], path: pathlib.Path) -> tuple[str, ...]:
    """Returns the files of the archive that all `tasks` write a part of.

    Raises:
        UserError: if a task has none, or another one.
    """
    first = tasks[0]
    for task in tasks:
        if not task.submission:
            raise UserError(f"--outputs={path}: {task.name} has no archive; name a folder")
        if task.submission != first.submission:
            raise UserError(f"--task: {first.name} and {task.name} have different archives")
    return first.submission


def check_complete(path: pathlib.Path, tasks: Sequence[Task], found: Collection[str]) -> None:
    """Raises UserError unless `found` are exactly the files of the archive of `tasks`."""
    due = due_files(tasks, path)
    missing = [name for name in due if name not in found]
    if missing:
        given = {task.name for task in tasks}
        others = [
            name
            for name in registry.names()
            if registry.get(name).submission == due and name not in given
        ]
        mend = f"; tasks that are not in --task: {', '.join(others)}" if others else ""
        raise UserError(
            f"--outputs={path}: incomplete, so nothing is written; missing:"
            f" {', '.join(missing)}{mend}"
        )
    unknown = [name for name in found if name not in due]
    if unknown:
        raise UserError(
            f"--outputs={path}: nothing is written; no such file is due: {', '.join(unknown)}"
        )


def pack(file: BinaryIO, contents: Iterable[tuple[str, bytes]]) -> list[str]:
    """Writes a zip archive, one file after the other, and returns their names.

    Equal files in equal order give equal bytes.
    """
    names = []
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents:
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = _READABLE
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
            names.append(name)
    return names
