# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Writing files so that no reader, now or after a crash, sees half of one."""

import contextlib
import os
import pathlib
import uuid
from collections.abc import Iterator
from typing import BinaryIO

from perceiver_bench.errors import UserError


@contextlib.contextmanager
def atomic_file(path: pathlib.Path, *, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Opens a file for writing that appears at `path` whole, or not at all.

    Missing folders are made. The content is on disk before the name is.

    Raises:
        UserError: naming the path, if it cannot be written, or exists and `overwrite` is
            False.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if not overwrite and path.exists():
            raise FileExistsError("the file exists already")
        temporary.replace(path)
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"{path}: cannot be written: {reason}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_atomically(path: pathlib.Path, content: bytes, *, overwrite: bool = True) -> None:
    """Writes `content` to `path` by `atomic_file`; raises UserError as that does."""
    with atomic_file(path, overwrite=overwrite) as file:
        file.write(content)
