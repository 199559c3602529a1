# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Writes pickles of objects whose classes are not installed here, as RLBench would.

Python's own pickler looks every class up. So the few opcodes that an episode needs are put
together here, in protocol 3 and with the module names of NumPy 1, which NumPy 2 reads too.
"""

import pickle
import struct
from typing import Any, NamedTuple

import numpy as np


class Instance(NamedTuple):
    """An object: where its class is, and the attributes that it is made with."""

    module: str
    name: str
    state: dict[str, Any]


def dumps(value: Any) -> bytes:
    """Returns a pickle of dicts, lists, tuples, arrays, numbers, text, None and `Instance`s.

    Raises:
        TypeError: for a value of any other type.
    """
    return pickle.PROTO + b"\x03" + _opcodes(value) + pickle.STOP


def _opcodes(value: Any) -> bytes:
    match value:
        case None:
            return pickle.NONE
        case bool():
            return pickle.NEWTRUE if value else pickle.NEWFALSE
        case int():
            return pickle.BININT + struct.pack("<i", value)
        case float():
            return pickle.BINFLOAT + struct.pack(">d", value)
        case str():
            text = value.encode()
            return pickle.BINUNICODE + struct.pack("<I", len(text)) + text
        case bytes():
            return pickle.BINBYTES + struct.pack("<I", len(value)) + value
        case Instance(module, name, state):
            made = _global(module, name) + pickle.EMPTY_TUPLE + pickle.NEWOBJ
            return made + _opcodes(state) + pickle.BUILD
        case tuple():
            return pickle.MARK + b"".join(map(_opcodes, value)) + pickle.TUPLE
        case list():
            items = b"".join(map(_opcodes, value))
            return pickle.EMPTY_LIST + pickle.MARK + items + pickle.APPENDS
        case dict():
            items = b"".join(_opcodes(key) + _opcodes(item) for key, item in value.items())
            return pickle.EMPTY_DICT + pickle.MARK + items + pickle.SETITEMS
        case np.ndarray():
            return _array(value)
    raise TypeError(f"a {type(value).__name__} cannot be pickled here")


def _global(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _array(value: np.ndarray) -> bytes:
    """Returns what NumPy 1 writes for an array of numbers."""
    order = "|" if value.dtype.itemsize == 1 else "<"
    value = np.ascontiguousarray(value.astype(value.dtype.newbyteorder(order))).reshape(value.shape)
    kind = value.dtype.str[1:]
    dtype = (
        _global("numpy", "dtype")
        + _opcodes((kind, False, True))
        + pickle.REDUCE
        + _opcodes((3, order, None, None, None, -1, -1, 0))
        + pickle.BUILD
    )
    empty = (
        _global("numpy.core.multiarray", "_reconstruct")
        + pickle.MARK
        + _global("numpy", "ndarray")
        + _opcodes((0,))
        + _opcodes(b"b")
        + pickle.TUPLE
        + pickle.REDUCE
    )
    state = pickle.MARK + _opcodes(1) + _opcodes(value.shape) + dtype
    return empty + state + _opcodes(False) + _opcodes(value.tobytes()) + pickle.TUPLE + pickle.BUILD
