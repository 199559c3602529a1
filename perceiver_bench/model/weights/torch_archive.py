# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Reads the tensors of PyTorch's zip archives without PyTorch; nothing in them is run.

What `torch.jit.save` writes of a module, as the releases of CLIP are, and what `torch.save`
writes of a state dict have one form: `data.pkl` tells the names, shapes and types of the
tensors, `data/KEY` holds the values of each. The code in a module's archive is not read.
"""

import contextlib
import io
import math
import pathlib
import struct
import zipfile
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from perceiver_bench.errors import UserError
from perceiver_bench.model.weights.mapping import flatten
from perceiver_bench.pickled_arrays import Global, RefusedError
from perceiver_bench.pickles import PickleReader

_TYPES = {
    "torch BFloat16Storage": np.dtype(jnp.bfloat16),
    "torch HalfStorage": np.dtype("<f2"),
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch ByteStorage": np.dtype("u1"),
    "torch BoolStorage": np.dtype("?"),
    "torch IntStorage": np.dtype("<i4"),
    "torch LongStorage": np.dtype("<i8"),
}
_MAX_SHARING = 4
# The classes of a TorchScript module; their objects are read as dicts of their attributes.
_MODULES = "__torch__."


def read_archive(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the tensors of an archive by dotted name, read-only and in their own types.

    Attributes and entries that are no tensors are left out.

    Raises:
        UserError: if the file cannot be read, is no such archive, is damaged, or names
            anything but tensors, modules and containers.
    """
    with contextlib.ExitStack() as stack, _faults_named(path):
        archive = _Archive(stack.enter_context(zipfile.ZipFile(path)), path.stat().st_size)
        reader = _TensorReader(archive)
        tree = reader.read()
    if not isinstance(tree, dict):
        raise UserError(f"{path}: holds a {type(tree).__name__} in place of named tensors")
    return {name: leaf for name, leaf in flatten(tree).items() if isinstance(leaf, np.ndarray)}


@contextlib.contextmanager
def _faults_named(path: pathlib.Path) -> Iterator[None]:
    """Turns what a foreign or garbled archive raises into a UserError."""
    try:
        yield
    except RefusedError as error:
        raise UserError(f"{path}: refused: {error}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except zipfile.BadZipFile as error:
        raise UserError(
            f"{path}: no zip archive of PyTorch 1.6 or later, or a damaged one ({error});"
            " fetch it again, or save it anew with torch.save"
        ) from error
    # What a garbled file makes of the decoders of zip and pickle and of NumPy's own checks. The
    # deprecation is that of an odd escape in a string, where warnings are errors.
    except (
        *(ValueError, LookupError, OverflowError, NotImplementedError),
        *(RuntimeError, EOFError, struct.error, DeprecationWarning),
    ) as error:
        raise UserError(f"{path}: a damaged archive; fetch it again") from error


class _Archive:
    """The records of an archive, by their names within its one folder."""

    def __init__(self, archive: zipfile.ZipFile, size: int):
        self._archive = archive
        # Records stand in an archive as they are, so they are never more than the file, unless
        # they overlap. Tensors may share values, but not without end.
        self._budget = {"records": size, "tensors": _MAX_SHARING * size}
        suffix = "/data.pkl"
        found = [name for name in archive.namelist() if name.count("/") == 1]
        found = [name for name in found if name.endswith(suffix)]
        if len(found) != 1:
            raise RefusedError("it has no data.pkl, or several, so it is no archive of PyTorch")
        self._folder = found[0].removesuffix(suffix)
        if self.has("byteorder") and self.read("byteorder") != b"little":
            raise RefusedError("its values are not in little-endian order")

    def has(self, name: str) -> bool:
        return f"{self._folder}/{name}" in self._archive.NameToInfo

    def read(self, name: str) -> bytes:
        """Returns the content of the record `name`."""
        if not self.has(name):
            raise RefusedError(f"it has no record {name[:80]!r}, which its data.pkl names")
        record = self._archive.getinfo(f"{self._folder}/{name}")
        if record.compress_type != zipfile.ZIP_STORED:
            raise RefusedError(f"its record {name!r} is compressed, which PyTorch does not do")
        self.spend("records", record.file_size)
        return self._archive.read(record)

    def spend(self, kind: str, size: int) -> None:
        """Counts bytes of records or of tensors; refuses more than the file can have."""
        self._budget[kind] -= size
        if self._budget[kind] < 0:
            raise RefusedError(f"its {kind} are larger than the file")


class _TensorReader(PickleReader):
    """Interprets `data.pkl`: the pickle of a tree whose tensors stand in other records."""

    def __init__(self, archive: _Archive):
        super().__init__(io.BytesIO(archive.read("data.pkl")), lists=True)
        self._archive = archive
        self._storages: dict[str, np.ndarray] = {}
        self._known = {
            "torch._utils _rebuild_tensor_v2": self._build_tensor,
            # The list is an attribute, such as a padding, and no tensor.
            "torch.jit._pickle build_intlist": lambda _, __: None,
        }

    def _step(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name == "GLOBAL" and argument.startswith(_MODULES):
            stack.append(_MODULES)
        elif name == "GLOBAL" and argument in self._known:
            stack.append(Global(argument, self._known[argument]))
        elif name == "GLOBAL" and argument in _TYPES:
            stack.append(_TYPES[argument])
        elif name == "NEWOBJ":
            arguments, kind = stack.pop(), stack.pop()
            if kind is not _MODULES or type(arguments) is not tuple or arguments:
                raise RefusedError("an object of something that is not a module")
            stack.append({})
        elif name == "BUILD" and type(stack[-1]) is dict:
            # The attributes of a module, or the versions that a state dict notes.
            attributes = stack.pop()
            self._set_items([item for pair in attributes.items() for item in pair])
        elif name == "BINPERSID":
            stack.append(self._storage(stack.pop()))
        else:
            super()._step(name, argument)

    def _storage(self, identity: Any) -> np.ndarray:
        """Returns the values [count] that a persistent id names."""
        match identity:
            case ("storage", np.dtype() as dtype, str() as key, str(), int() as count):
                if key not in self._storages:
                    data = self._archive.read(f"data/{key}")
                    if len(data) != count * dtype.itemsize:
                        raise RefusedError(f"its record data/{key[:80]} has another size")
                    self._storages[key] = np.ndarray((count,), dtype, data)
                if self._storages[key].dtype == dtype:
                    return self._storages[key]
        raise RefusedError("values in an unknown form")

    def _build_tensor(self, _: Any, arguments: tuple) -> np.ndarray:
        """`_rebuild_tensor_v2(values, offset, shape, strides, ...)`, as a view of the values."""
        match arguments:
            case (
                np.ndarray(ndim=1) as values,
                int() as offset,
                tuple() as shape,
                tuple() as steps,
                *_,
            ):
                counts = (offset, *shape, *steps)
                if any(type(n) is not int or n < 0 for n in counts) or len(shape) != len(steps):
                    raise RefusedError("a tensor without a valid shape")
                size = math.prod(shape)
                last = sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
                if size and offset + last >= len(values):
                    raise RefusedError("a tensor that reaches beyond its values")
                self._archive.spend("tensors", size * values.itemsize)
                return np.lib.stride_tricks.as_strided(
                    values[offset:],
                    shape,
                    [step * values.itemsize for step in steps],
                    writeable=False,
                )
        raise RefusedError("a tensor in an unknown form")
