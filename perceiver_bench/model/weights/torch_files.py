# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Reads and writes PyTorch's state dicts; only writing them needs PyTorch."""

import importlib
import pathlib
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from perceiver_bench.errors import UserError
from perceiver_bench.files import atomic_file
from perceiver_bench.model.weights.torch_archive import read_archive


def read_state_dict(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the arrays of a state dict by name; floating-point ones in float32.

    Raises:
        UserError: if the file is damaged, no state dict, or names anything but tensors.
    """
    return {
        name: array.astype(np.float32, copy=False)
        if jnp.issubdtype(array.dtype, jnp.floating)
        else array
        for name, array in read_archive(path).items()
    }


def write_state_dict(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays as a state dict, atomically.

    Raises:
        UserError: if PyTorch is missing or the file cannot be written.
    """
    try:
        torch = importlib.import_module("torch")
    except ModuleNotFoundError as error:
        raise UserError(
            f"{path}: needs PyTorch to be written; pip install 'perceiver-bench[torch]'"
        ) from error
    with atomic_file(path) as file:
        # A copy where PyTorch could write into an array that it must not change.
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
        torch.save(tensors, file)
