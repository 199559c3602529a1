# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Reads and writes PyTorch's state dicts; those that are read come from elsewhere."""

import importlib
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from perceiver_bench.errors import UserError
from perceiver_bench.files import atomic_file

# Tensors may share their values, so that all together have more bytes than the file, and half
# precision takes twice its bytes here.
_MAX_GROWTH = 4


def _torch(path: pathlib.Path, purpose: str) -> Any:
    try:
        return importlib.import_module("torch")
    except ModuleNotFoundError as error:
        raise UserError(
            f"{path}: needs PyTorch to be {purpose}; pip install 'perceiver-bench[torch]'"
        ) from error


def read_state_dict(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the arrays of a state dict by name; floating-point ones in float32.

    Raises:
        UserError: if PyTorch is missing, or the file is damaged or no state dict.
    """
    torch = _torch(path, "read")
    try:
        most = _MAX_GROWTH * path.stat().st_size
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if sum(part.file_size for part in archive.infolist()) > most:
                    raise UserError(f"{path}: grows too much when unpacked; fetch it again")
        # weights_only refuses every class but tensors and containers; PyTorch raises many
        # kinds of errors for a damaged file.
        state = torch.load(path, map_location="cpu", weights_only=True)
        if sum(tensor.numel() * 4 for tensor in state.values()) > most:
            raise UserError(f"{path}: its tensors are larger than the file; fetch it again")
        return {
            name: tensor.float().numpy() if tensor.is_floating_point() else tensor.numpy()
            for name, tensor in state.items()
        }
    except UserError:
        raise
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: not a state dict, or damaged: {first}") from error


def write_state_dict(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays as a state dict, atomically.

    Raises:
        UserError: if PyTorch is missing or the file cannot be written.
    """
    torch = _torch(path, "written")
    with atomic_file(path) as file:
        # A copy where PyTorch could write into an array that it must not change.
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
        torch.save(tensors, file)
