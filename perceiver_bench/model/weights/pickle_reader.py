# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Interprets the part of the pickle language that a tree of arrays needs, and no more.

A pickle is a program, and `pickle.loads` runs it. This interpreter follows some forty
opcodes and refuses all others. It knows each global by name only, as one of the builders
below: nothing is imported, no object of the file is called, and no attribute is set.

A subclass of `pickle.Unpickler` would not do: a file of one megabyte crashes it (the hash
of a deep tuple) or claims 32 GB (a large memo index), before `find_class` is asked.
"""

import dataclasses
import math
import os
import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import jax.numpy as jnp
import numpy as np

_DTYPES = frozenset(("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"))
# The largest release has some 17,000 opcodes.
_MAX_OPCODES = 1_000_000
_MAX_DEPTH = 32
_MAX_AXES = 32

_LITERALS = frozenset(
    (
        *("INT", "LONG", "LONG1", "LONG4", "BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
        *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    )
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class RefusedError(Exception):
    """The file asks for what no checkpoint needs; says what."""


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class _Global:
    """A name that the file may use, and what stands for calling it."""

    name: str
    build: "Callable[[PickleReader, tuple], Any]"


@dataclasses.dataclass(eq=False, slots=True)
class _DType:
    """A dtype; the file gives its byte order after making it."""

    dtype: np.dtype


@dataclasses.dataclass(eq=False, slots=True)
class _Array:
    """An array; the file may fill it after making it."""

    value: np.ndarray | None


class _Bounded:
    """A file that `pickletools` may ask for any number of bytes.

    It asks for as many as an opcode says, and Python's files allocate them before they look
    for them: nine bytes could claim a terabyte.
    """

    def __init__(self, file: BinaryIO):
        self.size = file.seek(0, os.SEEK_END)
        self._file = file
        file.seek(0)

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, self.size - self.tell()))

    def readline(self) -> bytes:
        return self._file.readline()

    def tell(self) -> int:
        return self._file.tell()


class PickleReader:
    """Interprets one pickle; `position` is the byte of the current opcode.

    `read` may also raise what a garbled file makes of the decoder of opcodes and of
    NumPy's own checks: ValueError, LookupError, OverflowError, struct.error.
    """

    def __init__(self, file: BinaryIO):
        self.position = 0
        self._file = _Bounded(file)
        self._stack: list[Any] = []
        self._outer_stacks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        # Every byte of an array stands in the file, so a file cannot ask for more memory
        # than twice its size: once for its strings as bytes, once for arrays of them.
        self._budget = 2 * self._file.size

    def read(self) -> Any:
        """Returns the value of the pickle: dicts, arrays (read-only), numbers and text.

        Raises:
            RefusedError: if the pickle needs anything else.
        """
        for count, (opcode, argument, position) in enumerate(
            pickletools.genops(cast(Any, self._file))
        ):
            self.position = position or 0
            if count > _MAX_OPCODES:
                raise RefusedError("more opcodes than any checkpoint has")
            self._step(opcode.name, argument)
        if self._outer_stacks or len(self._stack) != 1 or self.position + 1 != self._file.size:
            raise ValueError("no single value, or bytes after it")
        value = _finished(self._stack.pop())
        _check_tree(value)
        return value

    def _step(self, name: str, argument: Any) -> None:
        """Carries out one opcode."""
        stack = self._stack
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self._memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name == "MARK":
            self._outer_stacks.append(stack)
            self._stack = []
        elif name in _TUPLES:
            items = [stack.pop() for _ in range(_TUPLES[name])]
            stack.append(tuple(reversed(items)))
        elif name == "TUPLE":
            items = self._pop_mark()
            self._stack.append(tuple(items))
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "DICT":
            items = self._pop_mark()
            self._stack.append({})
            self._set_items(items)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            self._set_items([key, value])
        elif name == "SETITEMS":
            self._set_items(self._pop_mark())
        elif name == "GLOBAL":
            stack.append(_global(argument))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            if type(module) is not str or type(attribute) is not str:
                raise RefusedError("a global whose name is not text")
            stack.append(_global(f"{module} {attribute}"))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            if type(function) is not _Global or type(arguments) is not tuple:
                raise RefusedError("a call of something that is not a known global")
            stack.append(function.build(self, arguments))
        elif name == "BUILD":
            state, target = stack.pop(), stack[-1]
            self._set_state(target, state)
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise RefusedError(f"the opcode {name}")

    def _pop_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._outer_stacks.pop()
        return items

    def _set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not dict:
            raise RefusedError("items for something that is not a dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Text only: the hash of a deep tuple overflows the interpreter's stack.
            if type(key) is not str:
                raise RefusedError(f"a key that is a {type(key).__name__}")
            target[key] = _finished(value)

    def _set_state(self, target: Any, state: Any) -> None:
        match target, state:
            case _DType(), (3, "<" | ">" | "|" | "=" as order, None, None, None, _, _, _):
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

    # The builders. Each stands for one callable of NumPy, JAX, Haiku or Python, takes the
    # arguments that its pickles have and refuses all others.

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
            case (_Global(name="ml_dtypes bfloat16"), _, _):
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
            case (_Global(name="numpy ndarray"), (0,), b"b"):
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
            case (_Global(build=PickleReader.build_empty_array), tuple() as inner, state, _):
                array = self.build_empty_array(inner)
                self._set_state(array, state)
                return array
        raise RefusedError("a JAX array in an unknown form")

    def build_nothing(self, arguments: tuple) -> Any:
        """Stands for a class that is named but never called."""
        raise RefusedError(f"a call with {len(arguments)} arguments of a class")


_GLOBALS = {
    "_codecs encode": PickleReader.build_bytes,
    "builtins bytes": PickleReader.build_bytes,
    "__builtin__ bytes": PickleReader.build_bytes,
    "collections OrderedDict": PickleReader.build_dict,
    "haiku._src.data_structures FlatMap": PickleReader.build_dict,
    "haiku._src.data_structures FlatMapping": PickleReader.build_dict,
    "haiku._src.data_structures frozendict": PickleReader.build_dict,
    "jax._src.array _reconstruct_array": PickleReader.build_device_array,
    "jax._src.device_array reconstruct_device_array": PickleReader.build_device_array,
    "ml_dtypes bfloat16": PickleReader.build_nothing,
    "numpy dtype": PickleReader.build_dtype,
    "numpy ndarray": PickleReader.build_array,
    "numpy.core.multiarray _reconstruct": PickleReader.build_empty_array,
    "numpy._core.multiarray _reconstruct": PickleReader.build_empty_array,
    "numpy.core.multiarray scalar": PickleReader.build_scalar,
    "numpy._core.multiarray scalar": PickleReader.build_scalar,
    "numpy.core.numeric _frombuffer": PickleReader.build_array_from_buffer,
    "numpy._core.numeric _frombuffer": PickleReader.build_array_from_buffer,
}


def _global(name: str) -> _Global:
    if name not in _GLOBALS:
        shown = ".".join(name[:80].split(" "))
        raise RefusedError(f"it names {shown!r}, which no checkpoint needs and which may do harm")
    return _Global(name, _GLOBALS[name])


def _is_tuple_of_counts(value: Any) -> bool:
    if type(value) is not tuple or len(value) > _MAX_AXES:
        return False
    return all(type(n) is int and 0 <= n < 2**40 for n in value)


def _finished(value: Any) -> Any:
    """Returns `value`, or the array that a stand-in holds by now."""
    if type(value) is not _Array:
        return value
    if value.value is None:
        raise RefusedError("an array without values")
    return value.value


def _check_tree(tree: Any) -> None:
    """Refuses what is no tree of dicts, arrays, numbers and text."""
    pending = [(tree, 0)]
    seen = set()
    while pending:
        value, depth = pending.pop()
        if type(value) is dict:
            # A dict within itself, or one in many places, makes a small file endless.
            if id(value) in seen or depth == _MAX_DEPTH:
                raise RefusedError("a dict in two places or too deep")
            seen.add(id(value))
            pending.extend((item, depth + 1) for item in value.values())
        elif not isinstance(value, np.ndarray | str | bytes | int | float | None):
            raise RefusedError(f"a value of type {type(value).__name__}")
