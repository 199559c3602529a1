# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Reads and writes the pickles of the official releases (`.pystate`, `.pickle`) safely."""

import os
import pathlib
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np

from perceiver_bench.errors import UserError
from perceiver_bench.files import atomic_file
from perceiver_bench.pickles import read_pickle

Parameters = dict[str, dict[str, np.ndarray]]
"""Arrays by Haiku module and name."""


def load(path: str | os.PathLike[str]) -> Any:
    """Returns the tree in a pickle: nested plain dicts with read-only arrays as leaves.

    Arrays are in native byte order, NumPy scalars are arrays without axes. Haiku's mapping
    types and the device arrays of older JAX are read by name, as dicts and arrays.

    Raises:
        UserError: if the file cannot be read, is damaged, or holds anything but dicts,
            numbers, strings and arrays of numbers or booleans.
    """
    try:
        with pathlib.Path(path).open("rb") as file:
            return read_pickle(file, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


def load_params(path: str | os.PathLike[str]) -> tuple[Parameters, Parameters]:
    """Returns the parameters and the state of an official checkpoint.

    The ImageNet releases hold both, the others the parameters alone: then the state is {}.

    Raises:
        UserError: as `load`, and if the tree is not arrays by module and name.
    """
    tree = load(path)
    if isinstance(tree, dict) and set(tree) == {"params", "state"}:
        return _checked(path, tree["params"]), _checked(path, tree["state"])
    return _checked(path, tree), {}


def save(
    path: str | os.PathLike[str],
    params: Mapping[str, Mapping[str, Any]],
    state: Mapping[str, Mapping[str, Any]],
    with_state: bool,
) -> None:
    """Writes a checkpoint in the official container, atomically.

    With `with_state` the file holds both under `params` and `state` (the ImageNet
    releases), otherwise `params` alone. NumPy of any version reads it.

    Raises:
        ValueError: if there is a state that the file would not hold.
        UserError: if the file cannot be written.
    """
    if state and not with_state:
        raise ValueError("this container holds no state, but the model has one")
    tree = {"params": _plain(params), "state": _plain(state)} if with_state else _plain(params)
    with atomic_file(pathlib.Path(path)) as file:
        _Pickler(file, protocol=4).dump(tree)


class _Pickler(pickle.Pickler):
    """Writes an array as a call of `numpy.ndarray`, which every NumPy has at that name.

    NumPy's own form names `numpy._core`, which the original code's NumPy does not have.
    """

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, np.ndarray):
            return np.ndarray, (obj.shape, obj.dtype, obj.tobytes())
        return NotImplemented


def _plain(tree: Mapping[str, Mapping[str, Any]]) -> Parameters:
    return {
        module: {name: np.asarray(leaf) for name, leaf in leaves.items()}
        for module, leaves in tree.items()
    }


def _checked(path: str | os.PathLike[str], tree: Any) -> Parameters:
    if not isinstance(tree, dict):
        raise UserError(f"{path}: holds a {type(tree).__name__} in place of a dict of modules")
    for module, leaves in tree.items():
        if not isinstance(leaves, dict):
            raise UserError(f"{path}: {_shown(module)} is a {type(leaves).__name__}, not a dict")
        for name, leaf in leaves.items():
            if not isinstance(leaf, np.ndarray):
                shown = _shown(f"{module}/{name}")
                raise UserError(f"{path}: {shown} is a {type(leaf).__name__}, not an array")
    return tree


def _shown(name: str) -> str:
    """A name of the file, as one line of text of a bounded length."""
    return repr(name[:120])
