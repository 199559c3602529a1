# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Tables in MATLAB's .mat files of version 5: struct arrays of texts and numbers.

SciPy reads these files too, but takes memory for what a damaged one claims to hold, and is
known to crash over it. Here all that is claimed is held against the bytes that are there.
"""

import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

_HEADER_BYTES = 128
_MAX_FIELDS = 1000
_ORDERS = {b"IM": "<", b"MI": ">"}
# Kinds of elements.
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
# Kinds of arrays; those of numbers follow each other.
_STRUCT, _CHARACTERS, _FIRST_NUMBERS, _LAST_NUMBERS = 2, 4, 6, 15

Value = str | float | None


class _Array(NamedTuple):
    """An array: its kind, its name, the shape it claims, and its elements."""

    kind: int
    name: bytes
    shape: tuple[int, ...]
    elements: list[tuple[int, memoryview]]


def read_table(
    content: bytes, name: str, fields: Sequence[str], max_bytes: int
) -> dict[str, list[Value]]:
    """Returns the values of the `fields` of the struct array `name`, one for each struct.

    A value is a text or a number, None for arrays and whatever else a field holds.

    Raises:
        ValueError: for what is no such file, is damaged or unpacks to more than `max_bytes`;
            for a table or a field that is missing.
    """
    order = _ORDERS.get(content[_HEADER_BYTES - 2 : _HEADER_BYTES])
    if order is None:
        raise ValueError("no .mat file of version 5")
    try:
        for body in _matrices(memoryview(content)[_HEADER_BYTES:], order, max_bytes):
            array = _array(body, order)
            if array.kind == _STRUCT and array.name == name.encode():
                return _table(array, fields, order)
    except (struct.error, zlib.error) as error:
        raise ValueError(f"damaged: {error}") from error
    raise ValueError(f"it has no table {name!r}")


def _matrices(data: memoryview, order: str, max_bytes: int) -> Iterator[memoryview]:
    """Yields the content of each array of the file, unpacked."""
    start = 0
    while start < len(data):
        kind, size = struct.unpack_from(f"{order}II", data, start)
        body = data[start + 8 : start + 8 + size]
        if len(body) < size:
            raise ValueError("cut short")
        if kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            unpacked = memoryview(unpacker.decompress(body, max_bytes))
            if unpacker.unconsumed_tail:
                raise ValueError(f"it unpacks to more than {max_bytes:,} bytes")
            if not unpacker.eof:
                raise ValueError("cut short")
            ((kind, body),) = _elements(unpacked, order)
        if kind == _MATRIX:
            yield body
        start += 8 + size


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yields the kind and the content of the elements that follow each other."""
    start = 0
    while start < len(data):
        kind, size = struct.unpack_from(f"{order}II", data, start)
        begin, following = start + 8, start + 8 + size + -size % 8
        if kind >> 16:  # up to four bytes stand in the place of the size
            kind, size, begin, following = kind & 0xFFFF, kind >> 16, start + 4, start + 8
        body = data[begin : begin + size]
        if len(body) < size:
            raise ValueError("cut short")
        yield kind, body
        start = following


def _array(data: memoryview, order: str) -> _Array:
    (_, flags), (_, shape), (_, name), *elements = _elements(data, order)
    (kind,) = struct.unpack_from(f"{order}I", flags)
    lengths = tuple(length for (length,) in struct.iter_unpack(f"{order}i", shape))
    return _Array(kind & 0xFF, bytes(name), lengths, elements)


def _table(array: _Array, fields: Sequence[str], order: str) -> dict[str, list[Value]]:
    (_, width), (_, names), *cells = array.elements
    (num_letters,) = struct.unpack(f"{order}i", width)
    if not 0 < len(names) <= _MAX_FIELDS * num_letters or len(names) % num_letters:
        raise ValueError("damaged names of fields")
    starts = range(0, len(names), num_letters)
    found = [bytes(names[i : i + num_letters]).partition(b"\0")[0] for i in starts]
    count = math.prod(array.shape)
    if len(cells) != count * len(found):
        raise ValueError(f"{count:,} structs are due and {len(cells):,} fields are there")
    table = {}
    for field in fields:
        if field.encode() not in found:
            raise ValueError(f"its structs have no {field!r}")
        of_field = cells[found.index(field.encode()) :: len(found)]
        table[field] = [_value(kind, body, order) for kind, body in of_field]
    return table


def _value(kind: int, body: memoryview, order: str) -> Value:
    """Returns what a field holds, None for anything but one line of text or one number."""
    if kind != _MATRIX or not body:
        return None
    array = _array(body, order)
    if len(array.elements) != 1:
        return None
    ((kind, data),) = array.elements
    if array.kind == _CHARACTERS and kind in _TEXTS and math.prod(array.shape[:-1]) <= 1:
        coding = _TEXTS[kind]
        if coding in ("utf-16", "utf-32"):
            coding += {"<": "-le", ">": "-be"}[order]
        return bytes(data).decode(coding)
    if _FIRST_NUMBERS <= array.kind <= _LAST_NUMBERS and kind in _NUMBERS:
        numbers = np.frombuffer(data, f"{order}{_NUMBERS[kind]}")
        return float(numbers[0]) if len(numbers) == math.prod(array.shape) == 1 else None
    return None
