# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
"""Weights in every format: which one a path holds, reading, writing."""

import dataclasses
import hashlib
import pathlib
from typing import Any

import numpy as np

from perceiver_bench.config import (
    ModelConfig,
    PositionQuery,
    TextInput,
    TiedVocabulary,
    TransformerConfig,
)
from perceiver_bench.errors import UserError
from perceiver_bench.model.weights import huggingface, official, peract
from perceiver_bench.model.weights.mapping import Weights, expected_shapes, flatten
from perceiver_bench.train import checkpoint

FORMATS = ("orbax", "huggingface", "official", "peract")
_OFFICIAL_SUFFIXES = (".pystate", ".pickle", ".pkl")
_PERACT_SUFFIXES = (".pt", ".pth")
_FILE_SUFFIXES = (".bin", ".safetensors", ".npz", ".json")


def checkpoint_folder(path: pathlib.Path) -> pathlib.Path | None:
    """Returns the Orbax checkpoint that `path` means, or None.

    `path` may be a checkpoint itself, a folder of checkpoints by step, or a workdir; of
    several the newest is meant. `WORKDIR/best` is the best one of a workdir.
    """
    if (path / "_CHECKPOINT_METADATA").is_file() or (path / "params").is_dir():
        return path
    for folder in (path, path / "checkpoints"):
        if steps := checkpoint.steps(folder):
            return folder / str(steps[-1])
    return None


def detect_format(path: pathlib.Path) -> str:
    """Returns the format of the weights at `path`.

    Raises:
        UserError: if there is nothing there, or nothing of a known format.
    """
    if path.is_file() and path.suffix in _OFFICIAL_SUFFIXES:
        return "official"
    if path.is_file() and path.suffix in _PERACT_SUFFIXES:
        return "peract"
    if path.is_dir() and (path / "config.json").is_file():
        return "huggingface"
    if path.is_dir() and checkpoint_folder(path):
        return "orbax"
    if not path.exists():
        raise UserError(f"{path}: no such file or folder of weights")
    raise UserError(
        f"{path}: neither an official file ({', '.join(_OFFICIAL_SUFFIXES)}), nor a"
        f" PerAct state dict ({', '.join(_PERACT_SUFFIXES)}), nor a Hugging Face folder (with"
        " config.json), nor an Orbax checkpoint or a workdir"
    )


def load(path: pathlib.Path, config: ModelConfig) -> tuple[Weights, dict[str, Any]]:
    """Reads the weights of the network `config` from any format.

    A Hugging Face folder and an Orbax checkpoint know details that the names of arrays do
    not (which GELU, for example); those stand in the returned `Weights.config`.

    Returns:
        The weights, and what is known of where they come from: `path`, `format`, `step`,
        and for Orbax checkpoints `metadata`.

    Raises:
        UserError: if the file is damaged or holds another model, naming what differs.
    """
    kind = detect_format(path)
    origin: dict[str, Any] = {"path": str(path), "format": kind, "step": None}
    if kind == "official":
        return official.load(path, config), origin
    if kind == "peract":
        return peract.load(path, config), origin
    if kind == "huggingface":
        return huggingface.load(path, config), origin
    folder = checkpoint_folder(path)
    assert folder is not None
    weights, metadata = checkpoint.load_weights(folder)
    _check_same_network(folder, weights.config, config)
    return weights, origin | {"step": metadata.get("step"), "metadata": metadata}


def _check_same_network(path: pathlib.Path, found: ModelConfig, due: ModelConfig) -> None:
    """Raises UserError if two networks differ in the names or shapes of their arrays."""
    if found == due:
        return
    found_shapes = {name: leaf.shape for name, leaf in expected_shapes(found).items()}
    due_shapes = {name: leaf.shape for name, leaf in expected_shapes(due).items()}
    differing = [
        f"{name} {found_shapes.get(name, 'absent')} instead of {due_shapes.get(name, 'absent')}"
        for name in sorted(found_shapes.keys() | due_shapes.keys())
        if found_shapes.get(name) != due_shapes.get(name)
    ]
    if differing:
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise UserError(f"{path} holds another model: {'; '.join(differing[:3])}{more}")


def target_format(path: pathlib.Path, name: str | None) -> str:
    """Returns the format to write: `name`, or what the target's name says.

    The official suffixes mean an official file, those of PyTorch one of PerAct; any other
    name is a folder for Orbax.

    Raises:
        UserError: for a suffix of files that are not written.
    """
    if name:
        return name
    if path.suffix in _OFFICIAL_SUFFIXES:
        return "official"
    if path.suffix in _PERACT_SUFFIXES:
        return "peract"
    if path.suffix in _FILE_SUFFIXES:
        raise UserError(
            f"--target={path}: {path.suffix} files are not written; name a folder and give"
            f" --format={'|'.join(FORMATS)}"
        )
    return "orbax"


def save(path: pathlib.Path, weights: Weights, kind: str) -> None:
    """Writes weights in one of `FORMATS`.

    Raises:
        UserError: if the target exists, or the format does not exist for this network.
    """
    if path.exists():
        raise UserError(f"--target={path} exists already; name a new one")
    if kind == "official":
        official.save(path, weights)
    elif kind == "huggingface":
        huggingface.save(path, weights)
    elif kind == "peract":
        peract.save(path, weights)
    else:
        checkpoint.save_weights(path, weights)


def load_any(path: pathlib.Path, config: ModelConfig) -> Weights:
    """Reads weights to start from: of `config` itself or of the network it is made from.

    A text network may start from a masked language model over the same inputs.

    Raises:
        UserError: if the file is damaged or holds another model.
    """
    if detect_format(path) == "orbax":
        folder = checkpoint_folder(path)
        assert folder is not None
        return checkpoint.load_weights(folder)[0]
    if isinstance(config.input, TextInput):
        config = _masked_language_model(config, config.input)
    return load(path, config)[0]


def _masked_language_model(config: ModelConfig, inputs: TextInput) -> ModelConfig:
    """Returns the masked language model over the same inputs, task tokens aside."""
    query = PositionQuery(max_length=inputs.max_length, channels=inputs.channels)
    if isinstance(config.encoder, TransformerConfig):
        query = None
    inputs = dataclasses.replace(inputs, num_task_tokens=0)
    return dataclasses.replace(config, input=inputs, query=query, head=TiedVocabulary())


def take_over(
    fresh: dict[str, Any], weights: Weights, fresh_parts: tuple[str, ...]
) -> dict[str, Any]:
    """Returns `fresh` parameters with all but `fresh_parts` taken from `weights`.

    Raises:
        UserError: if a part that should be taken over is absent or of another shape.
    """
    taken = flatten(weights.params)
    leaves = flatten(fresh)
    for name, leaf in leaves.items():
        if any(f"{name}.".startswith(f"{part}.") for part in fresh_parts):
            continue
        if name not in taken or taken[name].shape != leaf.shape:
            found = taken[name].shape if name in taken else "absent"
            raise UserError(f"--init holds another model: {name} is {found}, not {leaf.shape}")
        leaves[name] = np.asarray(taken[name])
    return leaves


def digest(weights: Weights) -> str:
    """Returns the SHA-256 of all arrays with their names."""
    total = hashlib.sha256()
    for name, leaf in {**flatten(weights.params), **flatten(weights.state)}.items():
        total.update(name.encode())
        total.update(np.ascontiguousarray(leaf).data)
    return total.hexdigest()
