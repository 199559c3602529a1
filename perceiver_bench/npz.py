# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Reading .npz files of any origin: no memory before the sizes are known, no pickles."""

import math
import struct
import tokenize
import zipfile
import zlib
from typing import BinaryIO

import numpy as np

# What Python and NumPy make of damaged archives and headers, beside ValueError and OSError.
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, SyntaxError)
_DAMAGED += (EOFError, KeyError, TypeError, OverflowError, RuntimeError, MemoryError)
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_ENCRYPTED = 0x1


def read_arrays(file: BinaryIO, *, max_bytes: int, prefix: str = "") -> dict[str, np.ndarray]:
    """Returns the arrays of an .npz file whose names begin with `prefix`, by name.

    Args:
        file: open at its beginning.
        max_bytes: that the returned arrays may take together.
        prefix: of the names.

    Raises:
        ValueError: if the file is damaged or no .npz, has a name twice, holds Python objects
            or takes more than `max_bytes`.
        OSError: if it cannot be read.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = _members(archive)
            wanted = {name: one for name, one in members.items() if name.startswith(prefix)}
            size = sum(member.file_size for member in wanted.values())
            if size > max_bytes:
                raise ValueError(f"its arrays take {size:,} bytes, at most {max_bytes:,} are read")
            return {name: _array(archive, member) for name, member in wanted.items()}
    except _DAMAGED as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Returns the entries of an archive by the names of their arrays."""
    found: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name == member.filename or name in found:
            raise ValueError(f"its entry {member.filename!r} is no array, or is there twice")
        is_plain = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        if not is_plain or member.flag_bits & _ENCRYPTED:
            raise ValueError(f"its entry {member.filename!r} is packed as NumPy never does it")
        found[name] = member
    return found


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Returns the array of an entry, whose size is what its header says."""
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in _HEADERS:
            raise ValueError(f"{member.filename!r} is of version {version} of the format")
        shape, is_fortran, dtype = _HEADERS[version](stream)
        if dtype.hasobject:
            raise ValueError(f"{member.filename!r} holds Python objects")
        size = math.prod(shape) * dtype.itemsize
        if size != member.file_size - stream.tell():
            raise ValueError(f"{member.filename!r} is not of the size that its header says")
        content = stream.read()
    if len(content) != size:
        raise ValueError(f"{member.filename!r} is cut short")
    return np.ndarray(shape, dtype, content, order="F" if is_fortran else "C")
