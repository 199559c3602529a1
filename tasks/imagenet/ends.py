# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""The beginning and the end of an image file, without the rest where that can be."""

import os

from .files import FolderFiles, ImageFiles, check_image_size, reading
from .tar_files import TarFiles


def read(files: ImageFiles, index: int, num_bytes: int) -> tuple[bytes, bytes]:
    """Returns the first and the last `num_bytes` of a file; of a shorter file all of it.

    Raises:
        UserError: naming the file, if it cannot be read, or is too large.
    """
    size = int(files.sizes[index])
    start = max(size - num_bytes, 0)
    if isinstance(files, FolderFiles):
        path = os.path.join(files.place, files.names[index])
        check_image_size(path, size)
        with reading(path):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                return os.pread(descriptor, num_bytes, 0), os.pread(descriptor, num_bytes, start)
            finally:
                os.close(descriptor)
    if isinstance(files, TarFiles):
        check_image_size(f"{files.place}: {files.names[index]}", size)
        place = int(files.starts[index])
        head = files.tar.read(place, min(size, num_bytes))
        return head, files.tar.read(place + start, size - start)
    content = files.read(index)
    return content[:num_bytes], content[-num_bytes:]
