# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""What stands for the names in a pickle: arrays, numbers and mappings, built without calls.

Each global of NumPy, JAX, Haiku or Python that a pickle of arrays names is known here by its
name only, as one of the builders below.
"""

import dataclasses
import math
from collections.abc import Callable, Collection, Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np

_DTYPES = frozenset(("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"))
_MAX_AXES = 32


class RefusedError(Exception):
    """The file asks for what no tree of arrays needs; says what."""


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Global:
    """A name that the file may use, and what stands for calling it."""

    name: str
    build: "Callable[[ArrayBuilder, tuple], Any]"


@dataclasses.dataclass(eq=False, slots=True)
class _DType:
    """A dtype; the file gives its byte order after making it."""

    dtype: np.dtype


@dataclasses.dataclass(eq=False, slots=True)
class _Array:
    """An array; the file may fill it after making it."""

    value: np.ndarray | None


class ArrayBuilder:
    """Builds what the calls of a pickle of `size` bytes would give.

    `build_...` each stand for one callable, take the arguments that its pickles have and
    refuse all others.
    """

    def __init__(self, size: int):
        # Every byte of an array stands in the file, so a file cannot ask for more memory
        # than twice its size: once for its strings as bytes, once for arrays of them.
        self._budget = 2 * size

    def set_state(self, target: Any, state: Any) -> None:
        """Gives an array its values, or a dtype its byte order, which the file does later."""
        match target, state:
            case _DType(), (2 | 3, "<" | ">" | "|" | "=" as order, None, None, None, *_):
                target.dtype = target.dtype.newbyteorder(order)
            case _Array(value=None), (1, shape, _DType() as dtype, fortran, data):
                target.value = self._array(data, dtype, shape, "F" if fortran is True else "C")
            case _:
                raise RefusedError("a state for something that is not an array or a dtype")

    def _spend(self, size: int) -> None:
        self._budget -= size
        if self._budget < 0:
            raise RefusedError("more array bytes than the file has")

    def _array(self, data: Any, dtype: _DType, shape: Any, order: str) -> np.ndarray:
        """Returns the array [*shape] that the bytes hold, exactly."""
        if type(data) is str:
            data = data.encode("latin1")
        if type(data) not in (bytes, bytearray):
            raise RefusedError("an array whose values are not bytes")
        if not _is_tuple_of_counts(shape):
            raise RefusedError("an array without a valid shape")
        if math.prod(shape) * dtype.dtype.itemsize != len(data):
            raise RefusedError("an array whose shape does not fit its bytes")
        self._spend(len(data))
        array = np.ndarray(shape, dtype.dtype, data, order="F" if order == "F" else "C")
        array = array.astype(dtype.dtype.newbyteorder("="), copy=False)
        array.flags.writeable = False
        return array

    def build_bytes(self, arguments: tuple) -> bytes:
        """`_codecs.encode(text, 'latin1')` or `bytes()`: bytes before protocol 3."""
        match arguments:
            case (str() as text, "latin1"):
                self._spend(len(text))
                return text.encode("latin1")
            case ():
                return b""
        raise RefusedError("bytes from something that is not Latin-1 text")

    def build_dict(self, arguments: tuple) -> dict[str, Any]:
        """A mapping type, of one dict or of none."""
        match arguments:
            case ():
                return {}
            case (dict() as mapping,):
                return mapping
        raise RefusedError("a mapping of something that is not a dict")

    def build_dtype(self, arguments: tuple) -> _DType:
        """`numpy.dtype('f4', False, True)`: numbers and booleans only."""
        match arguments:
            case (str() as code, _, _) if code in _DTYPES:
                return _DType(np.dtype(code))
            case (Global(name="ml_dtypes bfloat16"), _, _):
                return _DType(np.dtype(jnp.bfloat16))
        raise RefusedError("an array type other than numbers and booleans")

    def build_array(self, arguments: tuple) -> _Array:
        """`numpy.ndarray(shape, dtype, bytes)`, the form that `save` writes."""
        match arguments:
            case (shape, _DType() as dtype, data):
                return _Array(self._array(data, dtype, shape, "C"))
        raise RefusedError("an array in an unknown form")

    def build_empty_array(self, arguments: tuple) -> _Array:
        """`_reconstruct(numpy.ndarray, (0,), b'b')`: an array whose state follows."""
        match arguments:
            case (Global(name="numpy ndarray"), (0,), b"b" | "b"):
                return _Array(None)
        raise RefusedError("an array of an unknown class")

    def build_array_from_buffer(self, arguments: tuple) -> _Array:
        """`_frombuffer(bytes, dtype, shape, order[, axes])`: protocol 5."""
        match arguments:
            case (data, _DType() as dtype, shape, "C" | "F" as order):
                return _Array(self._array(data, dtype, shape, order))
            case (data, _DType() as dtype, shape, "K", axes) if _is_tuple_of_counts(axes):
                return _Array(self._array(data, dtype, shape, "C").transpose(axes))
        raise RefusedError("an array in an unknown form")

    def build_scalar(self, arguments: tuple) -> _Array:
        """`numpy.core.multiarray.scalar(dtype, bytes)`, as an array without axes."""
        match arguments:
            case (_DType() as dtype, data):
                return _Array(self._array(data, dtype, (), "C"))
        raise RefusedError("a scalar in an unknown form")

    def build_device_array(self, arguments: tuple) -> _Array:
        """JAX's `(_reconstruct, its arguments, the array's state, the JAX type)`."""
        match arguments:
            case (Global(build=ArrayBuilder.build_empty_array), tuple() as inner, state, _):
                array = self.build_empty_array(inner)
                self.set_state(array, state)
                return array
        raise RefusedError("a JAX array in an unknown form")

    def build_nothing(self, arguments: tuple) -> Any:
        """Stands for a class that is named but never called."""
        raise RefusedError(f"a call with {len(arguments)} arguments of a class")


_GLOBALS = {
    "_codecs encode": ArrayBuilder.build_bytes,
    "builtins bytes": ArrayBuilder.build_bytes,
    "__builtin__ bytes": ArrayBuilder.build_bytes,
    "collections OrderedDict": ArrayBuilder.build_dict,
    "haiku._src.data_structures FlatMap": ArrayBuilder.build_dict,
    "haiku._src.data_structures FlatMapping": ArrayBuilder.build_dict,
    "haiku._src.data_structures frozendict": ArrayBuilder.build_dict,
    "jax._src.array _reconstruct_array": ArrayBuilder.build_device_array,
    "jax._src.device_array reconstruct_device_array": ArrayBuilder.build_device_array,
    "ml_dtypes bfloat16": ArrayBuilder.build_nothing,
    "numpy dtype": ArrayBuilder.build_dtype,
    "numpy ndarray": ArrayBuilder.build_array,
    "numpy.core.multiarray _reconstruct": ArrayBuilder.build_empty_array,
    "numpy._core.multiarray _reconstruct": ArrayBuilder.build_empty_array,
    "numpy.core.multiarray scalar": ArrayBuilder.build_scalar,
    "numpy._core.multiarray scalar": ArrayBuilder.build_scalar,
    "numpy.core.numeric _frombuffer": ArrayBuilder.build_array_from_buffer,
    "numpy._core.numeric _frombuffer": ArrayBuilder.build_array_from_buffer,
}


def class_name(name: str) -> str:
    """Returns `module.Class` of the global `module Class`."""
    return name.replace(" ", ".", 1)


def known_global(name: str, classes: Collection[str] = ()) -> Global:
    """Returns the global `module name`: a builder's, or one of `classes`, as `module.Class`.

    Raises:
        RefusedError: for one that is neither.
    """
    if class_name(name) in classes:
        return Global(name, ArrayBuilder.build_nothing)
    if name not in _GLOBALS:
        shown = class_name(name[:80])
        raise RefusedError(f"it names {shown!r}, which no array needs and which may do harm")
    return Global(name, _GLOBALS[name])


def _is_tuple_of_counts(value: Any) -> bool:
    if type(value) is not tuple or len(value) > _MAX_AXES:
        return False
    return all(type(n) is int and 0 <= n < 2**40 for n in value)


def finished(value: Any) -> Any:
    """Returns `value`, or the array that a stand-in holds by now."""
    if type(value) is not _Array:
        return value
    if value.value is None:
        raise RefusedError("an array without values")
    return value.value


def finished_tuple(items: Iterable[Any]) -> tuple:
    """Returns a tuple of `items`, with the arrays that stand-ins hold by now in their place."""
    return tuple(
        item.value if type(item) is _Array and item.value is not None else item for item in items
    )
