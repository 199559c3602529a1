# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Interprets the part of the pickle language that a tree of arrays needs, and no more.

A pickle is a program, and `pickle.loads` runs it. This interpreter follows some forty
opcodes and refuses all others. It knows each global by name only: nothing is imported, no
object of the file is called, and no attribute is set.

A subclass of `pickle.Unpickler` would not do: a file of one megabyte crashes it (the hash
of a deep tuple) or claims 32 GB (a large memo index), before `find_class` is asked.
"""

import dataclasses
import os
import pickletools
import struct
from collections.abc import Collection
from typing import Any, BinaryIO, cast

import numpy as np

from perceiver_bench.errors import UserError
from perceiver_bench.pickled_arrays import (
    ArrayBuilder,
    Global,
    RefusedError,
    class_name,
    finished,
    finished_tuple,
    known_global,
)

# The largest release has some 17,000 opcodes.
_MAX_OPCODES = 1_000_000
_MAX_DEPTH = 32

_LITERALS = frozenset(
    (
        *("INT", "LONG", "LONG1", "LONG4", "BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
        *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
        # Python 2's strings, bytes or text; as text of Latin-1 they are both.
        *("SHORT_BINSTRING", "BINSTRING"),
    )
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


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


@dataclasses.dataclass(frozen=True)
class Record:
    """An object of a class that was neither imported nor made.

    Attributes:
        name: of the class, as `module.Class`.
        fields: the attributes by name.
    """

    name: str
    fields: dict[str, Any]


def read_pickle(
    file: BinaryIO,
    path: str | os.PathLike[str],
    *,
    lists: bool = False,
    records: Collection[str] = (),
) -> Any:
    """Returns the tree in a pickle: nested plain dicts with read-only arrays as leaves.

    Arrays are in native byte order, NumPy scalars are arrays without axes, the strings of
    Python 2 are text of Latin-1. Lists are taken with `lists` alone. Objects of the classes
    that `records` names, as `module.Class`, become `Record`s; with them come tuples.

    Raises:
        UserError: naming `path`, if the file is damaged, or holds anything but dicts,
            numbers, strings, arrays of numbers or booleans, and what was asked for.
    """
    reader = PickleReader(file, lists=lists, records=records)
    try:
        return reader.read()
    except RefusedError as error:
        raise UserError(f"{path}: refused at byte {reader.position}: {error}") from error
    # What a garbled file makes of the opcode decoder and of NumPy's own checks. The
    # deprecation is that of an odd escape in a string, where warnings are errors.
    except (ValueError, LookupError, OverflowError, struct.error, DeprecationWarning) as error:
        raise UserError(
            f"{path}: not a pickle, or a damaged one (at byte {reader.position}); fetch it again"
        ) from error


class PickleReader:
    """Interprets one pickle; `position` is the byte of the current opcode.

    `read` may also raise what a garbled file makes of the decoder of opcodes and of
    NumPy's own checks: ValueError, LookupError, OverflowError, struct.error.
    """

    def __init__(self, file: BinaryIO, *, lists: bool = False, records: Collection[str] = ()):
        self.position = 0
        self._records = records
        self._containers: set[type] = {dict}
        if lists:
            self._containers.add(list)
        if records:
            self._containers |= {Record, tuple}
        self._file = _Bounded(file)
        self._stack: list[Any] = []
        self._outer_stacks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._builder = ArrayBuilder(self._file.size)

    def read(self) -> Any:
        """Returns the value of the pickle, of dicts, arrays (read-only), numbers and text.

        Raises:
            RefusedError: if the pickle needs anything else.
        """
        for count, (opcode, argument, position) in enumerate(
            pickletools.genops(cast(Any, self._file))
        ):
            self.position = position or 0
            if count > _MAX_OPCODES:
                raise RefusedError("more opcodes than any file of arrays has")
            self._step(opcode.name, argument)
        if self._outer_stacks or len(self._stack) != 1 or self.position + 1 != self._file.size:
            raise ValueError("no single value, or bytes after it")
        value = finished(self._stack.pop())
        _check_tree(value, self._containers)
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
            stack.append(finished_tuple(reversed(items)))
        elif name == "TUPLE":
            items = self._pop_mark()
            self._stack.append(finished_tuple(items))
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "DICT":
            items = self._pop_mark()
            self._stack.append({})
            self._set_items(items)
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "APPEND":
            self._append([stack.pop()])
        elif name == "APPENDS":
            self._append(self._pop_mark())
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            self._set_items([key, value])
        elif name == "SETITEMS":
            self._set_items(self._pop_mark())
        elif name == "GLOBAL":
            stack.append(known_global(argument, self._records))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            if type(module) is not str or type(attribute) is not str:
                raise RefusedError("a global whose name is not text")
            stack.append(known_global(f"{module} {attribute}", self._records))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            if type(function) is not Global or type(arguments) is not tuple:
                raise RefusedError("a call of something that is not a known global")
            stack.append(function.build(self._builder, arguments))
        elif name == "NEWOBJ":
            arguments, cls = stack.pop(), stack.pop()
            stack.append(self._new_record(cls, arguments))
        elif name == "BUILD":
            state, target = stack.pop(), stack[-1]
            if type(target) is Record and type(state) is dict:
                target.fields.update(state)
            else:
                self._builder.set_state(target, state)
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise RefusedError(f"the opcode {name}")

    def _new_record(self, cls: Any, arguments: Any) -> Record:
        """Stands for `cls.__new__(cls, *arguments)`."""
        if type(cls) is not Global or class_name(cls.name) not in self._records:
            raise RefusedError("a new object of something that is not a known class")
        if type(arguments) is not tuple or arguments:
            raise RefusedError("a new object that is made of something")
        return Record(class_name(cls.name), {})

    def _pop_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._outer_stacks.pop()
        return items

    def _set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not dict:
            raise RefusedError("items for something that is not a dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) is bytes:
                key = key.decode("latin1")
            # Text only: the hash of a deep tuple overflows the interpreter's stack.
            if type(key) is not str:
                raise RefusedError(f"a key that is a {type(key).__name__}")
            target[key] = finished(value)

    def _append(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise RefusedError("items for something that is not a list")
        target.extend(finished(item) for item in items)


def _check_tree(tree: Any, containers: Collection[type]) -> None:
    """Refuses what is no tree of the containers, arrays, numbers and text."""
    pending = [(tree, 0)]
    seen = set()
    while pending:
        value, depth = pending.pop()
        if type(value) in containers:
            # A dict within itself, or one in many places, makes a small file endless. There
            # is only one empty tuple.
            if value != () and (id(value) in seen or depth == _MAX_DEPTH):
                raise RefusedError(f"a {type(value).__name__} in two places or too deep")
            seen.add(id(value))
            items = value.fields if type(value) is Record else value
            items = items.values() if type(items) is dict else items
            pending.extend((item, depth + 1) for item in items)
        elif not isinstance(value, np.ndarray | str | bytes | int | float | None):
            raise RefusedError(f"a value of type {type(value).__name__}")
