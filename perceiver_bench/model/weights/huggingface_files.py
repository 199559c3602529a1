# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Reads the files of a Hugging Face folder, which come from elsewhere, safely."""

import json
import pathlib
from typing import Any

import numpy as np
import safetensors

from perceiver_bench.errors import UserError
from perceiver_bench.model.weights.torch_files import read_state_dict

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
_INDEX_FILE = "model.safetensors.index.json"
_TORCH_FILE = "pytorch_model.bin"
# A config.json has a few kilobytes, an index of shards a few hundred.
_MAX_JSON_BYTES = 2**24


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Returns the object in a JSON file.

    Raises:
        UserError: if the file cannot be read, is too large or holds no JSON object.
    """
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise UserError(
                f"{path}: larger than {_MAX_JSON_BYTES} bytes, so not what it should be"
            )
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON, or damaged; fetch it again") from error
    if not isinstance(values, dict):
        raise UserError(f"{path}: holds no JSON object; fetch it again")
    return values


def read_tensors(path: pathlib.Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Returns the arrays and the metadata of a safetensors file.

    The library compares the header with the size of the file before it takes memory.

    Raises:
        UserError: if the file cannot be read, is cut short or damaged.
    """
    try:
        with safetensors.safe_open(path, framework="np") as file:
            arrays = {name: file.get_tensor(name) for name in list(file.keys())}
            return arrays, file.metadata() or {}
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (safetensors.SafetensorError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged or cut short ({error}); fetch it again") from error


def read_weights(folder: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the arrays of a folder by name: safetensors, its shards, or PyTorch's file.

    Raises:
        UserError: if there is none of them, or one cannot be read.
    """
    if (folder / WEIGHTS_FILE).exists():
        return read_tensors(folder / WEIGHTS_FILE)[0]
    if (folder / _INDEX_FILE).exists():
        return _read_shards(folder)
    if (folder / _TORCH_FILE).exists():
        return read_state_dict(folder / _TORCH_FILE)
    raise UserError(f"{folder}: has neither {WEIGHTS_FILE} nor {_INDEX_FILE} nor {_TORCH_FILE}")


def _read_shards(folder: pathlib.Path) -> dict[str, np.ndarray]:
    index = folder / _INDEX_FILE
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict):
        raise UserError(f"{index}: has no weight_map; fetch it again")
    arrays: dict[str, np.ndarray] = {}
    for name in shards.values():
        # A shard lies in the folder; an index that points elsewhere is not honest.
        if not isinstance(name, str) or pathlib.PurePath(name).name != name or "\\" in name:
            raise UserError(f"{index}: weight_map names {name!r}, which is no file of the folder")
    for name in sorted(set(shards.values())):
        arrays |= read_tensors(folder / name)[0]
    missing = sorted(shards.keys() - arrays.keys())
    if missing:
        raise UserError(f"{index}: {missing[0]} is in none of the shards; fetch them again")
    return arrays
